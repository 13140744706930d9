/*
 * test_ship_lag.c - what a limit of lag lets go: is it told, and is it not waited for?
 */
#include "ship_support.h"

#define KEPT (UINT64_C(256) << 10)

static void let_go(void)
{
        uint64_t first;

        append_many(800);
        ck_assert_int_eq(logstore_apply_retention(store, 0, &first), 0);
}

static struct logstore_ship *begin(unsigned count)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(count);
        ck_assert_int_eq(logstore_set_retention(store, KEPT, 0, 0), 0);
        max_lag_bytes = KEPT;
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        return shipper;
}

static uint64_t first_number(void)
{
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        return bounds.first;
}

static struct logstore_ship_report report_of(struct logstore_ship *shipper)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };

        expect_ok(logstore_ship_tell(shipper, &report));
        return report;
}

/* Records behind the cut have numbers that were shipped, and are trimmed before they are. */
START_TEST(numbers_that_were_shipped_before_a_cut_are_told_as_missing)
{
        struct logstore_ship *shipper = begin(1200);
        uint64_t first;

        ck_assert_int_eq(logstore_set_retention(store, 0, 0, 0), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        append_many(30);
        ck_assert_int_eq(logstore_set_retention(store, UINT64_C(64) << 10, 0, 0), 0);
        do {
                append(1500, 'x');
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                ck_assert_int_eq(logstore_apply_retention(store, 0, NULL), 0);
                first = first_number();
        } while (first < 100);
        ck_assert_uint_lt(first, 1200);
        expect(logstore_ship_wait(store, first - 1, 0), -ESTALE);
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_gt(report_of(shipper).missed, 0);
        ck_assert_uint_eq(report_of(shipper).gap_last, first - 1);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* More is trimmed between the claim that says where the log begins, and its first commit. */
START_TEST(what_is_trimmed_behind_a_gap_is_missed_too)
{
        struct logstore_ship *shipper = begin(100);

        let_go();
        shipper->connections = 1; /* else the first commit may come beside the put of a later one */
        before_put = let_go;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_eq(report_of(shipper).missed, first_number() - 101);
        ck_assert_uint_eq(report_of(shipper).gap_last, first_number() - 1);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Of two places one cannot be read. */
START_TEST(a_wait_says_that_a_position_is_damaged)
{
        struct logstore_ship *shipper = begin(100);

        ck_assert_int_eq(truncate(path("store/positions/%s", shipper->shipped_name), 10), 0);
        expect(logstore_ship_wait(store, 1, 0), -EBADMSG);
        append_many(1);
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_wait(store, 101, 0));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a segment that is cut while it is put ---- */

static unsigned fetches;

static void fetch_then(void)
{
        char name[20];

        snprintf(name, sizeof(name), "copy%u", fetches++);
        expect_ok(fetch(name, NULL));
        if (fetches < 3)
                before_commit = fetch_then;
}

static void cut_first_segment(void)
{
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        before_commit = fetch_then;
}

/* The end that is shipped lies in a later segment, so no position is set in this one. */
START_TEST(a_seal_that_changes_under_a_put_is_not_shipped)
{
        struct logstore_ship *shipper;

        level = _i ? 3 : 0;
        make_bucket();
        open_store("store");
        append_many(100);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        for (size_t i = 0; i < shipper->table.count; i++) /* as if it had come in tails */
                if (shipper->table.lines[i].entry.id == 1)
                        shipper->table.lines[i].entry.sealed = 0;
        before_put = cut_first_segment;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_ge(fetches, 2);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- positions that cannot be read just now ---- */

static int position_error;

int __real_logstore_position_get(struct logstore *reader, const char *name,
                                 struct logstore_position *ret);
int __wrap_logstore_position_get(struct logstore *reader, const char *name,
                                 struct logstore_position *ret);
int __wrap_logstore_position_get(struct logstore *reader, const char *name,
                                 struct logstore_position *ret)
{
        return position_error ? position_error : __real_logstore_position_get(reader, name, ret);
}

/* Who has no descriptors left is not to be told that the logs have diverged. */
START_TEST(a_log_that_was_cut_has_not_diverged_for_want_of_descriptors)
{
        struct logstore_ship *shipper = begin(100);

        ck_assert_int_eq(logstore_truncate_after(store, 50, 0), 0);
        append_many(10);
        position_error = -EMFILE;
        expect(logstore_ship_round(shipper), -EMFILE);
        position_error = 0;
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { numbers_that_were_shipped_before_a_cut_are_told_as_missing, 0 },
                { what_is_trimmed_behind_a_gap_is_missed_too, 0 },
                { a_seal_that_changes_under_a_put_is_not_shipped, 2 },
                { a_log_that_was_cut_has_not_diverged_for_want_of_descriptors, 0 },
                { a_wait_says_that_a_position_is_damaged, 0 },
        };

        return RUN_TESTS("ship_lag", tests);
}
