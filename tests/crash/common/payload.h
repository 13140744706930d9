/*
 * payload.h - record contents that anyone can recompute from (seed, number, size)
 *
 * Layout: from 8 bytes on, a payload begins with its place in its batch (index, count; 0 and 1
 * for a record of its own); all other bytes come from a generator started with seed, number and
 * size, so that a record of another number, size or life never passes.
 */
#ifndef CRASH_PAYLOAD_H
#define CRASH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_PLACE_BYTES 8u

struct payload_place {
        uint32_t index; /* in its batch, */
        uint32_t count; /* of this many records */
};

/* The next value of a small generator (splitmix64); *state is any number. */
uint64_t random_next(uint64_t *state);

/* A number in 0..limit - 1. */
uint64_t random_below(uint64_t *state, uint64_t limit);

void payload_fill(void *data, size_t size, uint64_t seed, uint64_t number,
                  struct payload_place place);

/* Whether the bytes are the payload of @number; its place to *ret (0 of 1 when too short). */
bool payload_check(const void *data, size_t size, uint64_t seed, uint64_t number,
                   struct payload_place *ret);

/* Whether the workload may abort a claim that got @number: only these may be void. */
bool payload_may_be_void(uint64_t seed, uint64_t number);

#endif
