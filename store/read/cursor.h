/*
 * cursor.h - walking the log
 */
#ifndef LOGSTORE_CURSOR_H
#define LOGSTORE_CURSOR_H

#include "read/reader.h"

/* Where a cursor stands, and as of when. A call that fails puts this back. */
struct stand {
        uint64_t number;      /* the number that next gives */
        uint64_t epoch;       /* the control page's live word at the last look */
        uint64_t known_epoch; /* of the chain at that look */
        uint64_t passed_id;   /* segment in which it stood at @passed_number; 0: not known */
        uint64_t passed_number;
        bool cut; /* the log was cut before the number: seek first */
};

struct logstore_cursor {
        struct view view;
        uint32_t flags;
        struct stand at;
        /* The place of that number, in a pinned segment. NULL: not known. */
        struct segment *segment;
        uint64_t offset;
        uint64_t fast_until;     /* up to this number no look at bounds is needed, */
        uint64_t fast_end;       /* and none at the file for frames that end before this */
        uint64_t whole_until;    /* batches up to this number were found whole */
        uint64_t dropped_offset; /* LOGSTORE_DROP_BEHIND: pages are dropped up to here */
        uint64_t told_end; /* number before which a break was told; once, if damage is skipped */
        int64_t waited_ns; /* how long the last wait took; negative: in vain so far */
        int eventfd;
        pthread_t watcher;
        bool watching;
        bool in_batch; /* the last frame passed has more of its batch behind it */
        _Atomic bool stop;
        struct stand watched; /* where the cursor stood when the watcher began */
};

/* End the thread behind logstore_cursor_fd(). */
void cursor_stop_watching(struct logstore_cursor *cursor);

int cursor_new(const struct view *view, uint32_t flags, struct logstore_cursor **ret);

#endif
