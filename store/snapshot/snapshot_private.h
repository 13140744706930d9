/*
 * snapshot_private.h - what the files of the snapshot share
 */
#ifndef LOGSTORE_SNAPSHOT_PRIVATE_H
#define LOGSTORE_SNAPSHOT_PRIVATE_H

#include "snapshot/snapshot.h"

/* Which pages of a segment are copied. */
struct copies {
        const struct segment *segment;
        uint64_t *bits;
};

struct logstore_snapshot {
        struct view view;
        struct chain chain;
        struct logstore_bounds bounds;
        uint64_t budget_bytes, copied_bytes;
        struct snapshot_edit *edits; /* sorted by number, and so by segment and offset */
        size_t edit_count, edit_room;
        struct copies *copies;
        size_t copies_count;
        uint64_t cursors;
};

#endif
