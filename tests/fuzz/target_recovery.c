/*
 * target_recovery.c - opening for writing decides what the log is; it must not decide otherwise
 * the next time
 */
#include <inttypes.h>
#include <stdbool.h>

#include "fuzz.h"

static struct fuzz_sum open_read_close(const char *path, uint32_t flags, bool must,
                                       struct logstore_bounds *ret)
{
        struct fuzz_sum sum = { 0 };
        struct logstore *store;

        if (fuzz_open(path, flags, &store) < 0) {
                if (must)
                        fuzz_wrong("does not open again: %s", logstore_detail());
                ret->first = 0;
                return sum;
        }
        if (fuzz_result(logstore_bounds(store, ret)) < 0)
                fuzz_wrong("no bounds: %s", logstore_detail());
        sum = fuzz_read(store, 0, UINT64_MAX);
        if (logstore_close(store) < 0)
                fuzz_wrong("does not close: %s", logstore_detail());
        return sum;
}

void fuzz_target(const char *path)
{
        struct logstore_bounds first, second;
        struct fuzz_sum sum, again;

        sum = open_read_close(path, 0, false, &first);
        if (first.first == 0)
                return;
        for (unsigned i = 0; i < 2; i++) {
                again = open_read_close(path, i ? LOGSTORE_READ_ONLY : 0, true, &second);
                if (first.first != second.first || first.tail != second.tail)
                        fuzz_wrong("%" PRIu64 "..%" PRIu64 " became %" PRIu64 "..%" PRIu64,
                                   first.first, first.tail, second.first, second.tail);
                if (sum.sum != again.sum || sum.records != again.records)
                        fuzz_wrong("%" PRIu64 " records became %" PRIu64, sum.records,
                                   again.records);
        }
}
