/*
 * test_ship_trim.c - what is trimmed in the bucket: gone from the log, beside a shipper and without
 */
#include "ship_support.h"

int __real_bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);
int __wrap_bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);

static bool may_not_remove;

int __wrap_bucket_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply)
{
        if (may_not_remove)
                return remote_detail(-EACCES, "%s: you may not", name);
        return __real_bucket_remove(bucket, name, ret_reply);
}

/* ---- trims ---- */

static struct logstore_remote_trim_report trimmed; /* by the last trim that ended */

static int trim(struct logstore_remote_trim_options options)
{
        struct logstore_remote_trim_report report = { .struct_bytes = sizeof(report) };
        int r;

        options.struct_bytes = sizeof(options);
        r = logstore_remote_trim(url(), NULL, &options, &report);
        trimmed = report;
        return r;
}

static int trim_before(uint64_t number)
{
        return trim((struct logstore_remote_trim_options){ .before = number });
}

static void trim_600(void)
{
        expect_ok(trim_before(600));
        ck_assert_uint_gt(trimmed.first, 400);
        ck_assert_uint_le(trimmed.first, 600);
}

/* The log in the bucket is the store's, from the record on where it begins. */
static void expect_rest(uint64_t first)
{
        static unsigned copies;
        char trimmed_store[40], copy[40];
        struct logstore *copied;
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_bounds bounds;

        snprintf(trimmed_store, sizeof(trimmed_store), "rest%u", ++copies);
        snprintf(copy, sizeof(copy), "copy%u", copies);
        copy_store("store", trimmed_store);
        options.flags = LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("%s", trimmed_store), &options, &copied), 0);
        ck_assert_int_eq(logstore_trim_before(copied, first, NULL), 0);
        ck_assert_int_eq(logstore_bounds(copied, &bounds), 0);
        ck_assert_uint_eq(bounds.first, first);
        ck_assert_int_eq(logstore_close(copied), 0);
        expect_fetched_same(trimmed_store, copy);
}

static struct logstore_ship *begin(unsigned records)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(records);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        return shipper;
}

static int get_record(uint64_t number)
{
        struct logstore_remote *remote;
        struct logstore_record record;
        char bytes[4096];
        int r;

        expect_ok(logstore_remote_open(url(), NULL, NULL, &remote));
        r = logstore_remote_get(remote, number, bytes, sizeof(bytes), &record);
        logstore_remote_close(remote);
        return r;
}

START_TEST(what_is_trimmed_is_not_on_the_log)
{
        struct logstore_ship *shipper = begin(1000);

        logstore_ship_close(shipper);
        trim_600();
        ck_assert_uint_eq(trimmed.first_before, 1);
        ck_assert_uint_gt(trimmed.segments, 3);
        expect(get_record(trimmed.first - 1), -ESTALE);
        expect_ok(get_record(trimmed.first));
        expect_rest(trimmed.first);
        expect_ok(trim_before(600)); /* it is */
        ck_assert_uint_eq(trimmed.commit, 0);
        ck_assert_uint_eq(trimmed.segments, 0);
        expect_ok(trim_before(5));
        ck_assert_uint_eq(trimmed.commit, 0);
        expect_ok(ship("store"));
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* The last segment stays, and what came as tails. */
START_TEST(no_more_goes_than_is_in_objects)
{
        struct logstore_ship *shipper = begin(1000);
        struct logstore_bounds bounds;

        expect_ok(trim_before(UINT64_MAX));
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_gt(trimmed.first, 900);
        ck_assert_uint_le(trimmed.first, bounds.tail);
        append_many(10);
        expect_ok(logstore_ship_round(shipper));
        expect_rest(trimmed.first);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static uint64_t first_with(struct logstore_remote_trim_options options)
{
        options.flags = LOGSTORE_REMOTE_TRIM_DRY_RUN;
        expect_ok(trim(options));
        ck_assert_uint_eq(trimmed.commit, 0);
        return trimmed.first;
}

START_TEST(each_limit_says_what_stays)
{
        struct logstore_ship *shipper = begin(500);
        const struct timespec pause = { 0, 30000000 };
        struct logstore_bounds bounds;
        struct timespec now;
        int64_t middle_ns;
        uint64_t first;
        unsigned commits;

        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_REALTIME, &now);
        middle_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
        nanosleep(&pause, NULL);
        append_many(500);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        commits = count_objects("c");
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        first = first_with((struct logstore_remote_trim_options){ .keep_records = 100 });
        ck_assert_uint_le(first, bounds.tail - 99);
        ck_assert_uint_gt(first, bounds.tail - 99 - 100);
        ck_assert_uint_eq(first_with((struct logstore_remote_trim_options){ .keep_records = 5000 }),
                          1);
        first = first_with((struct logstore_remote_trim_options){ .keep_bytes = 300000 });
        ck_assert_uint_gt(first, bounds.tail - 220);
        ck_assert_uint_lt(first, bounds.tail - 100);
        ck_assert_uint_eq(
                first_with((struct logstore_remote_trim_options){ .keep_bytes = 30000000 }), 1);
        clock_gettime(CLOCK_REALTIME, &now);
        first = first_with((struct logstore_remote_trim_options){
                .keep_ns = now.tv_sec * SECOND_NS + now.tv_nsec - middle_ns });
        ck_assert_uint_gt(first, 450);
        ck_assert_uint_le(first, 501);
        ck_assert_uint_gt(first_with((struct logstore_remote_trim_options){ .keep_ns = 1 }), 900);
        ck_assert_uint_eq(
                first_with((struct logstore_remote_trim_options){ .keep_ns = 3600 * SECOND_NS }),
                1);
        ck_assert_uint_eq(count_objects("c"), commits); /* all were dry runs */
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- beside a shipper ---- */

/* The shipper's number is taken while it is about to create its commit. */
static void expect_goes_on(unsigned records)
{
        struct logstore_ship *shipper = begin(1000);
        uint64_t term = shipper->said.term;

        append_many(records);
        before_commit = trim_600;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_ptr_null(before_commit);
        ck_assert_uint_eq(shipper->said.term, term);
        expect_rest(trimmed.first);
        append_many(100);
        expect_ok(logstore_ship_round(shipper));
        expect_rest(trimmed.first);
        logstore_ship_close(shipper);
        expect_ok(ship("store"));
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}

START_TEST(a_shipper_goes_on_behind_a_trim)
{
        expect_goes_on(5);
}
END_TEST

START_TEST(a_shipper_of_whole_segments_goes_on_behind_a_trim)
{
        expect_goes_on(500);
}
END_TEST

START_TEST(a_shipper_with_lost_requests_and_replies_goes_on_behind_trims)
{
        struct logstore_ship *shipper = begin(1000);
        uint64_t term = shipper->said.term;

        shipper->patience_ns = 60 * SECOND_NS;
        lose_request = 3;
        lose_reply = 4;
        for (unsigned i = 1; i < 4; i++) {
                append_many(40);
                expect_ok(trim_before(200 * i));
                expect_ok(logstore_ship_round(shipper));
        }
        lose_request = lose_reply = 0;
        ck_assert_uint_eq(shipper->said.term, term);
        expect_rest(shipper->said.first_number);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static struct logstore_ship *beside;

static void ship_more(void)
{
        append_many(30);
        expect_ok(logstore_ship_round(beside));
}

START_TEST(a_trim_goes_on_behind_a_shipper)
{
        beside = begin(1000);
        before_commit = ship_more;
        trim_600();
        expect_rest(trimmed.first);
        ship_more();
        expect_rest(trimmed.first);
        logstore_ship_close(beside);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static void trim_300(void)
{
        expect_ok(trim_before(300));
}

START_TEST(of_two_trims_the_later_record_counts)
{
        logstore_ship_close(begin(1000));
        before_commit = trim_600;
        expect_ok(trim_before(300));
        ck_assert_uint_gt(trimmed.first, 400);
        before_commit = trim_300;
        expect_ok(trim_before(800));
        ck_assert_uint_gt(trimmed.first, 600);
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Who trims does not ship: only the shipper's own commits are somebody at work. */
START_TEST(a_trim_is_no_shipper)
{
        struct logstore_ship *shipper = begin(1000);

        logstore_ship_close(shipper);
        trim_600();
        shipper = open_ship("store");
        shipper->options.flags = 0;
        snprintf(shipper->host, sizeof(shipper->host), "another");
        expect(logstore_ship_start(shipper), -EBUSY);
        age("c");
        expect_ok(trim_before(800));
        ck_assert_uint_ne(trimmed.commit, 0);
        expect_ok(logstore_ship_start(shipper));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Nothing of what is in the bucket is left before the cut. */
START_TEST(a_cut_below_what_was_trimmed_begins_anew)
{
        struct logstore_ship *shipper = begin(1000);
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };

        trim_600();
        ck_assert_int_eq(logstore_truncate_after(store, 250, 0), 0);
        append_many(20);
        expect_ok(logstore_ship_round(shipper));
        expect_ok(logstore_ship_tell(shipper, &report));
        ck_assert_uint_eq(report.missed, 0);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_cut_above_what_was_trimmed_goes_on)
{
        struct logstore_ship *shipper = begin(1000);

        trim_600();
        ck_assert_int_eq(logstore_truncate_after(store, 750, 0), 0);
        append_many(20);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- what trims find ---- */

START_TEST(voids_are_no_records_to_keep)
{
        struct logstore_bounds bounds;

        make_bucket();
        open_store("store");
        append_many(300);
        for (unsigned i = 0; i < 600; i++) {
                struct logstore_claim claim;

                ck_assert_int_eq(logstore_claim(store, 400, &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
        append_many(5);
        expect_ok(ship("store"));
        expect_ok(trim((struct logstore_remote_trim_options){ .keep_records = 100 }));
        ck_assert_int_eq(logstore_set_retention(store, 0, 100, 0), 0);
        ck_assert_int_eq(logstore_apply_retention(store, 0, NULL), 0);
        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        ck_assert_uint_eq(trimmed.first, bounds.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* It has read all that is trimmed, and nothing of what is left. */
START_TEST(a_cursor_at_the_edge_goes_on)
{
        struct logstore_remote_cursor *cursor;
        struct logstore_remote *remote;
        struct logstore_record record;

        logstore_ship_close(begin(1000));
        first_with((struct logstore_remote_trim_options){ .before = 600 });
        expect_ok(logstore_remote_open(url(), NULL, NULL, &remote));
        expect_ok(logstore_remote_cursor_open(remote, 0, &cursor));
        do
                expect_ok(logstore_remote_cursor_next(cursor, &record));
        while (record.number < trimmed.first - 1);
        trim_600();
        expect_ok(logstore_remote_look(remote));
        expect_ok(logstore_remote_cursor_next(cursor, &record));
        ck_assert_uint_eq(record.number, trimmed.first);
        logstore_remote_cursor_close(cursor);
        logstore_remote_close(remote);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Somebody who may write there forges a TRIM. */
static void forge(uint64_t first_number, uint64_t checkpoint)
{
        static const uint8_t mark[COMMIT_CUT_BYTES];
        struct bucket_source source = { 0 };
        struct commit newest, forged;
        struct commit_header header;
        struct bucket *bucket;
        char name[COMMIT_NAME_BYTES];
        uint64_t seq;

        expect_ok(bucket_open(url(), &(struct bucket_options){ 0 }, &bucket));
        expect_ok(commit_list_one(bucket, &seq));
        expect_ok(commit_read(bucket, seq, &newest, NULL));
        header = *newest.header;
        header.kind = COMMIT_TRIM;
        header.seq++;
        header.first_number = first_number;
        header.checkpoint_seq = checkpoint;
        expect_ok(commit_make(&header, newest.entries, checkpoint ? 0 : header.entry_count, mark,
                              sizeof(mark), &forged));
        source.bytes = forged.bytes;
        source.size = forged.size;
        commit_name(name, header.seq);
        expect_ok(__real_bucket_put_new(bucket, name, &source, NULL));
        commit_free(&forged);
        commit_free(&newest);
        bucket_close(bucket);
}

START_TEST(a_forged_beginning_is_damage)
{
        static const uint64_t firsts[] = { 0, 1002, UINT64_C(100000000000000000) };
        struct logstore_ship *shipper = begin(1000);

        forge(firsts[_i], 0);
        expect(get_record(950), -EBADMSG);
        expect(fetch("copy", NULL), -EBADMSG);
        append_many(10);
        expect(logstore_ship_round(shipper), -EBADMSG);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Nobody could read what is shipped behind it. */
START_TEST(a_forged_checkpoint_is_not_gone_on_from)
{
        struct logstore_ship *shipper = begin(1000);

        forge(1, shipper->said.seq);
        append_many(10);
        shipper->patience_ns = -1;
        ck_assert_int_lt(logstore_ship_round(shipper), 0);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Nor is a bucket made for it. */
START_TEST(a_trim_of_nothing_leaves_nothing)
{
        expect(trim_before(600), -ENOENT);
        ck_assert_int_eq(access(path("bucket"), F_OK), -1);
}
END_TEST

/* ---- what is removed ---- */

START_TEST(objects_go_with_a_trim_an_hour_later)
{
        struct logstore_ship *shipper = begin(1000);
        unsigned objects = count_objects("seg");

        logstore_ship_close(shipper);
        trim_600();
        ck_assert_uint_eq(count_objects("seg"), objects);
        expect_ok(trim_before(600));
        ck_assert_uint_eq(count_objects("seg"), objects);
        age("c");
        age("seg");
        expect_ok(trim_before(600));
        ck_assert_uint_gt(trimmed.removed, 3);
        ck_assert_uint_lt(count_objects("seg"), objects - 3);
        expect_ok(trim_before(600));
        ck_assert_uint_eq(trimmed.removed, 0);
        expect_rest(trimmed.first);
        expect_ok(ship("store"));
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(objects_go_with_a_shipper_an_hour_later)
{
        struct logstore_ship *shipper = begin(1000);
        unsigned objects = count_objects("seg");

        trim_600();
        age("c");
        age("seg");
        append_many(1);
        shipper->collect_ns = 0;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_lt(count_objects("seg"), objects - 3);
        expect_rest(trimmed.first);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* The shipper has put an object and sleeps before its commit, as long as it likes. */
static void sleep_and_trim(void)
{
        trim_600();
        age("c");
        age("seg");
        expect_ok(trim_before(600));
        ck_assert_uint_gt(trimmed.removed, 3);
}

START_TEST(an_object_whose_commit_is_late_stays)
{
        struct logstore_ship *shipper = begin(1000);

        append_many(500);
        before_commit = sleep_and_trim;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_ptr_null(before_commit);
        expect_rest(trimmed.first);
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* A trim that was killed behind its commit: the next one writes the checkpoint. */
START_TEST(a_trim_without_its_checkpoint_is_made_good)
{
        struct logstore_ship *shipper = begin(1000);
        unsigned objects = count_objects("seg");

        logstore_ship_close(shipper);
        no_puts = true;
        trim_600();
        no_puts = false;
        expect_ok(trim_before(600));
        ck_assert_uint_ne(trimmed.commit, 0);
        age("c");
        age("seg");
        expect_ok(trim_before(600));
        ck_assert_uint_lt(count_objects("seg"), objects - 3);
        expect_rest(trimmed.first);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* As of the claims of a log that begins anew, no segment is there. The shipper sleeps before the
 * commit of its first object. */
static void sleep_and_remove(void)
{
        age("c");
        age("seg");
        expect_ok(trim_before(1));
}

START_TEST(an_object_of_a_log_that_begins_anew_stays)
{
        struct logstore_ship *shipper = begin(1000);

        trim_600();
        ck_assert_int_eq(logstore_truncate_after(store, 250, 0), 0);
        append_many(20);
        logstore_ship_close(shipper);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        before_commit = sleep_and_remove;
        expect_ok(logstore_ship_round(shipper));
        ck_assert_ptr_null(before_commit);
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Commits still carry the lines of the segments that come again. */
START_TEST(a_log_begins_anew_where_a_trim_has_no_checkpoint)
{
        struct logstore_ship *shipper = begin(1000);

        no_puts = true;
        trim_600();
        no_puts = false;
        for (unsigned i = 0; i < 3; i++) {
                char copy[20];

                snprintf(copy, sizeof(copy), "copy-%u", i);
                ck_assert_int_eq(logstore_truncate_after(store, 250 - 60 * i, 0), 0);
                append_many(20);
                expect_ok(logstore_ship_round(shipper));
                expect_fetched_same("store", copy);
        }
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* What came behind the newest checkpoint that is an hour old, readers may just have found. */
START_TEST(objects_do_not_go_with_the_trim_that_takes_them_off)
{
        struct logstore_ship *shipper = begin(300);
        unsigned objects;

        expect_ok(trim_before(100));
        append_many(700);
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        age_by("c", 20000);
        age_by("seg", 10000);
        objects = count_objects("seg");
        expect_ok(trim_before(900));
        ck_assert_uint_gt(trimmed.segments, 3);
        ck_assert_uint_eq(count_objects("seg"), objects);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(without_the_right_to_remove_nothing_is_trimmed)
{
        unsigned commits;

        logstore_ship_close(begin(1000));
        commits = count_objects("c");
        may_not_remove = true;
        expect(trim_before(600), -EACCES);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "nothing is trimmed"));
        ck_assert_uint_eq(count_objects("c"), commits);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(where_nothing_was_shipped_nothing_is_trimmed)
{
        make_bucket();
        expect(trim_before(600), -ENODATA);
        ck_assert_uint_eq(count_objects("probe"), 0);
        ck_assert_uint_eq(count_objects("c"), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_is_trimmed_is_not_on_the_log, 0 },
                { no_more_goes_than_is_in_objects, 0 },
                { each_limit_says_what_stays, 0 },
                { a_shipper_goes_on_behind_a_trim, 0 },
                { a_shipper_of_whole_segments_goes_on_behind_a_trim, 0 },
                { a_shipper_with_lost_requests_and_replies_goes_on_behind_trims, 0 },
                { a_trim_goes_on_behind_a_shipper, 0 },
                { of_two_trims_the_later_record_counts, 0 },
                { a_trim_is_no_shipper, 0 },
                { a_cut_below_what_was_trimmed_begins_anew, 0 },
                { a_cut_above_what_was_trimmed_goes_on, 0 },
                { objects_go_with_a_trim_an_hour_later, 0 },
                { objects_go_with_a_shipper_an_hour_later, 0 },
                { an_object_whose_commit_is_late_stays, 0 },
                { a_trim_without_its_checkpoint_is_made_good, 0 },
                { without_the_right_to_remove_nothing_is_trimmed, 0 },
                { where_nothing_was_shipped_nothing_is_trimmed, 0 },
                { an_object_of_a_log_that_begins_anew_stays, 0 },
                { a_log_begins_anew_where_a_trim_has_no_checkpoint, 0 },
                { objects_do_not_go_with_the_trim_that_takes_them_off, 0 },
                { voids_are_no_records_to_keep, 0 },
                { a_cursor_at_the_edge_goes_on, 0 },
                { a_forged_beginning_is_damage, 3 },
                { a_forged_checkpoint_is_not_gone_on_from, 0 },
                { a_trim_of_nothing_leaves_nothing, 0 },
        };

        return RUN_TESTS("ship_trim", tests);
}
