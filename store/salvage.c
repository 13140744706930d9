/*
 * salvage.c - every valid record of one segment file, also behind damage
 *
 * Behind a frame that does not count, the next one may begin at any multiple of 8. One is believed
 * only if its checksum holds, which covers its offset and ordinal, and if its ordinal is one that
 * could have been reached in the bytes before it; that also keeps the search linear in practice,
 * because few places pass it and are hashed.
 */
#include "salvage.h"

#include <errno.h>

#include "logstore.h"

/* Is there a frame at @offset with a number beyond @ordinal, and that many had room before it? */
static bool plausible(struct segment *segment, uint64_t offset, uint64_t limit, uint32_t ordinal,
                      struct record_view *view)
{
        uint64_t most = (offset - FRAMES_OFFSET) / FRAME_HEADER_BYTES + 1;

        return segment_readable(segment, offset + FRAME_HEADER_BYTES) == 0 &&
               record_peek(segment->map.base, offset, limit, view) == 0 &&
               view->kind != FRAME_PAD && view->ordinal > ordinal && view->ordinal <= most &&
               segment_readable(segment, offset + view->frame_bytes) == 0 &&
               record_valid(&segment->key, segment->map.base, offset, view);
}

/* Is the frame at @offset the next one of the log? Nothing stands inside a batch. */
static bool follows(struct segment *segment, uint64_t offset, uint64_t limit, uint32_t ordinal,
                    bool in_batch, struct record_view *view)
{
        return segment_readable(segment, offset + PAD_HEADER_BYTES) == 0 &&
               record_peek(segment->map.base, offset, limit, view) == 0 &&
               segment_readable(segment, offset + view->frame_bytes) == 0 &&
               record_valid(&segment->key, segment->map.base, offset, view) &&
               (!in_batch || view->kind == FRAME_RECORD || view->kind == FRAME_MORE) &&
               (view->kind == FRAME_PAD || view->ordinal == ordinal + 1);
}

static const char *why(const struct segment *segment, const char *otherwise)
{
        return map_faulted(&segment->map) ? "a page cannot be read: check the disk" : otherwise;
}

/* Count the frame at @offset; a batch counts with its last one. */
static void extend(const struct segment *segment, uint64_t offset, const struct record_view *view,
                   uint32_t ordinal, int64_t *greatest_ns, struct salvage_prefix *prefix)
{
        if ((view->kind == FRAME_RECORD || view->kind == FRAME_MORE) &&
            segment_frame(segment, offset)->time_ns > *greatest_ns)
                *greatest_ns = segment_frame(segment, offset)->time_ns;
        if (view->kind != FRAME_MORE)
                *prefix = (struct salvage_prefix){ offset + view->frame_bytes, ordinal,
                                                   *greatest_ns };
}

int salvage_segment(struct segment *segment, uint64_t limit, uint64_t expected, bool exact,
                    const struct salvage_hooks *hooks, struct salvage_prefix *ret_prefix)
{
        struct salvage_prefix prefix = { .end = FRAMES_OFFSET };
        uint64_t first = segment->brief.start.first_number;
        uint64_t offset = FRAMES_OFFSET, good = FRAMES_OFFSET;
        uint32_t ordinal = 0;
        int64_t greatest_ns = 0;
        struct record_view view;
        bool damaged = false, in_batch = false;
        int r = 0;

        while (r == 0 && offset + PAD_HEADER_BYTES <= limit && !map_faulted(&segment->map)) {
                bool next =
                        offset == good && follows(segment, offset, limit, ordinal, in_batch, &view);

                if (!next && !damaged) {
                        damaged = true; /* or simply the end: that is for the caller to judge */
                        r = hooks->damage(hooks->context, segment, offset, first + prefix.records,
                                          why(segment, "the frame does not validate"));
                        if (r != 0)
                                break;
                }
                if (!next && !plausible(segment, offset, limit, ordinal, &view)) {
                        offset += FRAME_ALIGN;
                        continue;
                }
                if (view.kind != FRAME_PAD) {
                        ordinal = view.ordinal;
                        r = hooks->record(hooks->context, segment, offset, &view);
                }
                if (!damaged)
                        extend(segment, offset, &view, ordinal, &greatest_ns, &prefix);
                in_batch = view.kind == FRAME_MORE;
                good = offset += view.frame_bytes;
        }
        if (r == 0 && !damaged && (map_faulted(&segment->map) || (exact && ordinal != expected)))
                r = hooks->damage(hooks->context, segment, offset, first + prefix.records,
                                  why(segment, "the segment ends before its records do"));
        *ret_prefix = prefix;
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
                if (plausible(segment, at, segment->brief.bytes, ordinal, &view))
                        return true;
        return false;
}

bool salvage_is_end(struct segment *segment, const struct control_slot *slot, uint64_t offset,
                    uint64_t number)
{
        const struct segment_brief *brief = &segment->brief;
        bool last = atomic_load(&segment->last_number) == UINT64_MAX; /* none was started behind */

        if (number <= slot->mark_number || map_faulted(&segment->map))
                return false;
        if (brief->sealed && (!last || number <= brief->seal.last_number))
                return false;
        /* Without a mark, whatever lies behind tells that this was durable, too. */
        return slot->generation != 0 || (last && !salvage_beyond(segment, offset, number));
}
