/*
 * hist.h - a histogram of durations
 *
 * Buckets are 1/64 of a power of two wide, so a quantile is true to 1.6 %. Adding costs a few
 * instructions and never allocates. The largest value is kept exactly.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum { HIST_SUB = 64, HIST_BUCKETS = 59 * HIST_SUB };

struct hist {
        uint64_t count, max_ns;
        uint64_t buckets[HIST_BUCKETS];
};

static inline uint32_t hist_bucket(uint64_t ns)
{
        uint32_t shift;

        if (ns < HIST_SUB)
                return (uint32_t)ns;
        shift = 63u - (uint32_t)__builtin_clzll(ns) - 6u;
        return (shift + 1) * HIST_SUB + (uint32_t)((ns >> shift) & (HIST_SUB - 1));
}

static inline void hist_add(struct hist *hist, uint64_t ns)
{
        hist->count++;
        hist->buckets[hist_bucket(ns)]++;
        if (ns > hist->max_ns)
                hist->max_ns = ns;
}

void hist_merge(struct hist *into, const struct hist *from);
double hist_us(const struct hist *hist, double quantile); /* NAN if empty; 1.0 gives the largest */
void hist_print(const struct hist *hist, const char *what); /* one line on stderr */

#endif
