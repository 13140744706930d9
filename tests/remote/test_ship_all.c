/*
 * test_ship_all.c - many stores, one process: what fails with one does not hold up the others
 */
#include <pthread.h>

#include "ship_support.h"

#define STORES 6

static struct logstore_ship_all *all;
static int errors[STORES]; /* the last event's, by store; 1: none came */
static uint64_t numbers[STORES];

static void note(void *context, const struct logstore_ship_event *event)
{
        unsigned which;

        (void)context;
        ck_assert_uint_eq(event->struct_bytes, sizeof(*event));
        ck_assert_int_eq(sscanf(event->name, "store%u", &which), 1);
        ck_assert_uint_lt(which, STORES);
        ck_assert((event->error < 0) == (event->detail[0] != '\0'));
        errors[which] = event->error;
        numbers[which] = event->number;
}

static void append_to(unsigned which, unsigned count)
{
        char name[32];

        snprintf(name, sizeof(name), "stores/store%u", which);
        open_store(name);
        append_many(count);
        ck_assert_int_eq(logstore_close(store), 0);
}

static void begin(void)
{
        make_bucket();
        ck_assert_int_eq(mkdir(path("stores"), 0700), 0);
        ck_assert_int_eq(mkdir(path("stores/other"), 0700), 0);
        for (unsigned i = 0; i < STORES; i++) {
                append_to(i, 30 * (i + 1));
                errors[i] = 1;
        }
}

static void open_all(bool follow)
{
        struct logstore_ship_all_options options = LOGSTORE_SHIP_ALL_OPTIONS_INIT;
        struct logstore_ship_options each = LOGSTORE_SHIP_OPTIONS_INIT;

        options.threads = 3;
        options.follow = follow;
        options.event = note;
        each.interval_ms = 20;
        expect_ok(logstore_ship_all_open(path("stores"), url(), NULL, &each, &options, &all));
}

static struct logstore_ship_all_report tell(void)
{
        struct logstore_ship_all_report report = { .struct_bytes = sizeof(report) };

        expect_ok(logstore_ship_all_tell(all, &report));
        return report;
}

static void expect_fetched(unsigned which)
{
        char from[700], to[32];

        snprintf(from, sizeof(from), "%s/store%u", url(), which);
        snprintf(to, sizeof(to), "copy%u", which);
        expect_ok(logstore_fetch(from, path("%s", to), NULL, NULL, NULL));
        expect_same(path("stores/store%u", which), path("%s", to));
}

START_TEST(each_store_goes_below_the_url)
{
        begin();
        open_all(false);
        expect(logstore_ship_all_run(all), 0);
        ck_assert_uint_eq(tell().stores, STORES);
        ck_assert_uint_eq(tell().failed, 0);
        logstore_ship_all_close(all);
        for (unsigned i = 0; i < STORES; i++) {
                ck_assert_int_eq(errors[i], 0);
                ck_assert_uint_eq(numbers[i], 30 * (i + 1));
                expect_fetched(i);
        }
}
END_TEST

START_TEST(a_store_that_fails_is_told_and_the_others_are_shipped)
{
        begin();
        save(path("stores/store2/control"), "nothing");
        open_all(false);
        expect(logstore_ship_all_run(all), 1);
        ck_assert_uint_eq(tell().failed, 1);
        logstore_ship_all_close(all);
        for (unsigned i = 0; i < STORES; i++) {
                ck_assert_int_eq(errors[i] < 0, i == 2);
                if (i != 2)
                        expect_fetched(i);
        }
}
END_TEST

static void *run_all(void *result)
{
        *(int *)result = logstore_ship_all_run(all);
        return NULL;
}

static bool is_shipped(unsigned which)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_bounds bounds;
        struct logstore *reader;
        int r;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("stores/store%u", which), &options, &reader), 0);
        ck_assert_int_eq(logstore_bounds(reader, &bounds), 0);
        r = logstore_ship_wait(reader, bounds.tail, 10000);
        logstore_close(reader);
        return r == 0;
}

/* A store with nothing new is looked at, and nothing is sent. */
START_TEST(stores_are_followed_and_only_news_is_sent)
{
        struct logstore_ship_all_report before;
        pthread_t thread;
        int result;

        begin();
        open_all(true);
        pthread_create(&thread, NULL, run_all, &result);
        for (unsigned i = 0; i < STORES; i++)
                ck_assert(is_shipped(i));
        usleep(300000); /* second looks */
        before = tell();
        usleep(300000);
        ck_assert_uint_eq(tell().commits, before.commits);
        append_to(4, 10);
        ck_assert(is_shipped(4));
        usleep(300000);
        ck_assert_uint_le(tell().commits, before.commits + 2);
        logstore_ship_all_stop(all);
        pthread_join(thread, NULL);
        ck_assert_int_eq(result, -ECANCELED);
        logstore_ship_all_close(all);
        expect_fetched(4);
}
END_TEST

START_TEST(a_store_that_another_ships_is_left_to_it)
{
        struct logstore_ship *other;
        char to[700];
        pthread_t thread;
        int result;

        begin();
        open_all(true);
        pthread_create(&thread, NULL, run_all, &result);
        for (unsigned i = 0; i < STORES; i++)
                ck_assert(is_shipped(i));
        snprintf(to, sizeof(to), "%s/store1", url());
        expect_ok(logstore_ship_open(path("stores/store1"), to, NULL, NULL, &other));
        expect_ok(logstore_ship_start(other));
        append_to(1, 10);
        append_to(3, 10);
        ck_assert(is_shipped(3));
        for (int i = 0; i < 100 && tell().failed == 0; i++)
                usleep(50000);
        ck_assert_uint_eq(tell().failed, 1);
        expect_ok(logstore_ship_round(other));
        logstore_ship_close(other);
        logstore_ship_all_stop(all);
        pthread_join(thread, NULL);
        logstore_ship_all_close(all);
        ck_assert_int_eq(errors[1], -EPIPE);
        expect_fetched(1);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { each_store_goes_below_the_url, 0 },
                { a_store_that_fails_is_told_and_the_others_are_shipped, 0 },
                { stores_are_followed_and_only_news_is_sent, 0 },
                { a_store_that_another_ships_is_left_to_it, 0 },
        };

        return RUN_TESTS("ship_all", tests);
}
