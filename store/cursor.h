/*
 * cursor.h - walking the log
 */
#ifndef LOGSTORE_CURSOR_H
#define LOGSTORE_CURSOR_H

#include "reader.h"

/* Where a cursor stands, and as of when: what a call that fails puts back. */
struct stand {
        uint64_t number;      /* that next gives */
        uint64_t epoch;       /* live word of the control page when last looked */
        uint64_t known_epoch; /* of the chain then */
        uint64_t passed_id;   /* segment left at @passed_number; 0: none, or another number's */
        uint64_t passed_number;
        bool cut; /* the log was cut before the number: seek first */
};

struct logstore_cursor {
        struct logstore *store;
        struct logstore_snapshot *snapshot; /* or NULL */
        struct catalog *catalog;            /* the store's or the snapshot's */
        uint32_t flags;
        struct stand at;
        /* Where that is, if known: else NULL. The segment is pinned. */
        struct segment *segment;
        uint64_t offset;
        uint64_t fast_until;     /* numbers up to it need no look at bounds, */
        uint64_t fast_end;       /* nor frames that end before this a look at the file */
        uint64_t whole_until;    /* batches up to this number were found whole */
        uint64_t dropped_offset; /* LOGSTORE_DROP_BEHIND: let go up to here */
        uint64_t told_end;       /* LOGSTORE_SKIP_DAMAGE: damage ends the log here, and was told */
        int64_t waited_ns;       /* until the last record came; negative: in vain since then */
        int eventfd;
        pthread_t watcher;
        bool watching;
        bool in_batch; /* what was passed last is followed by more of its batch */
        _Atomic bool stop;
        struct stand watched; /* when the watcher began */
};

/* End the thread behind logstore_cursor_fd(). */
void cursor_stop_watching(struct logstore_cursor *cursor);

int cursor_new(struct logstore *store, struct logstore_snapshot *snapshot, uint32_t flags,
               struct logstore_cursor **ret);

#endif
