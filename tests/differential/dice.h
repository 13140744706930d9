/*
 * dice.h - random numbers that a seed repeats
 */
#ifndef DIFFERENTIAL_DICE_H
#define DIFFERENTIAL_DICE_H

#include <stdint.h>

/* splitmix64: https://prng.di.unimi.it/splitmix64.c */
static inline uint64_t dice(uint64_t *state)
{
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

/* From 0 to @limit - 1; 0 if @limit is 0. */
static inline uint64_t dice_below(uint64_t *state, uint64_t limit)
{
        return limit ? dice(state) % limit : 0;
}

#endif
