/*
 * test_begin.c - where a log begins and ends is said by several files: one of them is wrong
 *
 * Trimmed frames within a segment may be damaged, because nobody reads them. The store does not
 * believe a slot, a seal or a link that nothing else confirms.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "test_one_verdict_support.h"

/* As make_store(), with more in the head. */
static void make_fuller(void)
{
        make_store();
        open_store(LOGSTORE_NO_THREAD);
        for (int i = 0; i < 6; i++)
                append_filled(2000, 'y');
        close_store();
}

/* Spoil a frame of the segment and trim the log to behind it. Returns how many records are left. */
static uint64_t damage_trimmed(uint64_t id, uint64_t in_frame)
{
        uint64_t number = start_of(id).first_number + 1, last = read_tail(), first = number + 2;

        forge_slots(offsetof(struct control_slot, first_number), first);
        zero_in(id, place_of(number).offset + in_frame, 4);
        return last - first + 1;
}

static void expect_sound(uint64_t records)
{
        struct logstore_verify_report report;
        struct logstore *writer;

        ck_assert_msg(logstore_verify(store_path(), NULL, &report) == 0, "%s", logstore_detail());
        ck_assert_uint_eq(report.records, records);
        expect_read(records);
        ck_assert_int_eq(try_open(LOGSTORE_NO_THREAD, &writer), 0);
        ck_assert_int_eq(logstore_close(writer), 0);
}

/* In a sealed segment, and in the head, which a writer goes on in. */
START_TEST(damage_in_a_record_that_was_trimmed_is_none)
{
        make_fuller();
        expect_sound(damage_trimmed(_i ? 3 : 2, offsetof(struct frame, payload)));
}
END_TEST

START_TEST(damage_in_a_trimmed_record_is_none_behind_a_crash)
{
        uint64_t records;

        make_fuller();
        records = damage_trimmed(3, offsetof(struct frame, payload));
        forge_slots(offsetof(struct control_slot, flags), 0);
        expect_sound(records);
}
END_TEST

/* The first record is searched behind a frame that does not lead on. */
START_TEST(a_trimmed_frame_that_leads_nowhere_is_passed)
{
        make_fuller();
        expect_sound(damage_trimmed(2, 0));
}
END_TEST

START_TEST(damage_from_the_first_number_on_is_damage)
{
        uint64_t number;

        make_fuller();
        number = start_of(2).first_number + 2;
        forge_slots(offsetof(struct control_slot, first_number), number);
        zero_in(2, place_of(number).offset + offsetof(struct frame, payload), 4);
        expect_failure(logstore_verify(store_path(), NULL, NULL), -EBADMSG);
}
END_TEST

/* Nothing is behind the place of the mark, and a greater number was given before it. */
START_TEST(a_mark_whose_number_is_too_low_hides_no_record)
{
        uint64_t tail;

        make_fuller();
        tail = read_tail();
        ck_assert_uint_gt(tail, start_of(3).first_number + 2);
        forge_slots(offsetof(struct control_slot, mark_number), tail - 2);
        forge_slots(offsetof(struct control_slot, flags), 0);
        expect_read(tail);
}
END_TEST

static void forge_seal_end(uint64_t id, uint64_t end)
{
        struct segment_seal seal = read_seal(id);

        seal.end = end;
        write_seal(id, &seal);
}

/* It ends before the place that the next segment goes on from: what is there is not known. */
START_TEST(a_link_is_told_before_the_seal_that_breaks_it)
{
        uint64_t last;

        make_store();
        last = start_of(2).first_number - 1;
        forge_seal_end(1, place_of(last).offset);
        ck_assert_uint_eq(expect_one_verdict("0000000001.log", last), last - 1);
        expect_repaired();
}
END_TEST

/* The next segment claims the last number that this one has a frame for. */
static uint64_t claim_last(uint64_t id)
{
        struct start_payload start = start_of(id + 1);

        start.previous_records--;
        start.first_number--;
        forge_start(id + 1, &start);
        return start.first_number;
}

START_TEST(where_a_seal_has_no_room_for_more_numbers_the_link_is_damaged)
{
        uint64_t number;

        make_store();
        number = claim_last(2);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", number + 1), number);
        expect_repaired();
}
END_TEST

START_TEST(a_number_that_two_segments_have_is_damage_at_its_first_frame)
{
        uint64_t number;

        make_store();
        unseal(2);
        number = claim_last(2);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", number), number - 1);
        expect_repaired();
}
END_TEST

/* All that is left was trimmed, and nobody reads it. But its frames do not lead to where the log
 * began. The segment behind it is missing or damaged, too; that is reported later. */
START_TEST(a_log_of_trimmed_records_that_lead_nowhere)
{
        uint64_t last;

        make_store();
        last = read_seal(2).last_number;
        zero_in(2, place_of(last).offset, 4);
        if (_i)
                zero_in(3, 0, SECTOR_BYTES);
        else
                ck_assert_int_eq(remove(segment_path(3)), 0);
        forge_slots(offsetof(struct control_slot, first_number), last + 1);
        ck_assert_uint_eq(expect_verdict_of_readers("0000000002.log", last + 1), 0);
        expect_repaired();
}
END_TEST

/* The mark lies where a segment begins, and the frames of the one before do not lead there. The log
 * ends in the earlier one, and what the later one holds is not of the log. */
START_TEST(a_mark_at_the_start_of_a_segment_that_nothing_leads_to)
{
        struct start_payload start;
        uint64_t last;

        make_store();
        start = start_of(3);
        last = start.first_number - 1;
        unseal(2);
        start.previous_end += 240;
        forge_start(3, &start);
        forge_slots(offsetof(struct control_slot, mark_id), 3);
        forge_slots(offsetof(struct control_slot, mark_number), last);
        forge_slots(offsetof(struct control_slot, mark_offset), FRAMES_OFFSET);
        forge_slots(offsetof(struct control_slot, flags), 0);
        expect_read(last);
        ck_assert_uint_eq(read_tail(), last);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* The chain ends where it comes to a trimmed number, also in a segment that does not fit. */
START_TEST(behind_a_first_number_that_was_trimmed_nothing_is_of_the_log)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct start_payload start;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.first_number = 1000;
        open_store_with(&options);
        while (!file_exists(segment_path(4)))
                append_filled(20000, 'x');
        close_store();
        start = start_of(3);
        start.first_number = 3;
        forge_start(3, &start);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", 1000), 0);
        expect_repaired();
}
END_TEST

/* The start of the next segment is lost: the seal alone says how many numbers this one has. */
START_TEST(before_a_broken_link_a_segment_ends_by_the_count_of_its_seal)
{
        struct segment_seal seal;
        uint64_t last;

        make_store();
        last = start_of(2).first_number - 1;
        zero_in(2, HEADER_BYTES, 4);
        seal = read_seal(1);
        seal.records--;
        write_seal(1, &seal);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", last), last - 1);
        expect_repaired();
}
END_TEST

/* Tear the second segment as a crash may: it is not sealed, and torn behind its third record, the
 * mark. Returns the mark's number. */
static uint64_t tear_second(uint64_t mark_id)
{
        uint64_t number, end;

        make_store();
        number = start_of(2).first_number + 2;
        forge_slots(offsetof(struct control_slot, mark_number), number);
        forge_slots(offsetof(struct control_slot, mark_id), mark_id);
        end = place_of(number + 1).offset;
        forge_slots(offsetof(struct control_slot, mark_offset), end);
        forge_slots(offsetof(struct control_slot, flags), 0);
        unseal(2);
        ck_assert_int_eq(truncate(segment_path(2), (off_t)end + 100), 0);
        return number;
}

START_TEST(a_mark_behind_the_place_where_the_log_is_torn_adds_nothing)
{
        uint64_t number = tear_second(3);

        expect_read(number);
}
END_TEST

START_TEST(behind_a_torn_tail_another_version_is_told)
{
        uint32_t version = 2;
        uint64_t records;

        tear_second(2);
        copy_segment(1, 4);
        forge(segment_path(4), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, version), &version, sizeof(version));
        expect_failure(logstore_verify(store_path(), NULL, NULL), -EPROTONOSUPPORT);
        ck_assert_int_eq(read_to_end(0, &records), -EPROTONOSUPPORT);
}
END_TEST

/* Its size still leads on, to the middle of what follows. */
START_TEST(a_record_that_has_become_a_pad_is_told_where_it_is)
{
        uint64_t number, records;
        struct logstore_record record;
        struct logstore *reader;
        struct bytes file;
        struct place at;
        char place[40];

        make_store();
        number = start_of(2).first_number + 2;
        at = place_of(number);
        file = load_file(segment_path(2));
        file.data[at.offset + 3] &= 0x3f; /* the kind */
        save_file(segment_path(2), file.data, file.size);
        free(file.data);
        snprintf(place, sizeof(place), "offset %llu", (unsigned long long)at.offset);
        ck_assert_int_eq(read_to_end(0, &records), -EBADMSG);
        ck_assert_msg(strstr(logstore_detail(), place), "%s", logstore_detail());
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        expect_failure(logstore_get(reader, number, NULL, 0, &record), -EBADMSG);
        ck_assert_msg(strstr(logstore_detail(), place), "%s", logstore_detail());
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* The mark is in a segment that is off the chain; the frames end before the first number. */
START_TEST(a_log_that_ends_before_its_first_number_is_damage)
{
        uint64_t first;

        make_store();
        first = start_of(3).first_number + 20;
        forge_slots(offsetof(struct control_slot, first_number), first);
        forge_slots(offsetof(struct control_slot, mark_number), first - 1);
        forge_slots(offsetof(struct control_slot, mark_id), 2);
        forge_slots(offsetof(struct control_slot, mark_offset), FRAMES_OFFSET);
        ck_assert_uint_eq(expect_one_verdict("0000000003.log", first), 0);
        expect_repaired();
}
END_TEST

/* A truncation cut only pads, and a crash came before it stored the seal with the new end. */
START_TEST(a_seal_that_ends_behind_the_link_hides_no_record)
{
        uint64_t last;

        make_fuller();
        ck_assert_int_eq(read_to_end(0, &last), -EAGAIN);
        forge_seal_end(2, start_of(3).previous_end + 16);
        forge_slots(offsetof(struct control_slot, mark_number), 1);
        forge_slots(offsetof(struct control_slot, mark_id), 1);
        forge_slots(offsetof(struct control_slot, mark_offset), place_of(2).offset);
        forge_slots(offsetof(struct control_slot, flags), 0);
        expect_read(last);
}
END_TEST

START_TEST(backward_a_missing_segment_is_told_with_the_first_number_that_is_missing)
{
        uint64_t number, records;

        make_store();
        number = start_of(2).first_number;
        ck_assert_int_eq(remove(segment_path(2)), 0);
        ck_assert_uint_eq(expect_one_verdict("0000000002.log", number), number - 1);
        ck_assert_int_eq(read_backward(&records), -EBADMSG);
        expect_detail(&(struct told){ "0000000002.log", number });
}
END_TEST

/* Unless damage is to be skipped a cursor stays before it, and tells it again. */
START_TEST(backward_a_missing_segment_is_told_again)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *reader;
        uint64_t number;

        make_store();
        number = start_of(2).first_number;
        ck_assert_int_eq(remove(segment_path(2)), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, _i ? LOGSTORE_SKIP_DAMAGE : 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, number), 0);
        for (int i = 0; i < 3; i++) {
                expect_failure(logstore_cursor_prev(cursor, &record), -EBADMSG);
                if (_i)
                        break;
                ck_assert_uint_eq(logstore_cursor_position(cursor), number);
        }
        if (_i)
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* A reader that meets damage at the log's first number has the beginning checked, also beside
 * others. */
static void *get_first(void *context)
{
        struct logstore *reader = context;
        struct logstore_record record;
        char buffer[4096];

        for (int i = 0; i < 200; i++)
                if (logstore_get(reader, 1, buffer, sizeof(buffer), &record) != -EBADMSG)
                        return reader;
        return NULL;
}

START_TEST(threads_that_look_at_a_damaged_beginning_have_a_chain_each)
{
        pthread_t threads[4];
        struct logstore *reader;
        void *failed;

        make_store();
        zero_in(1, place_of(1).offset, sizeof(uint64_t));
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, get_first, reader), 0);
        for (int i = 0; i < 4; i++) {
                ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
                ck_assert_ptr_null(failed);
        }
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { damage_in_a_record_that_was_trimmed_is_none, 2 },
                { damage_in_a_trimmed_record_is_none_behind_a_crash, 0 },
                { a_trimmed_frame_that_leads_nowhere_is_passed, 0 },
                { a_log_of_trimmed_records_that_lead_nowhere, 2 },
                { a_mark_at_the_start_of_a_segment_that_nothing_leads_to, 0 },
                { damage_from_the_first_number_on_is_damage, 0 },
                { a_mark_whose_number_is_too_low_hides_no_record, 0 },
                { a_link_is_told_before_the_seal_that_breaks_it, 0 },
                { where_a_seal_has_no_room_for_more_numbers_the_link_is_damaged, 0 },
                { a_number_that_two_segments_have_is_damage_at_its_first_frame, 0 },
                { behind_a_first_number_that_was_trimmed_nothing_is_of_the_log, 0 },
                { before_a_broken_link_a_segment_ends_by_the_count_of_its_seal, 0 },
                { a_mark_behind_the_place_where_the_log_is_torn_adds_nothing, 0 },
                { behind_a_torn_tail_another_version_is_told, 0 },
                { a_record_that_has_become_a_pad_is_told_where_it_is, 0 },
                { a_log_that_ends_before_its_first_number_is_damage, 0 },
                { a_seal_that_ends_behind_the_link_hides_no_record, 0 },
                { backward_a_missing_segment_is_told_with_the_first_number_that_is_missing, 0 },
                { backward_a_missing_segment_is_told_again, 2 },
                { threads_that_look_at_a_damaged_beginning_have_a_chain_each, 0 },
        };

        return RUN_TESTS("begin", tests);
}
