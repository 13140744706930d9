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

int main(void)
{
        const struct test_entry tests[] = {
                { another_host_is_asked_until_it_has_been_quiet, 0 },
                { who_took_over_does_not_do_it_again_unasked, 0 },
                { a_shipper_that_is_stopped_ends_whatever_it_waits_for, 3 },
                { a_start_that_failed_tells_nothing_as_shipped, 0 },
                { positions_are_of_a_place_not_of_its_spelling, 0 },
                { segments_of_another_copy_are_not_taken_for_ours, 0 },
        };

        return RUN_TESTS("ship_rules", tests);
}
