/*
 * test_cursor.c - a cursor that turns round finds the same records again, and never a dead one
 */
#include "store.h"
#include "test_public_support.h"

static struct logstore_cursor *cursor;

static void step_back(unsigned count)
{
        struct logstore_record record;

        for (unsigned i = 0; i < count; i++)
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
}

static void open_cursor(uint64_t number)
{
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, number), 0);
}

/* What a truncation cut stands in its segment for ever, and validates. */
START_TEST(going_back_before_a_cut_and_on_again_shows_nothing_that_was_cut)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 1; i <= 10; i++)
                append_text("old");
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        for (int i = 6; i <= 12; i++)
                append_text("new");
        open_cursor(8);
        expect_next(cursor, 8, "new");
        expect_next(cursor, 9, "new");
        step_back(7);
        for (uint64_t number = 3; number <= 12; number++)
                expect_next(cursor, number, number <= 5 ? "old" : "new");
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(every_turn_within_and_across_segments_gives_the_same_records)
{
        struct logstore_record record;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 1; i <= 60; i++)
                append_filled(6000, (unsigned char)i);
        open_cursor(1);
        for (unsigned turn = 1; turn < 20; turn++) {
                for (unsigned i = 0; i < turn + 2; i++) {
                        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
                        ck_assert_uint_eq(((const unsigned char *)record.data)[5999],
                                          record.number);
                }
                step_back(turn);
                ck_assert_uint_eq(logstore_cursor_position(cursor), 1 + turn * 2);
        }
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(damage_in_a_sealed_segment_is_told_by_file_offset_and_number)
{
        char buffer[8000], place[64];
        struct logstore_record record;
        size_t offset = FRAMES_OFFSET + 3 * record_frame_bytes(6000);

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 30; i++)
                append_filled(6000, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        while (sync_seal(&store->sync) == 0)
                ;
        close_store();
        zero_range(scratch("store/0000000001.log"), offset, 4);
        open_store(LOGSTORE_NO_THREAD);
        expect_failure(logstore_get(store, 4, buffer, sizeof(buffer), &record), -EBADMSG);
        snprintf(place, sizeof(place), "0000000001.log: offset %zu, record 4:", offset);
        ck_assert_msg(strstr(logstore_detail(), place) != NULL, "%s", logstore_detail());
        ck_assert_int_eq(logstore_get(store, 20, buffer, sizeof(buffer), &record), 0);
}
END_TEST

/* Ten records, the last five taken back and others put there; the cursor stood behind the cut. */
static void stand_behind_a_cut(struct logstore *reader)
{
        append_numbered(10);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 9), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
}

START_TEST(a_failed_get_leaves_a_stale_cursor_stale)
{
        struct logstore_record record;
        struct logstore_claim claim;
        struct logstore *reader;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        stand_behind_a_cut(_i ? reader : store);
        ck_assert_int_eq(logstore_claim(store, 1, &claim), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        expect_failure(logstore_cursor_get(cursor, 6, &record), -ENODATA);
        ck_assert_uint_eq(logstore_cursor_position(cursor), 9);
        expect_failure(logstore_cursor_prev(cursor, &record), -ESTALE);
        expect_failure(logstore_cursor_next(cursor, &record), -ESTALE);
        ck_assert_int_eq(logstore_cursor_get(cursor, 2, &record), 0);
        expect_next(cursor, 3, "record 3");
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(waiting_behind_a_cut_ends_at_once)
{
        struct logstore_record record;
        struct logstore *reader;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        stand_behind_a_cut(_i ? reader : store);
        ck_assert_int_eq(logstore_cursor_wait(cursor, 1000), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -ESTALE);
        ck_assert_int_eq(logstore_cursor_wait(cursor, 1000), 0);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* The reader hears of the trim while it steps. */
START_TEST(before_the_first_that_a_trim_left_there_is_no_record)
{
        struct logstore_record record;
        struct logstore *reader;
        uint64_t first;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 1; i <= 30; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 11 + (uint64_t)_i), 0);
        ck_assert_int_eq(logstore_trim_before(store, 15, &first), 0);
        ck_assert_uint_eq(first, 11);
        if (_i)
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
        expect_failure(logstore_cursor_prev(cursor, &record), -EAGAIN);
        ck_assert_uint_eq(logstore_cursor_position(cursor), 11);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(a_search_by_time_that_meets_damage_leaves_the_cursor_where_it_was)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 8; i++)
                append_filled(6000, 'x');
        close_store();
        zero_range(scratch("store/0000000001.log"), FRAMES_OFFSET + 4 * record_frame_bytes(6000),
                   4);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &store), 0);
        open_cursor(3);
        expect_failure(logstore_cursor_seek_time(cursor, INT64_MAX), -EBADMSG);
        ck_assert_uint_eq(logstore_cursor_position(cursor), 3);
        logstore_cursor_close(cursor);
}
END_TEST

static void append_at(int64_t time_ns, unsigned count)
{
        static char data[6000];
        struct logstore_entry entry = { .data = data, .size = sizeof(data), .time_ns = time_ns };

        for (unsigned i = 0; i < count; i++)
                ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
}

static const struct {
        const char *what;
        unsigned truncate_after; /* 0: not at all */
} late[] = { { "the next segment is filled", 0 }, { "the next segment is cut", 22 } };

/* Its segment was full, and the next one begun, before its time was known. */
START_TEST(a_claim_committed_late_is_found_by_its_time_after_a_clean_close)
{
        struct logstore_record record;
        struct logstore_claim claim;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_at(100, 5);
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        append_at(200, 17);
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        close_store();
        open_store(LOGSTORE_NO_THREAD);
        if (late[_i].truncate_after)
                ck_assert_int_eq(logstore_truncate_after(store, late[_i].truncate_after, 0), 0);
        append_at(300, 20);
        while (sync_seal(&store->sync) == 0)
                ;
        open_cursor(1);
        ck_assert_int_eq(logstore_cursor_seek_time(cursor, 301), 0);
        ck_assert_msg(logstore_cursor_position(cursor) == 6, "%s", late[_i].what);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_int_gt(record.time_ns, 300);
        logstore_cursor_close(cursor);
}
END_TEST

/* The seal of the segment that was cut into still counts what was cut. */
START_TEST(what_was_cut_off_a_sealed_segment_counts_for_no_time)
{
        uint64_t first;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_at(100, 5);
        append_at(900, 5);
        append_at(100, 3);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        reopen_store();
        append_at(200, 12);
        append_at(300, 5);
        ck_assert_int_eq(logstore_trim_before(store, 16, &first), 0);
        ck_assert_uint_eq(first, 16);
        open_cursor(16);
        ck_assert_int_eq(logstore_cursor_seek_time(cursor, 250), 0);
        ck_assert_uint_eq(logstore_cursor_position(cursor), 18);
        logstore_cursor_close(cursor);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { going_back_before_a_cut_and_on_again_shows_nothing_that_was_cut, 0 },
                { every_turn_within_and_across_segments_gives_the_same_records, 0 },
                { damage_in_a_sealed_segment_is_told_by_file_offset_and_number, 0 },
                { a_failed_get_leaves_a_stale_cursor_stale, 2 },
                { waiting_behind_a_cut_ends_at_once, 2 },
                { before_the_first_that_a_trim_left_there_is_no_record, 2 },
                { a_search_by_time_that_meets_damage_leaves_the_cursor_where_it_was, 0 },
                { a_claim_committed_late_is_found_by_its_time_after_a_clean_close, 2 },
                { what_was_cut_off_a_sealed_segment_counts_for_no_time, 0 },
        };

        return RUN_TESTS("cursor", tests);
}
