/*
 * reader_get.c - one record by its number
 *
 * Right behind the open this costs two requests, if the newest checkpoint has the record in an
 * object: the checkpoint, and the bytes from the mark before the record to the mark behind it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "remote/reader_private.h"
#include "remote/remote_detail.h"

static int check_number(const struct logstore_remote *remote, uint64_t number)
{
        struct logstore_bounds bounds;

        if (remote->log.is_part) /* it has the record */
                return 0;
        bounds = reader_bounds(remote);
        if (number < bounds.first)
                return remote_detail(-ESTALE,
                                     "%s: record %" PRIu64 " was trimmed, the first is %" PRIu64,
                                     remote->bucket->url, number, bounds.first);
        if (number > bounds.tail)
                return remote_detail(-EAGAIN, "%s: no record %" PRIu64 ", the last is %" PRIu64,
                                     remote->bucket->url, number, bounds.tail);
        return 0;
}

/* The cursor stands before it. */
static int take(struct logstore_remote_cursor *cursor, struct logstore_record *ret)
{
        struct walk *walk = &cursor->walk;
        const struct frame *frame;
        int step;

        do
                step = walk->at.offset < reader_segment(cursor)->leave_offset
                               ? walk_next(walk, &window_frames, &cursor->window)
                               : WALK_END;
        while (step == WALK_PAD);
        if (step != WALK_FRAME)
                return reader_fault(cursor, step);
        cursor->number++;
        if (walk->view.kind == FRAME_VOID)
                return remote_detail(-ENODATA, "%s: record %" PRIu64 " is void",
                                     cursor->remote->bucket->url, cursor->number - 1);
        frame = window_at(&cursor->window, walk->offset);
        *ret = (struct logstore_record){ cursor->number - 1, frame->time_ns, frame->payload,
                                         walk->view.size };
        return 0;
}

static int try_get(struct logstore_remote_cursor *cursor, uint64_t number,
                   struct logstore_record *ret)
{
        int r = reader_look_for(cursor->remote, number);

        if (r == 0)
                r = check_number(cursor->remote, number);
        cursor->run = 0;
        if (r == 0)
                r = reader_stand(cursor, number);
        return r == 0 ? take(cursor, ret) : r;
}

int logstore_remote_cursor_get(struct logstore_remote_cursor *cursor, uint64_t number,
                               struct logstore_record *ret)
{
        struct reader_was was;
        unsigned tries = 0;
        int r = reader_check(cursor, ret);

        if (r == 0 && number == 0)
                r = remote_detail(-EINVAL, "record numbers start at 1");
        if (r < 0)
                return r;
        was = reader_where(cursor);
        while ((r = try_get(cursor, number, ret)) < 0) {
                reader_put_back(cursor, &was);
                if ((r = reader_again(cursor->remote, r, &tries)) < 0)
                        return r;
        }
        return 0;
}

int logstore_remote_get(struct logstore_remote *remote, uint64_t number, void *buffer,
                        size_t capacity, struct logstore_record *ret)
{
        struct logstore_record record;
        int r = 0;

        if (!remote || !ret || (!buffer && capacity))
                return remote_detail(-EINVAL, "an argument is NULL");
        if (!remote->own)
                r = logstore_remote_cursor_open(remote, 0, &remote->own);
        if (r == 0)
                r = logstore_remote_cursor_get(remote->own, number, &record);
        if (r < 0)
                return r;
        if (record.size > capacity) {
                ret->size = record.size;
                return remote_detail(-ENOBUFS, "record %" PRIu64 " has %zu bytes", number,
                                     record.size);
        }
        if (record.size)
                memcpy(buffer, record.data, record.size);
        record.data = buffer;
        *ret = record;
        return 0;
}
