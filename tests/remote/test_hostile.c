/*
 * test_hostile.c - servers that break the rules: a clear error, and no hang
 */
#include <fcntl.h>

#include "support.h"

enum { PUT = 1, PUT_NEW = 2, GET = 4, RANGE = 8, LIST = 16, REMOVE = 32 };
#define ALL (PUT | PUT_NEW | GET | RANGE | LIST | REMOVE)
#define READS (GET | RANGE | LIST)

static int ignore_bytes(void *context, const void *bytes, size_t size)
{
        (void)context, (void)bytes, (void)size;
        return 0;
}

static int ignore(void *context, const struct bucket_listed *listed)
{
        (void)context, (void)listed;
        return 0;
}

static int operate(struct bucket *bucket, int operation)
{
        const struct bucket_source source = text_source("some bytes");
        const struct bucket_sink sink = { ignore_bytes, NULL };

        switch (operation) {
        case PUT:
                return bucket_put(bucket, "a", &source, NULL);
        case PUT_NEW:
                return bucket_put_new(bucket, "a", &source, NULL);
        case GET:
                return bucket_get(bucket, "a", 0, UINT64_MAX, &sink, NULL);
        case RANGE:
                return bucket_get(bucket, "a", 0, 4, &sink, NULL);
        case LIST:
                return bucket_list(bucket, "", NULL, SIZE_MAX, ignore, NULL, NULL);
        default:
                return bucket_remove(bucket, "a", NULL);
        }
}

static const struct {
        const char *path;
        int operations, want;
        const char *line; /* is part of it */
} answers[] = {
        { "status/403/AccessDenied", ALL, -EACCES, "AccessDenied: because" },
        { "status/401/Whatever", ALL, -EACCES, "401 Whatever" },
        { "status/403/RequestTimeTooSkewed", ALL, -ETIME, "clock" },
        { "status/403/QuotaExceeded", ALL, -ENOSPC, "QuotaExceeded" },
        { "status/507/x", ALL, -ENOSPC, "507" },
        { "status/404/NoSuchBucket", ALL, -ENOENT, "no such bucket" },
        { "status/404/NoSuchKey", ALL & ~REMOVE, -ENOENT, "NoSuchKey" },
        { "status/404/NoSuchKey", REMOVE, 0, "" },
        { "status/412/PreconditionFailed", PUT_NEW, -EEXIST, "PreconditionFailed" },
        { "status/409/OperationAborted", ALL, -EAGAIN, "OperationAborted" },
        { "status/429/x", ALL, -EAGAIN, "429" },
        { "status/500/InternalError", ALL, -EAGAIN, "500" },
        { "status/503/SlowDown", ALL, -EAGAIN, "SlowDown: because" },
        { "status/501/NotImplemented", ALL, -EOPNOTSUPP, "NotImplemented" },
        { "status/405/MethodNotAllowed", ALL, -EOPNOTSUPP, "405" },
        { "status/413/x", ALL, -EMSGSIZE, "413" },
        { "status/400/InvalidArgument", ALL, -EIO, "InvalidArgument" },
        { "status/400/RequestTimeout", ALL, -EAGAIN, "RequestTimeout" },
        { "status/201/x", ALL, -EIO, "201" },
        { "status/206/x", ALL & ~RANGE & ~LIST, -EIO, "206" },
        { "redirect", ALL, -EIO, "eu-central-1" },
        { "elsewhere", ALL, -EIO, "elsewhere" },
        { "garbage", LIST, -EIO, "not XML" },
        { "entities", LIST, -EIO, "document type" },
        { "deep", LIST, -EIO, "levels" },
        { "empty", LIST, -EIO, "not XML" },
        { "other-xml", LIST, -EIO, "no list" },
        { "same-page", LIST, -EIO, "not in order" },
        { "other-prefix", LIST, -EIO, "the prefix" },
        { "no-page", LIST, -EIO, "does not go on" },
        { "many-entries", LIST, -EIO, "more entries" },
        { "size", LIST, -EIO, "bad size" },
        { "half-entry", LIST, -EIO, "half an entry" },
        { "no-range", RANGE, -EIO, "did not heed" },
        { "wrong-range", RANGE, -EIO, "another range" },
        { "range-nonsense", RANGE, -EIO, "Content-Range" },
        { "range-missing", RANGE, -EIO, "Content-Range" },
        { "range-length", RANGE, -EIO, "does not fit" },
        { "short-body", RANGE, -EAGAIN, "" },
        { "chunks-too-long", RANGE, -EIO, "more bytes" },
        { "chunks-too-short", RANGE, -EAGAIN, "2 of 4" },
        { "no-answer", ALL, -EAGAIN, "" },
        { "reset", ALL, -EAGAIN, "" },
        { "not-http", ALL, -EIO, "" },
        { "silence", READS | PUT_NEW, -EAGAIN, "nothing came" },
        { "silent-body", READS & ~RANGE, -EAGAIN, "nothing came" },
        { "slow-body", GET, -EAGAIN, "no end after" },
        { "slow-headers", PUT_NEW, -EAGAIN, "no end after" },
        { "endless-body", LIST, -EIO, "more than" },
        { "endless-body", GET, -EIO, "Content-Length" },
        { "endless-error", ALL, -EIO, "more than" },
        { "long-header", READS, -EIO, "" },
        { "many-headers", ALL, -EIO, "headers" },
        { "endless-continue", READS, -EIO, "headers" },
};

static void check_line(const char *where, const char *want)
{
        const char *line = remote_detail_line();

        ck_assert_msg(strstr(line, want), "%s: no \"%s\" in: %s", where, want, line);
        ck_assert_uint_lt(strlen(line), 512);
        for (const char *c = line; *c; c++)
                ck_assert_msg((unsigned char)*c >= ' ' && *c != 127, "%s: %s", where, line);
}

START_TEST(each_bad_answer_is_a_clear_error)
{
        char below[64];
        struct bucket *bucket;

        use_keys("AKTEST", "SKTEST0123456789");
        start_server();
        snprintf(below, sizeof(below), "/bad/%s", answers[_i].path);
        bucket = open_s3(below);
        for (int operation = PUT; operation <= REMOVE; operation *= 2) {
                int64_t begin_ns = clock_boot_ns();
                int r;

                if (!(answers[_i].operations & operation))
                        continue;
                r = operate(bucket, operation);
                ck_assert_msg(r == answers[_i].want, "%s, operation %d: %d: %s", answers[_i].path,
                              operation, r, remote_detail_line());
                ck_assert_int_lt(clock_boot_ns() - begin_ns, 15 * NS_PER_S);
                if (r < 0)
                        check_line(answers[_i].path, answers[_i].line);
        }
        bucket_close(bucket);
}
END_TEST

static int counted(const char *name)
{
        char command[256], line[16] = "";
        FILE *curl;

        snprintf(command, sizeof(command), "curl -s %s/count/%s", server_url, name);
        curl = popen(command, "r");
        ck_assert_ptr_nonnull(curl);
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), curl));
        ck_assert_int_eq(pclose(curl), 0);
        return atoi(line);
}

static const struct {
        const char *path;
        int want, want_aborted;
        const char *line;
} uploads[] = {
        { "parts-killed", -EAGAIN, 1, "part 3 of 5" },
        { "parts-error", -EAGAIN, 1, "InternalError" },
        { "parts-untagged", -EIO, 1, "ETag" },
        { "garbage", -EIO, 0, "not XML" },
        { "other-xml", -EIO, 0, "UploadId" },
        { "status/503/SlowDown", -EAGAIN, 0, "SlowDown" },
};

/* 20 MiB and a byte, that is, 5 parts. */
START_TEST(an_upload_that_fails_is_aborted)
{
        struct bucket_source source = { .size = (UINT64_C(20) << 20) + 1 };
        char below[64], name[64];
        struct bucket *bucket;
        int r;

        use_keys("AKTEST", "SKTEST0123456789");
        start_server();
        snprintf(below, sizeof(below), "/bad/%s", uploads[_i].path);
        snprintf(name, sizeof(name), "%s-aborted", uploads[_i].path);
        source.fd = open(path("large"), O_RDWR | O_CREAT, 0600);
        ck_assert_int_eq(ftruncate(source.fd, (off_t)source.size), 0);
        bucket = open_s3(below);
        r = bucket_put(bucket, "a", &source, NULL);
        ck_assert_msg(r == uploads[_i].want, "%s: %d: %s", uploads[_i].path, r,
                      remote_detail_line());
        check_line(uploads[_i].path, uploads[_i].line);
        ck_assert_int_eq(counted(name), uploads[_i].want_aborted);
        bucket_close(bucket);
}
END_TEST

/* A server may take a second to say that it wants a body. */
START_TEST(a_small_body_is_not_announced)
{
        struct bucket_source source = { .size = _i ? 2 << 20 : 1 << 20 };
        struct bucket *bucket;

        use_keys("AKTEST", "SKTEST0123456789");
        start_server();
        source.bytes = calloc(1, source.size);
        bucket = open_s3("");
        expect_ok(bucket_put_new(bucket, "a", &source, NULL));
        ck_assert_int_eq(counted("announced"), _i);
        free((void *)(uintptr_t)source.bytes);
        bucket_close(bucket);
}
END_TEST

START_TEST(nobody_there_is_said)
{
        struct bucket *bucket;

        use_keys("AKTEST", "SKTEST0123456789");
        snprintf(server_url, sizeof(server_url), "http://127.0.0.1:1");
        bucket = open_s3("");
        expect(operate(bucket, GET), -EAGAIN);
        bucket_close(bucket);
}
END_TEST

START_TEST(wrong_keys_are_refused_and_not_told)
{
        struct bucket *bucket;

        use_keys("AKTEST", "WRONGSECRET");
        start_server();
        bucket = open_s3("");
        expect(operate(bucket, PUT_NEW), -EACCES);
        check_line("keys", "SignatureDoesNotMatch");
        ck_assert_ptr_null(strstr(remote_detail_line(), "WRONGSECRET"));
        bucket_close(bucket);
}
END_TEST

START_TEST(a_wrong_region_names_the_right_one)
{
        const struct bucket_options options = { .endpoint = server_url, .region = "eu-west-1" };
        struct bucket *bucket;

        use_keys("AKTEST", "SKTEST0123456789");
        start_server();
        expect_ok(bucket_open("s3://bucket/a", &options, &bucket));
        expect(operate(bucket, PUT_NEW), -EIO);
        check_line("region", "in region us-east-1, not in eu-west-1");
        bucket_close(bucket);
}
END_TEST

static const struct {
        const char *url;
        int want;
} urls[] = {
        { "", -EINVAL },
        { "http://bucket/a", -EINVAL },
        { "s3:bucket", -EINVAL },
        { "s3://", -EINVAL },
        { "s3:///prefix", -EINVAL },
        { "s3://b", -EINVAL },
        { "s3://user:password@bucket/a", -EINVAL },
        { "s3://bucket/a//b", -EINVAL },
        { "s3://bucket/../b", -EINVAL },
        { "s3://bucket/a b", -EINVAL },
        { "s3://bucket/a?b", -EINVAL },
        { "s3://bucket/a=b", -EINVAL },
        { "s3://bucket", 0 },
        { "s3://bucket/", 0 },
        { "s3://bucket/a/b_c~d.e-f/", 0 },
        { "file:relative", -EINVAL },
        { "file:", -EINVAL },
        { "file://host/a", -EINVAL },
        { "file:/tmp", 0 },
        { "file:///tmp", 0 },
#ifdef LOGSTORE_RADOS
        { "rados:pool/a", 0 },
        { "rados:pool", 0 },
        { "rados:.pool/a/b_c~d.e-f/", 0 },
        { "rados:", -EINVAL },
        { "rados:/a", -EINVAL },
        { "rados://pool/a", -EINVAL },
        { "rados:po ol", -EINVAL },
        { "rados:pool//a", -EINVAL },
        { "rados:pool/../a", -EINVAL },
        { "rados:pool/a b", -EINVAL },
#else
        { "rados:pool/a", -EOPNOTSUPP },
#endif
};

START_TEST(urls_are_checked)
{
        struct bucket *bucket = NULL;
        int r = bucket_open(urls[_i].url, NULL, &bucket);

        ck_assert_msg(r == urls[_i].want, "%s: %d: %s", urls[_i].url, r, remote_detail_line());
        bucket_close(bucket);
}
END_TEST

static const char *const endpoints[] = {
        "ftp://host", "http://user:secret@host", "http://host/?a", "http://", "host name",
        "file:///a",  "http://host/a%20b",
};

START_TEST(endpoints_are_checked)
{
        const struct bucket_options options = { .endpoint = endpoints[_i] };
        struct bucket *bucket;

        expect(bucket_open("s3://bucket/a", &options, &bucket), -EINVAL);
        ck_assert_ptr_null(strstr(remote_detail_line(), "secret"));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { each_bad_answer_is_a_clear_error, CASES(answers) },
                { an_upload_that_fails_is_aborted, CASES(uploads) },
                { a_small_body_is_not_announced, 2 },
                { nobody_there_is_said, 0 },
                { wrong_keys_are_refused_and_not_told, 0 },
                { a_wrong_region_names_the_right_one, 0 },
                { urls_are_checked, CASES(urls) },
                { endpoints_are_checked, CASES(endpoints) },
        };

        return RUN_TESTS("hostile", tests);
}
