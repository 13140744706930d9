/*
 * reader_cursor.c - a cursor over the log in a bucket: its place, and steps forward
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "remote/reader_private.h"
#include "remote/remote_detail.h"

int logstore_remote_cursor_open(struct logstore_remote *remote, uint32_t flags,
                                struct logstore_remote_cursor **ret)
{
        struct logstore_remote_cursor *cursor;

        if (!remote || !ret || flags != 0)
                return remote_detail(-EINVAL, "an argument is NULL, or a flag is unknown");
        cursor = calloc(1, sizeof(*cursor));
        if (!cursor)
                return remote_detail(-ENOMEM, "no memory for a cursor");
        cursor->remote = remote;
        *ret = cursor;
        return 0;
}

void logstore_remote_cursor_close(struct logstore_remote_cursor *cursor)
{
        if (!cursor)
                return;
        window_free(&cursor->window);
        free(cursor->before);
        free(cursor);
}

int reader_check(const struct logstore_remote_cursor *cursor, const void *ret)
{
        return cursor && ret ? 0 : remote_detail(-EINVAL, "an argument is NULL");
}

uint64_t logstore_remote_cursor_position(const struct logstore_remote_cursor *cursor)
{
        return cursor ? cursor->number : 0;
}

/* ---- the place ---- */

int reader_place(struct logstore_remote_cursor *cursor, size_t which, struct mark at,
                 uint64_t number)
{
        struct logstore_remote *remote = cursor->remote;
        const struct remote_segment *segment = &remote->log.segments[which];
        int r = 0;

        if (segment->lines[0].entry.codec != CODEC_PLAIN)
                r = reader_directory(remote, which);
        if (r < 0)
                return r;
        if (cursor->window.segment != segment || cursor->generation != remote->generation)
                window_begin(&cursor->window, remote->pieces, segment);
        cursor->generation = remote->generation;
        cursor->segment = which;
        cursor->id = segment->id;
        cursor->salt = segment->salt;
        cursor->walk = walk_from(at.offset, at.ordinal, WALK_CHECK_ALL);
        cursor->number = number;
        cursor->before_count = 0;
        cursor->stale = false;
        return 0;
}

/* There is no segment that the cursor could stand in. */
static void place_nowhere(struct logstore_remote_cursor *cursor, uint64_t number)
{
        window_leave(&cursor->window);
        cursor->generation = cursor->remote->generation;
        cursor->id = 0;
        cursor->number = number;
        cursor->before_count = 0;
        cursor->stale = false;
}

struct reader_was reader_where(const struct logstore_remote_cursor *cursor)
{
        return (struct reader_was){ cursor->id, cursor->salt, cursor->number, cursor->walk.at,
                                    cursor->stale };
}

void reader_put_back(struct logstore_remote_cursor *cursor, const struct reader_was *was)
{
        window_leave(&cursor->window);
        cursor->generation = 0; /* it is found again by its place */
        cursor->id = was->id;
        cursor->salt = was->salt;
        cursor->number = was->number;
        cursor->walk = walk_from(was->at.offset, was->at.due, WALK_CHECK_ALL);
        cursor->before_count = 0;
        cursor->stale = was->stale;
}

/* Is the place the end of what was trimmed, where the log now begins? */
static bool is_before_first(const struct logstore_remote_cursor *cursor,
                            const struct remote_segment *first)
{
        const struct remote_entry *entry = &first->lines[0].entry;

        return entry->previous_id == cursor->id && entry->previous_salt == cursor->salt &&
               entry->previous_end == cursor->walk.at.offset &&
               first->first_number == cursor->number;
}

/* The segment of the place in a newer view, if the log still goes through the place. */
static int find_again(struct logstore_remote_cursor *cursor)
{
        const struct remote_log *log = &cursor->remote->log;
        struct logstore_bounds bounds = reader_bounds(cursor->remote);

        for (size_t i = log->segment_count; i > 0; i--) {
                const struct remote_segment *segment = &log->segments[i - 1];

                if (segment->id != cursor->id)
                        continue;
                if (segment->salt != cursor->salt ||
                    segment->leave_offset < cursor->walk.at.offset || cursor->number < bounds.first)
                        break;
                return reader_place(cursor, i - 1,
                                    (struct mark){ cursor->walk.at.offset, cursor->walk.at.due },
                                    cursor->number);
        }
        if (log->segment_count && is_before_first(cursor, &log->segments[0]))
                return reader_place(cursor, 0, (struct mark){ FRAMES_OFFSET, 1 }, cursor->number);
        cursor->stale = true;
        window_leave(&cursor->window);
        cursor->generation = cursor->remote->generation;
        return 0;
}

static int find_place(struct logstore_remote_cursor *cursor)
{
        if (cursor->stale)
                return 0;
        if (cursor->id != 0)
                return find_again(cursor);
        if (cursor->number != 0 && cursor->number < reader_bounds(cursor->remote).first) {
                cursor->stale = true;
                return 0;
        }
        return reader_stand(cursor, cursor->number);
}

bool reader_is_settled(const struct logstore_remote_cursor *cursor)
{
        return cursor->generation == cursor->remote->generation && !cursor->stale &&
               cursor->window.segment && !cursor->remote->log.is_part;
}

int reader_settle(struct logstore_remote_cursor *cursor)
{
        int r = reader_look_whole(cursor->remote);

        if (r == 0 && !reader_is_settled(cursor))
                r = find_place(cursor);
        if (r == 0 && cursor->stale)
                r = remote_detail(-ESTALE,
                                  "%s: the place before record %" PRIu64
                                  " was cut off or trimmed away",
                                  cursor->remote->bucket->url, cursor->number);
        return r;
}

/* Walk from a mark to @number, whose place this is. What is passed need only lead there. */
static int walk_to(struct logstore_remote_cursor *cursor, uint64_t number)
{
        const struct remote_segment *segment = reader_segment(cursor);
        struct walk *walk = &cursor->walk;

        walk->checked = walk_ordinal_from(segment->first_number, number);
        while (walk->at.due < walk->checked) {
                int step = WALK_END;

                if (walk->at.offset < segment->leave_offset)
                        step = walk_next(walk, &window_frames, &cursor->window);
                if (step != WALK_FRAME && step != WALK_PAD)
                        return reader_fault(cursor, step);
        }
        if (walk->at.due != walk->checked)
                return remote_detail(-EBADMSG,
                                     "%s: segment %" PRIu64 ", offset %" PRIu64 ", record %" PRIu64
                                     ": commit or directory have it behind this place",
                                     cursor->remote->bucket->url, segment->id, walk->at.offset,
                                     number);
        *walk = walk_from(walk->at.offset, walk->at.due, WALK_CHECK_ALL);
        cursor->number = number;
        return 0;
}

/* Does the cursor stand between the mark and @number? Then the walk is shorter from there. */
static bool is_between(const struct logstore_remote_cursor *cursor, size_t which, struct mark at,
                       uint64_t number)
{
        const struct remote_segment *segment = &cursor->remote->log.segments[which];

        return cursor->generation == cursor->remote->generation && !cursor->stale &&
               cursor->window.segment == segment && cursor->walk.at.due >= at.ordinal &&
               cursor->walk.at.due <= walk_ordinal_from(segment->first_number, number);
}

static int stand_behind(struct logstore_remote_cursor *cursor)
{
        size_t last = cursor->remote->log.segment_count - 1;
        const struct remote_segment *segment = &cursor->remote->log.segments[last];
        uint64_t number = segment->leave_number + 1;
        struct mark end = { segment->leave_offset,
                            walk_ordinal_from(segment->first_number, number) };

        return reader_place(cursor, last, end, number);
}

int reader_stand(struct logstore_remote_cursor *cursor, uint64_t number)
{
        struct logstore_remote *remote = cursor->remote;
        const struct remote_log *log = &remote->log;
        struct mark at;
        uint64_t next;
        size_t which;
        int r;

        if (number == 0)
                number = reader_bounds(remote).first;
        if (log->segment_count == 0) {
                place_nowhere(cursor, number);
                return 0;
        }
        if (number > log->segments[log->segment_count - 1].leave_number)
                return stand_behind(cursor);
        which = remote_log_find(log, number);
        if (which == SIZE_MAX)
                return remote_detail(-EBADMSG, "%s: no commit has record %" PRIu64,
                                     remote->bucket->url, number);
        r = reader_floor(remote, which, number, &at, &next);
        if (r == 0 && is_between(cursor, which, at, number))
                at = (struct mark){ cursor->walk.at.offset, cursor->walk.at.due };
        if (r == 0)
                r = reader_place(cursor, which, at,
                                 log->segments[which].first_number + at.ordinal - 1);
        if (r < 0)
                return r;
        cursor->window.hint = next;
        return walk_to(cursor, number);
}

/* ---- a step ---- */

int reader_fault(const struct logstore_remote_cursor *cursor, int step)
{
        const struct walk *walk = &cursor->walk;
        const struct remote_segment *segment = reader_segment(cursor);
        char name[BUCKET_NAME_MAX];

        if (cursor->window.error < 0)
                return cursor->window.error;
        if (step < 0)
                return step;
        span_name(&window_line(segment, walk->at.offset)->entry, name);
        return remote_detail(
                -EBADMSG, "%s/%s: segment %" PRIu64 ", offset %" PRIu64 ", record %" PRIu64 ": %s",
                cursor->remote->bucket->url, name, segment->id, walk->at.offset,
                segment->first_number + walk->at.due - 1,
                step == WALK_END ? "no frame is committed here" : walk->why);
}

/* The log leaves the segment here. -EAGAIN: it ends here. */
static int go_on(struct logstore_remote_cursor *cursor)
{
        const struct remote_segment *segment = reader_segment(cursor);
        struct segment_brief brief;
        int r;

        if (cursor->walk.at.offset != segment->leave_offset ||
            cursor->number != segment->leave_number + 1)
                return remote_detail(
                        -EBADMSG,
                        "%s: segment %" PRIu64 ", offset %" PRIu64 ", record %" PRIu64
                        ": the log should leave it at offset %" PRIu64 ", before record %" PRIu64,
                        cursor->remote->bucket->url, segment->id, cursor->walk.at.offset,
                        cursor->number, segment->leave_offset, segment->leave_number + 1);
        if (cursor->segment + 1 == cursor->remote->log.segment_count)
                return remote_detail(-EAGAIN, "%s: no record %" PRIu64 ", the last is %" PRIu64,
                                     cursor->remote->bucket->url, cursor->number,
                                     cursor->number - 1);
        r = reader_place(cursor, cursor->segment + 1, (struct mark){ FRAMES_OFFSET, 1 },
                         segment[1].first_number);
        return r == 0 ? reader_start(cursor->remote, cursor->segment, &cursor->window, &brief) : r;
}

static void give(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        const struct walk *walk = &cursor->walk;
        const struct frame *frame = window_at(&cursor->window, walk->offset);

        *ret = (struct logstore_record){ cursor->number - 1, frame->time_ns, frame->payload,
                                         walk->view.size };
}

int reader_step(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        struct walk *walk = &cursor->walk;

        for (;;) {
                int step, r;

                if (walk->at.offset >= reader_segment(cursor)->leave_offset) {
                        r = go_on(cursor);
                        if (r < 0)
                                return r;
                        continue;
                }
                step = walk_next(walk, &window_frames, &cursor->window);
                if (step == WALK_PAD)
                        continue;
                if (step != WALK_FRAME)
                        return reader_fault(cursor, step);
                if (cursor->window.from != cursor->last_from)
                        reader_went(cursor, 1, cursor->window.from);
                cursor->number++;
                if (walk->view.kind == FRAME_VOID)
                        continue;
                give(cursor, ret);
                return 0;
        }
}

static int try_next(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        int r = reader_is_settled(cursor) ? 0 : reader_settle(cursor);

        if (r < 0)
                return r;
        if (cursor->id == 0)
                return remote_detail(-EAGAIN, "%s: no record %" PRIu64, cursor->remote->bucket->url,
                                     cursor->number);
        cursor->before_count = 0;
        cursor->window.hint = 0;
        return reader_step(cursor, ret);
}

int logstore_remote_cursor_next(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        unsigned tries = 0;
        int r = reader_check(cursor, ret);

        if (r < 0)
                return r;
        while ((r = try_next(cursor, ret)) < 0)
                if ((r = reader_again(cursor->remote, r, &tries)) < 0)
                        return r;
        return 0;
}

static int try_seek(struct logstore_remote_cursor *cursor, uint64_t number)
{
        const char *url = cursor->remote->bucket->url;
        struct logstore_bounds bounds;
        int r = reader_look_whole(cursor->remote);

        if (r < 0)
                return r;
        bounds = reader_bounds(cursor->remote);
        if (number == UINT64_MAX)
                number = bounds.tail + 1;
        if (number == 0)
                number = bounds.first;
        if (number < bounds.first)
                return remote_detail(-ESTALE,
                                     "%s: record %" PRIu64 " was trimmed, the first is %" PRIu64,
                                     url, number, bounds.first);
        if (number > bounds.tail + 1)
                return remote_detail(-EAGAIN, "%s: no record %" PRIu64 ", the last is %" PRIu64,
                                     url, number, bounds.tail);
        cursor->run = 0;
        return reader_stand(cursor, number);
}

int logstore_remote_cursor_seek(struct logstore_remote_cursor *cursor, uint64_t number)
{
        struct reader_was was;
        unsigned tries = 0;
        int r = reader_check(cursor, cursor);

        if (r < 0)
                return r;
        was = reader_where(cursor);
        while ((r = try_seek(cursor, number)) < 0) {
                reader_put_back(cursor, &was);
                if ((r = reader_again(cursor->remote, r, &tries)) < 0)
                        return r;
        }
        return 0;
}
