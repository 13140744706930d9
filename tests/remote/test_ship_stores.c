/*
 * test_ship_stores.c - one process for many stores: what comes, goes and fails beside the others
 */
#include <pthread.h>

#include "remote/ship_all.h"
#include "ship_support.h"

static char said[8][300]; /* events: name, error, number */
static _Atomic unsigned events;

static void note_event(void *context, const struct logstore_ship_event *event)
{
        (void)context;
        if (events < CASES(said))
                snprintf(said[events], sizeof(said[0]), "%s %d %" PRIu64, event->name, event->error,
                         event->number);
        events++;
}

static void wait_for_events(unsigned count)
{
        for (int i = 0; i < 2000 && events < count; i++)
                usleep(10000);
        ck_assert_uint_ge(events, count);
}

static struct logstore_ship_all *open_all(bool follow)
{
        struct logstore_ship_all_options options = LOGSTORE_SHIP_ALL_OPTIONS_INIT;
        struct logstore_ship_options ship_options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct logstore_ship_all *ret = NULL;

        ship_options.interval_ms = 20;
        ship_options.max_lag_bytes = max_lag_bytes;
        options.follow = follow;
        options.event = note_event;
        expect_ok(
                logstore_ship_all_open(path("stores"), url(), NULL, &ship_options, &options, &ret));
        ret->scan_ns = SECOND_NS / 20;
        return ret;
}

static void *run(void *all)
{
        return (void *)(intptr_t)logstore_ship_all_run(all);
}

static int end_run(struct logstore_ship_all *all, pthread_t thread)
{
        void *r;

        logstore_ship_all_stop(all);
        pthread_join(thread, &r);
        logstore_ship_all_close(all);
        return (int)(intptr_t)r;
}

static void begin(void)
{
        make_bucket();
        ck_assert_int_eq(mkdir(path("stores"), 0700), 0);
        open_store("stores/a");
        append_many(10);
}

/* ---- once ---- */

static unsigned rounds;

static void append_another(void)
{
        append_many(1);
        if (++rounds < 50)
                before_commit = append_another;
}

/* Somebody appends as fast as it is shipped. */
START_TEST(one_pass_ends_beside_a_busy_writer)
{
        struct logstore_ship_all *all;

        begin();
        before_commit = append_another;
        all = open_all(false);
        ck_assert_int_eq(logstore_ship_all_run(all), 0);
        ck_assert_uint_lt(rounds, 50);
        before_commit = NULL;
        logstore_ship_all_close(all);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* What is in memory does not grow with the number of stores. */
START_TEST(objects_of_all_stores_wait_for_each_other)
{
        const struct logstore_remote_options remote = { .struct_bytes = sizeof(remote),
                                                        .connections = 2 };
        struct logstore_ship_all *all;

        begin();
        ck_assert_int_eq(logstore_close(store), 0);
        for (char name = 'b'; name < 'f'; name++) {
                char text[] = { 's', 't', 'o', 'r', 'e', 's', '/', name, 0 };

                open_store(text);
                append_many(300);
                ck_assert_int_eq(logstore_close(store), 0);
        }
        slow_ms = 20;
        expect_ok(logstore_ship_all_open(path("stores"), url(), &remote, NULL, NULL, &all));
        ck_assert_int_eq(logstore_ship_all_run(all), 0);
        logstore_ship_all_close(all);
        ck_assert_uint_eq(puts_most, 2);
}
END_TEST

/* ---- stores that come and go ---- */

/* A store is restored: it has the name of the one that is open, and another log. */
START_TEST(a_store_in_the_place_of_another_is_found)
{
        struct logstore_ship_all *all;
        pthread_t thread;

        begin();
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("stores/a", "kept");
        all = open_all(true);
        ck_assert_int_eq(pthread_create(&thread, NULL, run, all), 0);
        wait_for_events(1);
        ck_assert_str_eq(said[0], "a 0 10");
        ck_assert_int_eq(rename(path("stores/a"), path("old")), 0);
        ck_assert_int_eq(rename(path("kept"), path("stores/a")), 0);
        open_store("stores/a");
        append_many(5);
        for (int i = 0; i < 500 && logstore_ship_wait(store, 15, 0) < 0; i++)
                usleep(10000);
        expect_ok(logstore_ship_wait(store, 15, 0));
        ck_assert_int_eq(end_run(all, thread), -ECANCELED);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_directory_that_is_away_for_a_while_ends_nothing)
{
        struct logstore_ship_all *all;
        pthread_t thread;

        begin();
        all = open_all(true);
        ck_assert_int_eq(pthread_create(&thread, NULL, run, all), 0);
        wait_for_events(1);
        ck_assert_int_eq(rename(path("stores"), path("away")), 0);
        wait_for_events(2);
        ck_assert_ptr_nonnull(strstr(said[1], "stores -2 0"));
        append_many(5); /* it is open, and goes on */
        expect_ok(logstore_ship_wait(store, 15, 20000));
        ck_assert_int_eq(rename(path("away"), path("stores")), 0);
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("stores/b");
        append_many(3);
        wait_for_events(3);
        ck_assert_str_eq(said[2], "b 0 3");
        ck_assert_int_eq(end_run(all, thread), -ECANCELED);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- the end ---- */

START_TEST(what_was_not_shipped_when_it_ended_is_not_told_as_shipped)
{
        struct logstore_ship_all *all;
        pthread_t thread;

        begin();
        lose_request = 1; /* all of them */
        all = open_all(true);
        ck_assert_int_eq(pthread_create(&thread, NULL, run, all), 0);
        usleep(300000);
        ck_assert_int_eq(end_run(all, thread), -ECANCELED);
        ck_assert_uint_eq(events, 0);
        lose_request = 0;
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- names and damage ---- */

START_TEST(a_store_that_cannot_be_shipped_holds_up_no_other)
{
        struct logstore_ship_all *all;
        int fd;

        begin();
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("stores/no_name");
        append_many(2);
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("stores/damaged");
        append_many(2);
        ck_assert_int_eq(logstore_close(store), 0);
        fd = open(path("stores/damaged/control"), O_WRONLY);
        ck_assert_int_eq(ftruncate(fd, 100), 0);
        close(fd);
        all = open_all(false);
        ck_assert_int_eq(logstore_ship_all_run(all), 2);
        ck_assert_uint_eq(events, 3);
        logstore_ship_all_close(all);
        ck_assert_int_eq(logstore_ship_all_open("", "nothing:", NULL, NULL, NULL, &all), -EINVAL);
}
END_TEST

/* Else its floor would stay behind where the other spelling was used. */
START_TEST(a_place_below_is_the_same_however_it_is_spelled)
{
        static const char *const endings[] = { "", "/", "//" };
        struct bucket *above, *below;
        char text[700], *first = NULL, *place;

        for (int i = 0; i < CASES(endings); i++) {
                snprintf(text, sizeof(text), "file:%s%s", path("bucket"), endings[i]);
                expect_ok(bucket_open(text, NULL, &above));
                expect_ok(bucket_open_below(above, "a", &below));
                expect_ok(bucket_identity(below, &place));
                if (first)
                        ck_assert_str_eq(place, first);
                else
                        first = strdup(place);
                free(place);
                bucket_close(below);
                bucket_close(above);
        }
        free(first);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { one_pass_ends_beside_a_busy_writer, 0 },
                { objects_of_all_stores_wait_for_each_other, 0 },
                { a_store_in_the_place_of_another_is_found, 0 },
                { a_directory_that_is_away_for_a_while_ends_nothing, 0 },
                { what_was_not_shipped_when_it_ended_is_not_told_as_shipped, 0 },
                { a_place_below_is_the_same_however_it_is_spelled, 0 },
                { a_store_that_cannot_be_shipped_holds_up_no_other, 0 },
        };

        return RUN_TESTS("ship_stores", tests);
}
