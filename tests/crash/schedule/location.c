/*
 * location.c - histories of atomic variables
 */
#include "location.h"

#include <stdlib.h>

#include "choice.h"
#include "shadow.h"

#define LOCATIONS 32768u
#define DEPTH 4u

struct value {
        uint64_t value, serial;
        int thread;
        uint32_t when; /* 0: before the schedule, known to all */
        bool released;
        struct clock clock;
        uint64_t turn; /* among the sequentially consistent; 0: it is none of them */
};
struct location {
        uintptr_t key;
        uint64_t serial; /* of the newest; its place is that modulo DEPTH */
        unsigned count;
        uint64_t seen[THREADS];
        struct value values[DEPTH];
};
/* The one order of sequentially consistent stores and fences; each thread's last fence in it. */
static uint64_t turns, fenced[THREADS];
static struct shadow locations = { .bytes = sizeof(struct location),
                                   .places = LOCATIONS,
                                   .shift = 2 };

uint64_t location_memory(const volatile void *at, unsigned bytes)
{
        switch (bytes) {
        case 1:
                return *(const volatile uint8_t *)at;
        case 2:
                return *(const volatile uint16_t *)at;
        case 4:
                return *(const volatile uint32_t *)at;
        default:
                return *(const volatile uint64_t *)at;
        }
}

void location_put(volatile void *at, unsigned bytes, uint64_t value)
{
        switch (bytes) {
        case 1:
                *(volatile uint8_t *)at = (uint8_t)value;
                break;
        case 2:
                *(volatile uint16_t *)at = (uint16_t)value;
                break;
        case 4:
                *(volatile uint32_t *)at = (uint32_t)value;
                break;
        default:
                *(volatile uint64_t *)at = value;
        }
}

static struct value *newest(struct location *l)
{
        return &l->values[l->serial % DEPTH];
}

/* Nobody stored it by an atomic: it was made by plain stores, or by the system. */
static void begin(struct location *l, uint64_t value)
{
        l->serial++;
        l->count = 1;
        *newest(l) = (struct value){ .value = value, .serial = l->serial };
}

static struct location *find(const volatile void *at, unsigned bytes)
{
        uint64_t value = location_memory(at, bytes);

        struct location *l = shadow_find(&locations, (uintptr_t)at, true);

        if (!l)
                abort(); /* more than any scenario has */
        if (l->count == 0 || newest(l)->value != value)
                begin(l, value);
        return l;
}

/* How many values back the running thread may still see. */
static unsigned reach(const struct location *l)
{
        const struct clock *known = clock_now();
        unsigned back = 0;

        while (back + 1 < l->count) {
                const struct value *v = &l->values[(l->serial - back) % DEPTH];
                if (v->when <= known->of[v->thread] || v->serial <= l->seen[scheduler_current] ||
                    (v->turn && v->turn <= fenced[scheduler_current]))
                        break;
                back++;
        }
        return back;
}

uint64_t location_load(const volatile void *at, unsigned bytes, int how)
{
        unsigned most, back = 0;
        struct location *l;
        struct value *v;

        /* A word of a copy on its own stack, which nobody else has stored to. */
        if (scheduler_owns((const void *)at) && !shadow_find(&locations, (uintptr_t)at, false))
                return location_memory(at, bytes);
        l = find(at, bytes);
        if (!(how & LOCATION_NEWEST) && scheduler_plan && scheduler_plan->weak) {
                most = reach(l);
                back = most ? choice_stale(most) : 0;
        }
        v = &l->values[(l->serial - back) % DEPTH];
        if (l->seen[scheduler_current] < v->serial)
                l->seen[scheduler_current] = v->serial;
        if (how & LOCATION_ACQUIRE && v->released)
                clock_learn(&v->clock);
        return v->value;
}

static struct value *push(struct location *l)
{
        l->serial++;
        if (l->count < DEPTH)
                l->count++;
        return newest(l);
}

void location_store(volatile void *at, unsigned bytes, uint64_t value, int thread, uint32_t when,
                    const struct clock *released)
{
        struct location *l = find(at, bytes);
        struct value *v = push(l);

        *v = (struct value){ .value = value, .serial = l->serial, .thread = thread, .when = when };
        if (released) {
                v->released = true;
                v->clock = *released;
        }
        if (l->seen[thread] < l->serial)
                l->seen[thread] = l->serial;
        location_put(at, bytes, value);
}

void location_update(volatile void *at, unsigned bytes, uint64_t value, bool release)
{
        struct location *l = find(at, bytes);
        struct value before = *newest(l);
        struct clock clock = before.released ? before.clock : (struct clock){ { 0 } };

        for (int i = 0; release && i < THREADS; i++)
                if (clock.of[i] < clock_now()->of[i])
                        clock.of[i] = clock_now()->of[i];
        location_store(at, bytes, value, scheduler_current, clock_mine(),
                       release || before.released ? &clock : NULL);
        if (release)
                clock_tick();
}

void location_consistent(const volatile void *at, unsigned bytes)
{
        newest(find(at, bytes))->turn = ++turns;
}

void location_fence(int thread)
{
        fenced[thread] = ++turns;
}
