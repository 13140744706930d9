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

int main(void)
{
        const struct test_entry tests[] = {
                { going_back_before_a_cut_and_on_again_shows_nothing_that_was_cut, 0 },
                { every_turn_within_and_across_segments_gives_the_same_records, 0 },
                { damage_in_a_sealed_segment_is_told_by_file_offset_and_number, 0 },
        };

        return RUN_TESTS("cursor", tests);
}
