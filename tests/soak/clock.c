/*
 * clock.c - a wall clock that a test sets, for one process (LD_PRELOAD)
 *
 * The file named by $SOAK_CLOCK holds nanoseconds, 8 bytes in this machine's order, that are added
 * to the real time. To set the machine's clock would harm everything else on it, and a time
 * namespace has no wall clock of its own. What the kernel tells by itself stays real: times of
 * files, and timeouts against CLOCK_REALTIME, which the store does not use.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int64_t *offset_ns;

static void map_offset(void)
{
        const char *path = getenv("SOAK_CLOCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *address;

        if (fd < 0)
                abort(); /* a drill with the real clock would prove nothing */
        address = mmap(NULL, sizeof(*offset_ns), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (address == MAP_FAILED)
                abort();
        offset_ns = address;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
        int r = (int)syscall(SYS_clock_gettime, clock, ret);
        int64_t ns;

        if (r < 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
                return r;
        pthread_once(&once, map_offset);
        ns = ret->tv_sec * SECOND + ret->tv_nsec + atomic_load(offset_ns);
        ret->tv_sec = ns / SECOND;
        ret->tv_nsec = ns % SECOND;
        return 0;
}

int gettimeofday(struct timeval *ret, void *zone)
{
        struct timespec now;

        (void)zone;
        clock_gettime(CLOCK_REALTIME, &now);
        ret->tv_sec = now.tv_sec;
        ret->tv_usec = now.tv_nsec / 1000;
        return 0;
}

time_t time(time_t *ret)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}
