/*
 * workload.h - a short life of a store that uses everything, and what it was promised
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define WORKLOAD_NUMBERS 4096

/* Ways of running it: with and without a background thread, and so on. */
enum { WORKLOAD_MODES = 3 };

struct workload {
        const char *path;
        unsigned mode;
        uint64_t acked;                  /* everything up to it was acknowledged as durable */
        uint64_t first_allowed;          /* trim was asked to go so far */
        uint8_t life;                    /* 0, 1, ...: grows with every truncation that was tried */
        uint8_t lives[WORKLOAD_NUMBERS]; /* by number: bit set of the lives that appended it */
        unsigned failures;               /* calls that failed, */
        unsigned nameless; /* and those of them that left no detail or no negative errno */
};

/* Run it in the directory @path, which does not exist yet. Failing calls are counted, not fatal. */
void workload_run(struct workload *workload, const char *path, unsigned mode);

/* With no faults any more: reopen, and describe what is wrong, or NULL. */
const char *workload_check(const struct workload *workload);

#endif
