/*
 * test_ship_cut.c - logs that are truncated and trimmed while they are shipped, and their copies
 */
#include "ship_support.h"

static struct logstore_ship *other;

/* ---- truncated and trimmed ---- */

static const uint64_t cuts[] = { 199, 190, 100, 1, 0 };

START_TEST(a_truncated_log_is_shipped_from_the_cut_on)
{
        struct logstore_ship *shipper = NULL;

        make_bucket();
        open_store("store");
        append_many(200);
        if (_i % 2) { /* while it ships, or by one who comes later */
                shipper = open_ship("store");
                expect_ok(logstore_ship_start(shipper));
                expect_ok(logstore_ship_round(shipper));
        } else {
                expect_ok(ship("store"));
        }
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i / 2], 0), 0);
        append_many(33);
        expect_ok(shipper ? logstore_ship_round(shipper) : ship("store"));
        append_many(5);
        expect_ok(shipper ? logstore_ship_round(shipper) : ship("store"));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(nothing_is_trimmed_before_it_is_shipped)
{
        struct logstore_bounds bounds;

        make_bucket();
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        append_many(200);
        ck_assert_int_eq(logstore_trim_before(store, 250, NULL), -EBUSY);
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_eq(bounds.first, 1);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_trim_before(store, 250, NULL), 0);
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_gt(bounds.first, 200);
        append_many(10);
        expect_ok(ship("store")); /* what was trimmed here stays there */
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- cut, and nothing behind it ---- */

START_TEST(a_cut_without_records_behind_it_is_fetched)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(200);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i / 3], 0), 0);
        if (_i % 3 == 0)
                expect_ok(logstore_ship_round(shipper));
        else if (_i % 3 == 1)
                expect_ok(ship("store"));
        else /* it claims, and is killed */
                expect_ok(logstore_ship_start(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(an_emptied_log_goes_on_elsewhere)
{
        make_bucket();
        open_store("store");
        append_many(200);
        expect_ok(ship("store"));
        copy_store("store", "before");
        ck_assert_int_eq(logstore_truncate_after(store, 0, 1000), 0);
        if (_i)
                append_many(10);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy"); /* which goes on */
        append_many(2);
        expect_ok(ship("copy"));
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("copy", "copy of the copy");
        open_store("before");
        append_many(2);
        expect(ship("before"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(what_is_trimmed_before_the_first_commit_is_not_missed)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        if (_i)
                append_many(50);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        append_many(300);
        ck_assert_int_eq(logstore_trim_before(store, 200, NULL), 0);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a log that changes between two looks ---- */

static unsigned looks;

static void go_on_between(void)
{
        if (looks++ < 20)
                append_many(50);
}

static void fetch_now_and_then(void)
{
        char name[32];

        snprintf(name, sizeof(name), "copy.%u", looks++);
        expect_ok(fetch(name, NULL));
        ck_assert_int_eq(logstore_verify(path("%s", name), NULL, NULL), 0);
        before_commit = fetch_now_and_then;
}

START_TEST(a_log_that_goes_on_between_two_looks_has_no_gap)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(10);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        after_look = go_on_between;
        before_commit = fetch_now_and_then;
        expect_ok(logstore_ship_round(shipper));
        after_look = NULL;
        before_commit = NULL;
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- a seal that came later ---- */

static void seal_further_on(void)
{
        append(100, 'y');
        append(100, 'z');
        ck_assert_int_eq(logstore_truncate_after(store, 2, 0), 0);
}

START_TEST(a_seal_is_not_fetched_without_its_records)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        make_bucket();
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
        append((size_t)9 << 20, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        before_put = seal_further_on;
        expect_ok(ship("store"));
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        expect_ok(ship("store"));
        expect_fetched_same("store", "later");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- two copies that go on alike ---- */

static void first_ships(void)
{
        expect_ok(ship("store"));
}

static void append_alike(struct logstore *to, char with)
{
        char bytes[100];

        memset(bytes, with, sizeof(bytes));
        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(logstore_append(to, bytes, sizeof(bytes), NULL), 0);
        ck_assert_int_eq(logstore_sync(to, 0), 0);
}

/* Both copies are opened after a clean close, so both go on in the same segment. What the second
 * one tried to ship ends where the first one's records do. */
START_TEST(a_cut_does_not_excuse_what_another_copy_shipped)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_ship *shipper;
        struct logstore *second;

        make_bucket();
        open_store("store");
        append_many(40);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        options.flags = LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("copy"), &options, &second), 0);
        shipper = open_ship("copy");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        append_alike(store, 'a');
        append_alike(second, 'b');
        before_commit = first_ships;
        expect(logstore_ship_round(shipper), -EPIPE);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_truncate_after(second, 45, 0), 0);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(second), 0);
        expect_fetched_same("store", "fetched");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_fetched_log_may_be_cut_before_it_ships)
{
        make_bucket();
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        expect_ok(fetch("copy", NULL));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        ck_assert_int_eq(logstore_truncate_after(store, 90, 0), 0);
        append_many(3);
        expect_ok(ship("copy"));
        expect_fetched_same("copy", "copy of the copy");
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("store"); /* the old one comes back */
        append_many(3);
        expect(ship("store"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- stories that the model told (tests/remote/model) ---- */

static void stop_and_lose(void)
{
        logstore_ship_stop(other);
        lose_request = 1;
}

/* A shipper is killed before it notes what it shipped. That is cut, and the next one is killed
 * before its first or its second commit is there. Whoever comes then still knows the end. */
START_TEST(a_cut_is_known_to_the_third_shipper)
{
        struct logstore_position before = { .struct_bytes = sizeof(before) };
        struct logstore_ship *shipper;
        char name[40];

        make_bucket();
        open_store("store");
        append_many(10);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        snprintf(name, sizeof(name), "%s", shipper->shipped_name);
        ck_assert_int_eq(logstore_position_get(store, name, &before), 0);
        append_many(5);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_position_set(store, name, &before), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        append_many(2);

        other = open_ship("store");
        if (_i == 1)
                expect_ok(logstore_ship_start(other));
        before_commit = stop_and_lose;
        expect(_i == 1 ? logstore_ship_round(other) : logstore_ship_start(other), -ECANCELED);
        lose_request = 0;
        logstore_ship_close(other);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_log_is_cut_twice_before_it_goes_on)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(30);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (uint64_t cut = 20; cut >= 10; cut -= 5) {
                expect_ok(logstore_ship_round(shipper));
                ck_assert_int_eq(logstore_truncate_after(store, cut, 0), 0);
        }
        append_many(3);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* The last checkpoint was put, and no commit has named it. It lets nothing go that is named. */
START_TEST(a_checkpoint_that_no_commit_names_removes_nothing)
{
        struct logstore_ship *shipper;
        uint64_t first = 0;

        make_bucket();
        open_store("store");
        append_many(100);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 1000; i++) {
                append_many(2);
                expect_ok(logstore_ship_round(shipper));
                if (shipper->last.checkpoint_seq != shipper->last.seq)
                        continue;
                if (first != 0)
                        break;
                first = shipper->last.seq;
                append_many(150); /* so that no tail from before it is needed */
        }
        ck_assert_uint_gt(shipper->last.seq, first);
        ck_assert_uint_eq(shipper->last.checkpoint_seq, shipper->last.seq);
        logstore_ship_close(shipper);
        age("c");
        age("seg");
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static void fetch_now(void)
{
        expect_ok(fetch("copy", NULL));
}

static void fetch_before_the_next(void)
{
        before_commit = fetch_now;
}

/* A segment is shipped as a cut has left it, and what followed it before is still there. */
START_TEST(a_log_that_was_cut_is_fetched_before_it_goes_on)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(80);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        append_many(
                250); /* the new segment has a seal, which tells that the cut one's is durable */
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        before_commit = fetch_before_the_next;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_ptr_null(before_commit);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* What one copy shipped and cut has greater ids than that with which the other one goes on. */
START_TEST(a_copy_goes_on_from_the_others_cut)
{
        make_bucket();
        open_store("store");
        append_many(30);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        append_many(100);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        append_many(1);
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        append_many(10);
        if (ship("copy") == 0) /* or it is refused, and the log stays as it was */
                expect_fetched_same("copy", "fetched");
        else
                expect_ok(fetch("fetched", NULL));
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Copies go on in the same segment. The other's record lies where ours was, which never arrived. */
START_TEST(anothers_record_in_our_place_is_no_cut_of_ours)
{
        struct logstore_ship *ours;

        make_bucket();
        open_store("store");
        append_many(5);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        ours = open_ship("copy");
        expect_ok(logstore_ship_start(ours));
        expect_ok(logstore_ship_round(ours));

        open_store("store");
        append(100, 'a');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);

        open_store("copy");
        append(100, 'b');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect(logstore_ship_round(ours), -EPIPE);
        logstore_ship_close(ours);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        append_many(3);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("store", "fetched");
}
END_TEST

/* ---- requests that are late, and copies that go on in the same segment ---- */

/* A tail is on its way when its shipper is killed and the log is cut below it. The next shipper
 * knows it, whatever it has noted meanwhile. */
START_TEST(a_tail_that_arrives_behind_a_cut_is_known)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(40);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        append_many(20);
        expect_ok(logstore_ship_round(shipper));
        append_many(20);
        delay_commit = true;
        shipper->patience_ns = -1;
        expect(logstore_ship_round(shipper), -EAGAIN);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        before_commit = arrive;
        expect_ok(ship("store"));
        ck_assert_ptr_null(before_commit);
        append_many(5);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static int truncate_store(const char *name, uint64_t number)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *cut;
        int r;

        options.flags = LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("%s", name), &options, &cut), 0);
        r = logstore_truncate_after(cut, number, 0);
        ck_assert_int_eq(logstore_close(cut), 0);
        return r;
}

/* Two copies of a store went on in the same segment. One has shipped records there, cut them off
 * and said so. The other one ships its own in their place. */
START_TEST(a_copy_goes_on_where_another_was_cut)
{
        struct logstore *original;
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(10);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "other");
        open_store("other");
        append_many(5);
        expect_ok(ship("other"));
        ck_assert_int_eq(logstore_close(store), 0);
        ck_assert_int_eq(truncate_store("other", 10), 0);
        shipper = open_ship("other");
        expect_ok(logstore_ship_start(shipper)); /* and is overtaken there */
        logstore_ship_close(shipper);
        open_store("store");
        original = store;
        append(100, 'q');
        append_many(3);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        append_many(300);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy2");
        ck_assert_int_eq(logstore_close(original), 0);
}
END_TEST

static void fill_alike(unsigned count, char with)
{
        for (unsigned i = 0; i < count; i++)
                append(1000, with);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}

/* The same where both copies have sealed the segment at the same offset. */
START_TEST(a_copy_goes_on_alike_where_another_was_cut)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(10);
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "other");
        open_store("other");
        fill_alike(100, 'o');
        expect_ok(ship("other"));
        ck_assert_int_eq(truncate_store("other", 10), 0);
        shipper = open_ship("other");
        expect_ok(logstore_ship_start(shipper));
        logstore_ship_close(shipper);
        open_store("store");
        fill_alike(100, 's');
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_truncated_log_is_shipped_from_the_cut_on, 2 * CASES(cuts) },
                { nothing_is_trimmed_before_it_is_shipped, 0 },
                { a_cut_without_records_behind_it_is_fetched, 3 * CASES(cuts) },
                { an_emptied_log_goes_on_elsewhere, 2 },
                { what_is_trimmed_before_the_first_commit_is_not_missed, 2 },
                { a_log_that_goes_on_between_two_looks_has_no_gap, 0 },
                { a_seal_is_not_fetched_without_its_records, 0 },
                { a_cut_does_not_excuse_what_another_copy_shipped, 0 },
                { a_fetched_log_may_be_cut_before_it_ships, 0 },
                { a_cut_is_known_to_the_third_shipper, 2 },
                { a_log_is_cut_twice_before_it_goes_on, 0 },
                { a_checkpoint_that_no_commit_names_removes_nothing, 0 },
                { a_log_that_was_cut_is_fetched_before_it_goes_on, 0 },
                { a_copy_goes_on_from_the_others_cut, 0 },
                { anothers_record_in_our_place_is_no_cut_of_ours, 0 },
                { a_tail_that_arrives_behind_a_cut_is_known, 0 },
                { a_copy_goes_on_where_another_was_cut, 0 },
                { a_copy_goes_on_alike_where_another_was_cut, 0 },
        };

        return RUN_TESTS("ship_cut", tests);
}
