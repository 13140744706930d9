/*
 * os_clock.c - system calls for time and for chance
 */
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "os/os.h"

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
