/*
 * test_truncate.c - taking back the end: nothing stale ever comes again
 */
#include "test_threads_support.h"

static void append_marked(unsigned count, const char *mark)
{
        char text[200];

        for (unsigned i = 0; i < count; i++) {
                snprintf(text, sizeof(text), "%s %0150" PRIu64, mark, bounds_of(store).tail + 1);
                append_text(text);
        }
}

static void expect_marked(struct logstore *where, uint64_t from, uint64_t to, const char *mark)
{
        char text[200];

        for (uint64_t number = from; number <= to; number++) {
                snprintf(text, sizeof(text), "%s %0150" PRIu64, mark, number);
                expect_text(where, number, text);
        }
}

/* The cut falls in the active segment, in an earlier one, at a segment's end, or at the start. */
#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
static const uint64_t cuts[] = { 999, 950, 700, 400, 342, 341, 340, 100, 1 };

START_TEST(a_shorter_rewrite_shows_nothing_stale)
{
        uint64_t cut = cuts[_i / 2];
        struct logstore_record record;
        char buffer[256];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_marked(1000, "old");
        ck_assert_int_eq(logstore_truncate_after(store, cut, 0), 0);
        ck_assert_uint_eq(bounds_of(store).tail, cut);
        append_marked(7, "new");
        if (_i % 2) {
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                crash_store();
                open_store(0);
        } else {
                reopen_store();
        }
        ck_assert_uint_eq(bounds_of(store).tail, cut + 7);
        expect_marked(store, 1, cut, "old");
        expect_marked(store, cut + 1, cut + 7, "new");
        expect_failure(logstore_get(store, cut + 8, buffer, sizeof(buffer), &record), -EAGAIN);
        append_marked(1000, "newer");
        expect_marked(store, cut + 8, cut + 1007, "newer");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &(struct logstore_verify_report){ 0 }),
                         0);
}
END_TEST

static int keep_last(void *context, const struct logstore_segment_info *info)
{
        *(uint64_t *)context = info->id;
        return 0;
}

/* That segment alone says where the log was cut, besides the seal of the one it continues. */
START_TEST(what_was_cut_does_not_come_back_when_the_new_head_is_lost)
{
        struct logstore_repair_report report;
        uint64_t cut = cuts[_i], head = 0;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_marked(1000, "old");
        ck_assert_int_eq(logstore_truncate_after(store, cut, 0), 0);
        append_marked(7, "new");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_segments(store, keep_last, &head), 0);
        crash_store();
        flip_byte(scratch("store/%010" PRIu64 ".log", head), 4);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        ck_assert_uint_eq(report.kept_last, cut);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, cut);
        expect_marked(store, 1, cut, "old");
}
END_TEST

START_TEST(readers_beyond_the_cut_are_stale_the_others_go_on)
{
        struct logstore *reader;
        struct logstore_cursor *beyond, *before;
        struct logstore_snapshot *snapshot;
        struct logstore_record record;
        char buffer[256];

        open_store(LOGSTORE_CREATE);
        append_marked(600, "old");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(_i ? reader : store, 0, &beyond), 0);
        ck_assert_int_eq(logstore_cursor_open(_i ? reader : store, 0, &before), 0);
        ck_assert_int_eq(logstore_snapshot_open(_i ? reader : store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_cursor_get(beyond, 500, &record), 0);
        ck_assert_int_eq(logstore_cursor_get(before, 100, &record), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 200, 0), 0);
        append_marked(600, "new");
        expect_failure(logstore_cursor_next(beyond, &record), -ESTALE);
        expect_failure(logstore_cursor_next(beyond, &record), -ESTALE);
        ck_assert_int_eq(logstore_cursor_seek(beyond, 201), 0);
        for (uint64_t number = 101; number <= 800; number++) {
                ck_assert_int_eq(logstore_cursor_next(before, &record), 0);
                ck_assert_uint_eq(record.number, number);
                ck_assert_mem_eq(record.data, number <= 200 ? "old" : "new", 3);
        }
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 600, &record), 0);
        ck_assert_mem_eq(record.data, "old", 3);
        ck_assert_int_eq(logstore_get(_i ? reader : store, 600, buffer, sizeof(buffer), &record),
                         0);
        ck_assert_mem_eq(buffer, "new", 3);
        logstore_snapshot_close(snapshot);
        logstore_cursor_close(beyond);
        logstore_cursor_close(before);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* Open a cursor at the first of ten old records, in the writer's process or in a reader, which goes
 * to *ret_reader. */
static struct logstore_cursor *cursor_on_ten(struct logstore **ret_reader)
{
        struct logstore_cursor *cursor;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_marked(10, "old");
        if (ret_reader)
                ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, ret_reader), 0);
        ck_assert_int_eq(logstore_cursor_open(ret_reader ? *ret_reader : store, 0, &cursor), 0);
        return cursor;
}

static void close_cursor_on(struct logstore *reader, struct logstore_cursor *cursor)
{
        logstore_cursor_close(cursor);
        if (reader)
                ck_assert_int_eq(logstore_close(reader), 0);
}

/* A cursor has read ten records, or stands behind them. Then five are cut, as many are written
 * anew, and all ten are trimmed. What is left does not continue what the cursor has read. */
START_TEST(a_cut_of_which_all_is_trimmed_is_told)
{
        bool in_writer = _i % 2, seeks = _i / 2;
        struct logstore *reader = NULL;
        struct logstore_cursor *cursor = cursor_on_ten(in_writer ? NULL : &reader);
        struct logstore_record record;
        uint64_t first;

        for (int i = 0; i < 10 && !seeks; i++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        if (seeks)
                ck_assert_int_eq(logstore_cursor_seek(cursor, 11), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        for (int i = 0; i < 6; i++)
                append_filled(12000, 'n'); /* five fit into a segment */
        ck_assert_int_eq(logstore_trim_before(store, 11, &first), 0);
        ck_assert_uint_eq(first, 11);
        expect_failure(logstore_cursor_next(cursor, &record), -ESTALE);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 0), 0);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 11);
        close_cursor_on(reader, cursor);
}
END_TEST

/* The log is cut behind all that was read, trimmed up to there, emptied: no passed record went. */
START_TEST(a_cut_behind_what_was_read_is_none)
{
        bool in_writer = _i;
        struct logstore *reader = NULL;
        struct logstore_cursor *cursor = cursor_on_ten(in_writer ? NULL : &reader);
        struct logstore_record record;
        uint64_t first;

        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        ck_assert_int_eq(logstore_trim_before(store, 11, &first), 0);
        ck_assert_uint_eq(first, 11);
        ck_assert_int_eq(logstore_truncate_after(store, 1, 0), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        append_marked(1, "new");
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 11);
        close_cursor_on(reader, cursor);
}
END_TEST

/* A cursor stands before the first record of a segment. All of that is cut, records are written
 * anew, and what the cursor has read is trimmed. Nothing that it passed was cut. */
START_TEST(a_cut_of_a_segment_from_its_beginning_is_none)
{
        struct logstore *reader = NULL;
        struct logstore_cursor *cursor = cursor_on_ten(_i ? NULL : &reader);
        struct logstore_record record;

        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        append_marked(1, "old");
        ck_assert_int_eq(logstore_cursor_get(cursor, 6, &record), 0);
        ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 6);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        append_marked(3, "new");
        ck_assert_int_eq(logstore_trim_before(store, 6, NULL), 0);
        ck_assert_uint_eq(bounds_of(store).first, 6);
        ck_assert_msg(logstore_cursor_next(cursor, &record) == 0, "%s", logstore_detail());
        ck_assert_uint_eq(record.number, 6);
        ck_assert_mem_eq(record.data, "new", 3);
        close_cursor_on(reader, cursor);
}
END_TEST

START_TEST(an_emptied_log_goes_on_at_a_later_number)
{
        struct logstore_record record;
        char buffer[256];

        open_store(LOGSTORE_CREATE);
        append_marked(500, "old");
        ck_assert_int_eq(logstore_truncate_after(store, 0, 5000), 0);
        ck_assert_uint_eq(bounds_of(store).first, 5000);
        ck_assert_uint_eq(bounds_of(store).tail, 4999);
        expect_failure(logstore_get(store, 500, buffer, sizeof(buffer), &record), -ESTALE);
        append_marked(3, "new");
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).first, 5000);
        expect_marked(store, 5000, 5002, "new");
}
END_TEST

START_TEST(a_trimmed_log_is_emptied_and_never_begins_earlier)
{
        uint64_t first;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_marked(1000, "old");
        ck_assert_int_eq(logstore_trim_before(store, 700, &first), 0);
        ck_assert_uint_gt(first, 100);
        expect_failure(logstore_truncate_after(store, 49, 50), -EINVAL);
        expect_failure(logstore_truncate_after(store, 0, first - 1), -EINVAL);
        ck_assert_int_eq(logstore_truncate_after(store, 0, 0), 0);
        ck_assert_uint_eq(bounds_of(store).first, first);
        append_marked(3, "new");
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).first, first);
        expect_marked(store, first, first + 2, "new");
}
END_TEST

static atomic_bool appending;

static void *append_on(void *unused)
{
        char data[3000] = { 0 };

        (void)unused;
        while (atomic_load(&appending))
                must(logstore_append(store, data, sizeof(data), NULL) == 0);
        return NULL;
}

/* Whoever appends while the log is cut makes the truncation busy, and loses nothing. */
START_TEST(appends_beside_truncations_are_whole)
{
        struct logstore_verify_report report = { 0 };
        pthread_t thread;

        open_store(LOGSTORE_CREATE);
        append_marked(10, "old");
        atomic_store(&appending, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, append_on, NULL), 0);
        for (unsigned i = 0; i < 60; i++) {
                uint64_t tail = bounds_of(store).tail;
                int r = logstore_truncate_after(store, tail, 0);

                ck_assert_msg(r == 0 || r == -EBUSY || r == -EAGAIN, "%d: %s", r,
                              logstore_detail());
                ck_assert_uint_ge(bounds_of(store).tail, tail);
        }
        atomic_store(&appending, false);
        pthread_join(thread, NULL);
        ck_assert_int_eq(logstore_truncate_after(store, 10, 0), 0);
        expect_marked(store, 1, 10, "old");
        reopen_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
}
END_TEST

static void *append_and_sync_on(void *unused)
{
        uint64_t number;

        (void)unused;
        while (atomic_load(&appending)) {
                int r = logstore_append(store, "x", 1, &number);
                if (r == 0)
                        r = logstore_sync(store, number);
                must(r == 0 || r == -EAGAIN);
        }
        return NULL;
}

/* Whoever waits for a record that is taken back is told; nobody syncs on and on for it. */
START_TEST(a_sync_of_what_is_taken_back_ends)
{
        pthread_t threads[2];
        unsigned cuts_made = 0;

        open_store(LOGSTORE_CREATE);
        append_marked(10, "old");
        atomic_store(&appending, true);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, append_and_sync_on, NULL), 0);
        for (unsigned i = 0; i < 600; i++) {
                uint64_t durable = bounds_of(store).durable;

                cuts_made +=
                        logstore_truncate_after(store, durable > 13 ? durable - 3 : 10, 0) == 0;
                usleep(200);
        }
        atomic_store(&appending, false);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_gt(cuts_made, 0);
        expect_marked(store, 1, 10, "old");
}
END_TEST

START_TEST(what_cannot_be_taken_back_is_refused)
{
        struct logstore_entry batch[3] = { { "a", 1, 0 }, { "b", 1, 0 }, { "c", 1, 0 } };
        uint64_t first;

        open_store(LOGSTORE_CREATE);
        append_marked(10, "old");
        ck_assert_int_eq(logstore_append_batch(store, batch, 3, &first), 0);
        expect_failure(logstore_truncate_after(store, 14, 0), -EAGAIN);
        expect_failure(logstore_truncate_after(store, first, 0), -EINVAL);
        expect_failure(logstore_truncate_after(store, 5, 100), -EINVAL);
        ck_assert_uint_eq(bounds_of(store).tail, 13);
        ck_assert_int_eq(logstore_truncate_after(store, 13, 0), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 13);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_shorter_rewrite_shows_nothing_stale, 2 * sizeof(cuts) / sizeof(cuts[0]) },
                { what_was_cut_does_not_come_back_when_the_new_head_is_lost, COUNT(cuts) },
                { readers_beyond_the_cut_are_stale_the_others_go_on, 2 },
                { a_cut_of_which_all_is_trimmed_is_told, 4 },
                { a_cut_behind_what_was_read_is_none, 2 },
                { a_cut_of_a_segment_from_its_beginning_is_none, 2 },
                { an_emptied_log_goes_on_at_a_later_number, 0 },
                { a_trimmed_log_is_emptied_and_never_begins_earlier, 0 },
                { appends_beside_truncations_are_whole, 0 },
                { a_sync_of_what_is_taken_back_ends, 0 },
                { what_cannot_be_taken_back_is_refused, 0 },
        };

        return RUN_TESTS("truncate", tests);
}
