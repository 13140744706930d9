/*
 * verdict.h - hold an open store against what the workload was promised
 */
#ifndef CRASH_VERDICT_H
#define CRASH_VERDICT_H

#include "logstore.h"
#include "oracle.h"

struct verdict {
        uint64_t first, tail; /* what the store says it holds */
        uint64_t lost;        /* acknowledged, not trimmed, and not there or not readable */
        uint64_t holes;       /* between first and tail, but neither record nor allowed void */
        uint64_t invented;    /* bytes that nobody appended under that number */
        uint64_t torn;        /* batches of which a part is there */
};

/*
 * Read every record by number, then all again with a cursor, and count what is wrong. Returns 0,
 * also when something is; -errno if the store cannot say where it begins and ends. Complaints of
 * up to a dozen records go to stderr.
 */
int verdict_reach(struct logstore *store, const struct oracle *oracle, struct verdict *ret);

/* Whether nothing at all is wrong. */
int verdict_is_good(const struct verdict *verdict);

#endif
