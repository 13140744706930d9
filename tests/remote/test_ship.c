/*
 * test_ship.c - what is shipped is fetched, whatever replies are lost and whoever else ships
 */
#include "ship_support.h"

/* ---- the same log ---- */

static void add_voids(void)
{
        struct logstore_claim claim;

        for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
}

static void add_batch(void)
{
        struct logstore_entry entries[50];

        for (int i = 0; i < 50; i++)
                entries[i] = (struct logstore_entry){ "batch", 5, 1000 + i };
        ck_assert_int_eq(logstore_append_batch(store, entries, 50, NULL), 0);
}

START_TEST(what_is_shipped_is_fetched)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(200);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 20; i++) { /* sealed, begun, nothing new */
                expect_ok(logstore_ship_round(shipper));
                if (i % 3 == 0)
                        add_voids();
                if (i % 4 == 0)
                        add_batch();
                if (i % 2 == 0)
                        append_many(17);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
        }
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* A batch that no tail can hold. */
START_TEST(a_large_record_goes_as_an_object)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        make_bucket();
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        ck_assert_int_eq(logstore_open(path("store"), &options, &store), 0);
        append(100, 'x');
        append((size_t)9 << 20, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        append(100, 'z');
        append((size_t)3 << 20, 'y'); /* more than a window */
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_ok(ship("store"));
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(what_is_not_durable_is_not_shipped)
{
        struct logstore_fetch_report report;

        make_bucket();
        open_store("store");
        append_many(10);
        append(10, 'x');
        expect_ok(ship("store"));
        expect_ok(fetch("copy", &report));
        ck_assert_uint_eq(report.end.number, 10);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static const struct {
        unsigned request, reply;
} losses[] = { { 2, 0 }, { 0, 2 }, { 3, 0 }, { 0, 3 }, { 3, 5 } };

START_TEST(lost_requests_and_replies_lose_and_double_nothing)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(60);
        lose_request = losses[_i].request;
        lose_reply = losses[_i].reply;
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        for (int i = 0; i < 5; i++) {
                expect_ok(logstore_ship_round(shipper));
                append_many(7);
        }
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- two shippers ---- */

START_TEST(who_is_overtaken_stops_and_says_so)
{
        struct logstore_ship *first, *second;

        make_bucket();
        open_store("store");
        append_many(30);
        first = open_ship("store");
        second = open_ship("store");
        expect_ok(logstore_ship_start(first));
        expect_ok(logstore_ship_round(first));
        expect_ok(logstore_ship_start(second));
        append_many(3);
        expect(logstore_ship_round(first), -EPIPE);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "has taken over"));
        expect_ok(logstore_ship_round(second));
        expect_ok(logstore_ship_start(first)); /* and back again */
        append_many(3);
        expect(logstore_ship_round(second), -EPIPE);
        expect_ok(logstore_ship_round(first));
        logstore_ship_close(first);
        logstore_ship_close(second);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

static struct logstore_ship *other;

static void other_takes_over(void)
{
        expect_ok(logstore_ship_start(other));
        append_many(20);
        expect_ok(logstore_ship_round(other));
}

/* The name that the sleeper is about to create was used and removed meanwhile. */
static void other_goes_far_beyond(void)
{
        other_takes_over();
        for (uint64_t seq = 1; seq < other->last.seq; seq++) {
                char name[COMMIT_NAME_BYTES];

                commit_name(name, seq);
                unlink(path("bucket/%s", name));
        }
}

/* The first shipper sleeps right before its commit is created, and wakes to another's log. */
START_TEST(a_sleeper_is_told)
{
        struct logstore_ship *sleeper;
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };
        int r;

        make_bucket();
        open_store("store");
        append_many(30);
        sleeper = open_ship("store");
        other = open_ship("store");
        expect_ok(logstore_ship_start(sleeper));
        expect_ok(logstore_ship_round(sleeper));
        append_many(1);
        before_commit = _i == 0 ? other_takes_over : other_goes_far_beyond;
        if (_i == 1) /* as the server's clock would tell */
                sleeper->confirmed.server_ns -= 2 * CONFIRMED_SERVER_NS;
        r = logstore_ship_round(sleeper);
        expect_ok(logstore_ship_tell(sleeper, &report));
        if (_i == 0)
                expect(r, -EPIPE);
        else /* what it created does not count: it looks anew, and takes over in earnest */
                ck_assert_msg(r == 0 && report.term > other->last.term, "%d: %s", r,
                              logstore_remote_detail());
        expect_ok(ship("store"));
        logstore_ship_close(sleeper);
        logstore_ship_close(other);
        if (_i == 0)
                expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- refused ---- */

START_TEST(a_bucket_that_creates_twice_is_refused)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(3);
        shipper = open_ship("store");
        if (_i == 0) {
                versioned = true;
                expect(logstore_ship_start(shipper), -EOPNOTSUPP);
        } else { /* switched on later: the second creation of the claim shows it */
                expect_ok(logstore_ship_start(shipper));
                versioned = true;
                expect(ship_take_over(shipper), -EOPNOTSUPP);
        }
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "twice"));
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(another_stores_log_is_refused)
{
        make_bucket();
        open_store("store");
        append_many(3);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("second");
        append_many(3);
        expect(ship("second"), -EMEDIUMTYPE);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* Two copies of one store go on by themselves. The second one may be the shorter or the longer. */
START_TEST(a_diverged_copy_is_refused)
{
        make_bucket();
        open_store("store");
        append_many(40);
        if (_i % 2)
                expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        copy_store("store", "copy");
        open_store("store");
        append_many(_i / 2 ? 3 : 50);
        expect_ok(ship("store"));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store("copy");
        append_many(20);
        expect(ship("copy"), -EILSEQ);
        ck_assert_ptr_nonnull(strstr(logstore_remote_detail(), "diverged"));
        if (_i == 2) /* nor does a cut excuse it: that end was never this copy's */
                ck_assert_int_eq(logstore_truncate_after(store, 30, 0), 0);
        expect(ship("copy"), -EILSEQ);
        ck_assert_int_eq(logstore_close(store), 0);
        expect_fetched_same("store", "fetched");
}
END_TEST

/* ---- fetches ---- */

START_TEST(a_fetch_that_ended_early_goes_on)
{
        struct logstore_fetch_report report;

        make_bucket();
        open_store("store");
        append_many(300);
        expect_ok(ship("store"));
        gets_left = 5;
        expect(fetch("copy", NULL), -EACCES);
        gets_left = -1;
        ck_assert_int_ne(access(path("copy"), F_OK), 0);
        expect_ok(fetch("copy", &report));
        ck_assert_uint_gt(report.kept_bytes, 0);
        ck_assert_int_eq(logstore_verify(path("copy"), NULL, NULL), 0);
        expect_same(path("store"), path("copy"));
        expect(fetch("copy", NULL), -EEXIST);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(a_damaged_or_missing_object_is_told)
{
        make_bucket();
        open_store("store");
        append_many(200);
        expect_ok(ship("store"));
        spoil("seg", _i);
        expect(fetch("copy", NULL), -EBADMSG);
        ck_assert_msg(strstr(logstore_remote_detail(), _i ? "missing" : "checksum"), "%s",
                      logstore_remote_detail());
        ck_assert_int_ne(access(path("copy"), F_OK), 0);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(two_fetches_to_one_place_do_not_mix)
{
        int fd;

        make_bucket();
        open_store("store");
        append_many(20);
        expect_ok(ship("store"));
        ck_assert_int_eq(mkdir(path("copy.fetch"), 0700), 0);
        fd = open(path("copy.fetch"), O_RDONLY | O_DIRECTORY);
        ck_assert_int_eq(flock(fd, LOCK_EX), 0); /* as a fetch at work */
        expect(fetch("copy", NULL), -EBUSY);
        close(fd);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(an_empty_bucket_has_no_log)
{
        make_bucket();
        expect(fetch("copy", NULL), -ENODATA);
}
END_TEST

/* ---- a slow network ---- */

static unsigned uploads;

static void take_long(void)
{
        ck_assert_uint_lt(uploads++, 100);
        other->confirmed.sent_ns -= 2 * CONFIRMED_NS;
        before_put = take_long;
}

/* Each object takes longer than a confirmation lasts. */
START_TEST(objects_that_take_long_are_sent_once)
{
        uint64_t term;

        make_bucket();
        open_store("store");
        append_many(200);
        other = open_ship("store");
        other->connections = 1; /* one at a time, in this thread */
        expect_ok(logstore_ship_start(other));
        term = other->last.term;
        before_put = take_long;
        expect_ok(logstore_ship_round(other));
        before_put = NULL;
        ck_assert_uint_eq(other->last.term, term);
        ck_assert_uint_eq(other->report.objects, count_objects("seg"));
        logstore_ship_close(other);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- several objects at once ---- */

START_TEST(segments_are_put_at_once_and_committed_in_order)
{
        struct logstore_remote_options remote = LOGSTORE_REMOTE_OPTIONS_INIT;
        struct logstore_ship *shipper;
        uint64_t before = 0;

        make_bucket();
        open_store("store");
        append_many(600);
        slow_ms = 20;
        remote.connections = 3;
        expect_ok(logstore_ship_open(path("store"), url(), &remote, NULL, &shipper));
        expect_ok(logstore_ship_start(shipper));
        expect_ok(logstore_ship_round(shipper));
        ck_assert_uint_eq(puts_most, 3);
        ck_assert_uint_gt(shipper->since_count, 6);
        for (uint32_t i = 0; i < shipper->since_count; i++) {
                ck_assert_uint_gt(shipper->since[i].id, before);
                before = shipper->since[i].id;
        }
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

START_TEST(segments_before_one_that_fails_are_shipped)
{
        struct logstore_ship *shipper;

        make_bucket();
        open_store("store");
        append_many(600);
        shipper = open_ship("store");
        expect_ok(logstore_ship_start(shipper));
        refused_id = 5;
        expect(logstore_ship_round(shipper), -EACCES);
        ck_assert_ptr_nonnull(strstr(remote_detail_line(), "not this one"));
        ck_assert_uint_eq(shipper->last.end.id, 4);
        expect_ok(fetch("beginning", NULL));
        refused_id = 0;
        expect_ok(logstore_ship_round(shipper));
        logstore_ship_close(shipper);
        expect_fetched_same("store", "copy");
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

/* ---- whatever happens ---- */

static unsigned dice_state;
static bool has_floor; /* a copy has none until it ships: then what is trimmed is missed */

static unsigned dice(unsigned sides)
{
        dice_state = dice_state * 1103515245 + 12345;
        return (dice_state >> 16) % sides;
}

/* As retention does, which a floor with a limit does not hold up for long. */
static void keep_little(unsigned segments)
{
        ck_assert_int_eq(logstore_set_retention(store, segments * (UINT64_C(64) << 10), 0, 0), 0);
        logstore_apply_retention(store, 0, NULL);
        ck_assert_int_eq(logstore_set_retention(store, 0, 0, 0), 0);
}

static void change_log(void)
{
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        switch (dice(8)) {
        case 0:
                if (bounds.tail >= bounds.first)
                        logstore_truncate_after(
                                store,
                                bounds.first + dice((unsigned)(bounds.tail - bounds.first + 1)), 0);
                break;
        case 1:
                if (max_lag_bytes && dice(2))
                        keep_little(1 + dice(4));
                else if (has_floor)
                        logstore_trim_before(store, bounds.first + dice(60), NULL);
                break;
        case 2:
                add_voids();
                break;
        case 3:
                add_batch();
                break;
        case 4:
                if (dice(5) == 0)
                        logstore_truncate_after(store, 0, dice(2) ? bounds.tail + 1 + dice(9) : 0);
                break;
        default:
                append_many(1 + dice(30));
        }
        logstore_sync(store, 0);
}

static void change_now_and_then(void)
{
        if (dice(3) == 0)
                change_log();
}

static unsigned copies;

static void fetch_or_change(void)
{
        char name[32];
        int r;

        if (dice(4) == 0) {
                snprintf(name, sizeof(name), "copy.%u", copies++);
                r = fetch(name, NULL);
                ck_assert_msg(r == 0 || r == -ENODATA, "fetch: %d: %s", r, remote_detail_line());
                if (r == 0)
                        ck_assert_msg(logstore_verify(path("%s", name), NULL, NULL) == 0, "%s: %s",
                                      name, logstore_detail());
        }
        if (dice(6) == 0)
                change_log();
        before_commit = fetch_or_change;
}

/* The local log is what the copy ends with. */
static void expect_same_end(const char *copy)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_cursor *cursors[2];
        struct logstore_record records[2];
        struct logstore_bounds bounds;
        struct logstore *other_store;
        int r[2];

        ck_assert_int_eq(logstore_bounds(store, &bounds), 0);
        options.flags = LOGSTORE_READ_ONLY;
        ck_assert_int_eq(logstore_open(path("%s", copy), &options, &other_store), 0);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursors[0]), 0);
        ck_assert_int_eq(logstore_cursor_open(other_store, 0, &cursors[1]), 0);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(logstore_cursor_seek(cursors[i], bounds.first), 0);
        do {
                for (int i = 0; i < 2; i++)
                        r[i] = logstore_cursor_next(cursors[i], &records[i]);
                ck_assert_msg(r[0] == r[1], "%d and %d: %s", r[0], r[1], logstore_detail());
                if (r[0] == 0) {
                        ck_assert_uint_eq(records[0].number, records[1].number);
                        ck_assert_int_eq(records[0].time_ns, records[1].time_ns);
                        ck_assert_uint_eq(records[0].size, records[1].size);
                        if (records[0].size)
                                ck_assert_mem_eq(records[0].data, records[1].data, records[0].size);
                }
        } while (r[0] == 0);
        for (int i = 0; i < 2; i++)
                logstore_cursor_close(cursors[i]);
        ck_assert_int_eq(logstore_close(other_store), 0);
}

/* The machine crashes, or another one goes on with what was fetched. */
static void go_on_with(const char *copy)
{
        struct logstore *dead = store;
        char command[1400];

        if (copy) {
                ck_assert_int_eq(logstore_close(store), 0);
                dead = NULL;
                has_floor = false;
        } else {
                copy_store("store", "crashed");
        }
        snprintf(command, sizeof(command), "rm -rf %s && mv %s %s", path("store"),
                 path("%s", copy ? copy : "crashed"), path("store"));
        ck_assert_int_eq(system(command), 0);
        open_store("store");
        if (dead)
                logstore_close(dead); /* its directory is gone */
}

START_TEST(whatever_happens_the_log_is_fetched)
{
        struct logstore_ship *shipper = NULL;
        char name[32], command[700];

        level = _i % 2;
        max_lag_bytes = _i < 8 ? 0 : UINT64_C(64) << 10;
        dice_state = (unsigned)_i * 7919 + (getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1);
        make_bucket();
        open_store("store");
        for (int i = 0; i < 40; i++) {
                int r;

                for (unsigned j = dice(4); j > 0; j--)
                        change_log();
                if (dice(3) == 0) { /* reopened */
                        ck_assert_int_eq(logstore_close(store), 0);
                        open_store("store");
                }
                if (dice(4) == 0 && shipper) {
                        logstore_ship_close(shipper);
                        shipper = NULL;
                }
                if (!shipper) {
                        shipper = open_ship("store");
                        shipper->patience_ns = 3 * SECOND_NS;
                        expect_ok(logstore_ship_start(shipper));
                }
                has_floor = true;
                if (dice(4) == 0) {
                        age("c");
                        if (access(path("bucket/seg"), F_OK) == 0)
                                age("seg");
                        shipper->collect_ns = 0;
                }
                after_look = dice(2) ? change_now_and_then : NULL;
                before_commit = dice(2) ? fetch_or_change : NULL;
                r = logstore_ship_round(shipper);
                after_look = before_commit = NULL;
                ck_assert_msg(r == 0, "round %d: %d: %s", i, r, remote_detail_line());
                expect_ok(logstore_ship_round(shipper));
                snprintf(name, sizeof(name), "copy.%u", copies++);
                expect_ok(fetch(name, NULL));
                ck_assert_msg(logstore_verify(path("%s", name), NULL, NULL) == 0, "%s: %s", name,
                              logstore_detail());
                expect_same_end(name);
                if (dice(6) == 0) {
                        logstore_ship_close(shipper);
                        shipper = NULL;
                        go_on_with(dice(2) ? name : NULL);
                }
                snprintf(command, sizeof(command), "rm -rf %s/copy.*", directory);
                ck_assert_int_eq(system(command), 0);
        }
        logstore_ship_close(shipper);
        ck_assert_int_eq(logstore_close(store), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_is_shipped_is_fetched, 0 },
                { a_large_record_goes_as_an_object, 0 },
                { what_is_not_durable_is_not_shipped, 0 },
                { lost_requests_and_replies_lose_and_double_nothing, CASES(losses) },
                { who_is_overtaken_stops_and_says_so, 0 },
                { a_sleeper_is_told, 2 },
                { a_bucket_that_creates_twice_is_refused, 2 },
                { another_stores_log_is_refused, 0 },
                { a_diverged_copy_is_refused, 4 },
                { a_fetch_that_ended_early_goes_on, 0 },
                { a_damaged_or_missing_object_is_told, 2 },
                { two_fetches_to_one_place_do_not_mix, 0 },
                { an_empty_bucket_has_no_log, 0 },
                { objects_that_take_long_are_sent_once, 0 },
                { segments_are_put_at_once_and_committed_in_order, 0 },
                { segments_before_one_that_fails_are_shipped, 0 },
                { whatever_happens_the_log_is_fetched, 16 },
        };

        return RUN_TESTS("ship", tests);
}
