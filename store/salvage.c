/*
 * salvage.c - every valid record of one segment file, also behind damage
 *
 * Behind a frame that does not count, the next one may begin at any multiple of 8. One is believed
 * only if its checksum holds, which covers its offset and ordinal, and if its ordinal is one that
 * could have been reached in the bytes passed over; that also keeps the search linear in practice,
 * because few places pass it and are hashed.
 */
#include "salvage.h"

#include <errno.h>

#include "logstore.h"

/* Is there a numbered frame at @offset that could follow @ordinal numbers, @gap bytes ago? */
static bool plausible(struct segment *segment, uint64_t offset, uint64_t limit, uint32_t ordinal,
                      uint64_t gap, struct record_view *view)
{
        return segment_readable(segment, offset + FRAME_HEADER_BYTES) == 0 &&
               record_peek(segment->map.base, offset, limit, view) == 0 &&
               view->kind != FRAME_PAD && view->ordinal > ordinal &&
               view->ordinal - ordinal <= gap / FRAME_HEADER_BYTES + 1 &&
               segment_readable(segment, offset + view->frame_bytes) == 0 &&
               record_valid(&segment->key, segment->map.base, offset, view);
}

static bool follows(struct segment *segment, uint64_t offset, uint64_t limit, uint32_t ordinal,
                    struct record_view *view)
{
        return segment_readable(segment, offset + PAD_HEADER_BYTES) == 0 &&
               record_peek(segment->map.base, offset, limit, view) == 0 &&
               segment_readable(segment, offset + view->frame_bytes) == 0 &&
               record_valid(&segment->key, segment->map.base, offset, view) &&
               (view->kind == FRAME_PAD || view->ordinal == ordinal + 1);
}

int salvage_segment(struct segment *segment, uint64_t limit, uint64_t expected, bool exact,
                    const struct salvage_hooks *hooks)
{
        uint64_t offset = FRAMES_OFFSET, good = FRAMES_OFFSET, whole_end = FRAMES_OFFSET;
        uint32_t ordinal = 0, whole = 0;
        struct record_view view;
        bool damaged = false;
        int r = 0;

        while (r == 0 && offset + PAD_HEADER_BYTES <= limit && !map_faulted(&segment->map)) {
                bool next = offset == good && follows(segment, offset, limit, ordinal, &view);

                if (!next && !damaged) {
                        if (!exact && segment_peek(segment, offset, &view) == -EAGAIN)
                                break; /* simply the end */
                        damaged = true;
                        r = hooks->damage(hooks->context, segment, offset, whole_end, whole,
                                          "the frame does not validate");
                        if (r != 0)
                                break;
                }
                if (!next && !plausible(segment, offset, limit, ordinal, offset - good, &view)) {
                        offset += FRAME_ALIGN;
                        continue;
                }
                if (view.kind != FRAME_PAD) {
                        ordinal = view.ordinal;
                        r = hooks->record(hooks->context, segment, offset, &view);
                }
                good = offset += view.frame_bytes;
                if (!damaged && view.kind != FRAME_MORE) {
                        whole = ordinal;
                        whole_end = offset;
                }
        }
        if (r == 0 && !damaged && (map_faulted(&segment->map) || (exact && ordinal != expected)))
                r = hooks->damage(hooks->context, segment, offset, whole_end, whole,
                                  "the segment ends before its records do");
        return r;
}

bool salvage_beyond(struct segment *segment, uint64_t offset, uint64_t number)
{
        uint32_t ordinal = (uint32_t)(number - segment->brief.start.first_number);
        struct record_view view;

        for (uint64_t at = offset + FRAME_ALIGN;
             at + FRAME_HEADER_BYTES <= segment->brief.bytes &&
             segment_readable(segment, at + FRAME_HEADER_BYTES) == 0;
             at += FRAME_ALIGN)
                if (plausible(segment, at, segment->brief.bytes, ordinal, at - offset, &view))
                        return true;
        return false;
}
