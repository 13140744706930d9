/* hist.c - quantiles of the histogram */
#include "hist.h"

#include <math.h>
#include <stdio.h>

void hist_merge(struct hist *into, const struct hist *from)
{
        for (uint32_t i = 0; i < HIST_BUCKETS; i++)
                into->buckets[i] += from->buckets[i];
        into->count += from->count;
        if (from->max_ns > into->max_ns)
                into->max_ns = from->max_ns;
}

/* Upper end of a bucket: a quantile is never told smaller than it was. */
static uint64_t bucket_end_ns(uint32_t bucket)
{
        uint32_t shift;

        if (bucket < HIST_SUB)
                return bucket;
        shift = bucket / HIST_SUB - 1;
        return ((uint64_t)(HIST_SUB + bucket % HIST_SUB + 1) << shift) - 1;
}

double hist_us(const struct hist *hist, double quantile)
{
        uint64_t rank = (uint64_t)ceil(quantile * (double)hist->count), seen = 0;
        uint64_t ns = hist->max_ns;

        if (hist->count == 0)
                return NAN;
        for (uint32_t i = 0; i < HIST_BUCKETS && seen < rank; i++) {
                seen += hist->buckets[i];
                ns = bucket_end_ns(i);
        }
        return (double)(ns < hist->max_ns ? ns : hist->max_ns) / 1e3;
}

void hist_print(const struct hist *hist, const char *what)
{
        static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999, 0.9999 };

        fprintf(stderr, "    %s, us:", what);
        for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++)
                fprintf(stderr, " p%g %.2f", quantiles[i] * 100, hist_us(hist, quantiles[i]));
        fprintf(stderr, " max %.0f (%llu)\n", hist_us(hist, 1.0), (unsigned long long)hist->count);
}
