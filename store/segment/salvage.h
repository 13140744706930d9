/*
 * salvage.h - every valid record of one segment file, also behind damage
 */
#ifndef LOGSTORE_SALVAGE_H
#define LOGSTORE_SALVAGE_H

#include "segment/segment.h"

struct salvage_hooks {
        /* A valid frame of a record or void. */
        int (*record)(void *context, const struct segment *segment, uint64_t offset,
                      const struct record_view *view);
        /* The first place where no frame validates, and the first number that is lost by that. It
         * is damage, a torn tail or, unless the walk is exact, the end. */
        int (*damage)(void *context, struct segment *segment, uint64_t offset, uint64_t number,
                      const char *what);
        void *context;
};

/* The whole batches before the first damage, or all of them. */
struct salvage_prefix {
        uint64_t end;
        uint32_t records;
        int64_t greatest_ns; /* of a record; 0: there is none */
};

/* Walk @segment up to @limit, where the log says that it ends, or the file does. With @exact,
 * @expected numbers must be there. The time is in proportion to @limit, whatever the file holds. So
 * behind damage with thousands of long pieces that look like frames, a true frame may be passed
 * over. */
int salvage_segment(struct segment *segment, uint64_t limit, uint64_t expected, bool exact,
                    const struct salvage_hooks *hooks, struct salvage_prefix *ret_prefix);

/* segment_locate() returned @error for @number and stopped at *ret_offset. Was that at a frame
 * below @first, the log's first number, which was trimmed? Then, in a sealed segment, find @number
 * from the valid frame of @first behind it. Returns 0 or, as if it had not been asked, @error. */
int salvage_from_first(struct segment *segment, uint64_t first, uint64_t number, int error,
                       uint64_t *ret_offset, struct record_view *ret_view);

/* Is there a valid frame of @number or a later one beyond @offset? The time is in proportion to the
 * file; where that does not suffice to tell, the answer is yes. */
bool salvage_beyond(struct segment *segment, uint64_t offset, uint64_t number);

/* What is dropped of a segment. */
struct salvage_dropped {
        uint64_t records; /* valid frames that have a number */
        uint64_t bytes;   /* up to the last one that is not zero */
};

/* Add what lies from @offset, where the log ends and @number is due, to @limit. */
void salvage_count(struct segment *segment, uint64_t offset, uint64_t number, uint64_t limit,
                   struct salvage_dropped *dropped);

#endif
