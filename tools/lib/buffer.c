/*
 * buffer.c - bytes on their way to a descriptor, written in big blocks
 *
 * While signals are held back a write must not block. Unless the output is a file, the buffer waits
 * with poll(2) and then writes what a ready pipe takes at once.
 */
#include "lib/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/descriptors.h"
#include "lib/signals.h"
#include "lib/text.h"

static bool is_file(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int buffer_open(struct buffer *buffer, int fd)
{
        *buffer = (struct buffer){ .fd = fd,
                                   .compare_fd = -1,
                                   .error = descriptors_check(fd, O_WRONLY) };
        buffer->visible = isatty(fd);
        if (signals_held() && !is_file(fd))
                buffer->piece_bytes = PIPE_BUF;
        buffer->bytes = malloc(BUFFER_BYTES);
        return buffer->bytes ? 0 : -ENOMEM;
}

void buffer_close(struct buffer *buffer)
{
        free(buffer->bytes);
        if (buffer->compare_fd >= 0)
                close(buffer->compare_fd);
        *buffer = (struct buffer){ .fd = -1, .compare_fd = -1 };
}

/* How many of the next @size bytes are in the file already, from an earlier run. */
static size_t already_there(struct buffer *buffer, const char *data, size_t size)
{
        char there[4096];
        size_t done = 0;

        if (size > buffer->skip_bytes)
                size = (size_t)buffer->skip_bytes;
        while (done < size) {
                size_t piece = size - done < sizeof(there) ? size - done : sizeof(there);

                if (pread(buffer->compare_fd, there, piece,
                          (off_t)(buffer->compare_offset + done)) != (ssize_t)piece ||
                    memcmp(there, data + done, piece) != 0) {
                        buffer->skip_bytes = 0; /* somebody else's bytes: print everything */
                        return 0;
                }
                done += piece;
        }
        buffer->compare_offset += size;
        buffer->skip_bytes -= size;
        return size;
}

static int write_all(const struct buffer *buffer, const char *data, size_t size)
{
        while (size) {
                size_t piece = size;
                ssize_t n;

                if (buffer->piece_bytes) {
                        int r = signals_wait_writable(buffer->fd);

                        if (r < 0)
                                return r;
                        if (piece > buffer->piece_bytes)
                                piece = buffer->piece_bytes;
                }
                n = write(buffer->fd, data, piece);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                if (n < 0 && errno == EAGAIN && !buffer->piece_bytes)
                        poll(&(struct pollfd){ .fd = buffer->fd, .events = POLLOUT }, 1, -1);
                if (n > 0) {
                        data += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

static int write_visible(const struct buffer *buffer, const char *data, size_t size)
{
        char shown[TEXT_VISIBLE_BYTES(4096)];
        int r = 0;

        while (size && r == 0) {
                size_t piece = size < 4096 ? size : 4096 - text_cut_bytes(data, 4096);

                r = write_all(buffer, shown,
                              (size_t)(text_visible(shown, data, piece, "\n\t") - shown));
                data += piece;
                size -= piece;
        }
        return r;
}

static int write_out(struct buffer *buffer, const char *data, size_t size)
{
        size_t skip = 0;

        if (buffer->error)
                return buffer->error;
        if (buffer->skip_bytes)
                skip = already_there(buffer, data, size);
        buffer->error = buffer->visible ? write_visible(buffer, data + skip, size - skip)
                                        : write_all(buffer, data + skip, size - skip);
        if (buffer->error == 0)
                buffer->written += size;
        return buffer->error;
}

int buffer_flush(struct buffer *buffer)
{
        size_t used = buffer->used;

        buffer->used = 0;
        return used ? write_out(buffer, buffer->bytes, used) : buffer->error;
}

int buffer_write(struct buffer *buffer, const void *data, size_t size)
{
        int r = buffer_flush(buffer);

        return r < 0 ? r : write_out(buffer, data, size);
}
