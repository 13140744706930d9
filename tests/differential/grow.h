/*
 * grow.h - random stores, with what they looked like earlier
 */
#ifndef DIFFERENTIAL_GROW_H
#define DIFFERENTIAL_GROW_H

#include <stdint.h>

#include "../crash/damage/tree.h"

#define AGES_MAX 3
#define BATCH_MAX 6

struct grown {
        struct tree now;
        struct tree ages[AGES_MAX]; /* copies, oldest first */
        unsigned age_count;
};

/* Make a store at @path by appends, batches, claims, trims and truncations. At the end it is
 * closed, or its process killed. */
void grow(const char *path, uint64_t seed, struct grown *ret);
void grown_free(struct grown *grown);

#endif
