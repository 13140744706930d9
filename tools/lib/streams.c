/*
 * streams.c - stdio on descriptors that others made non-blocking
 *
 * The flag belongs to the open file, which a parent or a neighbour in a pipeline may share. If we
 * cleared it, we would change theirs. stdio drops what a write(2) with -EAGAIN did not take. So
 * such a stream gets a write that waits.
 */
#include "lib/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static ssize_t write_waiting(void *cookie, const char *data, size_t size)
{
        int fd = (int)(intptr_t)cookie;
        size_t done = 0;

        while (done < size) {
                ssize_t n = write(fd, data + done, size - done);

                if (n > 0)
                        done += (size_t)n;
                else if (n < 0 && errno == EAGAIN)
                        poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
                else if (n < 0 && errno != EINTR)
                        return 0; /* an error, to stdio; errno says which */
        }
        return (ssize_t)done;
}

static FILE *waiting(FILE *stream, int fd, int buffering)
{
        int flags = fcntl(fd, F_GETFL);
        FILE *ours;

        if (flags < 0 || !(flags & O_NONBLOCK))
                return stream;
        ours = fopencookie((void *)(intptr_t)fd, "w",
                           (cookie_io_functions_t){ .write = write_waiting });
        if (!ours)
                return stream;
        setvbuf(ours, NULL, buffering, BUFSIZ);
        return ours;
}

void streams_prepare(void)
{
        stdout = waiting(stdout, STDOUT_FILENO, _IOFBF);
        stderr = waiting(stderr, STDERR_FILENO, _IONBF);
}
