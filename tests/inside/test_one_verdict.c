/*
 * test_one_verdict.c - all give one verdict on damage where a reader does not come by itself
 *
 * All means verify, a cursor forward and backward, and an open for writing. A refused open has
 * written nothing.
 */
#include "test_one_verdict_support.h"

#include <errno.h>
#include <unistd.h>

/* ---- the first number lies beyond the log ---- */

START_TEST(frames_below_the_first_number_are_judged_like_others)
{
        make_store();
        zero_in(3, place_of(start_of(3).first_number).offset, 4);
        forge_slots(offsetof(struct control_slot, first_number), 5000);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", 5000), 0);
        expect_repaired();
}
END_TEST

/* Closed, or not. */
START_TEST(a_writer_that_is_refused_has_written_nothing)
{
        struct logstore *none = NULL;

        make_store();
        forge_slots(offsetof(struct control_slot, first_number), 5000);
        if (_i)
                forge_slots(offsetof(struct control_slot, flags), 0);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
        ck_assert(!file_exists(segment_path(4)));
        ck_assert(file_exists(segment_path(1)));
}
END_TEST

/* Closed, with a mark below the first number: the log ends behind that all the same. */
START_TEST(a_mark_below_the_first_number_loses_nothing)
{
        uint64_t all;

        make_store();
        read_to_end(0, &all);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_trim_before(store, start_of(3).first_number, NULL), 0);
        close_store();
        forge_slots(offsetof(struct control_slot, mark_number), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(append_text("again"), all + 1);
        close_store();
}
END_TEST

/* ---- links ---- */

/* The newest links leave out the segment that the mark lies in. */
START_TEST(a_mark_beside_the_chain_is_a_mark)
{
        uint64_t damaged;

        make_store();
        damaged = start_of(2).first_number + 3;
        copy_segment(2, 4);
        unseal(4);
        zero_in(4, place_of(damaged).offset + FRAME_HEADER_BYTES, 4);
        ck_assert_uint_eq(expect_one_verdict("0000000004.log", damaged), damaged - 1);
        expect_repaired();
}
END_TEST

/* At the end of the log, in its second frame; the number of its first is returned. */
static uint64_t make_store_with_a_broken_batch(void)
{
        struct logstore_entry entries[3] = { { "a", 1, 0 }, { "b", 1, 0 }, { "c", 1, 0 } };
        uint64_t first;

        make_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_append_batch(store, entries, 3, &first), 0);
        close_store();
        zero_in(3, place_of(first + 1).offset, 4);
        return first;
}

START_TEST(a_mark_in_no_segment_is_a_mark)
{
        uint64_t first = make_store_with_a_broken_batch();

        forge_slots(offsetof(struct control_slot, mark_id), 0);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", first + 1), first);
        expect_repaired();
}
END_TEST

/* Behind all that its segment has: the records lead on from there all the same. */
START_TEST(a_mark_in_another_segment_hides_no_record)
{
        uint64_t all;

        make_store();
        read_to_end(0, &all);
        forge_slots(offsetof(struct control_slot, mark_id), 2);
        forge_slots(offsetof(struct control_slot, mark_number), all - 1);
        forge_slots(offsetof(struct control_slot, mark_offset),
                    FRAMES_OFFSET + all * FRAME_HEADER_BYTES);
        forge_slots(offsetof(struct control_slot, flags), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        expect_read(all);
}
END_TEST

/* The file of the mark is missing, and where the log ends a batch is broken. */
START_TEST(a_mark_behind_all_segments_is_a_mark)
{
        uint64_t first = make_store_with_a_broken_batch();

        forge_slots(offsetof(struct control_slot, mark_id), 170);
        expect_one_verdict("0000000170.log", first + 1);
        expect_repaired();
}
END_TEST

/* Without a mark the verdict is where the log stops, not what is broken behind later segments. */
START_TEST(a_place_comes_before_what_is_broken_behind_other_segments)
{
        uint64_t due;

        make_store();
        due = start_of(3).first_number - 1;
        unseal(2);
        zero_in(2, place_of(due).offset, 4);
        save_file(segment_path(5), "no segment", 10);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", due), due - 1);
        expect_repaired();
}
END_TEST

/* Where the log leaves a segment is said by offset and by number. */
START_TEST(an_end_that_is_not_behind_the_last_record_is_damage_to_all)
{
        struct start_payload start;

        make_store();
        start = start_of(3);
        start.previous_end += 64;
        forge_start(3, &start);
        unseal(2);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", start.first_number),
                          start.first_number - 1);
        expect_repaired();
}
END_TEST

/* Whoever passes over the damage has all records. */
START_TEST(behind_such_an_end_no_record_is_passed_over)
{
        struct start_payload start;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *reader;
        uint64_t all, records = 0;
        unsigned faults = 0;
        int r = 0;

        make_store();
        read_to_end(0, &all);
        start = start_of(3);
        start.previous_end += 64;
        forge_start(3, &start);
        unseal(2);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, LOGSTORE_SKIP_DAMAGE, &cursor), 0);
        while (r == 0 || (r == -EBADMSG && ++faults < 10))
                if ((r = logstore_cursor_next(cursor, &record)) == 0)
                        records++;
        ck_assert_int_eq(r, -EAGAIN);
        ck_assert_uint_eq(faults, 1);
        ck_assert_uint_eq(records, all);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* The newest segment is empty, and the one that it names is not there. Repair does not seal anew
 * what it lets go of. */
START_TEST(a_log_that_begins_in_an_empty_segment_is_repaired)
{
        struct start_payload start;

        make_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_trim_before(store, start_of(3).first_number, NULL), 0);
        crash_store();
        open_store(LOGSTORE_NO_THREAD);
        close_store();
        start = start_of(4);
        start.previous_salt++;
        forge_start(4, &start);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", start_of(3).first_number), 0);
        expect_repaired();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(append_text("again"), start.first_number);
        close_store();
}
END_TEST

/* A seal with fewer records than there are before its end, in what is the newest segment by now. */
START_TEST(a_seal_that_counts_too_few_is_repaired)
{
        struct segment_seal seal;
        uint64_t records;

        make_store();
        ck_assert_int_eq(remove(segment_path(3)), 0);
        seal = read_seal(2);
        seal.records--;
        write_seal(2, &seal);
        ck_assert_int_eq(read_to_end(0, &records), -EBADMSG);
        expect_repaired();
}
END_TEST

/* ---- no control file can be made anew ---- */

/* Of another version, or no segments at all. */
START_TEST(a_damaged_control_file_stays_where_none_can_be_made)
{
        uint32_t version = FORMAT_VERSION + 1;
        struct bytes file;

        make_store();
        for (uint64_t id = 1; id <= 3; id++) {
                forge(segment_path(id), 0, offsetof(struct segment_header, check),
                      offsetof(struct segment_header, version), &version, sizeof(version));
                if (_i)
                        zero_in(id, 0, SECTOR_BYTES);
        }
        ck_assert_int_eq(truncate(scratch("store/control"), 700), 0);
        for (uint32_t flags = 0; flags <= LOGSTORE_REPAIR_APPLY; flags += LOGSTORE_REPAIR_APPLY)
                expect_failure(logstore_repair(store_path(), flags, NULL, NULL, NULL),
                               _i ? -EBADMSG : -EPROTONOSUPPORT);
        file = load_file(scratch("store/control"));
        ck_assert_uint_eq(file.size, 700);
        free(file.data);
}
END_TEST

/* ---- a backup copied over a log that was cut and trimmed since ---- */

static struct bytes saved_control, saved[3];

static void back_up(void)
{
        saved_control = load_file(scratch("store/control"));
        for (unsigned i = 0; i < 3; i++)
                saved[i] = load_file(segment_path(i + 1));
}

static void copy_back(void)
{
        save_file(scratch("store/control"), saved_control.data, saved_control.size);
        free(saved_control.data);
        for (unsigned i = 0; i < 3; i++) {
                save_file(segment_path(i + 1), saved[i].data, saved[i].size);
                free(saved[i].data);
        }
}

/* The newer log begins below what the older one has: the break is told behind that. */
START_TEST(a_break_is_told_behind_all_that_is_served_before_it)
{
        uint64_t third, first, served;

        make_store();
        back_up();
        third = start_of(3).first_number;
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        while (!file_exists(segment_path(5)))
                append_filled(2000, 'y');
        first = start_of(5).first_number;
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        crash_store();
        open_store(
                LOGSTORE_NO_THREAD); /* behind a crash in a new segment; the one before is sealed */
        ck_assert_int_eq(logstore_trim_before(store, first, NULL), 0);
        close_store();
        ck_assert(!file_exists(segment_path(4)));
        ck_assert(file_exists(segment_path(6)));
        copy_back();
        ck_assert_uint_lt(first, third);
        served = third - 1;
        ck_assert_uint_eq(expect_one_verdict("0000000004.log", third), served);
        expect_repaired();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { frames_below_the_first_number_are_judged_like_others, 0 },
                { a_writer_that_is_refused_has_written_nothing, 2 },
                { a_mark_below_the_first_number_loses_nothing, 0 },
                { a_mark_beside_the_chain_is_a_mark, 0 },
                { a_mark_in_no_segment_is_a_mark, 0 },
                { a_mark_in_another_segment_hides_no_record, 0 },
                { a_mark_behind_all_segments_is_a_mark, 0 },
                { a_place_comes_before_what_is_broken_behind_other_segments, 0 },
                { an_end_that_is_not_behind_the_last_record_is_damage_to_all, 0 },
                { behind_such_an_end_no_record_is_passed_over, 0 },
                { a_log_that_begins_in_an_empty_segment_is_repaired, 0 },
                { a_seal_that_counts_too_few_is_repaired, 0 },
                { a_damaged_control_file_stays_where_none_can_be_made, 2 },
                { a_break_is_told_behind_all_that_is_served_before_it, 0 },
        };

        return RUN_TESTS("one_verdict", tests);
}
