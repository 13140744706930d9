/*
 * race.c - the last accesses to each eight bytes
 */
#include "race.h"

#include <stdint.h>
#include <string.h>

#include "clock.h"
#include "shadow.h"
#include "symbols.h"

#define CELLS (1u << 19)
#define LONG 256u

struct access {
        uint32_t clock, pc;
        uint8_t mask;
        bool atomic;
};
struct cell {
        uintptr_t key;
        int writer;
        struct access write, reads[THREADS];
};
static struct shadow cells = { .bytes = sizeof(struct cell), .places = CELLS, .shift = 3 };

/* Copies of what another process may write meanwhile: a checksum says whether they are whole. */
static bool is_checked(const void *pc)
{
        static const char *const readers[] = { "slot_read" };

        for (unsigned i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
                if (strcmp(symbols_function(pc), readers[i]) == 0)
                        return true;
        return false;
}

static void judge(const struct access *then, int thread, uint8_t mask, bool atomic, bool wrote,
                  bool write, const void *pc)
{
        if (thread == scheduler_current || then->clock <= clock_now()->of[thread] ||
            !(then->mask & mask) || (atomic && then->atomic))
                return;
        if (is_checked(pc) || is_checked((const void *)(uintptr_t)then->pc))
                return;
        verdict("race: %s in %s, %s in %s before, and nothing orders them",
                write ? "a write" : "a read", symbols_function(pc), wrote ? "a write" : "a read",
                symbols_function((const void *)(uintptr_t)then->pc));
}

static void granule(uintptr_t key, uint8_t mask, bool write, bool atomic, const void *pc)
{
        struct cell *c = shadow_find(&cells, key, true);
        struct access *mine, now = { clock_mine(), (uint32_t)(uintptr_t)pc, mask, atomic };

        if (!c) /* full: look at less */
                return;
        judge(&c->write, c->writer, mask, atomic, true, write, pc);
        for (int i = 0; write && i < THREADS; i++)
                judge(&c->reads[i], i, mask, atomic, false, true, pc);
        mine = write ? &c->write : &c->reads[scheduler_current];
        if (mine->clock == now.clock && mine->atomic == atomic &&
            (!write || c->writer == scheduler_current))
                now.mask |= mine->mask; /* a neighbour among the eight: both count */
        *mine = now;
        if (write)
                c->writer = scheduler_current;
}

/* All bytes of a long copy race, or none: of its middle every eighth place is looked at. */
void race_access(const volatile void *at, size_t bytes, bool write, bool atomic, const void *pc)
{
        uintptr_t from = (uintptr_t)at, end = from + bytes;

        while (from < end) {
                uintptr_t key = from & ~(uintptr_t)7;
                unsigned low = from & 7, high = end - key < 8 ? (unsigned)(end - key) : 8;
                granule(key, (uint8_t)((0xff << low) & (0xff >> (8 - high))), write, atomic, pc);
                from = key + 8;
                if (bytes > LONG && from + LONG < end)
                        from = (from + 63) & ~(uintptr_t)63;
        }
}

void race_forget(const void *at, size_t bytes)
{
        for (uintptr_t key = (uintptr_t)at & ~(uintptr_t)7; key < (uintptr_t)at + bytes; key += 8) {
                struct cell *c = shadow_find(&cells, key, false);
                if (c)
                        *c = (struct cell){ .key = key };
        }
}
