/*
 * test_bucket.c - the promises of bucket.h, in a directory, in S3 and in RADOS
 */
#include "bucket_support.h"

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

START_TEST(who_sleeps_before_the_name_is_given_sees_it)
{
        const struct bucket_source source = text_source("late");
        struct bucket_reply before, reply;

        if (!is_directory(DIRECTORY))
                return;
        begin(DIRECTORY);
        expect_ok(bucket_put_new(bucket, "before", &source, &before));
        sleep_us = 300000;
        expect_ok(bucket_put_new(bucket, "late", &source, &reply));
        ck_assert_int_gt(reply.server_ns - before.server_ns, INT64_C(280000000));
        bucket_close(bucket);
}
END_TEST

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
        begin(_i);
        skew_ns = -1200 * NS_PER_S;
        expect(put_new("a", "x"), is_s3(_i) ? -ETIME : 0);
        skew_ns = 0;
        expect(put_new("a", "x"), is_s3(_i) ? 0 : -EEXIST);
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

int main(void)
{
        const struct test_entry tests[] = {
                { an_object_is_created_once, places() },
                { answers_say_when, places() },
                { who_comes_too_late_creates_nothing, places() },
                { a_clock_that_is_wrong_is_said, places() },
                { ranges_are_read_exactly, places() },
                { a_sink_may_stop, places() },
                { what_is_not_there_is_said, places() },
                { names_that_no_object_has_are_refused, places() },
                { lists_are_in_order, places() },
                { who_sleeps_before_the_name_is_given_sees_it, 0 },
        };

        return RUN_TESTS("bucket", tests);
}
