/*
 * kernel.c - store/os.h for a scheduled store: time, waiting and identity are the scheduler's,
 * files are the simulator's disk with a point at each call
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"
#include "kernel.h"
#include "os/os.h"
#include "race.h"
#include "rng.h"
#include "scheduler.h"
#include "weak.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PC __builtin_return_address(0)
#define CLOCK_NS 1000 /* what a look at the clock takes */

struct kernel kernel = { .random = { 42 } };

/* ---- time ---- */

static int64_t look_at_clock(const void *pc)
{
        scheduler_point(POINT_TIME, pc);
        scheduler_pass(CLOCK_NS);
        return scheduler_now_ns();
}

int64_t __wrap_os_now(void)
{
        return look_at_clock(PC);
}

int64_t __wrap_os_now_coarse(void)
{
        return look_at_clock(PC);
}

int64_t __wrap_os_monotonic(void)
{
        return look_at_clock(PC);
}

void __wrap_os_sleep(int64_t ns)
{
        scheduler_sleep(ns);
}

/* ---- waiting ---- */

int __wrap_os_futex_wait(const volatile uint32_t *word, uint32_t value, int64_t timeout_ns,
                         bool shared)
{
        (void)shared;
        scheduler_point(POINT_WAIT, PC);
        weak_drain_all_of(scheduler_current);
        clock_meet();
        if (*word != value)
                return -EAGAIN;
        return scheduler_block(word, timeout_ns < 0 ? -1 : scheduler_now_ns() + timeout_ns);
}

int __wrap_os_futex_wake(volatile uint32_t *word, int count, bool shared)
{
        (void)shared;
        scheduler_point(POINT_WAIT, PC);
        weak_drain_all_of(scheduler_current);
        clock_meet();
        return scheduler_wake(word, count);
}

int __wrap_os_fence_register(void)
{
        return 0;
}

int __wrap_os_fence_all(void)
{
        scheduler_point(POINT_FENCE, PC);
        weak_drain_all();
        clock_everybody();
        return 0;
}

int __real_os_signal_eventfd(int fd);
int __wrap_os_signal_eventfd(int fd)
{
        scheduler_point(POINT_CALL, PC);
        weak_drain_all_of(scheduler_current);
        clock_meet();
        return __real_os_signal_eventfd(fd);
}

/* ---- identity ---- */

int __wrap_os_random(void *buffer, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                ((uint8_t *)buffer)[i] = (uint8_t)rng_next(&kernel.random);
        return 0;
}

int __wrap_os_thread_id(void)
{
        return 1000 + scheduler_current;
}

int __wrap_os_process_id(void)
{
        return 999;
}

bool __wrap_os_process_lives(int id)
{
        (void)id;
        return true;
}

/* ---- files ---- */

/* Now and then the writeback lies behind, where a scenario wants that. */
int __wrap_os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret)
{
        (void)fd, (void)offset, (void)bytes;
        scheduler_point(POINT_CALL, PC);
        if (!kernel.dirty)
                return -ENOSYS;
        *ret = (struct os_cachestat){ .dirty = kernel.cachestats++ % 3 ? 1000 : 0 };
        return 0;
}

/* In the middle of a sync, when the disk works. */
int schedule_usleep(unsigned us)
{
        (void)us;
        scheduler_point(POINT_CALL, PC);
        return 0;
}

/* The disk is never left by a thread that is inside. */
int schedule_no_lock(void *mutex)
{
        (void)mutex;
        return 0;
}

#define CALL(result, name, parameters, arguments)     \
        result __real_##name parameters;              \
        result __wrap_##name parameters               \
        {                                             \
                scheduler_point(POINT_CALL, PC);      \
                weak_drain_all_of(scheduler_current); \
                return __real_##name arguments;       \
        }
CALL(int, os_sync_map, (void *base, size_t bytes), (base, bytes))
CALL(int, os_sync_file, (int fd), (fd))
CALL(int, os_sync_directory, (int fd), (fd))
CALL(int, os_unlink, (int directory, const char *name), (directory, name))
CALL(int, os_rename, (int directory, const char *from, const char *to), (directory, from, to))
CALL(int, os_rename_fresh, (int directory, const char *from, const char *to), (directory, from, to))
CALL(int, os_open, (int directory, const char *name, int flags, uint32_t mode),
     (directory, name, flags, mode))
CALL(int, os_close, (int fd), (fd))
CALL(int, os_grow, (int fd, uint64_t bytes), (fd, bytes))
CALL(int, os_read, (int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret_bytes),
     (fd, buffer, bytes, offset, ret_bytes))
CALL(int, os_write, (int fd, const void *buffer, size_t bytes, uint64_t offset),
     (fd, buffer, bytes, offset))
CALL(int, os_stat_name, (int directory, const char *name, struct os_stat *ret),
     (directory, name, ret))
CALL(int, os_list, (int directory, int (*each)(void *context, const char *name), void *context),
     (directory, each, context))
CALL(int, os_lock, (int fd), (fd))
CALL(int, os_unmap, (void *base, size_t bytes), (base, bytes))

/* A mapping without a file may get memory that an earlier one had. */
int __real_os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret);
int __wrap_os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret)
{
        int r;

        scheduler_point(POINT_CALL, PC);
        weak_drain_all_of(scheduler_current);
        r = __real_os_map(fd, kind, bytes, ret);
        if (r == 0 && scheduler_plan && scheduler_plan->races &&
            (kind == OS_PRIVATE || kind == OS_ANONYMOUS))
                race_forget(*ret, bytes < 1 << 20 ? bytes : 1 << 20);
        return r;
}
