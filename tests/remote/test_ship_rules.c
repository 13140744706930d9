/*
 * test_ship_rules.c - who may ship, when a shipper gives up, and what it says then
 */
#include "ship_support.h"

static struct logstore_ship *open_polite(const char *host)
{
        struct logstore_ship *ret;

        expect_ok(logstore_ship_open(path("store"), url(), NULL, NULL, &ret));
        snprintf(ret->host, sizeof(ret->host), "%s", host);
        return ret;
}

static void begin(void)
{
        make_bucket();
        open_store("store");
        append_many(100);
}

/* ---- courtesy ---- */

/* By the server's clock, whatever that of the other host says. */
START_TEST(another_host_is_asked_until_it_has_been_quiet)
{
        struct logstore_ship *here, *there;

        begin();
        there = open_polite("there");
        here = open_polite("here");
        expect_ok(logstore_ship_start(there));
        expect_ok(logstore_ship_round(there));
        expect(logstore_ship_start(here), -EBUSY);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "there (pid"));
        age("c");
        expect_ok(logstore_ship_start(here));
        expect_ok(logstore_ship_round(here));
        logstore_ship_close(here);
        logstore_ship_close(there);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(who_took_over_does_not_do_it_again_unasked)
{
        struct logstore_ship *here, *there;

        begin();
        there = open_polite("there");
        here = open_ship("store"); /* takes over */
        snprintf(here->host, sizeof(here->host), "here");
        expect_ok(logstore_ship_start(there));
        expect_ok(logstore_ship_start(here));
        age("c");
        expect_ok(logstore_ship_start(there));
        here->claimed = false; /* it slept, and looks anew */
        expect(logstore_ship_round(here), -EBUSY);
        expect_ok(logstore_ship_start(here)); /* it is told to */
        expect_ok(logstore_ship_round(here));
        logstore_ship_close(here);
        logstore_ship_close(there);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- giving up ---- */

static struct logstore_ship *to_stop;

static void stop_it(int number)
{
        (void)number;
        logstore_ship_stop(to_stop);
}

START_TEST(a_shipper_that_is_stopped_ends_whatever_it_waits_for)
{
        struct timespec before, after;

        begin();
        to_stop = open_ship("store");
        expect_ok(logstore_ship_start(to_stop));
        signal(SIGALRM, stop_it);
        clock_gettime(CLOCK_MONOTONIC, &before);
        if (_i == 0)
                lose_request = 1;
        else if (_i == 1)
                no_puts = true;
        else
                too_late = true; /* so that each look leads to the next */
        alarm(1);
        expect(logstore_ship_round(to_stop), -ECANCELED);
        clock_gettime(CLOCK_MONOTONIC, &after);
        ck_assert_int_le(after.tv_sec - before.tv_sec, 3);
        logstore_ship_close(to_stop);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- what is told ---- */

START_TEST(a_start_that_failed_tells_nothing_as_shipped)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        struct logstore_ship *here, *there;

        begin();
        there = open_polite("there");
        here = open_polite("here");
        expect_ok(logstore_ship_start(there));
        expect_ok(logstore_ship_round(there));
        expect(logstore_ship_start(here), -EBUSY);
        expect_ok(logstore_ship_tell(here, &report));
        ck_assert_uint_eq(report.shipped.id, 0);
        ck_assert_uint_eq(report.shipped.number, 0);
        ck_assert_uint_eq(report.commit, 0);
        expect_ok(logstore_ship_tell(there, &report));
        ck_assert_uint_eq(report.shipped.number, 100);
        logstore_ship_close(here);
        logstore_ship_close(there);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- positions of several places ---- */

static void get_name(const char *to, const char *endpoint, char ret[40])
{
        struct logstore_remote_options remote = LOGSTORE_REMOTE_OPTIONS_INIT;
        struct logstore_ship *shipper;

        use_keys("ak", "sk");
        remote.endpoint = endpoint;
        expect_ok(logstore_ship_open(path("store"), to, &remote, NULL, &shipper));
        snprintf(ret, 40, "%s", shipper->shipped_name);
        logstore_ship_close(shipper);
}

START_TEST(positions_are_of_a_place_not_of_its_spelling)
{
        char one[40], two[40];

        open_store("store");
        get_name("s3://bucket/prefix", "http://127.0.0.1:1", one);
        get_name("s3://bucket/prefix/", "http://127.0.0.1:1", two);
        ck_assert_str_eq(one, two);
        get_name("s3://bucket/prefix", "http://127.0.0.1:2", two);
        ck_assert_str_ne(one, two);
        get_name("s3://bucket/other", "http://127.0.0.1:1", two);
        ck_assert_str_ne(one, two);
        get_name("file:/tmp/x", NULL, one);
        get_name("file:///tmp/x/", NULL, two);
        ck_assert_str_eq(one, two);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a third copy ---- */

static void go_on(const char *name, unsigned count)
{
        open_store(name);
        append_many(count);
        expect_ok(ship(name));
        ck_assert_int_eq(logstore_close(store), 0);
}

/* Copies make other segments of the same id. A link names the one that is meant by its salt. */
START_TEST(segments_of_another_copy_are_not_taken_for_ours)
{
        make_bucket();
        open_store("store");
        append_many(40);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 20, 0), 0);
        append_many(100);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        expect_ok(fetch("second", NULL));
        open_store("second");
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        ck_assert_int_eq(logstore_close(store), 0);
        go_on("second", 100);
        expect_ok(fetch("third", NULL));
        open_store("third");
        ck_assert_int_eq(logstore_truncate_after(store, 60, 0), 0);
        ck_assert_int_eq(logstore_close(store), 0);
        go_on("third", 100);
        expect_fetched_same("third", "copy");
}
END_TEST

/* ---- a shipper that lags behind ---- */

static struct logstore_ship *open_lagging(uint64_t bytes)
{
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship *ret;

        options.max_lag_bytes = bytes;
        expect_ok(logstore_ship_open(path("store"), url(), NULL, &options, &ret));
        return ret;
}

static uint64_t first_number(void)
{
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        return bounds.first;
}

static void lag_behind(void)
{
        uint64_t first;

        append_many(800);
        ck_assert_int_eq(logstore_apply_retention(store, 0, &first), 0);
}

/* A store that keeps 128 KiB. */
static struct logstore_ship *begin_to_lag(uint64_t most)
{
        struct logstore_ship *shipper;

        begin();
        ck_assert_int_eq(logstore_set_retention(store, UINT64_C(128) << 10, 0, 0), 0);
        shipper = open_lagging(most);
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        return shipper;
}

START_TEST(what_lags_too_far_is_trimmed_and_told)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        struct logstore_fetch_report fetched;
        struct logstore_ship *shipper = begin_to_lag(UINT64_C(128) << 10);
        uint64_t first;

        lag_behind();
        first = first_number();
        ck_assert_uint_gt(first, 101);
        if (_i) { /* another process goes on */
                logstore_ship_close(shipper);
                shipper = open_lagging(UINT64_C(128) << 10);
                expect_ok(logstore_ship_start(shipper));
        }
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_tell(shipper, &report));
        ck_assert_uint_eq(report.missed, first - 101);
        ck_assert_uint_eq(report.gap_last, first - 1);
        ck_assert_uint_eq(report.shipped.number, 900);
        expect_ok(fetch("copy", &fetched));
        ck_assert_uint_eq(fetched.first_number, first);
        expect_same(path("store"), path("copy"));
        append_many(10);
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_tell(shipper, &report));
        ck_assert_uint_eq(report.missed, first - 101);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "later");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(without_a_limit_nothing_is_trimmed_before_it_is_shipped)
{
        struct logstore_ship *shipper = begin_to_lag(0);

        lag_behind();
        ck_assert_uint_le(first_number(), 101);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* All that was trimmed is in the bucket: the log there goes on. */
static int keep_extent(void *context, const struct logstore_extent *extent)
{
        *(struct logstore_extent *)context = *extent;
        return 1;
}

START_TEST(what_was_shipped_and_trimmed_is_no_gap)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        struct logstore_fetch_report fetched;
        struct logstore_ship *shipper;
        struct logstore_extent next;
        uint64_t end_id;

        begin();
        shipper = open_lagging(UINT64_C(64) << 10);
        expect_ok(logstore_ship_start(shipper));
        do { /* until the log goes on in a segment that is not shipped */
                expect_ok(logstore_ship_round(shipper));
                end_id = shipper->last.end.id;
                append_many(1);
                next = (struct logstore_extent){ 0 };
                ck_assert_int_ge(logstore_extents(store, end_id + 1, keep_extent, &next), 0);
        } while (next.id == 0);
        if (next.previous_end != shipper->last.end.offset) {
                logstore_ship_close(shipper); /* the record that began it did not fit */
                ck_assert_int_eq(logstore_close(store), 0);
                return;
        }
        ck_assert_int_eq(logstore_trim_before(store, next.first_number, NULL), 0);
        ck_assert_uint_eq(first_number(), next.first_number);
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_tell(shipper, &report));
        ck_assert_uint_eq(report.missed, 0);
        expect_ok(fetch("copy", &fetched));
        ck_assert_uint_eq(fetched.first_number, 1);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* The limit is one of the store that shipped. A copy that knows nothing of the end has diverged. */
START_TEST(another_copys_records_are_not_given_up)
{
        struct logstore_ship *shipper = begin_to_lag(UINT64_C(64) << 10);

        copy_store("store", "other");
        append_many(10);
        expect_ok(logstore_ship_round(shipper)); /* this end the copy does not know */
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("other");
        ck_assert_int_eq(logstore_set_retention(store, UINT64_C(64) << 10, 0, 0), 0);
        lag_behind();
        ck_assert_uint_gt(first_number(), 111);
        expect(ship("other"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_wait_ends_once_the_record_is_in_the_bucket)
{
        begin();
        expect(logstore_ship_wait(store, 1, 0), -ENOENT);
        expect_ok(ship("store"));
        expect_ok(logstore_ship_wait(store, 100, 0));
        expect(logstore_ship_wait(store, 101, 30), -ETIMEDOUT);
        append_many(5);
        if (fork() == 0) { /* another process ships */
                usleep(200000);
                _exit(ship("store") != 0);
        }
        expect_ok(logstore_ship_wait(store, 105, 20000));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_wait_does_not_take_a_cut_for_a_shipment)
{
        begin();
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 50, 0), 0);
        append_many(50); /* with the numbers of those that were shipped */
        expect_ok(logstore_ship_wait(store, 50, 0));
        expect(logstore_ship_wait(store, 51, 0), -ETIMEDOUT);
        expect_ok(ship("store"));
        expect_ok(logstore_ship_wait(store, 100, 0));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_wait_for_what_was_given_up_ends)
{
        struct logstore_ship *shipper = begin_to_lag(UINT64_C(64) << 10);

        lag_behind();
        expect(logstore_ship_wait(store, 101, 1000), -ESTALE);
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_wait(store, 900, 0));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { another_host_is_asked_until_it_has_been_quiet, 0 },
                { who_took_over_does_not_do_it_again_unasked, 0 },
                { a_shipper_that_is_stopped_ends_whatever_it_waits_for, 3 },
                { a_start_that_failed_tells_nothing_as_shipped, 0 },
                { positions_are_of_a_place_not_of_its_spelling, 0 },
                { segments_of_another_copy_are_not_taken_for_ours, 0 },
                { what_lags_too_far_is_trimmed_and_told, 2 },
                { without_a_limit_nothing_is_trimmed_before_it_is_shipped, 0 },
                { what_was_shipped_and_trimmed_is_no_gap, 0 },
                { another_copys_records_are_not_given_up, 0 },
                { a_wait_ends_once_the_record_is_in_the_bucket, 0 },
                { a_wait_does_not_take_a_cut_for_a_shipment, 0 },
                { a_wait_for_what_was_given_up_ends, 0 },
        };

        return RUN_TESTS("ship_rules", tests);
}
