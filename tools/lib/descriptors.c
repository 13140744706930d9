/*
 * descriptors.c - standard input, output and error that the caller had closed
 *
 * open(2) gives the lowest free number. Without this a file of the store, or the signalfd, would
 * become "standard input". A descriptor of O_PATH exists everywhere and refuses read and write.
 */
#include "lib/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void descriptors_occupy(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) != fd)
                        _exit(4); /* not even that: nothing can be said */
}

int descriptors_check(int fd, int mode)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || flags & O_PATH)
                return -EBADF;
        return (flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == mode ? 0 : -EBADF;
}
