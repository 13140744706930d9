/*
 * test_bucket.c - the promises of bucket.h, in a directory and in S3
 *
 * With LOGSTORE_TEST_S3 (an endpoint, whose keys are in AWS_...) the cases run there instead.
 */
#include <fcntl.h>
#include <pthread.h>

#include "support.h"

#define MIB (UINT64_C(1) << 20)

static struct bucket *bucket;

/* The clock that signatures are made with goes wrong by this. */
static int64_t skew_ns;
int64_t __real_clock_real_ns(void);
int64_t __wrap_clock_real_ns(void);
int64_t __wrap_clock_real_ns(void)
{
        return __real_clock_real_ns() + skew_ns;
}

/* A directory's writer sleeps before it gives the name. */
static useconds_t sleep_us;
int __real_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags)
{
        usleep(sleep_us);
        return __real_linkat(from, old, to, new, flags);
}

enum place { DIRECTORY, S3, PLACES };

static void begin(int place)
{
        const char *real = getenv("LOGSTORE_TEST_S3");
        struct bucket_options options = { .part_bytes = 5 * MIB, .path_style = 1 };
        char url[600];

        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        if (place == S3 || real) {
                snprintf(url, sizeof(url), "s3://bucket/t%d-%ju/x", getpid(),
                         (uintmax_t)clock_real_ns());
                use_keys("AKTEST", "SKTEST0123456789");
                if (!real)
                        start_server();
                options.endpoint = real ? real : server_url;
        }
        expect_ok(bucket_open(url, &options, &bucket));
}

static int put_new(const char *name, const char *text)
{
        const struct bucket_source source = text_source(text);

        return bucket_put_new(bucket, name, &source, NULL);
}

static void expect_content(const char *name, const char *want)
{
        struct got got;

        expect_ok(get(bucket, name, 0, UINT64_MAX, &got));
        ck_assert_uint_eq(got.size, strlen(want));
        ck_assert_int_eq(memcmp(got.bytes ? got.bytes : "", want, got.size), 0);
        free(got.bytes);
}

START_TEST(an_object_is_created_once)
{
        begin(_i);
        expect_ok(put_new("c/0000000000000001", "first"));
        expect(put_new("c/0000000000000001", "second"), -EEXIST);
        expect_content("c/0000000000000001", "first");
        expect_ok(put_new("control", ""));
        expect_content("control", "");
        bucket_close(bucket);
}
END_TEST

START_TEST(answers_say_when)
{
        const struct bucket_source source = text_source("x");
        int64_t before_ns = clock_boot_ns(), now_ns = clock_real_ns();
        struct bucket_reply reply;
        struct got got = { 0 };
        const struct bucket_sink sink = { take_bytes, &got };

        begin(_i);
        for (int i = 0; i < 4; i++) {
                reply = (struct bucket_reply){ 0 };
                if (i == 0)
                        expect_ok(bucket_put_new(bucket, "a", &source, &reply));
                else if (i == 1)
                        expect(bucket_put_new(bucket, "a", &source, &reply), -EEXIST);
                else if (i == 2)
                        expect_ok(bucket_get(bucket, "a", 0, 1, &sink, &reply));
                else
                        expect_ok(bucket_remove(bucket, "a", &reply));
                ck_assert_int_ge(reply.sent_ns, before_ns);
                ck_assert_int_le(reply.sent_ns, clock_boot_ns());
                ck_assert_int_ge(reply.server_ns, now_ns - 2 * NS_PER_S);
                ck_assert_int_le(reply.server_ns, clock_real_ns() + 2 * NS_PER_S);
        }
        free(got.bytes);
        bucket_close(bucket);
}
END_TEST

START_TEST(who_comes_too_late_creates_nothing)
{
        struct bucket_source source = text_source("x");
        struct got got;

        begin(_i);
        source.not_after_ns = clock_boot_ns() - 1;
        expect(bucket_put_new(bucket, "a", &source, NULL), -ESTALE);
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        source.not_after_ns = clock_boot_ns() + 60 * NS_PER_S;
        expect_ok(bucket_put_new(bucket, "a", &source, NULL));
        bucket_close(bucket);
}
END_TEST

START_TEST(a_clock_that_is_wrong_is_said)
{
        const bool is_s3 = getenv("LOGSTORE_TEST_S3") || _i == S3;

        begin(_i);
        skew_ns = -1200 * NS_PER_S;
        expect(put_new("a", "x"), is_s3 ? -ETIME : 0);
        skew_ns = 0;
        expect(put_new("a", "x"), is_s3 ? 0 : -EEXIST);
        bucket_close(bucket);
}
END_TEST

#define RACERS 8
#define ROUNDS 20
static int won[RACERS][ROUNDS];
static pthread_barrier_t barrier;

static void *race(void *argument)
{
        size_t me = (size_t)(uintptr_t)argument;
        char name[32], text[32];

        snprintf(text, sizeof(text), "of %zu", me);
        for (int round = 0; round < ROUNDS; round++) {
                snprintf(name, sizeof(name), "c/%04d", round);
                pthread_barrier_wait(&barrier);
                won[me][round] = put_new(name, text);
        }
        return NULL;
}

START_TEST(a_race_has_one_winner)
{
        pthread_t threads[RACERS];
        char name[32], text[32];

        begin(_i);
        pthread_barrier_init(&barrier, NULL, RACERS);
        for (size_t i = 0; i < RACERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, race, (void *)(uintptr_t)i), 0);
        for (size_t i = 0; i < RACERS; i++)
                pthread_join(threads[i], NULL);
        for (int round = 0; round < ROUNDS; round++) {
                int winners = 0;

                for (size_t i = 0; i < RACERS; i++) {
                        ck_assert_msg(won[i][round] == 0 || won[i][round] == -EEXIST, "gave %d",
                                      won[i][round]);
                        if (won[i][round])
                                continue;
                        winners++;
                        snprintf(name, sizeof(name), "c/%04d", round);
                        snprintf(text, sizeof(text), "of %zu", i);
                        expect_content(name, text);
                }
                ck_assert_int_eq(winners, 1);
        }
        bucket_close(bucket);
}
END_TEST

#define KILLED_BYTES 200000

static void put_for_ever(void)
{
        char *bytes = malloc(KILLED_BYTES), name[32];
        const struct bucket_source source = { .bytes = bytes, .size = KILLED_BYTES };

        memset(bytes, 'x', KILLED_BYTES);
        for (int i = 0;; i++) {
                snprintf(name, sizeof(name), "c/%d-%d", getpid(), i);
                if (bucket_put_new(bucket, name, &source, NULL) < 0)
                        _exit(1);
        }
}

static int whole(void *context, const struct bucket_listed *listed)
{
        ++*(int *)context;
        ck_assert_uint_eq(listed->size, KILLED_BYTES);
        return 0;
}

START_TEST(a_killed_writer_leaves_whole_objects)
{
        int count = 0;

        begin(_i);
        for (int i = 0; i < 20; i++) {
                pid_t child = fork();
                int status;

                if (child == 0)
                        put_for_ever();
                usleep(20000 + (useconds_t)i * 1777);
                ck_assert_int_eq(kill(child, SIGKILL), 0);
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                ck_assert(WIFSIGNALED(status));
        }
        expect_ok(bucket_list(bucket, "", NULL, SIZE_MAX, whole, &count, NULL));
        ck_assert_int_gt(count, 0);
        bucket_close(bucket);
}
END_TEST

static const struct {
        uint64_t offset, size;
        int want_result;
        const char *want;
} ranges[] = {
        { 0, UINT64_MAX, 0, "0123456789" },
        { 0, 10, 0, "0123456789" },
        { 0, 1, 0, "0" },
        { 3, 4, 0, "3456" },
        { 9, 1, 0, "9" },
        { 4, UINT64_MAX, 0, "456789" },
        { 0, 11, -ERANGE, "" },
        { 9, 2, -ERANGE, "" },
        { 10, 1, -ERANGE, "" },
        { 10, UINT64_MAX, -ERANGE, "" },
        { 1000, 1, -ERANGE, "" },
        { 0, 0, -EINVAL, "" },
        { UINT64_MAX - 1, 2, -EINVAL, "" },
};

START_TEST(ranges_are_read_exactly)
{
        begin(_i);
        expect_ok(put_new("seg/a.log", "0123456789"));
        for (int i = 0; i < CASES(ranges); i++) {
                struct got got;
                int r = get(bucket, "seg/a.log", ranges[i].offset, ranges[i].size, &got);

                ck_assert_msg(r == ranges[i].want_result, "range %d: %d %s", i, r,
                              remote_detail_line());
                ck_assert_msg(strcmp(got.bytes ? got.bytes : "", ranges[i].want) == 0,
                              "range %d: %s", i, got.bytes);
                free(got.bytes);
        }
        bucket_close(bucket);
}
END_TEST

static int stop(void *context, const void *bytes, size_t size)
{
        (void)context, (void)bytes, (void)size;
        return -ECANCELED;
}

START_TEST(a_sink_may_stop)
{
        const struct bucket_sink sink = { stop, NULL };

        begin(_i);
        expect_ok(put_new("a", "0123456789"));
        expect(bucket_get(bucket, "a", 0, 10, &sink, NULL), -ECANCELED);
        expect_content("a", "0123456789");
        bucket_close(bucket);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
        struct got got;

        begin(_i);
        expect_ok(put_new("a", "x"));
        expect(get(bucket, "b", 0, 1, &got), -ENOENT);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "get "));
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "/b: "));
        expect_ok(bucket_remove(bucket, "b", NULL));
        expect_ok(bucket_remove(bucket, "x/b", NULL));
        expect_ok(bucket_remove(bucket, "a", NULL));
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        expect_ok(put_new("a", "again"));
        bucket_close(bucket);
}
END_TEST

static const char *const bad_names[] = {
        "",     "/",   "/a",  "a/",    "a//b", "a/b/c", ".",   "..",  "../a",
        "a/..", "./a", "a b", "a%2fb", "a\nb", "~a",    "a?b", "a=b", "\xc3\xa4",
};

START_TEST(names_that_no_object_has_are_refused)
{
        char longer[BUCKET_NAME_MAX + 2];
        struct got got;

        begin(_i);
        for (int i = 0; i < CASES(bad_names); i++) {
                ck_assert_msg(put_new(bad_names[i], "x") == -EINVAL, "\"%s\"", bad_names[i]);
                expect(get(bucket, bad_names[i], 0, 1, &got), -EINVAL);
                expect(bucket_remove(bucket, bad_names[i], NULL), -EINVAL);
        }
        memset(longer, 'a', sizeof(longer));
        longer[BUCKET_NAME_MAX + 1] = 0;
        expect(put_new(longer, "x"), -EINVAL);
        longer[BUCKET_NAME_MAX] = 0;
        expect_ok(put_new(longer, "x"));
        expect_content(longer, "x");
        bucket_close(bucket);
}
END_TEST

/* Names as one text, each behind a space. */
static int note(void *context, const struct bucket_listed *listed)
{
        char *names = context;

        ck_assert_int_gt(listed->changed_ns, 0);
        ck_assert_uint_eq(listed->size, strlen(listed->name));
        sprintf(names + strlen(names), " %s", listed->name);
        return 0;
}

static const struct {
        const char *prefix, *after;
        size_t most;
        const char *want;
} lists[] = {
        { "", NULL, 100, " a-b a.b a/b a0 b/1 b/2 b/3 c" },
        { "", NULL, 3, " a-b a.b a/b" },
        { "", NULL, 0, "" },
        { "a", NULL, 100, " a-b a.b a/b a0" },
        { "b/", NULL, 100, " b/1 b/2 b/3" },
        { "b/", "b/1", 100, " b/2 b/3" },
        { "b/", "b/1", 1, " b/2" },
        { "", "a/b", 2, " a0 b/1" },
        { "", "b", 1, " b/1" },
        { "b/", "b/3", 100, "" },
        { "x/", NULL, 100, "" },
        { "b/", "c", 100, "" },
};

START_TEST(lists_are_in_order)
{
        static const char *const all[] = { "c", "b/3", "b/1", "a0", "a/b", "a.b", "b/2", "a-b" };

        begin(_i);
        for (int i = 0; i < CASES(all); i++)
                expect_ok(put_new(all[i], all[i]));
        for (int i = 0; i < CASES(lists); i++) {
                char names[256] = "";

                expect_ok(bucket_list(bucket, lists[i].prefix, lists[i].after, lists[i].most, note,
                                      names, NULL));
                ck_assert_msg(strcmp(names, lists[i].want) == 0, "list %d:%s", i, names);
        }
        bucket_close(bucket);
}
END_TEST

#define MANY 2345
struct seen {
        int next, stop_at;
};

static int in_order(void *context, const struct bucket_listed *listed)
{
        struct seen *seen = context;
        char want[32];

        snprintf(want, sizeof(want), "c/%06d", seen->next++);
        ck_assert_str_eq(listed->name, want);
        return seen->next == seen->stop_at ? 77 : 0;
}

static void *fill(void *argument)
{
        char name[32];

        for (int i = (int)(uintptr_t)argument; i < MANY; i += RACERS) {
                snprintf(name, sizeof(name), "c/%06d", i);
                expect_ok(put_new(name, "x"));
        }
        return NULL;
}

START_TEST(long_lists_are_whole)
{
        pthread_t threads[RACERS];
        struct seen seen = { 0 };

        begin(_i);
        for (size_t i = 0; i < RACERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, fill, (void *)(uintptr_t)i), 0);
        for (size_t i = 0; i < RACERS; i++)
                pthread_join(threads[i], NULL);
        expect_ok(bucket_list(bucket, "", NULL, SIZE_MAX, in_order, &seen, NULL));
        ck_assert_int_eq(seen.next, MANY);
        seen = (struct seen){ .next = 101 };
        expect_ok(bucket_list(bucket, "c/", "c/000100", 1500, in_order, &seen, NULL));
        ck_assert_int_eq(seen.next, 1601);
        seen = (struct seen){ .next = 1, .stop_at = 1200 };
        expect(bucket_list(bucket, "c/", "c/000000", SIZE_MAX, in_order, &seen, NULL), 77);
        bucket_close(bucket);
}
END_TEST

static uint32_t dice = 1;

static void fill_file(int fd, uint64_t bytes)
{
        static uint32_t block[16384];

        for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
                size_t size = bytes - at < sizeof(block) ? bytes - at : sizeof(block);

                for (size_t i = 0; i < 16384; i++)
                        block[i] = dice = dice * 1664525 + 1013904223;
                ck_assert_int_eq(write(fd, block, size), (ssize_t)size);
        }
}

struct compared {
        int fd;
        uint64_t offset;
};

static int compare(void *context, const void *bytes, size_t size)
{
        static char want[1 << 20];
        struct compared *compared = context;

        ck_assert_uint_le(size, sizeof(want));
        ck_assert_int_eq(pread(compared->fd, want, size, (off_t)compared->offset), (ssize_t)size);
        ck_assert_int_eq(memcmp(bytes, want, size), 0);
        compared->offset += size;
        return 0;
}

/* Of S3: 5 parts of 5 MiB and a piece. */
START_TEST(a_large_object_is_whole)
{
        const uint64_t size = 25 * MIB + 12345;
        struct bucket_source source = { .offset = 99, .size = size };
        struct compared compared = { .offset = 99 };
        const struct bucket_sink sink = { compare, &compared };

        begin(_i);
        source.fd = compared.fd = open(path("large"), O_RDWR | O_CREAT, 0600);
        ck_assert_int_ge(source.fd, 0);
        fill_file(source.fd, 99 + size);
        expect_ok(bucket_put(bucket, "seg/large.log", &source, NULL));
        expect_ok(bucket_get(bucket, "seg/large.log", 0, UINT64_MAX, &sink, NULL));
        ck_assert_uint_eq(compared.offset, 99 + size);
        compared.offset = 99 + 5 * MIB - 7;
        expect_ok(bucket_get(bucket, "seg/large.log", 5 * MIB - 7, 20, &sink, NULL));
        expect_ok(bucket_put(bucket, "seg/large.log", &source, NULL)); /* a try after a failure */
        expect(bucket_put_new(bucket, "large", &source, NULL), -EMSGSIZE);
        bucket_close(bucket);
}
END_TEST

START_TEST(a_source_that_is_too_short_puts_nothing)
{
        struct bucket_source source = { .size = 6 * MIB };
        struct got got;

        begin(_i);
        source.fd = open(path("short"), O_RDWR | O_CREAT, 0600);
        fill_file(source.fd, 5 * MIB + 1000);
        expect(bucket_put(bucket, "a", &source, NULL), -EIO);
        expect(bucket_put_new(bucket, "a", &source, NULL), -EIO);
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        bucket_close(bucket);
}
END_TEST

START_TEST(who_sleeps_before_the_name_is_given_sees_it)
{
        const struct bucket_source source = text_source("late");
        struct bucket_reply before, reply;

        if (getenv("LOGSTORE_TEST_S3"))
                return;
        begin(DIRECTORY);
        expect_ok(bucket_put_new(bucket, "before", &source, &before));
        sleep_us = 300000;
        expect_ok(bucket_put_new(bucket, "late", &source, &reply));
        ck_assert_int_gt(reply.server_ns - before.server_ns, INT64_C(280000000));
        bucket_close(bucket);
}
END_TEST

int main(void)
{
        const int places = getenv("LOGSTORE_TEST_S3") ? 1 : PLACES;
        const struct test_entry tests[] = {
                { an_object_is_created_once, places },
                { answers_say_when, places },
                { who_comes_too_late_creates_nothing, places },
                { a_clock_that_is_wrong_is_said, places },
                { a_race_has_one_winner, places },
                { a_killed_writer_leaves_whole_objects, places },
                { ranges_are_read_exactly, places },
                { a_sink_may_stop, places },
                { what_is_not_there_is_said, places },
                { names_that_no_object_has_are_refused, places },
                { lists_are_in_order, places },
                { long_lists_are_whole, places },
                { a_large_object_is_whole, places },
                { a_source_that_is_too_short_puts_nothing, places },
                { who_sleeps_before_the_name_is_given_sees_it, 0 },
        };

        return RUN_TESTS("bucket", tests);
}
