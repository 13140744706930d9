/*
 * window.h - the frames of one segment of a bucket, walked and checked without a file
 *
 * The window lies over one piece, or over a copy of what is in several where a frame goes over an
 * edge. Whoever walks calls walk_next() with window_frames. Memory is a piece and the largest
 * frame.
 */
#ifndef LOGSTORE_WINDOW_H
#define LOGSTORE_WINDOW_H

#include "remote/pieces.h"
#include "remote/remote_log.h"
#include "segment/walk.h"

struct window {
        struct pieces *pieces;
        const struct remote_segment *segment; /* valid as long as its log is */
        struct hash_key key;
        const uint8_t *bytes; /* of the segment, */
        uint64_t from, to;    /* this stretch; */
        uint64_t hint;        /* before here bytes up to here are wanted; else those of a piece */
        const struct piece *piece;
        uint8_t *copy;
        size_t copy_room;
        int error; /* of the bucket, as the source's functions return it */
};

/* Stand over nothing of @segment. The directories of its lines are at hand. */
void window_begin(struct window *window, struct pieces *pieces,
                  const struct remote_segment *segment);

/* Forget the segment; what was given from the window is gone. */
void window_leave(struct window *window);
void window_free(struct window *window);

/* The bytes at @offset, which the window has. */
static inline const void *window_at(const struct window *window, uint64_t offset)
{
        return window->bytes + (offset - window->from);
}

/* The line that has the byte at @offset. */
const struct table_line *window_line(const struct remote_segment *segment, uint64_t offset);

/* Lay the window over @size bytes at @offset, which are not in it and lie before the end. */
int window_fill(struct window *window, uint64_t offset, uint64_t size);

/* Have @size bytes of the segment at @offset together in the window. */
static inline int window_need(struct window *window, uint64_t offset, uint64_t size)
{
        if (__builtin_expect(offset >= window->from && offset + size <= window->to, 1))
                return 0;
        return window->error = window_fill(window, offset, size);
}

/* record_peek() counts offsets from the start of the segment; the window has them from its own. */
static inline const void *window_base(const struct window *window)
{
        return (const void *)((uintptr_t)window->bytes - window->from);
}

static inline int window_peek(void *from, uint64_t offset, struct record_view *ret)
{
        struct window *window = from;
        uint64_t end = window->segment->end, header = FRAME_HEADER_BYTES;
        int r;

        if (offset + PAD_HEADER_BYTES > end)
                return -EAGAIN;
        if (offset + header > end)
                header = PAD_HEADER_BYTES;
        r = window_need(window, offset, header);
        return r < 0 ? r : record_peek(window_base(window), offset, end, ret);
}

static inline int window_check(void *from, uint64_t offset, const struct record_view *view)
{
        struct window *window = from;
        int r;

        if (view->kind == FRAME_PAD)
                return record_valid(&window->key, window_base(window), offset, view);
        r = window_need(window, offset, view->frame_bytes);
        return r < 0 ? r : record_valid(&window->key, window_base(window), offset, view);
}

static const struct frame_source window_frames = { window_peek, window_check };

#endif
