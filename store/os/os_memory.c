/*
 * os_memory.c - system calls on mappings and on the page cache
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_cachestat /* Linux 6.5 */
#define SYS_cachestat 451
#endif

int os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret)
{
        static const struct {
                int protection, flags;
        } how[] = {
                [OS_SHARED_READ] = { PROT_READ, MAP_SHARED },
                [OS_SHARED_WRITE] = { PROT_READ | PROT_WRITE, MAP_SHARED },
                [OS_PRIVATE] = { PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE },
                [OS_ANONYMOUS] = { PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE },
        };
        void *base = mmap(NULL, bytes, how[kind].protection, how[kind].flags,
                          kind == OS_ANONYMOUS ? -1 : fd, 0);

        if (base == MAP_FAILED)
                return -errno;
        *ret = base;
        return 0;
}

int os_unmap(void *base, size_t bytes)
{
        return munmap(base, bytes) < 0 ? -errno : 0;
}

int os_sync_map(void *base, size_t bytes)
{
        OS_UNCANCELLED;
        return msync(base, bytes, MS_SYNC) < 0 ? -errno : 0;
}

static int advise(void *base, size_t bytes, int advice)
{
        return madvise(base, bytes, advice) < 0 ? -errno : 0;
}

/* For kernels before 5.14: touch each page by a system call, which fails instead of a signal. */
static int populate_by_read(void *base, size_t bytes)
{
        OS_UNCANCELLED;
        int ends[2], r = 0;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        for (size_t at = 0; at < bytes && r == 0; at += os_page_bytes()) {
                char byte;
                char *page = (char *)base + at;
                if (write(ends[1], page, 1) != 1 || read(ends[0], &byte, 1) != 1)
                        r = -errno;
                /* Reading into the page dirties it, so the kernel reserves its block. */
                else if (write(ends[1], &byte, 1) != 1 || read(ends[0], page, 1) != 1)
                        r = -errno;
        }
        close(ends[0]);
        close(ends[1]);
        return r;
}

int os_populate(void *base, size_t bytes)
{
        int r;

        do
                r = advise(base, bytes, MADV_POPULATE_WRITE);
        while (r == -EINTR || r == -EAGAIN);
        if (r == -EINVAL)
                r = populate_by_read(base, bytes);
        /* EFAULT stands for the SIGBUS that a store would get: no space, or no disk. */
        return r == -EFAULT ? -ENOSPC : r == -EHWPOISON ? -EIO : r;
}

int os_zap(void *base, size_t bytes)
{
        return advise(base, bytes, MADV_DONTNEED);
}

int os_no_fork(void *base, size_t bytes)
{
        return advise(base, bytes, MADV_DONTFORK);
}

int os_wipe_on_fork(void *base, size_t bytes)
{
        return advise(base, bytes, MADV_WIPEONFORK);
}

int os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret)
{
        struct {
                uint64_t offset, bytes;
        } range = { offset, bytes };

        return syscall(SYS_cachestat, fd, &range, ret, 0) < 0 ? -errno : 0;
}

int os_mincore(void *base, size_t bytes, unsigned char *ret_pages)
{
        return mincore(base, bytes, ret_pages) < 0 ? -errno : 0;
}

int os_start_writeback(int fd, uint64_t offset, uint64_t bytes)
{
        OS_UNCANCELLED;
        return sync_file_range(fd, (off64_t)offset, (off64_t)bytes, SYNC_FILE_RANGE_WRITE) < 0
                       ? -errno
                       : 0;
}

int os_drop_cache(int fd, uint64_t offset, uint64_t bytes)
{
        return -posix_fadvise(fd, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
}

int os_read_ahead(int fd, uint64_t offset, uint64_t bytes)
{
        char sink[16384];
        size_t got = sizeof(sink);
        int r = 0;

        /* readahead(2) stops at the device's limit, so read it all. */
        posix_fadvise(fd, (off_t)offset, (off_t)bytes, POSIX_FADV_WILLNEED);
        for (uint64_t at = 0; r == 0 && at < bytes && got == sizeof(sink); at += got)
                r = os_read(fd, sink, sizeof(sink), offset + at, &got);
        return r;
}

int os_write_back(int fd, uint64_t offset, uint64_t bytes)
{
        /* Without WAIT_BEFORE and WAIT_AFTER sync_file_range(2) reports no error, so it takes none
         * from a sync. A second start of the same pages waits until the first is over. */
        int r = os_start_writeback(fd, offset, bytes);

        return r < 0 ? r : os_start_writeback(fd, offset, bytes);
}

size_t os_page_bytes(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}
