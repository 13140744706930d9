/*
 * support.h - what the tests of the remote library share: a directory, a fake server, buckets
 *
 * Each test runs in a process of its own. The server is the test's child; it ends when the pipe to
 * its standard input does, however the test ends.
 */
#ifndef TEST_REMOTE_SUPPORT_H
#define TEST_REMOTE_SUPPORT_H

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../scratch.h"
#include "remote/bucket.h"
#include "remote/bucket_options.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

/* Check writes a line into a file for every assertion that holds. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                        \
        ((expr) ? (void)0                                                               \
                : _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", \
                                    __VA_ARGS__))

static const char *directory __attribute__((used)); /* else it is a leak where nobody reads it */
static char server_url[64];                         /* "" until the server is started */

#define expect_ok(call) expect_at((call), 0, #call, __FILE__, __LINE__)
#define expect(call, want) expect_at((call), (want), #call, __FILE__, __LINE__)
static inline void expect_at(int got, int want, const char *call, const char *file, int line)
{
        ck_assert_msg(got == want, "%s:%d: %s gave %d, not %d: %s", file, line, call, got, want,
                      remote_detail_line());
}

/* The environment without anything that this machine may have for S3. */
static inline void clean_environment(void)
{
        static const char *const names[] = {
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_PROFILE",
                "AWS_REGION",
                "AWS_DEFAULT_REGION",
                "AWS_ENDPOINT_URL",
                "AWS_ENDPOINT_URL_S3",
                "AWS_ENDPOINT_URL_STS",
                "AWS_CONFIG_FILE",
                "AWS_SHARED_CREDENTIALS_FILE",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_ROLE_ARN",
                "AWS_ROLE_SESSION_NAME",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                "AWS_CA_BUNDLE",
                "http_proxy",
                "https_proxy",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                unsetenv(names[i]);
        setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static inline void setup(void)
{
        const char *parent = getenv("TMPDIR");

        signal(SIGPIPE, SIG_IGN);
        clean_environment();
        directory = scratch_make(parent ? parent : "/tmp", "remote");
        ck_assert_ptr_nonnull(directory);
        setenv("HOME", directory, 1);
}

/* A path in the directory; valid until the fourth next call. */
__attribute__((format(printf, 1, 2))) static inline const char *path(const char *format, ...)
{
        static char paths[4][512];
        static unsigned next;
        char *one = paths[next++ % 4];
        va_list arguments;
        int size = snprintf(one, sizeof(paths[0]), "%s/", directory);

        va_start(arguments, format);
        vsnprintf(one + size, sizeof(paths[0]) - (size_t)size, format, arguments);
        va_end(arguments);
        return one;
}

static inline void save(const char *file, const char *text)
{
        FILE *stream = fopen(file, "w");

        ck_assert_ptr_nonnull(stream);
        ck_assert_int_ge(fputs(text, stream), 0);
        ck_assert_int_eq(fclose(stream), 0);
}

/* @certificate: a file with it and its key, for TLS; NULL: without. */
static inline void start_server_with(const char *certificate)
{
        int in[2], out[2];
        char line[16] = "";

        ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
        if (fork() == 0) {
                dup2(in[0], 0);
                dup2(out[1], 1);
                execl(FAKE_SERVER, FAKE_SERVER, certificate, NULL);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        ck_assert_int_gt(read(out[0], line, sizeof(line) - 1), 0);
        close(out[0]);
        snprintf(server_url, sizeof(server_url), "http%s://127.0.0.1:%d", certificate ? "s" : "",
                 atoi(line));
}

static inline void start_server(void)
{
        start_server_with(NULL);
}

static inline void use_keys(const char *access, const char *secret)
{
        setenv("AWS_ACCESS_KEY_ID", access, 1);
        setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
}

/* A bucket of the server whose paths begin with @below, with 1 s of patience. */
static inline struct bucket *open_s3(const char *below)
{
        char endpoint[256];
        const struct bucket_options options = { .endpoint = endpoint,
                                                .patience_ms = 1000,
                                                .part_bytes = UINT64_C(5) << 20 };
        struct bucket *bucket = NULL;

        snprintf(endpoint, sizeof(endpoint), "%s%s", server_url, below);
        expect_ok(bucket_open("s3://bucket/some/prefix", &options, &bucket));
        return bucket;
}

static inline struct bucket_source text_source(const char *text)
{
        return (struct bucket_source){ .bytes = text, .size = strlen(text) };
}

/* What a sink got. */
struct got {
        char *bytes;
        size_t size;
};

static inline int take_bytes(void *context, const void *bytes, size_t size)
{
        struct got *got = context;

        got->bytes = realloc(got->bytes, got->size + size + 1);
        ck_assert_ptr_nonnull(got->bytes);
        memcpy(got->bytes + got->size, bytes, size);
        got->size += size;
        got->bytes[got->size] = 0;
        return 0;
}

static inline int get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                      struct got *ret)
{
        const struct bucket_sink sink = { take_bytes, ret };

        *ret = (struct got){ 0 };
        return bucket_get(bucket, name, offset, size, &sink, NULL);
}

/* Run the tests of one file, each with its number of cases; 0: one. */
struct test_entry {
        const TTest *test;
        int cases;
};

static inline int run_tests(const char *name, const struct test_entry *tests, size_t count)
{
        Suite *suite = suite_create(name);
        SRunner *runner = srunner_create(suite);
        int failed;

        for (size_t i = 0; i < count; i++) {
                TCase *one = tcase_create(tests[i].test->name);

                tcase_add_checked_fixture(one, setup, NULL);
                tcase_add_loop_test(one, tests[i].test, 0, tests[i].cases ? tests[i].cases : 1);
                suite_add_tcase(suite, one);
        }
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
#define RUN_TESTS(name, tests) run_tests((name), (tests), sizeof(tests) / sizeof((tests)[0]))
#define CASES(table) (int)(sizeof(table) / sizeof((table)[0]))

#endif
