/*
 * window.c - the frames of one segment of a bucket
 */
#include "remote/window.h"

#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

void window_leave(struct window *window)
{
        if (window->pieces)
                pieces_release(window->pieces, window->piece);
        window->piece = NULL;
        window->bytes = NULL;
        window->segment = NULL;
        window->from = window->to = window->hint = 0;
}

void window_free(struct window *window)
{
        window_leave(window);
        free(window->copy);
        window->copy = NULL;
        window->copy_room = 0;
}

void window_begin(struct window *window, struct pieces *pieces,
                  const struct remote_segment *segment)
{
        window_leave(window);
        window->pieces = pieces;
        window->segment = segment;
        window->error = 0;
        hash_key_init(&window->key, segment->salt);
}

const struct table_line *window_line(const struct remote_segment *segment, uint64_t offset)
{
        size_t low = 0, high = segment->line_count;

        while (low + 1 < high) { /* the last one that begins at or before it */
                size_t middle = low + (high - low) / 2;

                if (segment->lines[middle].entry.from <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return &segment->lines[low];
}

static int get(struct window *window, uint64_t offset, uint64_t until, const struct piece **ret)
{
        const struct table_line *line = window_line(window->segment, offset);
        int r = pieces_get(window->pieces, &line->entry, line->blocks, offset, until, ret);

        return r == -EAGAIN ? -EREMOTEIO : r; /* a source that says -EAGAIN has no frame there */
}

static int have_room(struct window *window, size_t size)
{
        if (size <= window->copy_room)
                return 0;
        free(window->copy);
        window->copy_room = 0;
        window->copy = malloc(size);
        if (!window->copy)
                return remote_detail(-ENOMEM, "no memory for a record of %zu bytes", size);
        window->copy_room = size;
        return 0;
}

/* The frame goes over the edge of a piece, or of several. */
static int copy_together(struct window *window, uint64_t offset, uint64_t size)
{
        uint64_t at = offset, end = offset + size;
        int r = have_room(window, size);

        while (r == 0 && at < end) {
                const struct piece *piece;

                r = get(window, at, end, &piece);
                if (r == 0) {
                        uint64_t to = piece->have < end ? piece->have : end;

                        memcpy(window->copy + (at - offset), piece->bytes + (at - piece->from),
                               to - at);
                        at = to;
                        pieces_release(window->pieces, piece);
                }
        }
        if (r < 0)
                return r;
        window->bytes = window->copy;
        window->from = offset;
        window->to = end;
        return 0;
}

int window_fill(struct window *window, uint64_t offset, uint64_t size)
{
        const struct piece *piece;
        uint64_t until = offset + size;
        uint64_t wanted =
                window->hint > offset ? window->hint : (offset / BLOCK_SPAN + 1) * BLOCK_SPAN;
        int r;

        pieces_release(window->pieces, window->piece);
        window->piece = NULL;
        window->from = window->to = 0;
        r = get(window, offset, until > wanted ? until : wanted, &piece);
        if (r < 0)
                return r;
        if (until > piece->have) {
                pieces_release(window->pieces, piece);
                return copy_together(window, offset, size);
        }
        window->piece = piece;
        window->bytes = piece->bytes;
        window->from = piece->from;
        window->to = piece->have;
        return 0;
}
