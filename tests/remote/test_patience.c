/*
 * test_patience.c - a bucket with patience goes on reading where an answer ended
 */
#include "support.h"

/* An object of ten bytes, and ten names. An answer ends after @comes bytes or names, as often as
 * @breaks says. */
static const char text[] = "0123456789";
static unsigned comes, breaks, asked;
static int64_t answered_at[20];

static int fake_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                    const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        uint64_t left = 10 - offset;

        (void)bucket;
        (void)name;
        (void)ret_reply;
        answered_at[asked++] = clock_boot_ns();
        if (size != UINT64_MAX)
                ck_assert_uint_le(size, left);
        left = size < left ? size : left;
        for (unsigned i = 0; i < left; i++) {
                int r = i == comes && breaks ? -EAGAIN : 0;

                if (r == 0)
                        r = sink->write(sink->context, text + offset + i, 1);
                breaks -= r == -EAGAIN && i == comes;
                if (r)
                        return r;
        }
        if (breaks && comes >= left) { /* behind the last byte */
                breaks--;
                return -EAGAIN;
        }
        return 0;
}

static int fake_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
                     int (*each)(void *context, const struct bucket_listed *listed), void *context,
                     struct bucket_reply *ret_reply)
{
        unsigned from = after ? (unsigned)(after[0] - 'a' + 1) : 0, told = 0;

        (void)bucket;
        (void)prefix;
        (void)ret_reply;
        asked++;
        for (unsigned i = from; i < 10 && told < most; i++, told++) {
                char name[2] = { (char)('a' + i) };
                int r = each(context, &(struct bucket_listed){ .name = name });

                if (r)
                        return r;
                if (told + 1 == comes && breaks) {
                        breaks--;
                        return -EAGAIN;
                }
        }
        return 0;
}

static const struct bucket_backend backend = { .scheme = "fake",
                                               .get = fake_get,
                                               .list = fake_list };

static atomic_int stopped;

static struct bucket fake(int64_t patience_ms)
{
        static char url[] = "fake:";

        asked = 0;
        return (struct bucket){ .backend = &backend,
                                .url = url,
                                .patience_ns = patience_ms * NS_PER_MS,
                                .stopped = &stopped };
}

static char got[40];
static unsigned stop_at; /* the sink, or the list's function, ends it there; 0: nowhere */

static int take(void *context, const void *bytes, size_t size)
{
        (void)context;
        ck_assert_uint_lt(strlen(got) + size, sizeof(got));
        memcpy(memset(got + strlen(got), 0, size + 1), bytes, size);
        return stop_at && strlen(got) == stop_at ? -EAGAIN : 0;
}

static int take_name(void *context, const struct bucket_listed *listed)
{
        return take(context, listed->name, strlen(listed->name));
}

static int get_with(int64_t patience_ms, uint64_t offset, uint64_t size)
{
        struct bucket bucket = fake(patience_ms);
        const struct bucket_sink sink = { take, NULL };

        got[0] = '\0';
        return bucket_get(&bucket, "object", offset, size, &sink, NULL);
}

static int list_with(int64_t patience_ms, size_t most)
{
        struct bucket bucket = fake(patience_ms);

        got[0] = '\0';
        return bucket_list(&bucket, "", NULL, most, take_name, NULL, NULL);
}

START_TEST(a_get_goes_on_where_the_answer_ended)
{
        comes = 3;
        breaks = 2;
        ck_assert_int_eq(get_with(10000, 1, _i ? 8 : UINT64_MAX), 0);
        ck_assert_str_eq(got, _i ? "12345678" : "123456789");
        ck_assert_uint_eq(asked, 3);
}
END_TEST

/* All of a range came before the connection broke. Nothing is left to ask for. */
START_TEST(what_is_whole_is_not_asked_for_again)
{
        comes = 4;
        breaks = 1;
        ck_assert_int_eq(get_with(10000, 2, 4), 0);
        ck_assert_str_eq(got, "2345");
        ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(a_list_goes_on_behind_the_last_name)
{
        comes = 4;
        breaks = 2;
        ck_assert_int_eq(list_with(10000, _i ? 8 : SIZE_MAX), 0);
        ck_assert_str_eq(got, _i ? "abcdefgh" : "abcdefghij");
        ck_assert_uint_eq(asked, _i ? 2 : 3);
}
END_TEST

/* The pauses double, from 50 ms on, and begin anew whenever something came. */
START_TEST(patience_ends)
{
        int64_t begun = clock_boot_ns(), ms;

        comes = 0;
        breaks = 100;
        ck_assert_int_eq(get_with(300, 0, 10), -EAGAIN);
        ms = (clock_boot_ns() - begun) / NS_PER_MS;
        ck_assert_int_ge(ms, 150);
        ck_assert_uint_eq(asked, 3); /* at 0, 50 and 150 ms; then 350 would be next */
        ck_assert_int_ge(answered_at[2] - answered_at[1], 100 * NS_PER_MS);
        breaks = 100;
        ck_assert_int_eq(get_with(0, 0, 10), -EAGAIN);
        ck_assert_uint_eq(asked, 1);
        comes = 1; /* each time some */
        breaks = 9;
        ck_assert_int_eq(get_with(60, 0, 10), 0);
        ck_assert_str_eq(got, text);
}
END_TEST

START_TEST(a_stop_ends_it)
{
        comes = 0;
        breaks = 100;
        stopped = 1;
        ck_assert_int_eq(get_with(10000, 0, 10), -EAGAIN);
        ck_assert_uint_eq(asked, 1);
}
END_TEST

/* What the caller's function returns is no failure of the bucket's. */
START_TEST(the_callers_own_error_ends_it)
{
        breaks = 0;
        stop_at = 5;
        ck_assert_int_eq(_i ? list_with(10000, SIZE_MAX) : get_with(10000, 0, 10), -EAGAIN);
        ck_assert_uint_eq(strlen(got), 5);
        ck_assert_uint_eq(asked, 1);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_get_goes_on_where_the_answer_ended, 2 },
                { what_is_whole_is_not_asked_for_again, 0 },
                { a_list_goes_on_behind_the_last_name, 2 },
                { patience_ends, 0 },
                { a_stop_ends_it, 0 },
                { the_callers_own_error_ends_it, 2 },
        };

        return RUN_TESTS("patience", tests);
}
