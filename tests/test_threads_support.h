/*
 * test_threads_support.h - records that tell their maker, for tests of many threads or processes
 *
 * A record carries its maker, the maker's count and bytes that follow from both, so that whoever
 * reads it can tell that it is whole and whose it is. Checks in other threads and processes use
 * must(), which ends the process: Check then reports its signal.
 */
#ifndef TEST_THREADS_SUPPORT_H
#define TEST_THREADS_SUPPORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test_public_support.h"

#define must(condition)                                                                    \
        do {                                                                               \
                if (!(condition)) {                                                        \
                        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, \
                                logstore_detail());                                        \
                        abort();                                                           \
                }                                                                          \
        } while (0)

struct stamp {
        uint32_t maker, count;
};

static inline unsigned char stamp_byte(struct stamp stamp, size_t at)
{
        return (unsigned char)(stamp.maker * 31 + stamp.count * 7 + at);
}

/* @size is at least a stamp's. */
static inline void stamp_fill(void *data, size_t size, struct stamp stamp)
{
        unsigned char *bytes = data;

        memcpy(bytes, &stamp, sizeof(stamp));
        for (size_t at = sizeof(stamp); at < size; at++)
                bytes[at] = stamp_byte(stamp, at);
}

static inline struct stamp stamp_check(const void *data, size_t size)
{
        const unsigned char *bytes = data;
        struct stamp stamp;

        must(size >= sizeof(stamp));
        memcpy(&stamp, bytes, sizeof(stamp));
        for (size_t at = sizeof(stamp); at < size; at++)
                must(bytes[at] == stamp_byte(stamp, at));
        return stamp;
}

static inline int64_t clock_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static inline void sleep_ms(int64_t ms)
{
        struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

        nanosleep(&time, NULL);
}

static inline void expect_child(pid_t child)
{
        int status = 0;

        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: status %#x", status);
}

#endif
