/*
 * test_recovery.c - where a log ends after a crash, and that going on changes no old byte
 */
#include "test_unit_support.h"
#include "writer/recovery.h"

static struct control control;
static struct chain chain;
static struct recovery found;
static struct draft draft; /* the newest segment */

int __real_os_unlink(int at, const char *name);
int __wrap_os_unlink(int at, const char *name);

static bool unlinks_fail;

int __wrap_os_unlink(int at, const char *name)
{
        return unlinks_fail ? -EIO : __real_os_unlink(at, name);
}

/* Sealed segment 1 with the numbers 1..5 and unsealed segment 2 with 6..15 of 100 bytes each, and a
 * mark at @mark. */
static uint64_t offsets[17];

static void make_log(uint64_t mark)
{
        struct start_payload start = { .first_number = 1, .epoch = 1 };

        begin_with_control(&control);
        start = chain_segment(1, &start, 5, true);
        draft = draft_new_sized(2, SEGMENT_BYTES_MIN, &start);
        for (uint64_t number = 6; number <= 15; number++)
                offsets[number] = draft_record(&draft, 100);
        offsets[16] = draft.offset;
        control_set_mark(&control, mark, 2, mark >= 5 ? offsets[mark + 1] : 0);
}

static void scan_log(void)
{
        struct control_slot slot;

        chain_init(&chain, &memory, &control, directory, 8);
        expect_ok(chain_load(&chain));
        ck_assert_int_eq(chain.fault, 0);
        chain_slot(&chain, &slot);
        expect_ok(recovery_scan(&chain, &slot, true, &found));
}

static void forget_log(void)
{
        recovery_free(&chain, &found);
        chain_free(&chain);
}

static uint8_t *byte_of(uint64_t number, uint64_t offset)
{
        return (uint8_t *)draft.segment->map.base + offsets[number] + offset;
}

/* Records whose frame is broken, the mark, and where the log is then found to end. */
static const struct {
        const char *what;
        uint64_t broken, mark, tail;
        int damage;
} cases[] = {
        { "nothing", 0, 5, 15, 0 },
        { "nothing, all durable", 0, 15, 15, 0 },
        { "the last", 15, 14, 14, 0 },
        { "the last, and it was durable", 15, 15, 14, -EBADMSG },
        { "one behind the mark with good ones beyond", 10, 9, 9, 0 },
        { "the one at the mark", 10, 10, 9, -EBADMSG },
        { "one before the mark", 7, 12, 6, -EBADMSG },
        { "the first", 6, 5, 5, 0 },
        { "the first, and it was durable", 6, 6, 5, -EBADMSG },
};

START_TEST(a_broken_frame_is_a_torn_tail_behind_the_mark_and_damage_before)
{
        make_log(cases[_i].mark);
        if (cases[_i].broken)
                *byte_of(cases[_i].broken, 30) ^= 1;
        scan_log();
        ck_assert_msg(found.tail.number == cases[_i].tail, "%s: %" PRIu64, cases[_i].what,
                      found.tail.number);
        ck_assert_uint_eq(found.tail.offset, offsets[cases[_i].tail + 1]);
        ck_assert_int_eq(found.damage, cases[_i].damage);
        if (found.damage)
                ck_assert_uint_eq(found.damage_offset, offsets[cases[_i].broken]);
}
END_TEST

START_TEST(an_unfinished_batch_is_no_part_of_the_log)
{
        make_log(15);
        draft_put(&draft, FRAME_MORE, 50, 1, 99);
        draft_put(&draft, FRAME_MORE, 50, 1, 99);
        scan_log();
        ck_assert_uint_eq(found.tail.number, 15);
        ck_assert_uint_eq(found.tail.offset, offsets[16]);
        ck_assert_int_eq(found.tail.greatest_ns, 10);
        ck_assert_int_eq(found.damage, 0);
        ck_assert_uint_gt(found.dropped_bytes, 0);
}
END_TEST

START_TEST(a_file_cut_below_the_mark_is_damage)
{
        make_log(12);
        ck_assert_int_eq(truncate(scratch("0000000002.log"), (off_t)offsets[9] + 10), 0);
        scan_log();
        ck_assert_int_eq(found.damage, -EBADMSG);
        ck_assert_uint_eq(found.tail.number, 8);
}
END_TEST

/* No slot is valid: then good frames behind a bad one are what tells damage from a torn tail. */
static const struct {
        uint64_t broken;
        int damage;
} unmarked[] = { { 0, 0 }, { 15, 0 }, { 10, -EBADMSG } };

START_TEST(without_a_mark_good_frames_beyond_tell_damage)
{
        make_log(15);
        if (unmarked[_i].broken)
                *byte_of(unmarked[_i].broken, 30) ^= 1;
        memset(control.page->slots, 0, sizeof(control.page->slots));
        scan_log();
        ck_assert_int_eq(found.damage, unmarked[_i].damage);
}
END_TEST

START_TEST(going_on_starts_a_segment_that_says_where_the_log_ended)
{
        struct segment_brief brief;
        struct bytes before, after;
        struct segment *segment;
        struct tail tail;

        make_log(9);
        *byte_of(12, 30) ^= 1;
        scan_log();
        before = load_file(scratch("0000000002.log"));
        expect_ok(recovery_start(&chain, &control, &found, &segment, &tail));
        ck_assert_uint_eq(tail.number, 11);
        ck_assert_uint_eq(tail.offset, FRAMES_OFFSET);
        ck_assert_uint_eq(segment->brief.id, 3);
        ck_assert_uint_eq(segment->brief.start.first_number, 12);
        ck_assert_uint_eq(segment->brief.start.previous_id, 2);
        ck_assert_uint_eq(segment->brief.start.previous_end, offsets[12]);
        ck_assert_uint_eq(segment->brief.start.previous_records, 6);
        ck_assert_uint_eq(segment->brief.start.epoch, 2);
        ck_assert_uint_eq(control.current.epoch, 2);
        ck_assert_uint_eq(control.current.mark_number, 11);
        expect_ok(segment_brief_read(directory, uuid, 2, &brief));
        ck_assert(brief.sealed);
        ck_assert_uint_eq(brief.seal.last_number, 11);
        after = load_file(scratch("0000000002.log"));
        ck_assert_uint_eq(before.size, after.size);
        ck_assert_mem_eq(before.data, after.data, SECTOR_BYTES);
        ck_assert_mem_eq(before.data + 2 * SECTOR_BYTES, after.data + 2 * SECTOR_BYTES,
                         before.size - 2 * SECTOR_BYTES);
        chain_unpin(&chain, segment);
}
END_TEST

/* It crashes again before an append. The chain does not grow by an empty segment each time, also
 * where all before it is trimmed. */
START_TEST(an_empty_head_is_replaced)
{
        struct segment *segment;
        struct tail tail;

        make_log(15);
        for (int crash = 0; crash < 5; crash++) {
                scan_log();
                ck_assert_uint_eq(found.tail.number, 15);
                expect_ok(recovery_start(&chain, &control, &found, &segment, &tail));
                chain_forget(&chain, segment);
                chain_unpin(&chain, segment);
                ck_assert_uint_eq(chain.count, _i && crash > 0 ? 1 : 3);
                forget_log();
                if (_i)
                        control_set_head(&control, control.epoch, 16, 15, tail.segment_id,
                                         tail.offset);
        }
        ck_assert(!file_exists(scratch("0000000003.log")));
        ck_assert(file_exists(scratch("0000000007.log")));
}
END_TEST

/* Behind a seal nobody looks for what is off the chain: it is gone before there is one. */
START_TEST(what_a_recovery_cannot_remove_does_not_stand_on_the_chain_later)
{
        struct segment_brief brief;
        struct start_payload start;
        struct segment *segment;
        struct tail tail;

        make_log(15);
        expect_ok(segment_brief_read(directory, uuid, 2, &brief));
        start = brief.start;
        start.epoch = 2;
        chain_segment(3, &start, 3, false); /* in the place of 2 */
        scan_log();
        ck_assert_uint_eq(chain.leftover_count, 1);
        unlinks_fail = true;
        ck_assert_int_eq(recovery_start(&chain, &control, &found, &segment, &tail), -EIO);
        unlinks_fail = false;
        forget_log();
        scan_log();
        ck_assert(file_exists(scratch("0000000002.log")));
        ck_assert_uint_eq(chain.leftover_count, 1);
        ck_assert_uint_eq(chain.leftovers[0], 2);
        ck_assert_uint_eq(found.tail.number, 8);
        forget_log();
}
END_TEST

static int resume(uint32_t *ret_records)
{
        struct segment *segment;
        struct tail tail;
        int r;

        chain_init(&chain, &memory, &control, directory, 8);
        expect_ok(chain_load(&chain));
        r = recovery_resume(&chain, &control.current, &segment, &tail, ret_records);
        if (r == 0) {
                ck_assert_uint_eq(tail.number, 15);
                ck_assert_uint_eq(tail.offset, offsets[16]);
                ck_assert_int_eq(tail.greatest_ns, 10);
        }
        return r;
}

START_TEST(after_a_clean_close_the_head_goes_on_at_the_mark)
{
        uint32_t records = 0;

        make_log(15);
        expect_ok(resume(&records));
        ck_assert_uint_eq(records, 10);
}
END_TEST

/* The head does not go on at the mark: the end is searched, as after a crash. */
static void expect_search(uint32_t *records)
{
        ck_assert_int_eq(resume(records), RESUME_NOT_THE_END);
        ck_assert_uint_eq(*records, 77);
        forget_log();
        scan_log();
}

static const uint64_t touched[] = { 6, 10, 15 };

START_TEST(a_head_that_is_not_as_it_was_closed_is_damage)
{
        uint32_t records = 77;

        make_log(15);
        *byte_of(touched[_i], 40) ^= 4;
        expect_search(&records);
        ck_assert_int_eq(found.damage, -EBADMSG);
        ck_assert_uint_eq(found.damage_offset, offsets[touched[_i]]);
        forget_log();
}
END_TEST

/* No record is lost with the pad: recovery searches the end and begins a segment behind the last
 * record. */
START_TEST(a_spoilt_pad_behind_the_last_record_is_no_damage)
{
        uint32_t records = 77;

        make_log(15);
        draft_put(&draft, FRAME_PAD, 64, 0, 0);
        control_set_mark(&control, 15, 2, draft.offset);
        *byte_of(16, (uint64_t)_i) ^= 4;
        expect_search(&records);
        ck_assert_int_eq(found.damage, 0);
        ck_assert_uint_eq(found.tail.number, 15);
        ck_assert_uint_eq(found.tail.offset, offsets[16]);
}
END_TEST

/* The log ends only between batches: behind half of one, what is appended would end it. */
START_TEST(a_mark_inside_a_batch_is_no_end)
{
        uint32_t records = 77;

        make_log(15);
        draft_put(&draft, FRAME_MORE, 10, 1, 16);
        if (_i)
                draft_put(&draft, FRAME_VOID, 10, 1, 17);
        control_set_mark(&control, _i ? 17 : 16, 2, draft.offset);
        expect_search(&records);
        ck_assert_int_eq(found.damage, -EBADMSG);
        forget_log();
}
END_TEST

/* Whether a bad frame is damage is asked once, of the judge. The frame lies before the place of the
 * mark, but the mark's number says that no sync covered it. */
START_TEST(a_bad_frame_beyond_the_marks_number_is_a_torn_tail)
{
        uint32_t records = 77;

        make_log(15);
        control_set_mark(&control, 6, 2, offsets[16]);
        *byte_of(12, 40) ^= 4;
        expect_search(&records);
        ck_assert_int_eq(found.damage, 0);
        ck_assert_uint_eq(found.tail.number, 11);
        forget_log();
}
END_TEST

/* A crash between a truncation's new segment and its control page: the mark is of the cut log. */
START_TEST(a_mark_from_before_a_truncation_is_neither_missing_nor_kept)
{
        struct logstore_verify_report verified;
        struct logstore_repair_report repaired;
        struct bytes page;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(10);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        page = load_file(scratch("store/control"));
        ck_assert_int_eq(logstore_truncate_after(store, 5, 0), 0);
        crash_store();
        save_file(scratch("store/control"), page.data, page.size);
        expect_ok(logstore_verify(store_path(), NULL, &verified));
        ck_assert_uint_eq(verified.records, 5);
        expect_ok(logstore_repair(store_path(), 0, NULL, NULL, &repaired));
        ck_assert_uint_eq(repaired.kept_last, 5);
        ck_assert_uint_eq(repaired.lost_records, 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, 5);
}
END_TEST

static void append_at(int64_t time_ns)
{
        static const char filled[20000] = { 1 };
        const struct logstore_entry entry = { filled, sizeof(filled), time_ns };

        ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
}

/* Three records a segment, at 1000 ns, 2000 ns and so on; the third's first page is damaged. With
 * a seal or without, what is before it is sound. */
START_TEST(repair_keeps_what_is_before_a_newest_segment_that_is_bad)
{
        struct logstore_repair_report report;
        struct logstore *writer = NULL;
        struct start_payload start;
        struct bytes head;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int64_t number = 1; number <= 8; number++)
                append_at(number * 1000);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        crash_store();
        flip_byte(scratch("store/0000000003.log"), 4);
        if (_i)
                zero_range(scratch("store/0000000002.log"), SECTOR_BYTES, SECTOR_BYTES);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &writer), -EBADMSG);
        expect_ok(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report));
        ck_assert_uint_eq(report.kept_last, 6);
        ck_assert_uint_eq(report.lost_records, 2);
        head = load_file(scratch("store/0000000004.log"));
        memcpy(&start, head.data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        ck_assert_int_eq(start.greatest_ns, 6000);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, 6);
        expect_ok(logstore_verify(store_path(), NULL, NULL));
}
END_TEST

START_TEST(repair_of_a_trimmed_store_without_a_sound_segment_goes_on_at_its_first)
{
        struct logstore_repair_report report;
        uint64_t first;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int64_t number = 1; number <= 8; number++)
                append_at(number * 1000);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_trim_before(store, 4, &first), 0);
        ck_assert_uint_eq(first, 4);
        crash_store();
        flip_byte(scratch("store/0000000002.log"), 4);
        flip_byte(scratch("store/0000000003.log"), 4);
        expect_ok(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report));
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).first, first);
        ck_assert_uint_eq(bounds_of(store).tail, first - 1);
        append_numbered(1);
        expect_ok(logstore_verify(store_path(), NULL, NULL));
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { a_broken_frame_is_a_torn_tail_behind_the_mark_and_damage_before, COUNT(cases) },
                { an_unfinished_batch_is_no_part_of_the_log, 0 },
                { a_file_cut_below_the_mark_is_damage, 0 },
                { without_a_mark_good_frames_beyond_tell_damage, COUNT(unmarked) },
                { going_on_starts_a_segment_that_says_where_the_log_ended, 0 },
                { an_empty_head_is_replaced, 2 },
                { what_a_recovery_cannot_remove_does_not_stand_on_the_chain_later, 0 },
                { after_a_clean_close_the_head_goes_on_at_the_mark, 0 },
                { a_head_that_is_not_as_it_was_closed_is_damage, COUNT(touched) },
                { a_spoilt_pad_behind_the_last_record_is_no_damage, PAD_HEADER_BYTES },
                { a_mark_inside_a_batch_is_no_end, 2 },
                { a_bad_frame_beyond_the_marks_number_is_a_torn_tail, 0 },
                { a_mark_from_before_a_truncation_is_neither_missing_nor_kept, 0 },
                { repair_keeps_what_is_before_a_newest_segment_that_is_bad, 2 },
                { repair_of_a_trimmed_store_without_a_sound_segment_goes_on_at_its_first, 0 },
        };

        return RUN_TESTS("recovery", tests);
}
