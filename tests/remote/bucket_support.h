/*
 * bucket_support.h - a bucket for a test: in a directory, on the fake server, or on a real one
 *
 * With LOGSTORE_TEST_S3 (an endpoint, whose keys are in AWS_...) all cases run there. With
 * LOGSTORE_TEST_RADOS (a pool; CEPH_CONF has its cluster) they run there.
 */
#ifndef TEST_BUCKET_SUPPORT_H
#define TEST_BUCKET_SUPPORT_H

#include <fcntl.h>

#include "support.h"

#define MIB (UINT64_C(1) << 20)

static struct bucket *bucket;

enum place { DIRECTORY, S3, PLACES };

static inline const char *rados_pool(void)
{
        return getenv("LOGSTORE_TEST_RADOS");
}

static inline bool is_s3(int place)
{
        return !rados_pool() && (getenv("LOGSTORE_TEST_S3") || place == S3);
}

static inline bool is_directory(int place)
{
        return !rados_pool() && !is_s3(place);
}

/* How many places the cases run in. */
static inline int places(void)
{
        return rados_pool() || getenv("LOGSTORE_TEST_S3") ? 1 : PLACES;
}

static inline void begin(int place)
{
        const char *real = getenv("LOGSTORE_TEST_S3");
        struct bucket_options options = { .part_bytes = 5 * MIB, .path_style = 1 };
        char url[600];

        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        if (rados_pool())
                snprintf(url, sizeof(url), "rados:%s/t%d-%ju/x", rados_pool(), getpid(),
                         (uintmax_t)clock_real_ns());
        if (is_s3(place)) {
                snprintf(url, sizeof(url), "s3://bucket/t%d-%ju/x", getpid(),
                         (uintmax_t)clock_real_ns());
                use_keys("AKTEST", "SKTEST0123456789");
                if (!real)
                        start_server();
                options.endpoint = real ? real : server_url;
        }
        expect_ok(bucket_open(url, &options, &bucket));
}

static inline int put_new(const char *name, const char *text)
{
        const struct bucket_source source = text_source(text);

        return bucket_put_new(bucket, name, &source, NULL);
}

static inline void expect_content(const char *name, const char *want)
{
        struct got got;

        expect_ok(get(bucket, name, 0, UINT64_MAX, &got));
        ck_assert_uint_eq(got.size, strlen(want));
        ck_assert_int_eq(memcmp(got.bytes ? got.bytes : "", want, got.size), 0);
        free(got.bytes);
}

#endif
