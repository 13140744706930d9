/*
 * os_memory.c - system calls on mappings, time and waiting
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
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

static int64_t clock_ns(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now); /* cannot fail for the clocks used here */
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t os_now(void)
{
        return clock_ns(CLOCK_REALTIME);
}

int64_t os_now_coarse(void)
{
        return clock_ns(CLOCK_REALTIME_COARSE);
}

int64_t os_monotonic(void)
{
        return clock_ns(CLOCK_MONOTONIC);
}

void os_sleep(int64_t ns)
{
        OS_UNCANCELLED;
        struct timespec time = { ns / 1000000000, ns % 1000000000 };

        nanosleep(&time, NULL);
}

int os_random(void *buffer, size_t bytes)
{
        OS_UNCANCELLED;
        return getrandom(buffer, bytes, 0) == (ssize_t)bytes ? 0 : -EIO;
}

int os_futex_wait(const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns, bool shared)
{
        struct timespec timeout = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
        int how = FUTEX_WAIT | (shared ? 0 : FUTEX_PRIVATE_FLAG);
        long r = syscall(SYS_futex, word, how, value, timeout_ns < 0 ? NULL : &timeout, NULL, 0);

        return r < 0 ? -errno : 0;
}

int os_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
        int how = FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
        long r = syscall(SYS_futex, word, how, count, NULL, NULL, 0);

        return r < 0 ? -errno : (int)r;
}

/* membarrier(2), Linux 4.16. A thread that does not run needs no fence: what it did became visible
 * when it was switched out. */
int os_fence_register(void)
{
        return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0 ? -errno
                                                                                           : 0;
}

int os_fence_all(void)
{
        return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) < 0 ? -errno : 0;
}

int os_eventfd(void)
{
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), higher;

        if (fd < 0 || fd > STDERR_FILENO)
                return fd < 0 ? -errno : fd;
        higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        higher = higher < 0 ? -errno : higher;
        close(fd);
        return higher;
}

int os_signal_eventfd(int fd)
{
        OS_UNCANCELLED;
        uint64_t one = 1;

        return write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}

int os_thread_id(void)
{
        return (int)syscall(SYS_gettid);
}

int os_process_id(void)
{
        return (int)getpid();
}

size_t os_page_bytes(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}
