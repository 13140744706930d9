/*
 * os_memory_disk.c - the rest of os/os.h for the simulator: mappings, time and chance
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"

#include "disk.h"
#include "os_disk.h"
#include "turns.h"

#define HEAP_MAP_BYTES (128u << 10) /* larger mappings without a file come from the kernel */

static struct os_world *world;

void os_disk_enter(struct os_world *new_world)
{
        if (world != new_world) /* else threads of the store may be looking */
                world = new_world;
}

/* ---- mappings ---- */

static int map_memory(size_t bytes, void **ret)
{
        void *base;

        if (bytes > HEAP_MAP_BYTES) {
                base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (base == MAP_FAILED)
                        return -errno;
        } else {
                size_t whole = (bytes + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES * DISK_PAGE_BYTES;
                base = aligned_alloc(DISK_PAGE_BYTES, whole);
                if (!base)
                        return -ENOMEM;
                memset(base, 0, whole);
        }
        *ret = base;
        return 0;
}

int os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret)
{
        void *base = NULL;
        int r;

        if (kind == OS_SHARED_READ || kind == OS_SHARED_WRITE)
                return os_disk_map(fd, kind == OS_SHARED_WRITE, bytes, ret);
        r = map_memory(bytes, &base);
        if (r == 0 && kind == OS_PRIVATE)
                r = os_disk_copy(fd, base, bytes);
        if (r == 0)
                *ret = base;
        return r;
}

int os_unmap(void *base, size_t bytes)
{
        if (os_disk_unmap(base))
                return 0;
        if (bytes > HEAP_MAP_BYTES)
                return munmap(base, bytes) < 0 ? -errno : 0;
        free(base);
        return 0;
}

int os_populate(void *base, size_t bytes)
{
        return os_disk_populate(base, bytes);
}

int os_zap(void *base, size_t bytes)
{
        (void)base, (void)bytes;
        return 0;
}

int os_no_fork(void *base, size_t bytes)
{
        return os_zap(base, bytes);
}

int os_wipe_on_fork(void *base, size_t bytes)
{
        return os_zap(base, bytes);
}

int os_mincore(void *base, size_t bytes, unsigned char *ret_pages)
{
        (void)base, (void)bytes, (void)ret_pages;
        return -ENOSYS;
}

/* ---- time ---- */

static int64_t clock_ns(clockid_t clock)
{
        struct timespec now;

        if (world)
                return world->now_ns += 1000;
        clock_gettime(clock, &now);
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
        struct timespec time = { ns / 1000000000, ns % 1000000000 };

        if (world)
                world->now_ns += ns;
        if (!turns_yield() && !world)
                nanosleep(&time, NULL);
}

int os_random(void *buffer, size_t bytes)
{
        if (!world)
                return getrandom(buffer, bytes, 0) == (ssize_t)bytes ? 0 : -EIO;
        for (size_t i = 0; i < bytes; i++)
                ((uint8_t *)buffer)[i] = (uint8_t)rng_next(&world->rng);
        return 0;
}

size_t os_page_bytes(void)
{
        return DISK_PAGE_BYTES;
}
