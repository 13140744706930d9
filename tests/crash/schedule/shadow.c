/*
 * shadow.c - an index with linear probing into an array that only grows
 */
#include "shadow.h"

#include <stdlib.h>
#include <sys/mman.h>

#define TRIES 64

static void *reserve(size_t bytes)
{
        void *ret = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (ret == MAP_FAILED)
                abort();
        return ret;
}

static char *piece(const struct shadow *shadow, uint32_t number)
{
        return shadow->pieces + (number - 1) * shadow->bytes;
}

void *shadow_find(struct shadow *shadow, uintptr_t key, bool make)
{
        uint32_t *at = NULL;

        if (!shadow->index) {
                shadow->index = reserve(shadow->places * sizeof(*shadow->index));
                shadow->pieces = reserve(shadow->places * shadow->bytes);
        }
        for (uintptr_t i = key >> shadow->shift, tries = 0; tries < TRIES; i++, tries++) {
                at = &shadow->index[i & (shadow->places - 1)];
                if (*at == 0)
                        break;
                if (*(uintptr_t *)(void *)piece(shadow, *at) == key)
                        return piece(shadow, *at);
        }
        if (!make || *at != 0)
                return NULL;
        *at = ++shadow->used;
        *(uintptr_t *)(void *)piece(shadow, *at) = key;
        return piece(shadow, *at);
}
