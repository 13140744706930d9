/*
 * snapshot.c - a fixed range of the log, mapped privately
 *
 * A snapshot is a chain of its own. It maps its segments MAP_PRIVATE, one mapping each and all at
 * once, so deleting the files takes nothing away. MAP_PRIVATE alone would be no snapshot: a page
 * that is not copied yet shows later writes to the file. The range is fixed because it ends at the
 * tail, and bytes before the tail never change.
 */
#include <errno.h>

#include "snapshot/snapshot_private.h"

const struct view *snapshot_view(const struct logstore_snapshot *snapshot)
{
        return &snapshot->view;
}

const struct logstore_bounds *snapshot_bounds(const struct logstore_snapshot *snapshot)
{
        return &snapshot->bounds;
}

/* Pin every segment of the range, for as long as the snapshot lives. */
static int map_all(struct logstore_snapshot *snapshot)
{
        struct chain *chain = &snapshot->chain;
        uint64_t number = snapshot->bounds.first;
        int r = 0;

        while (r == 0 && number <= snapshot->bounds.tail) {
                struct segment *segment;
                r = chain_pin(chain, number, &segment);
                if (r == 0) {
                        uint64_t last = atomic_load(&segment->last_number);
                        if (last >= snapshot->bounds.tail)
                                break;
                        number = last + 1;
                }
        }
        return r;
}

int snapshot_new(struct logstore *store, const struct logstore_bounds *bounds,
                 uint64_t budget_bytes, struct logstore_snapshot **ret)
{
        struct logstore_snapshot *snapshot = memory_new(&store->memory, sizeof(*snapshot));
        int r;

        if (!snapshot)
                return detail(-ENOMEM, "no memory for a snapshot");
        snapshot->view = (struct view){ store, snapshot, &snapshot->chain };
        snapshot->bounds = *bounds;
        snapshot->budget_bytes = budget_bytes ? budget_bytes : store->options.private_budget_bytes;
        chain_init(&snapshot->chain, &store->memory, &store->control, store->directory, SIZE_MAX);
        snapshot->chain.kind = OS_PRIVATE;
        r = chain_load(&snapshot->chain);
        if (r == 0)
                r = map_all(snapshot);
        if (r < 0) {
                chain_free(&snapshot->chain);
                memory_free(&store->memory, snapshot);
                return r;
        }
        atomic_fetch_add(&store->children, 1);
        *ret = snapshot;
        return 0;
}

void logstore_snapshot_close(struct logstore_snapshot *snapshot)
{
        struct logstore *store;

        if (!snapshot || *snapshot->view.store->alive == 0)
                return;
        store = snapshot->view.store;
        for (size_t i = 0; i < snapshot->copies_count; i++)
                memory_free(&store->memory, snapshot->copies[i].bits);
        memory_free(&store->memory, snapshot->copies);
        memory_free(&store->memory, snapshot->edits);
        atomic_fetch_sub(&store->memory.copied_bytes, snapshot->copied_bytes);
        chain_free(&snapshot->chain);
        atomic_fetch_sub(&store->children, 1);
        memory_free(&store->memory, snapshot);
}

int logstore_snapshot_bounds(const struct logstore_snapshot *snapshot, struct logstore_bounds *ret)
{
        int r = store_enter(snapshot ? snapshot->view.store : NULL);

        if (r < 0)
                return r;
        if (ret)
                *ret = snapshot->bounds;
        else
                r = detail(-EINVAL, "ret is NULL");
        store_leave();
        return r;
}
