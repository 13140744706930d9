/*
 * test_hostile_numbers.c - links, numbers and marks that contradict each other, with right checks
 *
 * verify, a cursor and an open for writing give the same verdict; a repair makes them agree.
 */
#include "test_bad_input_support.h"

#include <unistd.h>

/* Three segments; the last one is the head. Closed. */
static void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(3)))
                append_filled(2000, 'x');
        append_text("the last");
        close_store();
}

static void expect_all_refuse(void)
{
        struct logstore *none = NULL;
        uint64_t records;

        expect_failure(logstore_verify(store_path(), NULL, NULL), -EBADMSG);
        ck_assert_int_eq(read_to_end(0, &records), -EBADMSG);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
}

/* Returns how many records it kept. */
static uint64_t expect_repaired(void)
{
        uint64_t records;

        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
        close_store();
        return records;
}

/* ---- links ---- */

static void more_numbers_than_have_room(struct start_payload *start)
{
        start->previous_records += UINT64_C(1) << 40;
        start->first_number += UINT64_C(1) << 40;
}

static void numbers_that_go_back(struct start_payload *start)
{
        start->previous_records = UINT64_MAX - 4;
        start->first_number -= start_of(2).previous_records + 5;
}

static void an_end_between_frames(struct start_payload *start)
{
        start->previous_end += 4;
}

static void an_end_before_the_frames(struct start_payload *start)
{
        start->previous_end = 8;
        start->first_number -= start->previous_records;
        start->previous_records = 0;
}

static void itself(struct start_payload *start)
{
        start->previous_id = 3;
}

static void a_later_one(struct start_payload *start)
{
        start->previous_id = UINT64_MAX;
}

static const struct {
        void (*forge)(struct start_payload *start);
        bool meant; /* the segment that it names is served */
} wrong_links[] = {
        { more_numbers_than_have_room, true },
        { numbers_that_go_back, false },
        { an_end_between_frames, true },
        { an_end_before_the_frames, true },
        { itself, true },
        { a_later_one, true },
};

START_TEST(a_link_that_cannot_be_is_damage_to_all)
{
        struct start_payload start;
        uint64_t kept;

        make_store();
        start = start_of(3);
        kept = wrong_links[_i].meant ? start.first_number - 1 : start_of(2).first_number - 1;
        wrong_links[_i].forge(&start);
        forge_start(3, &start);
        alarm(60);
        expect_all_refuse();
        ck_assert_uint_eq(expect_repaired(), kept);
        alarm(0);
}
END_TEST

START_TEST(an_epoch_that_falls_is_damage_to_all)
{
        struct start_payload start;

        make_store();
        start = start_of(2);
        start.epoch += 1;
        forge_start(2, &start);
        expect_all_refuse();
        expect_repaired();
}
END_TEST

/* All before the link is trimmed, so nobody follows it. A new segment does not inherit it. */
START_TEST(a_link_that_leads_nowhere_is_not_copied)
{
        struct start_payload start;
        uint64_t id = 4;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(3)))
                append_filled(2000, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_trim_before(store, UINT64_MAX >> 1, NULL), 0);
        crash_store();
        start = start_of(3);
        start.previous_id = 4;
        forge_start(3, &start);
        zero_range(segment_path(3), FRAMES_OFFSET, 8);
        expect_repaired();
        while (!file_exists(segment_path(id)))
                id++;
        ck_assert_uint_eq(start_of(id).previous_id, 0);
}
END_TEST

/* ---- numbers ---- */

START_TEST(a_first_number_beyond_the_log_is_damage_to_all)
{
        make_store();
        forge_slots(offsetof(struct control_slot, first_number), 5000);
        expect_all_refuse();
        ck_assert_uint_eq(expect_repaired(), 0);
}
END_TEST

/* A slot that no later one could follow is none. */
START_TEST(counts_at_their_end_are_not_believed)
{
        static const size_t fields[] = { offsetof(struct control_slot, generation),
                                         offsetof(struct control_slot, epoch) };
        struct logstore_verify_report report;

        make_store();
        forge_slots(fields[_i], UINT64_MAX);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        for (int life = 0; life < 2; life++) {
                open_store(LOGSTORE_NO_THREAD);
                append_text("kept");
                close_store();
        }
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

START_TEST(a_count_without_room_to_go_on_is_refused_before_anything_is_written)
{
        struct logstore *none = NULL;

        make_store();
        forge_slots(offsetof(struct control_slot, generation), NUMBER_MAX);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EOVERFLOW);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* One record, that has the greatest number; closed cleanly, or not. */
START_TEST(numbers_without_room_to_go_on_are_refused_before_anything_is_written)
{
        struct start_payload start;
        struct logstore *none = NULL;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_text("the only one");
        close_store();
        start = start_of(1);
        start.first_number = NUMBER_MAX;
        forge_start(1, &start);
        forge_slots(offsetof(struct control_slot, first_number), NUMBER_MAX);
        forge_slots(offsetof(struct control_slot, mark_number), NUMBER_MAX);
        if (_i)
                forge_slots(offsetof(struct control_slot, flags), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EOVERFLOW);
        ck_assert(!file_exists(segment_path(2)));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* Closed at a place that is not behind the record of that number. */
START_TEST(a_mark_beside_its_record_loses_nothing)
{
        uint64_t tail;

        make_store();
        read_to_end(0, &tail);
        forge_slots(offsetof(struct control_slot, mark_number), tail - 1);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, tail);
        close_store();
}
END_TEST

/* The mark has the number before the segment's first, and lies where nothing is. Readers still
 * count the frames before it. */
START_TEST(a_mark_before_the_first_record_ends_no_segment)
{
        uint64_t records, tail, mark;

        make_store();
        read_to_end(0, &tail);
        mark = start_of(3).first_number - 1;
        forge_slots(offsetof(struct control_slot, mark_number), mark);
        forge_slots(offsetof(struct control_slot, mark_offset), 60000);
        forge_slots(offsetof(struct control_slot, flags), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
        ck_assert_uint_eq(records, tail);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, tail);
        close_store();
}
END_TEST

/* ---- two segments that claim the same numbers ---- */

/* The break is told, though the segment behind it begins with a number that was served already. */
START_TEST(a_break_before_numbers_that_were_served_is_damage_to_all)
{
        struct start_payload start;
        uint64_t before, records;

        make_store();
        before = start_of(2).first_number - 1;
        start = start_of(3);
        start.first_number = 2;
        start.epoch++;
        forge_start(3, &start);
        ck_assert_int_eq(remove(segment_path(2)), 0);
        expect_all_refuse();
        read_to_end(0, &records);
        ck_assert_uint_eq(records, before);
        ck_assert_uint_eq(expect_repaired(), before);
}
END_TEST

static void keep_number(void *context, const struct logstore_fault *fault)
{
        uint64_t *number = context;

        if (fault->fatal)
                *number = fault->number;
}

/* A torn tail; behind it a segment that is not of the log; the mark is in a missing one. */
START_TEST(what_is_missing_behind_a_torn_tail_is_due_where_the_log_ends)
{
        uint64_t due, told = 0, records;
        struct logstore_verify_hooks hooks = { keep_number, NULL, &told };

        make_store();
        due = start_of(3).first_number - 2;
        zero_range(segment_path(2), place_of(due).offset, 4);
        zero_range(segment_path(2), SECTOR_BYTES, SECTOR_BYTES);
        forge_slots(offsetof(struct control_slot, mark_number), due - 1);
        forge_slots(offsetof(struct control_slot, mark_id), 6);
        expect_all_refuse();
        read_to_end(0, &records);
        ck_assert_uint_eq(records, due - 1);
        expect_failure(logstore_verify(store_path(), &hooks, NULL), -EBADMSG);
        ck_assert_uint_eq(told, due);
}
END_TEST

/* Nobody goes on behind a seal, whatever the control page says. */
START_TEST(a_sealed_head_ends_at_its_seal)
{
        struct start_payload start;
        uint64_t id = 4, before, records;
        struct bytes file;

        make_store();
        before = start_of(2).first_number - 1;
        file = load_file(segment_path(1));
        save_file(segment_path(id), file.data, file.size);
        free(file.data);
        forge(segment_path(id), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, id), &id, sizeof(id));
        start = start_of(id);
        start.epoch++;
        forge_start(id, &start);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, before);
        append_text("again");
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
        ck_assert_uint_eq(records, before + 1);
}
END_TEST

/* ---- salvage: a gap that a damaged number claims ---- */

struct told {
        unsigned lines;
};

static void count_line(void *context, const struct logstore_fault *fault)
{
        (void)fault;
        ((struct told *)context)->lines++;
}

START_TEST(a_salvage_does_not_fill_an_endless_gap)
{
        struct told told = { 0 };
        struct logstore_verify_hooks hooks = { count_line, NULL, &told };
        struct start_payload start;

        make_store();
        start = start_of(3);
        start.first_number = UINT64_C(1) << 50;
        forge_start(3, &start);
        alarm(60);
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, scratch("saved"),
                                       &hooks, NULL),
                       -EOVERFLOW);
        alarm(0);
        ck_assert_uint_lt(told.lines, 20);
        expect_repaired(); /* without a salvage */
}
END_TEST

START_TEST(a_gap_of_a_lost_segment_is_filled_and_told_in_one_line)
{
        struct told told = { 0 };
        struct logstore_verify_hooks hooks = { count_line, NULL, &told };
        struct logstore_repair_report report;

        make_store();
        flip_byte(segment_path(2), 4);
        ck_assert_int_eq(logstore_repair(store_path(), 0, scratch("saved"), &hooks, &report), 0);
        ck_assert_uint_gt(report.missing, 10);
        ck_assert_uint_lt(told.lines, 6);
        ck_assert_int_eq(logstore_verify(scratch("saved"), NULL, NULL), 0);
}
END_TEST

/* Where the front is missing, the salvage begins behind it. */
START_TEST(a_salvage_begins_behind_a_gap_that_is_too_wide)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_repair_report report;
        struct logstore *saved = NULL;
        struct start_payload start;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(10);
        close_store();
        start = start_of(1);
        start.first_number = UINT64_C(1) << 50;
        start.previous_id = 7;
        forge_start(1, &start);
        ck_assert_int_eq(logstore_repair(store_path(), 0, scratch("saved"), NULL, &report), 0);
        ck_assert_uint_eq(report.salvaged, 10);
        options.flags = LOGSTORE_READ_ONLY;
        ck_assert_int_eq(logstore_open(scratch("saved"), &options, &saved), 0);
        ck_assert_uint_eq(bounds_of(saved).first, UINT64_C(1) << 50);
        ck_assert_int_eq(logstore_close(saved), 0);
}
END_TEST

START_TEST(skipping_a_wide_gap_ends)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct start_payload start;
        unsigned faults = 0;
        int r;

        make_store();
        start = start_of(3);
        start.first_number = UINT64_C(1) << 50;
        forge_start(3, &start);
        forge_slots(offsetof(struct control_slot, mark_number), start.first_number);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_cursor_open(store, LOGSTORE_SKIP_DAMAGE, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, UINT64_MAX), 0);
        while ((r = logstore_cursor_prev(cursor, &record)) != -EAGAIN) {
                ck_assert_msg(r == 0 || r == -EBADMSG, "%d: %s", r, logstore_detail());
                faults += r == -EBADMSG;
                ck_assert_uint_lt(faults, 100);
        }
        ck_assert_uint_eq(record.number, 1);
        logstore_cursor_close(cursor);
}
END_TEST

/* ---- what is not understood ---- */

START_TEST(a_segment_of_another_version_is_never_cut)
{
        struct logstore_repair_report report;
        uint32_t flags = 4;
        uint64_t records;

        make_store();
        forge(segment_path(3), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, incompatible), &flags, sizeof(flags));
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                       -EPROTONOSUPPORT);
        flags = 0;
        forge(segment_path(3), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, incompatible), &flags, sizeof(flags));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
}
END_TEST

/* A seal that ends between two frames' places is none. */
START_TEST(a_seal_that_ends_out_of_place_does_not_count)
{
        struct segment_seal seal;

        make_store();
        seal = read_seal(2);
        seal.end += 1;
        write_seal(2, &seal);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_link_that_cannot_be_is_damage_to_all,
                  sizeof(wrong_links) / sizeof(wrong_links[0]) },
                { an_epoch_that_falls_is_damage_to_all, 0 },
                { a_link_that_leads_nowhere_is_not_copied, 0 },
                { a_first_number_beyond_the_log_is_damage_to_all, 0 },
                { counts_at_their_end_are_not_believed, 2 },
                { a_count_without_room_to_go_on_is_refused_before_anything_is_written, 0 },
                { numbers_without_room_to_go_on_are_refused_before_anything_is_written, 2 },
                { a_mark_beside_its_record_loses_nothing, 0 },
                { a_mark_before_the_first_record_ends_no_segment, 0 },
                { a_break_before_numbers_that_were_served_is_damage_to_all, 0 },
                { what_is_missing_behind_a_torn_tail_is_due_where_the_log_ends, 0 },
                { a_sealed_head_ends_at_its_seal, 0 },
                { a_salvage_does_not_fill_an_endless_gap, 0 },
                { a_gap_of_a_lost_segment_is_filled_and_told_in_one_line, 0 },
                { a_salvage_begins_behind_a_gap_that_is_too_wide, 0 },
                { skipping_a_wide_gap_ends, 0 },
                { a_segment_of_another_version_is_never_cut, 0 },
                { a_seal_that_ends_out_of_place_does_not_count, 0 },
        };

        return RUN_TESTS("hostile_numbers", tests);
}
