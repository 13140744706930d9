/*
 * heap.c - an arena that only grows; ld --wrap puts it in place of the C library's
 */
#include "heap.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "scheduler.h"
#include "symbols.h"

#define ARENA_BYTES ((size_t)512 << 20)
#define UNIT 16u
#define GAP 64u /* between two blocks, nobody's; holds the size */

enum { USABLE, FREED, NOBODYS };

void __real_free(void *p);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void __wrap_free(void *p);
size_t __wrap_malloc_usable_size(void *p);

static char *arena, *arena_end;
static uint8_t *states; /* of each unit */

static uintptr_t offset(const volatile void *p)
{
        return (uintptr_t)p - (uintptr_t)arena;
}

static bool is_ours(const volatile void *p)
{
        return arena && offset(p) < ARENA_BYTES;
}

static void *pages(size_t bytes)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                verdict("no memory for the heap");
        return p;
}

static size_t *size_of(void *p)
{
        return (size_t *)((char *)p - UNIT);
}

void *__wrap_malloc(size_t bytes)
{
        size_t whole = (bytes + GAP - 1) / GAP * GAP;
        char *p;

        if (!arena) {
                arena = arena_end = pages(ARENA_BYTES);
                states = pages(ARENA_BYTES / UNIT);
        }
        p = arena_end + GAP;
        if (bytes > ARENA_BYTES || offset(p) + whole + GAP > ARENA_BYTES)
                verdict("the heap is full");
        for (unsigned i = 0; i < GAP / UNIT; i++)
                states[offset(arena_end) / UNIT + i] = NOBODYS;
        *size_of(p) = bytes;
        arena_end = p + whole;
        return p;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
        return __wrap_malloc(count * bytes); /* never used before, so zero */
}

void __wrap_free(void *p)
{
        if (!p)
                return;
        if (!is_ours(p)) {
                __real_free(p);
                return;
        }
        if (states[offset(p) / UNIT] != USABLE)
                verdict("free of what is not in use");
        memset(states + offset(p) / UNIT, FREED, (*size_of(p) + UNIT - 1) / UNIT);
}

size_t __wrap_malloc_usable_size(void *p)
{
        return p ? *size_of(p) : 0;
}

void *__wrap_realloc(void *p, size_t bytes)
{
        void *new = __wrap_malloc(bytes);

        if (p) {
                memcpy(new, p, *size_of(p) < bytes ? *size_of(p) : bytes);
                __wrap_free(p);
        }
        return new;
}

void heap_check(const volatile void *at, size_t bytes, const void *pc)
{
        unsigned state;

        if (!is_ours(at) || bytes == 0)
                return;
        state = states[offset(at) / UNIT];
        if (state == USABLE)
                state = states[(offset(at) + bytes - 1) / UNIT];
        if (state != USABLE)
                verdict("use %s: %zu bytes in %s", state == FREED ? "after free" : "beyond a block",
                        bytes, symbols_function(pc));
}
