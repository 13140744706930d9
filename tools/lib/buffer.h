/*
 * buffer.h - bytes on their way to a descriptor, written in big blocks
 *
 * Errors are kept: after the first, nothing more is written, everything is accepted, and `error`
 * says which it was (-EPIPE: the reader has gone; -EBADF: it was closed from the start; -EINTR: a
 * held signal came while the reader did not read). So callers look once a round.
 */
#ifndef TOOL_BUFFER_H
#define TOOL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BUFFER_BYTES ((size_t)256 << 10)

struct buffer {
        int fd;
        int error;      /* 0, or the first negative errno */
        int compare_fd; /* if not -1, the first skip_bytes are compared with it, not written */
        uint64_t compare_offset; /* in it */
        uint64_t skip_bytes;
        uint64_t written;   /* bytes that left, or were skipped, since the start */
        bool visible;       /* a terminal: text_visible() of everything is written */
        size_t piece_bytes; /* at most so many at once, so that no write blocks; 0: any number */
        size_t used;
        char *bytes;
};

int buffer_open(struct buffer *buffer, int fd);
void buffer_close(struct buffer *buffer); /* drops what was not flushed */
int buffer_flush(struct buffer *buffer);
int buffer_write(struct buffer *buffer, const void *data, size_t size); /* past the buffer */

/* Room for @size (<= BUFFER_BYTES) bytes at the place returned; buffer_took() says how many. */
static inline char *buffer_room(struct buffer *buffer, size_t size)
{
        if (buffer->used + size > BUFFER_BYTES)
                (void)buffer_flush(buffer); /* the error stays in the buffer */
        return buffer->bytes + buffer->used;
}

static inline void buffer_took(struct buffer *buffer, const char *end)
{
        buffer->used = (size_t)(end - buffer->bytes);
}

static inline void buffer_put(struct buffer *buffer, const void *data, size_t size)
{
        if (size > BUFFER_BYTES / 2) {
                (void)buffer_write(buffer, data, size);
                return;
        }
        memcpy(buffer_room(buffer, size), data, size);
        buffer->used += size;
}

#endif
