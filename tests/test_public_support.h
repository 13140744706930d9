/*
 * test_public_support.h - what the tests through the public header share
 *
 * Each test runs in a process of its own with a fresh, private directory; `store` is the store it
 * works on. Helpers assert success themselves, so that a test reads as the story it tells.
 */
#ifndef TEST_PUBLIC_SUPPORT_H
#define TEST_PUBLIC_SUPPORT_H

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <logstore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Check writes a line into a file for every assertion that holds, to say where a test was when it
 * crashed. With hundreds of thousands of them that was most of the time of the tests. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                        \
        ((expr) ? (void)0                                                               \
                : _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", \
                                    __VA_ARGS__))

#define SMALL_SEGMENT_BYTES (UINT64_C(64) << 10)

extern struct logstore *store;

/* Paths inside the test's directory; valid until the fourth next call. */
const char *scratch(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *store_path(void);

/* The store of the test: 64 KiB segments, no background thread unless asked for. */
void open_store(uint32_t flags);
void open_store_with(const struct logstore_options *options);
int try_open(uint32_t flags, struct logstore **ret);
void close_store(void);
void reopen_store(void);

uint64_t append_text(const char *text);
uint64_t append_filled(size_t size, unsigned char byte);
void append_numbered(unsigned count); /* "record 1", ... by their numbers */
void expect_text(struct logstore *where, uint64_t number, const char *text);
void expect_next(struct logstore_cursor *cursor, uint64_t number, const char *text);
void expect_numbered(struct logstore *where, uint64_t from, uint64_t to);
struct logstore_bounds bounds_of(struct logstore *where);

/* @got is the error @want, and the thread has a line about it. */
#define expect_failure(call, want) expect_failure_at((call), (want), #call, __FILE__, __LINE__)
void expect_failure_at(int64_t got, int want, const char *call, const char *file, int line);

/* Files of a store, byte by byte. */
struct bytes {
        unsigned char *data;
        size_t size;
};
struct bytes load_file(const char *path);
void save_file(const char *path, const void *data, size_t size);
void flip_byte(const char *path, size_t offset);
void zero_range(const char *path, size_t offset, size_t size);
void cut_file(const char *path, size_t size);
bool file_exists(const char *path);
void copy_directory(const char *from, const char *to); /* plain files only */

/* Put what a crash would leave, the store's files as they are now, in the place of the store, which
 * is closed. */
void crash_store(void);

/* Run the tests of one file: setup makes the directory, teardown closes and removes it. */
struct test_entry {
        const TTest *test;
        int cases; /* 0: once, else that many times with _i */
};
/* Before RUN_TESTS(): @test is no case where the thread sanitizer watches, and a line says so. */
void not_under_tsan(const TTest *test, const char *why);

int run_tests(const char *name, const struct test_entry *tests, size_t count);
#define RUN_TESTS(name, tests) run_tests((name), (tests), sizeof(tests) / sizeof((tests)[0]))

#endif
