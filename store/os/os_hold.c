/*
 * os_hold.c - system calls for a lock that is held for a moment, and a sync of data alone
 */
#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "os/os.h"

int os_hold(int fd)
{
        int r;

        do
                r = flock(fd, LOCK_EX | LOCK_NB);
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : 0;
}

int os_release(int fd)
{
        return flock(fd, LOCK_UN) < 0 ? -errno : 0;
}

int os_sync_data(int fd)
{
        OS_UNCANCELLED;
        return fdatasync(fd) < 0 ? -errno : 0;
}
