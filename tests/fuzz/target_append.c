/*
 * target_append.c - what is appended to a recovered store and synced is there after a crash
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../crash/damage/tree.h"
#include "fuzz.h"

static const char text[] = "appended after recovery";

/* Returns the last number that was made durable, or 0. */
static uint64_t append_some(struct logstore *store, uint64_t tail)
{
        struct logstore_entry entries[2] = { { text, 5, 1 }, { text, 9, 0 } };
        struct logstore_claim claim;
        uint64_t number = 0;

        if (fuzz_result(logstore_append(store, text, sizeof(text), &number)) < 0)
                return 0;
        if (number != tail + 1)
                fuzz_wrong("appended as %" PRIu64 " behind %" PRIu64, number, tail);
        if (fuzz_result(logstore_append_batch(store, entries, 2, &number)) < 0)
                return 0;
        if (fuzz_result(logstore_claim(store, 64, &claim)) == 0) {
                memcpy(claim.data, text, 10);
                fuzz_result(logstore_commit(store, &claim, 10));
                number = claim.number;
        }
        return fuzz_result(logstore_sync(store, 0)) == 0 ? number : 0;
}

/* As after a crash: the files as they are, in another directory. */
static void check_crashed(const char *path, struct logstore *store, uint64_t durable)
{
        struct fuzz_sum before = fuzz_read(store, LOGSTORE_SKIP_DAMAGE, durable), after;
        struct logstore_bounds bounds;
        struct logstore *crashed;
        struct tree tree;
        char copy[600];

        snprintf(copy, sizeof(copy), "%s-crashed", path);
        tree_load(path, &tree);
        tree_store(&tree, copy);
        tree_free(&tree);
        if (fuzz_open(copy, 0, &crashed) < 0)
                fuzz_wrong("does not open after a crash: %s", logstore_detail());
        if (fuzz_result(logstore_bounds(crashed, &bounds)) < 0 || bounds.tail < durable)
                fuzz_wrong("the tail is %" PRIu64 ", durable was %" PRIu64, bounds.tail, durable);
        after = fuzz_read(crashed, LOGSTORE_SKIP_DAMAGE, durable);
        if (before.sum != after.sum || before.records != after.records)
                fuzz_wrong("%" PRIu64 " records became %" PRIu64, before.records, after.records);
        if (logstore_close(crashed) < 0)
                fuzz_wrong("does not close after a crash: %s", logstore_detail());
        tree_remove(copy);
}

void fuzz_target(const char *path)
{
        struct logstore_bounds bounds;
        struct logstore *store;
        uint64_t durable;

        if (fuzz_open(path, 0, &store) < 0)
                return;
        if (fuzz_result(logstore_bounds(store, &bounds)) < 0)
                fuzz_wrong("no bounds: %s", logstore_detail());
        durable = append_some(store, bounds.tail);
        if (durable)
                check_crashed(path, store, durable);
        if (logstore_close(store) < 0)
                fuzz_wrong("does not close: %s", logstore_detail());
}
