/*
 * snapshot.h - a fixed range of the log, mapped privately
 */
#ifndef LOGSTORE_SNAPSHOT_H
#define LOGSTORE_SNAPSHOT_H

#include "store.h"

struct snapshot_edit {
        uint64_t number;
        struct segment *segment; /* mapped privately, pinned by the snapshot */
        uint64_t offset;         /* of the payload */
        uint32_t size;
};

int snapshot_new(struct logstore *store, const struct logstore_bounds *bounds,
                 uint64_t budget_bytes, struct logstore_snapshot **ret);

/* Copy the pages of a payload, within the budget, and note the edit. -ENOBUFS, -ENOMEM. */
int snapshot_add_edit(struct logstore_snapshot *snapshot, const struct snapshot_edit *edit);

const struct view *snapshot_view(const struct logstore_snapshot *snapshot);
const struct logstore_bounds *snapshot_bounds(const struct logstore_snapshot *snapshot);
bool snapshot_is_edited(const struct logstore_snapshot *snapshot, uint64_t number);

#endif
