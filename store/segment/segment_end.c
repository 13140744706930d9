/*
 * segment_end.c - from an offset back to the frame that ends there
 *
 * Frames lead forward only. So we try each place before the offset where a frame may begin.
 */
#include "segment/segment.h"

#define LOOK_BACK_BYTES (UINT64_C(1) << 20)
#define LOOK_WORDS 256 /* read at once */

/* Does what looks like a frame at @at, copied to @bytes, end at @end and validate? */
static bool proves_itself(struct segment *segment, const uint64_t *bytes, uint64_t at, uint64_t end,
                          uint64_t ordinal, struct record_view *view)
{
        if (record_peek(bytes, 0, segment->end - at, view) < 0 || at + view->frame_bytes != end)
                return false;
        if (view->kind == FRAME_PAD)
                return record_valid(&segment->key, bytes, at, view);
        return view->ordinal == ordinal && segment_peek(segment, at, view) == 0 &&
               record_valid(&segment->key, segment->map.base, at, view);
}

/* We search a copy of what is before the offset: most of it is payload, which nothing orders before
 * this look. A frame that is larger than the search is not found, but a walk to it is short. */
bool segment_ends_with(struct segment *segment, uint64_t end, uint64_t ordinal,
                       struct record_view *ret)
{
        uint64_t least =
                end - FRAMES_OFFSET < LOOK_BACK_BYTES ? FRAMES_OFFSET : end - LOOK_BACK_BYTES;
        uint64_t piece[LOOK_WORDS], from;
        int fd = segment_descriptor(segment);
        size_t got;

        for (uint64_t to = end; to > least && fd >= 0; to = from) {
                from = to - least > sizeof(piece) ? to - sizeof(piece) : least;
                if (os_read(fd, piece, to - from, from, &got) < 0 || got < to - from)
                        return false;
                for (size_t i = (to - from) / FRAME_ALIGN; i-- > 0;) {
                        uint64_t at = from + i * FRAME_ALIGN;

                        if (!proves_itself(segment, &piece[i], at, end, ordinal, ret))
                                continue;
                        if (ret->kind != FRAME_PAD)
                                return true;
                        end = at;
                }
        }
        return false;
}

bool segment_seal_holds(struct segment *segment, uint64_t first)
{
        const struct seal_brief *seal = &segment->brief.seal;
        struct record_view last;
        struct walk walk;
        int step = WALK_PAD;

        if (segment_ends_with(segment, seal->end, seal->records, &last) && last.kind != FRAME_MORE)
                return true;
        walk = walk_from(FRAMES_OFFSET, 1, segment_ordinal_from(segment, first));
        while (walk.at.offset < seal->end && (step == WALK_FRAME || step == WALK_PAD))
                step = walk_next(&walk, &segment_frames, segment);
        if (walk.at.offset != seal->end)
                return true; /* a frame is damaged; that is told elsewhere */
        return walk.at.due - 1 == seal->records && !walk.in_batch;
}
