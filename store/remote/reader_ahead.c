/*
 * reader_ahead.c - what a cursor will want next is asked for before
 */
#include "remote/reader_private.h"

#define CHUNK_BYTES (UINT64_C(4) << 20) /* of an object that one request brings ahead */
#define CHUNKS_MAX 64                   /* asked for in one go; tails may be small */

static uint64_t chunk_bytes(const struct logstore_remote *remote)
{
        uint64_t bytes = pieces_ahead_bytes(remote->pieces) / 4;

        return bytes < BLOCK_SPAN ? BLOCK_SPAN : bytes > CHUNK_BYTES ? CHUNK_BYTES : bytes;
}

/* What of the line is to be asked for together with the byte at @offset. */
static void find_chunk(const struct logstore_remote *remote, const struct table_line *line,
                       uint64_t offset, uint64_t *ret_from, uint64_t *ret_to)
{
        uint64_t bytes = chunk_bytes(remote);

        bytes -= bytes % BLOCK_SPAN;
        *ret_from = line->entry.from;
        *ret_to = line->entry.to;
        if (line->entry.object_bytes == 0)
                return;
        *ret_from = offset / bytes * bytes;
        if (*ret_to > *ret_from + bytes)
                *ret_to = *ret_from + bytes;
}

void reader_ask_forward(struct logstore_remote *remote, size_t which, uint64_t offset,
                        uint64_t bytes)
{
        const struct remote_log *log = &remote->log;

        for (unsigned i = 0; i < CHUNKS_MAX && bytes > 0; i++) {
                const struct remote_segment *segment = &log->segments[which];
                const struct table_line *line;
                uint64_t from, to;

                if (offset >= segment->leave_offset) {
                        if (++which == log->segment_count)
                                return;
                        segment = &log->segments[which];
                        offset = 0;
                }
                line = window_line(segment, offset);
                find_chunk(remote, line, offset, &from, &to);
                if (line->entry.codec != CODEC_PLAIN && !line->blocks)
                        return; /* its directory comes when the cursor does */
                if (!pieces_ahead(remote->pieces, &line->entry, line->blocks,
                                  line->entry.object_bytes ? offset : from, to))
                        return;
                bytes -= to - offset < bytes ? to - offset : bytes;
                offset = to;
        }
}

static void ask_backward(struct logstore_remote_cursor *cursor, uint64_t offset, uint64_t bytes)
{
        const struct remote_log *log = &cursor->remote->log;
        size_t which = cursor->segment;

        for (unsigned i = 0; i < CHUNKS_MAX && bytes > 0; i++) {
                const struct remote_segment *segment = &log->segments[which];
                const struct table_line *line;
                uint64_t from, to;

                if (offset == 0) {
                        if (which-- == 0)
                                return;
                        segment = &log->segments[which];
                        offset = segment->leave_offset;
                }
                line = window_line(segment, offset - 1);
                find_chunk(cursor->remote, line, offset - 1, &from, &to);
                if (line->entry.codec != CODEC_PLAIN && !line->blocks)
                        return;
                if (!pieces_ahead(cursor->remote->pieces, &line->entry, line->blocks, from,
                                  line->entry.object_bytes ? offset : to))
                        return;
                bytes -= offset - from < bytes ? offset - from : bytes;
                offset = from;
        }
}

void reader_went(struct logstore_remote_cursor *cursor, int direction, uint64_t offset)
{
        uint64_t most = pieces_ahead_bytes(cursor->remote->pieces), bytes;

        cursor->last_from = offset;
        cursor->run = cursor->direction == direction ? cursor->run + 1 : 1;
        cursor->direction = direction;
        if (cursor->run < 2)
                return;
        bytes = BLOCK_SPAN << (cursor->run < 10 ? cursor->run : 10);
        if (bytes > most)
                bytes = most;
        if (direction > 0)
                reader_ask_forward(cursor->remote, cursor->segment, cursor->window.to, bytes);
        else
                ask_backward(cursor, offset, bytes);
}
