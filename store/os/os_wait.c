/*
 * os_wait.c - system calls for waiting, and who one is
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

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
