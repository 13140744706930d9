/*
 * test_retention.c - by bytes, age, count and floor; whole segments, oldest first
 */
#include "test_threads_support.h"

#define PER_SEGMENT 59 /* records of 1,000 bytes, about */
#define SEGMENT_BYTES 65536u

static void fill(unsigned segments)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < segments * PER_SEGMENT; i++)
                append_filled(1000, 'r');
}

static uint64_t apply(uint64_t bytes, uint64_t records, int64_t ns, int dry_run)
{
        uint64_t first = 0;

        ck_assert_int_eq(logstore_set_retention(store, bytes, records, ns), 0);
        ck_assert_int_eq(logstore_apply_retention(store, dry_run, &first), 0);
        return first;
}

START_TEST(by_count_keeps_at_least_so_many)
{
        uint64_t first, tail;

        fill(20);
        tail = bounds_of(store).tail;
        first = apply(0, 300, 0, 1);
        ck_assert_uint_eq(bounds_of(store).first, 1); /* a dry run changes nothing */
        ck_assert_uint_eq(apply(0, 300, 0, 0), first);
        ck_assert_uint_eq(bounds_of(store).first, first);
        ck_assert_uint_ge(tail + 1 - first, 300);
        ck_assert_uint_lt(tail + 1 - first, 300 + 2 * PER_SEGMENT);
        ck_assert_uint_eq(apply(0, 300, 0, 0), first); /* idempotent */
        ck_assert_uint_eq(apply(0, 0, 0, 0), first);
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).first, first);
        ck_assert(!file_exists(scratch("store/0000000001.log")));
}
END_TEST

/* What a power cut could take does not count as kept. */
START_TEST(by_count_keeps_so_many_durable_ones)
{
        struct logstore_bounds bounds;

        fill(5);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        for (unsigned i = 0; i < PER_SEGMENT; i++) /* one segment: a further roll would sync it */
                append_filled(1000, 'u');
        apply(0, 50, 0, 0);
        bounds = bounds_of(store);
        ck_assert_uint_ge(bounds.durable + 1 - bounds.first, 50);
}
END_TEST

static void append_void(void)
{
        struct logstore_claim claim;

        ck_assert_int_eq(logstore_claim(store, 1000, &claim), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
}

static unsigned durable_records(void)
{
        struct logstore_bounds bounds = bounds_of(store);
        struct logstore_record record;
        char buffer[1000];
        unsigned count = 0;

        for (uint64_t number = bounds.first; number <= bounds.durable; number++)
                count += logstore_get(store, number, buffer, sizeof(buffer), &record) == 0;
        return count;
}

static const struct {
        const char *what;
        unsigned voids; /* of ten numbers */
        bool reopen;
} mixed[] = {
        { "nothing but voids", 10, false },
        { "nothing but voids, opened anew", 10, true },
        { "nine of ten", 9, false },
        { "nine of ten, opened anew", 9, true },
        { "one of ten, opened anew", 1, true },
};

/* The number of a claim that was given up is no record. */
START_TEST(by_count_keeps_so_many_that_are_no_voids)
{
        unsigned before, after;
        uint64_t first;

        fill(5);
        for (unsigned i = 0; i < 6 * PER_SEGMENT; i++)
                if (i % 10 < mixed[_i].voids)
                        append_void();
                else
                        append_filled(1000, 'r');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        if (mixed[_i].reopen)
                reopen_store();
        before = durable_records();
        first = apply(0, 50, 0, 0);
        after = durable_records();
        ck_assert_msg(after >= 50, "%s: %u of 50", mixed[_i].what, after);
        ck_assert_msg(after < 50 + 3 * PER_SEGMENT, "%s: %u of %u stay", mixed[_i].what, after,
                      before);
        ck_assert_uint_eq(apply(0, 50, 0, 0), first);
        for (unsigned i = 0; i < 3 * PER_SEGMENT; i++) /* and as the log goes on */
                append_void();
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_eq(apply(0, 50, 0, 0), first);
        for (unsigned i = 0; i < 3 * PER_SEGMENT; i++)
                append_filled(1000, 'r');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_uint_gt(apply(0, 50, 0, 0), first);
        ck_assert_uint_ge(durable_records(), 50);
}
END_TEST

/* A segment stays if every limit that is set wants it. */
START_TEST(of_several_limits_the_strictest_wins)
{
        static const uint64_t bytes[] = { 0, 3 * SEGMENT_BYTES, 7 * SEGMENT_BYTES };
        static const uint64_t records[] = { 0, 2 * PER_SEGMENT, 6 * PER_SEGMENT };
        static const int64_t ages[] = { 0, 1, INT64_C(3600000000000) };
        uint64_t b = bytes[_i % 3], r = records[_i / 3 % 3], first[3], strictest = 1;
        int64_t age = ages[_i / 9];

        fill(10);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        first[0] = apply(b, 0, 0, 1);
        first[1] = apply(0, r, 0, 1);
        first[2] = apply(0, 0, age, 1);
        for (unsigned i = 0; i < 3; i++)
                if (first[i] > strictest)
                        strictest = first[i];
        ck_assert_uint_eq(apply(b, r, age, 0), strictest);
        ck_assert_uint_eq(bounds_of(store).first, strictest);
        ck_assert(_i == 0 || _i == 18 || strictest > 1);
}
END_TEST

/* A truncation takes records back behind which voids were counted. */
START_TEST(what_was_counted_is_counted_anew_after_a_truncation)
{
        uint64_t tail;

        fill(5);
        for (unsigned i = 0; i < 20; i++)
                append_void();
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        apply(0, 50, 0, 0);
        tail = bounds_of(store).tail;
        ck_assert_int_eq(logstore_truncate_after(store, tail - 25, 0), 0);
        for (unsigned i = 0; i < 2 * PER_SEGMENT; i++)
                append_void();
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        apply(0, 50, 0, 0);
        ck_assert_uint_ge(durable_records(), 50);
}
END_TEST

/* The last sync ended where a segment ended that is trimmed before the next one. */
START_TEST(a_sync_does_not_miss_what_was_trimmed)
{
        uint64_t first = 0;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD | LOGSTORE_NO_RING);
        append_filled(1000, 'r');
        while (!file_exists(scratch("store/0000000002.log")) || first == 1) {
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                append_filled(1000, 'r');
                ck_assert_int_eq(logstore_trim_before(store, bounds_of(store).tail, &first), 0);
        }
        ck_assert(!file_exists(scratch("store/0000000001.log")));
        ck_assert_msg(logstore_sync(store, 0) == 0, "%s", logstore_detail());
}
END_TEST

START_TEST(by_bytes_keeps_at_most_so_many)
{
        uint64_t first, kept;

        fill(20);
        first = apply(6 * SMALL_SEGMENT_BYTES, 0, 0, 0);
        kept = bounds_of(store).tail + 1 - first;
        ck_assert_uint_le(kept, 6 * 64);
        ck_assert_uint_ge(kept, 4 * PER_SEGMENT);
        ck_assert_uint_gt(apply(1, 0, 0, 0), first); /* never the active one */
        ck_assert_uint_ge(bounds_of(store).tail + 1, bounds_of(store).first);
        append_filled(10, 'x');
}
END_TEST

/* A record, and thereby a clock, from the future does not hold up what is old by its segment. */
START_TEST(by_age_whatever_the_records_claim)
{
        struct logstore_entry future = { "f", 1, INT64_MAX / 2 };

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_append_batch(store, &future, 1, NULL), 0);
        for (unsigned i = 0; i < 5 * PER_SEGMENT; i++)
                append_filled(1000, 'r');
        ck_assert_uint_eq(apply(0, 0, INT64_C(3600000000000), 0), 1);
        sleep_ms(50);
        ck_assert_uint_gt(apply(0, 0, 20000000, 0), 4 * PER_SEGMENT);
}
END_TEST

START_TEST(nothing_goes_beyond_the_floor)
{
        uint64_t first;

        fill(10);
        ck_assert_int_eq(logstore_set_floor(store, 200), 0);
        ck_assert_uint_le(apply(1, 1, 1, 0), 200);
        ck_assert_int_eq(logstore_trim_before(store, 500, &first), 0);
        ck_assert_uint_le(first, 200);
        ck_assert_uint_gt(first, 200 - 2 * PER_SEGMENT);
        ck_assert_int_eq(logstore_set_floor(store, UINT64_MAX), 0);
        ck_assert_int_eq(logstore_trim_before(store, 500, &first), 0);
        ck_assert_uint_gt(first, 200);
        ck_assert_uint_le(first, 500);
}
END_TEST

/* Files that a crash between the new first number and the unlinks leaves go with the next open. */
START_TEST(leftovers_of_a_crash_are_dropped)
{
        struct bytes old;

        fill(5);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        old = load_file(scratch("store/0000000001.log"));
        ck_assert_int_eq(logstore_trim_before(store, 200, NULL), 0);
        ck_assert(!file_exists(scratch("store/0000000001.log")));
        save_file(scratch("store/0000000001.log"), old.data, old.size);
        free(old.data);
        crash_store();
        open_store(0);
        ck_assert_uint_gt(bounds_of(store).first, 1);
        ck_assert(!file_exists(scratch("store/0000000001.log")));
        append_filled(10, 'x');
}
END_TEST

START_TEST(the_background_thread_applies_it)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int64_t until = clock_ms() + 10000;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.keep_records = 100;
        open_store_with(&options);
        while (bounds_of(store).first == 1 && clock_ms() < until) {
                append_filled(1000, 'r');
                sleep_ms(5);
        }
        ck_assert_uint_gt(bounds_of(store).first, 1);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { by_count_keeps_so_many_durable_ones, 0 },
                { by_count_keeps_at_least_so_many, 0 },
                { by_count_keeps_so_many_that_are_no_voids, sizeof(mixed) / sizeof(mixed[0]) },
                { of_several_limits_the_strictest_wins, 27 },
                { what_was_counted_is_counted_anew_after_a_truncation, 0 },
                { a_sync_does_not_miss_what_was_trimmed, 0 },
                { by_bytes_keeps_at_most_so_many, 0 },
                { by_age_whatever_the_records_claim, 0 },
                { nothing_goes_beyond_the_floor, 0 },
                { leftovers_of_a_crash_are_dropped, 0 },
                { the_background_thread_applies_it, 0 },
        };

        return RUN_TESTS("retention", tests);
}
