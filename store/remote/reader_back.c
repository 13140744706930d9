/*
 * reader_back.c - steps backward
 *
 * Frames lead forward alone. So we walk from the mark before the place up to it, note where the
 * records begin, and give them from the last to the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "remote/reader_private.h"
#include "remote/remote_detail.h"

static int note(struct logstore_remote_cursor *cursor, const struct walk *walk)
{
        if (cursor->before_count == cursor->before_room) {
                size_t room = cursor->before_room ? 2 * cursor->before_room : 1024;
                struct before *before = reallocarray(cursor->before, room, sizeof(*before));

                if (!before)
                        return remote_detail(-ENOMEM, "no memory for %zu places", room);
                cursor->before = before;
                cursor->before_room = room;
        }
        cursor->before[cursor->before_count++] =
                (struct before){ (uint32_t)(walk->offset / FRAME_ALIGN), walk->at.due - 1 };
        return 0;
}

/* Note the records from mark @at up to the place, and stand at the mark if there are none. */
static int note_stretch(struct logstore_remote_cursor *cursor, struct mark at)
{
        const struct walk_place end = cursor->walk.at;
        struct walk walk = walk_from(at.offset, at.ordinal, WALK_CHECK_ALL);
        int r = 0;

        while (r == 0 && walk.at.offset < end.offset) {
                int step = walk_next(&walk, &window_frames, &cursor->window);

                if (step == WALK_FRAME && walk.view.kind != FRAME_VOID)
                        r = note(cursor, &walk);
                else if (step != WALK_FRAME && step != WALK_PAD) {
                        cursor->walk = walk;
                        r = reader_fault(cursor, step);
                }
        }
        if (r == 0 && (walk.at.offset != end.offset || walk.at.due != end.due))
                r = remote_detail(-EBADMSG,
                                  "%s: segment %" PRIu64 ", offset %" PRIu64 ", record %" PRIu64
                                  ": no frame ends here",
                                  cursor->remote->bucket->url, cursor->id, end.offset,
                                  cursor->number);
        return r;
}

/* The records of the stretch before the place. The place may be a mark itself. */
static int look_back(struct logstore_remote_cursor *cursor)
{
        struct mark at;
        uint64_t next;
        int r = reader_floor(cursor->remote, cursor->segment, cursor->number - 1, &at, &next);

        if (r < 0)
                return r;
        cursor->window.hint = next;
        reader_went(cursor, -1, at.offset - at.offset % BLOCK_SPAN);
        r = note_stretch(cursor, at);
        if (r == 0 && cursor->before_count == 0) { /* voids and pads alone */
                cursor->walk = walk_from(at.offset, at.ordinal, WALK_CHECK_ALL);
                cursor->number = reader_segment(cursor)->first_number + at.ordinal - 1;
        }
        return r;
}

static int go_back(struct logstore_remote_cursor *cursor)
{
        const struct remote_segment *before = reader_segment(cursor) - 1;
        struct mark end;

        if (cursor->segment == 0)
                return remote_detail(-EAGAIN, "%s: no record before %" PRIu64,
                                     cursor->remote->bucket->url, cursor->number);
        end.offset = before->leave_offset;
        end.ordinal = walk_ordinal_from(before->first_number, before->leave_number + 1);
        return reader_place(cursor, cursor->segment - 1, end, cursor->number);
}

static int give_before(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        const struct before *before = &cursor->before[cursor->before_count - 1];
        uint64_t offset = (uint64_t)before->offset8 * FRAME_ALIGN;
        struct walk walk = walk_from(offset, before->ordinal, WALK_CHECK_ALL);
        const struct frame *frame;
        int step = walk_next(&walk, &window_frames, &cursor->window);

        if (step != WALK_FRAME) {
                cursor->walk = walk;
                return reader_fault(cursor, step);
        }
        cursor->before_count--;
        cursor->walk = walk_from(offset, before->ordinal, WALK_CHECK_ALL);
        cursor->number = reader_segment(cursor)->first_number + before->ordinal - 1;
        frame = window_at(&cursor->window, offset);
        *ret = (struct logstore_record){ cursor->number, frame->time_ns, frame->payload,
                                         walk.view.size };
        return 0;
}

int reader_step_back(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        uint64_t first = reader_bounds(cursor->remote).first;
        int r = 0;

        while (r == 0 && cursor->before_count == 0) {
                if (cursor->number <= first)
                        return remote_detail(-EAGAIN, "%s: no record before %" PRIu64,
                                             cursor->remote->bucket->url, cursor->number);
                r = cursor->walk.at.due == 1 ? go_back(cursor) : look_back(cursor);
        }
        if (r == 0 && cursor->before[cursor->before_count - 1].ordinal <
                              walk_ordinal_from(reader_segment(cursor)->first_number, first))
                return remote_detail(-EAGAIN, "%s: no record before %" PRIu64,
                                     cursor->remote->bucket->url, cursor->number);
        return r == 0 ? give_before(cursor, ret) : r;
}

static int try_prev(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        int r = 0;

        if (!reader_is_settled(cursor)) {
                cursor->before_count = 0;
                r = reader_settle(cursor);
        }
        if (r < 0)
                return r;
        if (cursor->id == 0)
                return remote_detail(-EAGAIN, "%s: no record before %" PRIu64,
                                     cursor->remote->bucket->url, cursor->number);
        return reader_step_back(cursor, ret);
}

int logstore_remote_cursor_prev(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        struct reader_was was;
        unsigned tries = 0;
        int r = reader_check(cursor, ret);

        if (r < 0)
                return r;
        was = reader_where(cursor);
        while ((r = try_prev(cursor, ret)) < 0) {
                if (r != -EAGAIN) /* else it stands before voids, or where it stood */
                        reader_put_back(cursor, &was);
                if ((r = reader_again(cursor->remote, r, &tries)) < 0)
                        return r;
        }
        return 0;
}
