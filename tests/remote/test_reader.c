/*
 * test_reader.c - a log read in its bucket is the log, however it was shipped
 */
#include <pthread.h>

#include "reader_support.h"
#include "remote/reader_private.h"
#include "remote/ship_private.h"

static const char buffer_of_200[200];

/* ---- the same log ---- */

static const struct {
        unsigned rounds, records;
        uint64_t cache_bytes;
        unsigned fail_each;
        uint32_t compress;
} logs[] = {
        { 1, 10, 0, 0, 0 },          /* tails alone */
        { 1, 400, 0, 0, 0 },         /* objects, without a checkpoint */
        { 20, 17, 0, 0, 0 },         /* tails and objects in turns */
        { 150, 20, 0, 0, 0 },        /* behind checkpoints */
        { 150, 20, 1 << 20, 0, 0 },  /* a cache for one piece */
        { 20, 40, 200 << 10, 0, 0 }, /* and for none */
        { 30, 40, 0, 7, 0 },         /* answers are lost */
        { 1, 400, 0, 0, 3 },         /* packed */
        { 150, 20, 0, 0, 3 },        { 30, 40, 0, 7, 3 },
};

START_TEST(what_is_read_there_is_what_is_here)
{
        struct logstore_remote *remote;

        compress = logs[_i].compress;
        open_store(64 << 10);
        for (unsigned i = 0; i < logs[_i].rounds; i++) {
                append_many(logs[_i].records);
                if (i % 3 == 0)
                        add_voids();
                if (i % 4 == 0)
                        add_batch(50);
                ship();
        }
        remote = open_remote(logs[_i].cache_bytes);
        fail_each = logs[_i].fail_each;
        expect_same_log(remote);
        fail_each = 0;
        logstore_remote_close(remote);
        end();
}
END_TEST

/* Frames that go over the edges of pieces, and records larger than tails. */
START_TEST(large_records_and_batches_are_read)
{
        struct logstore_remote *remote;

        compress = _i / 2 * 3u;
        open_store(32 << 20);
        for (int i = 0; i < 4; i++) {
                append_many(100);
                append((size_t)9 << 20, (char)('A' + i));
                add_batch(40000);
                append((size_t)(700 + 300 * i) << 10, 'x');
                append((size_t)(700 + 300 * i) << 10, 'y');
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                if (_i % 2 == 1 || i == 3)
                        ship();
        }
        remote = open_remote(0);
        expect_same_log(remote);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- requests ---- */

/* Tails, objects, a checkpoint, and some more behind it. */
static void ship_much(void)
{
        open_store(64 << 10);
        for (int i = 0; i < 120; i++) {
                append_many(20);
                ship();
        }
}

START_TEST(a_cold_get_costs_three_requests)
{
        struct logstore_remote *remote;
        struct logstore_cursor *here;
        struct logstore_record record, left;
        char buffer[4000];
        uint64_t number;

        ship_much();
        ck_assert_int_eq(logstore_cursor_open(store, 0, &here), 0);
        ck_assert_uint_gt(shipper->last.checkpoint_number, 1000);
        for (number = 1; number < 800; number += 37) {
                requests = 0;
                remote = open_remote(0);
                expect_ok(logstore_remote_get(remote, number, buffer, sizeof(buffer), &record));
                ck_assert_msg(requests <= 3, "record %" PRIu64 ": %u requests", number, requests);
                ck_assert_int_eq(logstore_cursor_get(here, number, &left), 0);
                expect_same(&left, &record);
                logstore_remote_close(remote);
        }
        logstore_cursor_close(here);
        end();
}
END_TEST

/* Records that lie over the edges of a piece, too. */
START_TEST(a_cold_get_over_an_edge_costs_three_requests)
{
        struct logstore_remote *remote;
        struct logstore_record record;
        char *buffer = malloc(3 << 20);

        compress = _i * 3u;
        open_store(8 << 20);
        for (int i = 0; i < 70; i++) {
                append((size_t)(300 + i * 7) << 10, (char)('a' + i % 26));
                append(100, '-');
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                if (i >= 4)
                        ship();
        }
        ck_assert_uint_gt(shipper->last.checkpoint_number, 100);
        for (uint64_t number = 1; number <= 100; number++) {
                requests = 0;
                remote = open_remote(0);
                expect_ok(logstore_remote_get(remote, number, buffer, 3 << 20, &record));
                ck_assert_msg(requests <= 3, "record %" PRIu64 ": %u requests", number, requests);
                logstore_remote_close(remote);
        }
        free(buffer);
        end();
}
END_TEST

/* Objects that no checkpoint has as yet have their directories in their commits. */
START_TEST(a_get_without_a_checkpoint_costs_four_requests)
{
        struct logstore_remote *remote;
        struct logstore_record record;
        char buffer[4000];

        compress = _i * 3u;
        open_store(8 << 20);
        for (int i = 0; i < 30000; i++)
                append(1000, (char)('a' + i % 26));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store(8 << 20);
        ship();
        ck_assert_uint_eq(shipper->last.checkpoint_seq, 0);
        for (uint64_t number = 1; number < 30000; number += 4321) {
                requests = 0;
                remote = open_remote(0);
                expect_ok(logstore_remote_get(remote, number, buffer, sizeof(buffer), &record));
                ck_assert_msg(requests <= 4, "record %" PRIu64 ": %u requests", number, requests);
                logstore_remote_close(remote);
        }
        end();
}
END_TEST

/* Neither a checkpoint nor a commit has it. So it is made, once. */
START_TEST(a_directory_that_is_gone_is_made_anew)
{
        struct logstore_remote *remote;

        compress = _i * 3u;
        open_store(8 << 20);
        for (int i = 0; i < 3000; i++)
                append((size_t)(i * 37 % 13000), (char)('a' + i % 26));
        ck_assert_int_eq(logstore_close(store), 0);
        open_store(8 << 20);
        ship();
        append(10, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ship();
        for (uint64_t seq = 1; seq + 2 < shipper->last.seq; seq++) {
                char name[COMMIT_NAME_BYTES];

                commit_name(name, seq);
                ck_assert_int_eq(unlink(path("bucket/%s", name)), 0);
        }
        remote = open_remote(0);
        expect_same_log(remote);
        expect_ok(logstore_remote_verify(remote, 0, NULL, NULL));
        logstore_remote_close(remote);
        end();
}
END_TEST

/* Each shipper knows the directories of its own objects alone. */
START_TEST(a_checkpoint_has_the_directories_of_shippers_before)
{
        struct logstore_remote *remote;
        unsigned objects = 0;

        open_store(64 << 10);
        for (int i = 0; i < 80; i++) {
                append_many(40);
                ship();
                if (i % 3 == 0) {
                        logstore_ship_close(shipper);
                        shipper = NULL;
                }
        }
        remote = open_remote(0);
        expect_ok(logstore_remote_look(remote));
        ck_assert_uint_ne(remote->log.head.checkpoint_seq, 0);
        for (size_t i = 0; i < remote->log.table.count; i++) {
                const struct table_line *line = &remote->log.table.lines[i];

                if (line->entry.object_bytes == 0 ||
                    line->entry.seq > remote->log.head.checkpoint_seq)
                        continue;
                objects++;
                ck_assert_ptr_nonnull(line->blocks);
        }
        ck_assert_uint_gt(objects, 10);
        logstore_remote_close(remote);
        end();
}
END_TEST

START_TEST(a_look_costs_one_request_and_two_if_there_is_more)
{
        struct logstore_remote *remote;
        struct logstore_bounds bounds;

        ship_much();
        remote = open_remote(0);
        expect_ok(logstore_remote_look(remote));
        requests = 0;
        expect_ok(logstore_remote_look(remote));
        ck_assert_uint_eq(requests, 1);
        for (int i = 0; i < 5; i++) { /* commits */
                append_many(3);
                ship();
        }
        requests = 0;
        expect_ok(logstore_remote_look(remote));
        ck_assert_uint_eq(requests, 2);
        expect_ok(logstore_remote_bounds(remote, &bounds));
        ck_assert_uint_eq(bounds.tail, 2415);
        ck_assert_uint_eq(requests, 2);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- the cache ---- */

static uint64_t scan(struct logstore_remote *remote, uint64_t *ret_most)
{
        struct logstore_remote_cursor *cursor = open_cursor(remote);
        struct logstore_record record;
        uint64_t count = 0;

        *ret_most = 0;
        while (logstore_remote_cursor_next(cursor, &record) == 0) {
                uint64_t bytes = pieces_kept_bytes(remote->pieces);

                count++;
                *ret_most = bytes > *ret_most ? bytes : *ret_most;
        }
        logstore_remote_cursor_close(cursor);
        return count;
}

START_TEST(the_cache_keeps_its_budget)
{
        struct logstore_remote *remote;
        uint64_t most, budget = (uint64_t)(2 + _i * 6) << 20;

        open_store(16 << 20);
        for (int i = 0; i < 4480; i++)
                append(15000, (char)('a' + i % 26));
        ck_assert_int_eq(logstore_close(store), 0); /* seals */
        open_store(16 << 20);
        ship();
        remote = open_remote(budget);
        ck_assert_uint_eq(scan(remote, &most), 4480);
        ck_assert_uint_le(most, budget);
        ck_assert_uint_ge(most, budget / 2);
        requests = 0;
        ck_assert_uint_eq(scan(remote, &most), 4480); /* several pieces come with one request */
        ck_assert_msg(requests < 90, "%u requests for 64 MiB", requests);
        logstore_remote_close(remote);
        end();
}
END_TEST

START_TEST(what_was_read_lately_costs_no_request)
{
        struct logstore_remote *remote;
        struct logstore_record record;
        char buffer[4000];
        uint64_t most;

        ship_much();
        remote = open_remote(0);
        ck_assert_uint_eq(scan(remote, &most), 2400);
        requests = 0;
        for (uint64_t number = 1; number < 2400; number += 11)
                expect_ok(logstore_remote_get(remote, number, buffer, sizeof(buffer), &record));
        ck_assert_uint_le(requests, 40); /* directories of objects behind the checkpoint */
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- times ---- */

START_TEST(times_are_found_as_they_are_here)
{
        struct logstore_remote *remote;
        struct logstore_remote_cursor *there;
        struct logstore_cursor *here;
        unsigned seed = 5;

        open_store(64 << 10);
        for (int i = 0; i < 2000; i++) { /* clocks go back now and then */
                struct logstore_entry entry = { buffer_of_200, 200,
                                                i * 10 + 1 - (i % 50 == 7) * 3000 };

                if (entry.time_ns <= 0)
                        entry.time_ns = 1;
                ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
                if (i % 200 == 0) {
                        ck_assert_int_eq(logstore_sync(store, 0), 0);
                        ship();
                }
        }
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ship();
        remote = open_remote(0);
        there = open_cursor(remote);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &here), 0);
        for (int i = 0; i < 300; i++) {
                int64_t time_ns = rand_r(&seed) % 21000 - 100;

                ck_assert_int_eq(logstore_cursor_seek_time(here, time_ns), 0);
                expect_ok(logstore_remote_cursor_seek_time(there, time_ns));
                ck_assert_uint_eq(logstore_cursor_position(here),
                                  logstore_remote_cursor_position(there));
        }
        logstore_cursor_close(here);
        logstore_remote_cursor_close(there);
        logstore_remote_close(remote);
        end();
}
END_TEST

/* ---- in any order ---- */

static void do_the_same(struct logstore_cursor *here, struct logstore_remote_cursor *there,
                        unsigned *seed)
{
        uint64_t number = (uint64_t)rand_r(seed) % 1950;
        struct logstore_record left = { 0 }, right = { 0 };
        int act = rand_r(seed) % 8, times = act < 6 ? rand_r(seed) % 30 : 1, l = 0, r = 0;

        for (int i = 0; i < times && l == 0; i++) {
                if (act < 3) {
                        l = logstore_cursor_next(here, &left);
                        r = logstore_remote_cursor_next(there, &right);
                } else if (act < 6) {
                        l = logstore_cursor_prev(here, &left);
                        r = logstore_remote_cursor_prev(there, &right);
                } else if (act == 6) {
                        l = logstore_cursor_seek(here, number);
                        r = logstore_remote_cursor_seek(there, number);
                } else {
                        l = logstore_cursor_get(here, number, &left);
                        r = logstore_remote_cursor_get(there, number, &right);
                }
                ck_assert_msg(l == r, "act %d, %" PRIu64 ": %d here, %d there: %s", act, number, l,
                              r, logstore_remote_detail());
                if (l == 0)
                        expect_same(&left, &right);
        }
}

START_TEST(any_order_of_calls_gives_the_same)
{
        struct logstore_remote *remote;
        struct logstore_remote_cursor *there;
        struct logstore_cursor *here;
        unsigned seed = (unsigned)_i;

        compress = _i % 3 == 2 ? 3 : 0;
        open_store(64 << 10);
        for (int i = 0; i < 75; i++) {
                append_many(20);
                if (i % 7 == 0)
                        add_voids();
                if (i % 9 == 0)
                        add_batch(30);
                ship();
        }
        remote = open_remote(_i % 2 ? 300 << 10 : 0);
        there = open_cursor(remote);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &here), 0);
        for (int i = 0; i < 2000; i++)
                do_the_same(here, there, &seed);
        logstore_cursor_close(here);
        logstore_remote_cursor_close(there);
        logstore_remote_close(remote);
        end();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_is_read_there_is_what_is_here, CASES(logs) },
                { large_records_and_batches_are_read, 4 },
                { a_cold_get_costs_three_requests, 0 },
                { a_cold_get_over_an_edge_costs_three_requests, 2 },
                { a_get_without_a_checkpoint_costs_four_requests, 2 },
                { a_directory_that_is_gone_is_made_anew, 2 },
                { a_checkpoint_has_the_directories_of_shippers_before, 0 },
                { a_look_costs_one_request_and_two_if_there_is_more, 0 },
                { the_cache_keeps_its_budget, 3 },
                { what_was_read_lately_costs_no_request, 0 },
                { times_are_found_as_they_are_here, 0 },
                { any_order_of_calls_gives_the_same, 4 },
        };

        return RUN_TESTS("reader", tests);
}
