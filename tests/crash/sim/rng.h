/*
 * rng.h - small random numbers that a seed repeats
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
        uint64_t state;
};

/* A bijection that spreads every bit of @x (the finalizer of splitmix64). */
static inline uint64_t rng_mix(uint64_t x)
{
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

static inline uint64_t rng_next(struct rng *r)
{
        r->state += UINT64_C(0x9e3779b97f4a7c15);
        return rng_mix(r->state);
}

/* 0..@limit - 1; @limit is not 0. */
static inline uint32_t rng_below(struct rng *r, uint32_t limit)
{
        return (uint32_t)(((rng_next(r) >> 32) * limit) >> 32);
}

static inline bool rng_one_in(struct rng *r, uint32_t limit)
{
        return rng_below(r, limit) == 0;
}

#endif
