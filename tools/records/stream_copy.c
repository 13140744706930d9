/*
 * stream_copy.c - the log, record by record, into a new store
 *
 * For a log of more segments than a process may have mappings, where no snapshot can be had. It
 * holds one segment at a time, so retention may overtake it: then it fails and leaves nothing out.
 */
#include "records/stream_copy.h"

#include <errno.h>
#include <stdbool.h>

#include "records/redact.h"

struct stream {
        struct stream_copy *copy;
        struct logstore *to;
        struct redact_copy redacted;
        uint64_t expected; /* the next number of @to */
        uint64_t bytes;
        bool writing; /* the last failure was of @to */
};

/* Voids keep their numbers: what was aborted there is aborted here. */
static int append_voids(struct stream *stream, uint64_t until)
{
        struct logstore_claim claim;
        int r = 0;

        for (; r == 0 && stream->expected < until; stream->expected++) {
                r = logstore_claim(stream->to, 0, &claim);
                if (r == 0)
                        r = logstore_abort(stream->to, &claim);
        }
        stream->writing = r < 0;
        return r;
}

static int append_one(struct stream *stream, const struct logstore_record *record)
{
        struct logstore_entry entry = {
                record->data, record->size,
                record->time_ns ? record->time_ns : LOGSTORE_TIME_ZERO /* 0 would be now */
        };
        int r = append_voids(stream, record->number);

        if (r == 0)
                r = logstore_append_batch(stream->to, &entry, 1, NULL);
        stream->writing = r < 0;
        stream->expected++;
        return r;
}

static int copy_one(struct stream *stream, struct logstore_record *record)
{
        struct stream_copy *copy = stream->copy;
        int r = 0;

        if (copy->pattern)
                r = redact_in_copy(&stream->redacted, copy->pattern, record);
        if (r < 0)
                return r;
        copy->redacted += (uint64_t)r;
        stream->bytes += record->size;
        progress_show(copy->progress, stream->bytes);
        return append_one(stream, record);
}

static int copy_all(struct stream *stream)
{
        const struct logstore_bounds *bounds = &stream->copy->bounds;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int r = logstore_cursor_open(stream->copy->from, 0, &cursor);

        if (r < 0)
                return r;
        while (r == 0 && stream->expected <= bounds->tail) {
                r = logstore_cursor_next(cursor, &record);
                if (r == -EAGAIN && logstore_cursor_position(cursor) > bounds->tail)
                        r = append_voids(stream, bounds->tail + 1); /* nothing else is left */
                else if (r == 0 && record.number > bounds->tail)
                        r = append_voids(stream, bounds->tail + 1);
                else if (r == 0)
                        r = copy_one(stream, &record);
        }
        logstore_cursor_close(cursor);
        return r == -EAGAIN ? -EBADMSG : r; /* it was there at the start */
}

static int open_new(const char *path, const struct logstore_options *options, struct logstore **ret)
{
        struct logstore_bounds bounds;
        int r = logstore_open(path, options, ret);

        if (r < 0)
                return r;
        r = logstore_bounds(*ret, &bounds);
        if (r == 0 && bounds.tail + 1 != options->first_number)
                r = -EEXIST; /* another copy has it */
        if (r < 0)
                logstore_close(*ret);
        return r;
}

int stream_copy(struct stream_copy *copy, const char *path, const struct logstore_options *options,
                bool *ret_writing)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_options create = *options;
        struct stream stream = { .copy = copy, .expected = copy->bounds.first };
        int r = logstore_info(copy->from, &info), closed;

        create.flags |= LOGSTORE_CREATE;
        create.first_number = copy->bounds.first;
        if (create.segment_bytes == 0)
                create.segment_bytes = info.segment_bytes;
        if (create.file_mode == 0)
                create.file_mode = info.file_mode;
        *ret_writing = true;
        if (r == 0)
                r = open_new(path, &create, &stream.to);
        if (r < 0)
                return r;
        r = copy_all(&stream);
        *ret_writing = r == 0 || stream.writing;
        closed = logstore_close(stream.to);
        redact_copy_free(&stream.redacted);
        return r < 0 ? r : closed;
}
