/*
 * test_one_verdict_lies.c - seals, links and frames whose checks hold and that agree with each
 * other, but not with what lies there
 */
#include "test_one_verdict_support.h"

#define BATCH 3u

/* ---- seals ---- */

/* Of the head, with nothing behind: one record too few, one too many. */
START_TEST(a_seal_of_the_head_that_counts_wrong)
{
        struct segment_seal seal;
        uint64_t last;

        make_store();
        forge_slots(offsetof(struct control_slot, mark_id), 2);
        forge_slots(offsetof(struct control_slot, mark_number), 1);
        forge_slots(offsetof(struct control_slot, flags), 0);
        ck_assert_int_eq(remove(segment_path(3)), 0);
        seal = read_seal(2);
        last = seal.last_number;
        seal.records += _i ? 1 : -1;
        write_seal(2, &seal);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", last + 1), last);
        expect_repaired();
}
END_TEST

/* The seal is of the newest segment, and no mark is known. It says that the frames go on behind the
 * last one, as before. */
START_TEST(a_seal_of_the_head_that_ends_late)
{
        struct segment_seal seal;
        struct told none = { "", 0 };
        struct logstore_record record;
        struct logstore *reader;
        char buffer[64];

        make_store();
        ck_assert_int_eq(remove(segment_path(3)), 0);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        seal = read_seal(2);
        seal.end += 56;
        write_seal(2, &seal);
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", seal.last_number + 1),
                          seal.last_number);
        none.number = seal.last_number + 1;
        snprintf(none.file, sizeof(none.file), "0000000002.log");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        for (int i = 0; i < 2; i++) { /* a look at it does not make it good */
                expect_failure(
                        logstore_get(reader, seal.last_number + 1, buffer, sizeof(buffer), &record),
                        -EBADMSG);
                expect_detail(&none);
        }
        ck_assert_int_eq(logstore_close(reader), 0);
        expect_repaired();
}
END_TEST

/* And the last frame is damaged: that lies before the seal's end, so it is what is told. */
START_TEST(a_seal_of_the_head_that_counts_wrong_over_a_damaged_frame)
{
        struct segment_seal seal;
        struct place place;
        uint64_t last, records;
        char offset[64];

        make_store();
        ck_assert_int_eq(remove(segment_path(3)), 0);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        seal = read_seal(2);
        last = seal.last_number;
        place = place_of(last);
        zero_in(2, place.offset + offsetof(struct frame, payload), 4);
        seal.records--;
        write_seal(2, &seal);
        snprintf(offset, sizeof(offset), "offset %llu,", (unsigned long long)place.offset);
        ck_assert_int_eq(read_to_end(0, &records), -EBADMSG);
        ck_assert_msg(strstr(logstore_detail(), offset) != NULL, "%s", logstore_detail());
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", last), last - 1);
        expect_repaired();
}
END_TEST

/* It counts wrong, but what is before its segment was sealed first: there the frames stop early. */
START_TEST(a_wrong_seal_of_the_head_behind_a_segment_that_stops_early)
{
        struct segment_seal seal = { 0 };
        uint64_t last;

        make_store();
        seal = read_seal(2);
        last = seal.last_number;
        zero_in(2, place_of(last).offset, sizeof(uint64_t));
        unseal(2);
        forge_slots(offsetof(struct control_slot, mark_id), 2);
        forge_slots(offsetof(struct control_slot, mark_number), seal.first_number);
        forge_slots(offsetof(struct control_slot, flags), 0);
        seal.first_number = last + 1;
        seal.records = 3;
        seal.last_number = last + 3;
        seal.end = place_of(last + 2).offset + FRAME_HEADER_BYTES + 8;
        write_seal(3, &seal);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", last), last - 1);
        expect_repaired();
}
END_TEST

/* Three segments. The second ends with a batch that is cut in two: its last record is behind the
 * seal, or behind the link, or behind both. */
enum { SEAL_CUTS = 1, LINK_CUTS = 2 };

static uint64_t make_store_with_a_batch(void)
{
        struct logstore_entry entries[BATCH] = { { "a", 1, 0 }, { "b", 1, 0 }, { "c", 1, 0 } };
        uint64_t first;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(2)))
                append_filled(2000, 'x');
        ck_assert_int_eq(logstore_append_batch(store, entries, BATCH, &first), 0);
        while (!file_exists(segment_path(3)))
                append_filled(2000, 'x');
        close_store();
        return first;
}

START_TEST(a_log_that_leaves_a_segment_inside_a_batch)
{
        uint64_t first = make_store_with_a_batch(), end = place_of(first + 2).offset;
        struct start_payload start = start_of(3);
        struct segment_seal seal = read_seal(2);
        int cuts = _i + 1;

        if (cuts & SEAL_CUTS) {
                seal.records = first + 2 - seal.first_number;
                seal.end = end;
                write_seal(2, &seal);
        }
        if (cuts & LINK_CUTS) {
                start.first_number = first + 2;
                start.previous_records = first + 2 - seal.first_number;
                start.previous_end = end;
                forge_start(3, &start);
                forge_slots(offsetof(struct control_slot, mark_number), first);
                forge_slots(offsetof(struct control_slot, flags), 0);
        } else {
                ck_assert_int_eq(remove(segment_path(3)), 0);
                forge_slots(offsetof(struct control_slot, mark_id), 2);
                forge_slots(offsetof(struct control_slot, mark_number), 1);
                forge_slots(offsetof(struct control_slot, flags), 0);
        }
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", first + 2), first + 1);
        expect_repaired();
}
END_TEST

/* The same by a link, and no mark is known: none of the batch is a record. */
START_TEST(a_log_that_leaves_a_segment_inside_a_batch_with_no_mark)
{
        uint64_t first = make_store_with_a_batch();
        struct start_payload start = start_of(3);

        start.first_number = first + 2;
        start.previous_records = first + 2 - read_seal(2).first_number;
        start.previous_end = place_of(first + 2).offset;
        forge_start(3, &start);
        unseal(2);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", first), first - 1);
        expect_repaired();
}
END_TEST

/* A restore puts back an old copy of a segment, from before a truncation. The next writer seals it
 * as the log leaves it. So what was cut does not come back if the link that says so is lost. */
START_TEST(a_copy_from_before_a_truncation)
{
        struct logstore_repair_report report;
        unsigned next = _i == 1 ? 3 : 2;
        struct bytes copy;
        uint64_t last = 12;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (uint64_t i = 0; i < last; i++)
                append_text("a record");
        while (_i == 1 && !file_exists(segment_path(2)))
                append_filled(2000, 'x');
        close_store();
        if (_i == 1)
                last = read_seal(1).last_number;
        copy = load_file(segment_path(1));
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_truncate_after(store, last - 2, 0), 0);
        append_text("behind the cut");
        while (_i == 2 && !file_exists(segment_path(3)))
                append_filled(2000, 'x');
        close_store();
        save_file(segment_path(1), copy.data, copy.size);
        free(copy.data);
        open_store(LOGSTORE_NO_THREAD);
        close_store();
        ck_assert_uint_eq(read_seal(1).last_number, last - 2);
        zero_in(next, 0, SECTOR_BYTES);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        ck_assert_uint_eq(report.kept_last, last - 2);
}
END_TEST

/* ---- frames ---- */

static void forge_frame(uint64_t id, uint64_t offset, uint32_t word)
{
        struct bytes file = load_file(segment_path(id));
        unsigned char *frame = file.data + offset;
        uint32_t size = word >> FRAME_KIND_SHIFT == FRAME_VOID ? 0 : word & FRAME_SIZE_MASK;
        struct segment_header header;
        uint64_t check, first;

        memcpy(&header, file.data, sizeof(header));
        memcpy(frame, &word, sizeof(word));
        memcpy(&first, frame, sizeof(first));
        check = XXH3_64bits_withSeed(frame + offsetof(struct frame, time_ns), 8 + (size_t)size,
                                     header.salt) ^
                first * CHECK_WORD_FACTOR ^ offset * CHECK_OFFSET_FACTOR;
        memcpy(frame + offsetof(struct frame, check), &check, sizeof(check));
        save_file(segment_path(id), file.data, file.size);
        free(file.data);
}

/* The frame is valid, but shorter than it was. No frame is where it ends; a search by number finds
 * those behind it. */
START_TEST(a_frame_that_does_not_lead_to_the_next)
{
        uint64_t number;
        struct place place;

        make_store();
        number = start_of(2).first_number + 2;
        place = place_of(number);
        forge_frame(2, place.offset, (uint32_t)FRAME_RECORD << FRAME_KIND_SHIFT | 1000);
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", number + 1), number);
        expect_repaired();
}
END_TEST

START_TEST(a_void_inside_a_batch)
{
        uint64_t first = make_store_with_a_batch();
        struct place place = place_of(first + 1);

        forge_frame(2, place.offset, (uint32_t)FRAME_VOID << FRAME_KIND_SHIFT | 1);
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", first + 1), first);
        expect_repaired();
}
END_TEST

/* The last record of the log, which the mark covers: of its batch more should follow. */
START_TEST(a_durable_record_of_which_more_should_follow)
{
        struct place place;
        uint64_t last;

        make_store();
        forge_slots(offsetof(struct control_slot, flags), 0);
        last = read_tail();
        place = place_of(last);
        forge_frame(3, place.offset, (uint32_t)FRAME_MORE << FRAME_KIND_SHIFT | 8);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", last + 1), last);
        expect_repaired();
}
END_TEST

/* No writer makes such a mark: it is inside a batch of the head, of which a later frame is torn. */
START_TEST(a_mark_inside_a_torn_batch)
{
        struct logstore_entry entries[BATCH + 1] = {
                { "a", 1, 0 }, { "b", 1, 0 }, { "c", 1, 0 }, { "d", 1, 0 }
        };
        uint64_t first, marked, torn;
        struct place place;

        make_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_append_batch(store, entries, BATCH + 1, &first), 0);
        close_store();
        marked = first + (uint64_t)_i / 4;
        torn = marked + 1 + (uint64_t)_i / 2 % 2;
        place = place_of(marked + 1);
        forge_slots(offsetof(struct control_slot, mark_number), marked);
        forge_slots(offsetof(struct control_slot, mark_offset), place.offset);
        forge_slots(offsetof(struct control_slot, flags), 0);
        place = place_of(torn);
        if (_i % 2)
                zero_in(3, place.offset, sizeof(uint64_t));
        else
                zero_in(3, place.offset + offsetof(struct frame, check), 4);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", torn), torn - 1);
        expect_repaired();
}
END_TEST

/* The link to the second segment leads to a place before its end, or tells fewer numbers than there
 * are before that place. Nothing there is known to be durable. */
START_TEST(a_link_that_counts_otherwise_behind_the_mark)
{
        struct start_payload start;
        uint64_t first, last;

        make_store();
        first = start_of(2).first_number;
        start = start_of(3);
        last = start.first_number - 1;
        unseal(2);
        forge_slots(offsetof(struct control_slot, mark_number), first - 1);
        forge_slots(offsetof(struct control_slot, mark_id), 1);
        forge_slots(offsetof(struct control_slot, mark_offset), start_of(2).previous_end);
        forge_slots(offsetof(struct control_slot, flags), 0);
        if (_i == 0) {
                start.previous_end = place_of(last).offset;
                forge_start(3, &start);
                ck_assert_uint_eq(expect_one_verdict("0000000002.log", last), last - 1);
        } else {
                start.previous_records--;
                start.first_number--;
                forge_start(3, &start);
                ck_assert_uint_eq(expect_one_verdict("0000000002.log", last), last - 1);
        }
        expect_repaired();
}
END_TEST

/* What was trimmed need only lead on, also where no mark says that it was sound. */
START_TEST(a_spoilt_frame_before_the_first_number_behind_which_nothing_is_known_durable)
{
        uint64_t records;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(10);
        close_store();
        zero_in(1, place_of(2).offset + offsetof(struct frame, check), 4);
        forge_slots(offsetof(struct control_slot, first_number), 5);
        forge_slots(offsetof(struct control_slot, mark_number), 0);
        forge_slots(offsetof(struct control_slot, mark_id), 0);
        forge_slots(offsetof(struct control_slot, mark_offset), 0);
        forge_slots(offsetof(struct control_slot, flags), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(read_to_end(0, &records), -EAGAIN);
        ck_assert_uint_eq(records, 6);
        ck_assert_uint_eq(read_tail(), 10);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(append_text("c"), 11);
        close_store();
}
END_TEST

/* The mark's segment is damaged. The one before it, which is not sealed, now ends the log with a
 * torn batch, and the mark's number is of that batch: its first frames were durable. */
START_TEST(a_mark_of_a_lost_segment_inside_a_torn_batch)
{
        uint64_t first = make_store_with_a_batch();
        struct place place = place_of(first + 2);

        unseal(2);
        forge_slots(offsetof(struct control_slot, mark_number), first + (uint64_t)_i);
        forge_slots(offsetof(struct control_slot, flags), 0);
        zero_in(2, place.offset + offsetof(struct frame, check), 4);
        flip_byte(segment_path(3), offsetof(struct segment_header, uuid));
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", first + 2), first + 1);
        expect_repaired();
}
END_TEST

/* The flag of a clean close, with a mark whose number is too small for its place. Between the two a
 * frame is torn: to all, a tail that no sync covered. */
START_TEST(a_mark_of_a_clean_close_that_counts_too_few)
{
        uint64_t first, last;
        struct place place;

        make_store();
        open_store(LOGSTORE_NO_THREAD);
        first = append_text("a");
        for (int i = 0; i < 3; i++)
                last = append_text("b");
        close_store();
        ck_assert_uint_eq(last, first + 3);
        forge_slots(offsetof(struct control_slot, mark_number), first);
        place = place_of(first + 2);
        zero_in(3, place.offset + offsetof(struct frame, check), 4);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_uint_eq(read_tail(), first + 1);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(append_text("c"), first + 2);
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_seal_of_the_head_that_counts_wrong, 2 },
                { a_seal_of_the_head_that_ends_late, 0 },
                { a_seal_of_the_head_that_counts_wrong_over_a_damaged_frame, 0 },
                { a_wrong_seal_of_the_head_behind_a_segment_that_stops_early, 0 },
                { a_log_that_leaves_a_segment_inside_a_batch, 3 },
                { a_log_that_leaves_a_segment_inside_a_batch_with_no_mark, 0 },
                { a_copy_from_before_a_truncation, 3 },
                { a_frame_that_does_not_lead_to_the_next, 0 },
                { a_void_inside_a_batch, 0 },
                { a_durable_record_of_which_more_should_follow, 0 },
                { a_mark_inside_a_torn_batch, 8 },
                { a_spoilt_frame_before_the_first_number_behind_which_nothing_is_known_durable, 0 },
                { a_link_that_counts_otherwise_behind_the_mark, 2 },
                { a_mark_of_a_lost_segment_inside_a_torn_batch, 2 },
                { a_mark_of_a_clean_close_that_counts_too_few, 0 },
        };

        return RUN_TESTS("one_verdict_lies", tests);
}
