/*
 * test_bad_input_tail.c - torn tails are dropped for ever; damage to what was durable never is
 *
 * Each store crashes with records 1..DURABLE synced and the rest not. What is done to its files is
 * a row of a table; what must be left follows from where the change lies.
 */
#include "test_bad_input_support.h"

#include <unistd.h>

#define DURABLE 5
#define COUNT 10

static void write_and_crash(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        append_numbered(COUNT - DURABLE);
        crash_store();
}

/* The log ends at @last, and that is no damage; what is appended now survives another crash, and
 * nothing old comes back. */
static void expect_tail_dropped(uint64_t last)
{
        struct logstore_repair_report repaired;
        struct logstore_verify_report report;
        struct logstore_record record;
        char buffer[64];

        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        ck_assert_int_eq(
                logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &repaired), 0);
        ck_assert_uint_eq(repaired.kept_last, last);
        ck_assert_uint_eq(repaired.cut_bytes, 0);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, last);
        expect_numbered(store, 1, last);
        close_store();

        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, last);
        expect_failure(logstore_get(store, last + 1, buffer, sizeof(buffer), &record), -EAGAIN);
        expect_numbered(store, 1, last);
        for (unsigned round = 0; round < 3; round++) {
                ck_assert_uint_eq(append_text("after the crash"), last + 1 + round);
                if (round < 2)
                        ck_assert_int_eq(logstore_sync(store, 0), 0);
                crash_store();
                open_store(LOGSTORE_NO_THREAD);
                ck_assert_uint_eq(bounds_of(store).tail, last + 1 + round);
                expect_numbered(store, 1, last);
                for (uint64_t number = last + 1; number <= last + 1 + round; number++)
                        expect_text(store, number, "after the crash");
        }
}

START_TEST(an_untorn_tail_is_kept_whole)
{
        write_and_crash();
        expect_tail_dropped(COUNT);
}
END_TEST

/* "record 10" makes a frame of 33 bytes: every way of losing its end. */
#define LAST_FRAME_BYTES 33

START_TEST(a_last_frame_zero_from_any_byte_is_dropped)
{
        struct place place;

        write_and_crash();
        place = place_of(COUNT);
        ck_assert_uint_eq(place.bytes, LAST_FRAME_BYTES);
        zero_range(scratch("store/%s", place.file), place.offset + (size_t)_i,
                   place.bytes - (size_t)_i);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

START_TEST(a_file_that_ends_at_any_byte_of_the_last_frame_is_a_torn_tail)
{
        struct place place;

        write_and_crash();
        place = place_of(COUNT);
        cut_file(scratch("store/%s", place.file), place.offset + (size_t)_i);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

/* The commit word is there, something behind it is not. */
static const struct {
        const char *what;
        size_t from, bytes;
} missing[] = {
        { "ordinal", 4, 4 },
        { "check", 8, 8 },
        { "half of the check", 12, 4 },
        { "time", 16, 8 },
        { "header", 4, 20 },
        { "payload", 24, 9 },
        { "first of the payload", 24, 1 },
        { "last of the payload", 32, 1 },
        { "all but the word", 4, 29 },
};

START_TEST(a_commit_word_without_the_rest_is_dropped)
{
        struct place place;

        write_and_crash();
        place = place_of(COUNT);
        zero_range(scratch("store/%s", place.file), place.offset + missing[_i].from,
                   missing[_i].bytes);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

START_TEST(what_lies_behind_a_torn_frame_is_dropped_too)
{
        struct place place;

        write_and_crash();
        place = place_of(DURABLE + 2);
        if (_i == 0)
                zero_range(scratch("store/%s", place.file), place.offset, place.bytes);
        else
                flip_byte(scratch("store/%s", place.file), place.offset + place.bytes - 1);
        expect_tail_dropped(DURABLE + 1);
}
END_TEST

START_TEST(an_impossible_length_is_a_torn_tail)
{
        static const uint32_t words[] = {
                UINT32_MAX,
                1u << 30 | FRAME_SIZE_MASK,
                1u << 30 | 62000,
                1,
                7,
                8,
                12,
                1u << 20,
                (uint32_t)FRAME_SIZE_MASK,
                3u << 30 | 16,
                2u << 30 | 9,
        };
        struct bytes file;
        struct place place;

        write_and_crash();
        place = place_of(COUNT);
        file = load_file(scratch("store/%s", place.file));
        memcpy(file.data + place.offset, &words[_i], sizeof(words[_i]));
        save_file(scratch("store/%s", place.file), file.data, file.size);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

START_TEST(an_old_frame_copied_behind_the_tail_is_not_believed)
{
        struct place from, to;
        struct bytes file;

        write_and_crash();
        from = place_of(COUNT - 1);
        to = place_of(COUNT);
        file = load_file(scratch("store/%s", to.file));
        memcpy(file.data + to.offset, file.data + from.offset, from.bytes);
        save_file(scratch("store/%s", to.file), file.data, file.size);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

/* A batch of 4 behind the mark, with its frame @torn, from 0, zeroed; returns where that is. */
static struct place tear_batch(unsigned torn)
{
        struct logstore_entry entries[4];
        struct place place;

        for (unsigned i = 0; i < 4; i++)
                entries[i] = (struct logstore_entry){ .data = "in a batch", .size = 10 };
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_append_batch(store, entries, 4, NULL), 0);
        crash_store();
        place = place_of(DURABLE + 1 + torn);
        zero_range(scratch("store/%s", place.file), place.offset, place.bytes);
        return place;
}

/* All of it in the first segment, and one record more that began the second. */
static void write_roll_and_crash(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        append_numbered(COUNT - DURABLE);
        append_filled(SEGMENT_BYTES_MIN - FRAMES_OFFSET - FRAME_HEADER_BYTES, 'x');
        crash_store();
        ck_assert(file_exists(segment_path(2)));
}

START_TEST(a_torn_tail_with_a_segment_behind_it_is_dropped_with_that)
{
        write_roll_and_crash();
        flip_byte(segment_path(1), place_of(COUNT).offset + FRAME_HEADER_BYTES);
        expect_tail_dropped(COUNT - 1);
}
END_TEST

START_TEST(salvage_takes_what_is_valid_behind_a_torn_tail)
{
        struct logstore_repair_report report;

        write_roll_and_crash();
        flip_byte(segment_path(1), place_of(COUNT - 2).offset + FRAME_HEADER_BYTES);
        ck_assert_int_eq(logstore_repair(store_path(), 0, scratch("salvaged"), NULL, &report), 0);
        ck_assert_uint_eq(report.kept_last, COUNT - 3);
        ck_assert_uint_eq(report.cut_bytes, 0);
        ck_assert_uint_eq(report.salvaged, COUNT);
        ck_assert_uint_eq(report.missing, 1);
}
END_TEST

START_TEST(half_a_batch_is_dropped_whole)
{
        tear_batch((unsigned)_i);
        expect_tail_dropped(DURABLE);
}
END_TEST

static void count_told(void *context, const struct logstore_fault *fault)
{
        (void)fault;
        ++*(unsigned *)context;
}

/* Behind it a record is committed: beside the writer that is no torn tail. */
START_TEST(an_open_claim_of_a_writer_at_work_is_not_told)
{
        struct logstore_claim claim;
        unsigned told = 0;
        struct logstore_verify_hooks hooks = { count_told, NULL, &told };

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
        append_text("behind the claim");
        ck_assert_int_eq(logstore_verify(store_path(), &hooks, NULL), 0);
        ck_assert_uint_eq(told, 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        close_store();
}
END_TEST

START_TEST(an_open_claim_ends_the_log_of_a_crash)
{
        struct logstore_claim claim;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
        append_text("behind the claim");
        ck_assert_int_eq(rename(store_path(), scratch("live")), 0);
        copy_directory(scratch("live"), store_path());
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        ck_assert_int_eq(logstore_close(store), 0);
        expect_tail_dropped(DURABLE);
}
END_TEST

/* ---- how much is dropped ---------------------------------------------------------------- */

static void zero_commit(uint64_t number)
{
        struct place place = place_of(number);

        zero_range(scratch("store/%s", place.file), place.offset, 4);
}

static void flip_payload(uint64_t number)
{
        struct place place = place_of(number);

        flip_byte(scratch("store/%s", place.file), place.offset + FRAME_HEADER_BYTES);
}

static void (*const tears[])(uint64_t number) = { zero_commit, flip_payload };

static uint64_t end_of(uint64_t number)
{
        struct place place = place_of(number);

        return place.offset + place.bytes;
}

static void add_dropped(void *context, const struct logstore_fault *fault)
{
        uint64_t *records = context;
        const char *with = strstr(fault->what, "drops it, with ");

        ck_assert_int_eq(fault->fatal, 0);
        if (with)
                *records += strtoull(with + strlen("drops it, with "), NULL, 10);
}

/* By an open for writing; verify tells it before. */
static void expect_dropped(uint64_t records, uint64_t bytes)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_verify_report report;
        uint64_t told = 0;
        struct logstore_verify_hooks hooks = { add_dropped, NULL, &told };

        ck_assert_int_eq(logstore_verify(store_path(), &hooks, &report), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_info(store, &info), 0);
        ck_assert_uint_eq(info.dropped_records, records);
        ck_assert_uint_le(info.dropped_bytes, bytes + FRAME_ALIGN - 1);
        ck_assert_uint_gt(info.dropped_bytes + FRAME_ALIGN, bytes);
        ck_assert_uint_eq(told, records);
        ck_assert_uint_eq(report.torn_bytes, info.dropped_bytes);
        close_store();
}

/* Frames that are whole are counted, also behind what is torn; zeros are no bytes of them. */
START_TEST(what_an_open_drops_is_counted)
{
        uint64_t torn = COUNT - 2, bytes;

        write_and_crash();
        bytes = end_of(COUNT) - place_of(torn).offset;
        tears[_i](torn);
        expect_dropped(2, bytes);
}
END_TEST

START_TEST(what_an_open_drops_of_other_segments_is_counted)
{
        uint64_t torn = COUNT - 2, bytes, last;

        write_roll_and_crash();
        last = SEGMENT_BYTES_MIN - FRAMES_OFFSET;
        bytes = end_of(COUNT) - place_of(torn).offset + last;
        tears[_i](torn);
        expect_dropped(3, bytes);
}
END_TEST

START_TEST(half_a_batch_that_is_dropped_is_counted)
{
        struct logstore_entry entries[3] = { { "a", 1, 0 }, { "b", 1, 0 }, { "c", 1, 0 } };
        uint64_t bytes;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(DURABLE);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_append_batch(store, entries, 3, NULL), 0);
        crash_store();
        bytes = place_of(DURABLE + 3).offset - place_of(DURABLE + 1).offset;
        zero_range(segment_path(1), place_of(DURABLE + 3).offset, 40);
        expect_dropped(2, bytes);
}
END_TEST

START_TEST(nothing_is_dropped_where_nothing_is_torn)
{
        write_and_crash();
        expect_dropped(0, 0);
}
END_TEST

/* ---- damage to what was durable --------------------------------------------------------- */

static void expect_named_damage(struct place place, uint64_t number)
{
        char offset[32], text[32];

        ck_assert_msg(strstr(logstore_detail(), place.file) != NULL, "no file in: %s",
                      logstore_detail());
        snprintf(offset, sizeof(offset), "%zu", place.offset);
        ck_assert_msg(strstr(logstore_detail(), offset) != NULL, "not offset %s in: %s", offset,
                      logstore_detail());
        snprintf(text, sizeof(text), "%" PRIu64, number);
        ck_assert_msg(strstr(logstore_detail(), text) != NULL, "not number %s in: %s", text,
                      logstore_detail());
}

/* The store refuses writing and changes nothing. Readers go on up to the damage and report it
 * there. Repair keeps what is before it. */
static void expect_damage_at(uint64_t number, struct place place)
{
        struct logstore_verify_report report = { 0 };
        struct logstore_repair_report repaired;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *none = NULL;
        struct bytes before, after;
        char buffer[4096];

        before = load_file(scratch("store/%s", place.file));
        expect_failure(try_open(0, &none), -EBADMSG);
        ck_assert_ptr_null(none);
        expect_named_damage(place, number);
        after = load_file(scratch("store/%s", place.file));
        ck_assert_uint_eq(after.size, before.size);
        ck_assert_mem_eq(after.data, before.data, before.size);

        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        ck_assert_uint_ge(report.faults, 1);
        open_store(LOGSTORE_READ_ONLY);
        expect_numbered(store, 1, number - 1);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        for (uint64_t good = 1; good < number; good++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -EBADMSG);
        expect_named_damage(place, number);
        logstore_cursor_close(cursor);
        expect_failure(logstore_get(store, number, buffer, sizeof(buffer), &record), -EBADMSG);
        expect_named_damage(place, number);
        close_store();

        ck_assert_int_eq(
                logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &repaired), 0);
        ck_assert_uint_eq(repaired.kept_last, number - 1);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, number - 1);
        expect_numbered(store, 1, number - 1);
}

START_TEST(a_durable_frame_with_any_byte_changed_is_damage)
{
        struct place place;

        write_and_crash();
        place = place_of(DURABLE - 1);
        ck_assert_uint_eq(place.bytes, LAST_FRAME_BYTES - 1);
        flip_byte(scratch("store/%s", place.file), place.offset + (size_t)_i);
        expect_damage_at(DURABLE - 1, place);
}
END_TEST

START_TEST(a_durable_frame_that_is_gone_is_damage)
{
        struct place place;

        write_and_crash();
        place = place_of(1 + (uint64_t)_i);
        zero_range(scratch("store/%s", place.file), place.offset, place.bytes);
        expect_damage_at(1 + (uint64_t)_i, place);
}
END_TEST

START_TEST(a_file_cut_within_the_durable_part_is_damage)
{
        struct place place;

        write_and_crash();
        place = place_of(DURABLE);
        cut_file(scratch("store/%s", place.file), place.offset + (size_t)_i * 4);
        expect_damage_at(DURABLE, place);
}
END_TEST

START_TEST(without_a_valid_mark_a_bad_frame_with_good_ones_behind_is_damage)
{
        struct place place;

        write_and_crash();
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        place = place_of(DURABLE + 2);
        flip_byte(scratch("store/%s", place.file), place.offset + 24);
        expect_damage_at(DURABLE + 2, place);
}
END_TEST

START_TEST(without_a_valid_mark_a_lost_frame_with_good_ones_behind_is_damage)
{
        struct place place;

        write_and_crash();
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        place = place_of(1 + (uint64_t)_i);
        zero_range(scratch("store/%s", place.file), place.offset, place.bytes);
        expect_damage_at(1 + (uint64_t)_i, place);
}
END_TEST

START_TEST(without_a_valid_mark_a_bad_frame_with_a_segment_behind_is_damage)
{
        struct place place;

        write_roll_and_crash();
        place = place_of(COUNT);
        flip_byte(segment_path(1), place.offset + FRAME_HEADER_BYTES);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        expect_damage_at(COUNT, place);
}
END_TEST

START_TEST(without_a_valid_mark_a_bad_last_frame_is_a_torn_tail)
{
        struct place place;

        write_and_crash();
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        place = place_of(COUNT);
        flip_byte(scratch("store/%s", place.file), place.offset + 24);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, COUNT - 1);
        expect_numbered(store, 1, COUNT - 1);
}
END_TEST

/* What lies behind the tear decides about a torn batch; its good frames before it prove nothing. */
START_TEST(without_a_valid_mark_half_a_batch_at_the_end_is_a_torn_tail)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;

        tear_batch(3);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        for (uint64_t good = 1; good <= DURABLE; good++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        logstore_cursor_close(cursor);
        close_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, DURABLE);
}
END_TEST

START_TEST(without_a_valid_mark_half_a_batch_with_good_frames_behind_is_damage)
{
        struct place place = tear_batch((unsigned)_i);

        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        expect_damage_at(DURABLE + 1, place);
}
END_TEST

START_TEST(damage_after_a_clean_close_is_damage)
{
        struct place place;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(COUNT);
        close_store();
        place = place_of(1 + (uint64_t)_i);
        flip_byte(scratch("store/%s", place.file), place.offset + 24);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &(struct logstore_verify_report){ 0 }),
                         -EBADMSG);
        open_store(LOGSTORE_READ_ONLY);
        expect_numbered(store, 1, (uint64_t)_i);
        expect_failure(logstore_get(store, 1 + (uint64_t)_i, (char[64]){ 0 }, 64,
                                    &(struct logstore_record){ 0 }),
                       -EBADMSG);
}
END_TEST

/* A void proves itself as any frame does, however it is asked for. */
START_TEST(a_damaged_void_is_damage)
{
        struct logstore_record record;
        struct logstore_cursor *cursor;
        struct logstore_claim claim;
        char buffer[64];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(1);
        ck_assert_int_eq(logstore_claim(store, 10, &claim), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        append_text("record 3");
        close_store();
        flip_byte(segment_path(1), place_of(2).offset + offsetof(struct frame, check));
        open_store(LOGSTORE_READ_ONLY);
        expect_failure(logstore_get(store, 2, buffer, sizeof(buffer), &record), -EBADMSG);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        expect_failure(logstore_cursor_get(cursor, 2, &record), -EBADMSG);
        logstore_cursor_close(cursor);
        expect_text(store, 3, "record 3");
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { an_untorn_tail_is_kept_whole, 0 },
                { a_last_frame_zero_from_any_byte_is_dropped, LAST_FRAME_BYTES },
                { a_file_that_ends_at_any_byte_of_the_last_frame_is_a_torn_tail, LAST_FRAME_BYTES },
                { a_commit_word_without_the_rest_is_dropped, sizeof(missing) / sizeof(missing[0]) },
                { what_lies_behind_a_torn_frame_is_dropped_too, 2 },
                { an_impossible_length_is_a_torn_tail, 11 },
                { an_old_frame_copied_behind_the_tail_is_not_believed, 0 },
                { a_torn_tail_with_a_segment_behind_it_is_dropped_with_that, 0 },
                { salvage_takes_what_is_valid_behind_a_torn_tail, 0 },
                { what_an_open_drops_is_counted, 2 },
                { what_an_open_drops_of_other_segments_is_counted, 2 },
                { half_a_batch_that_is_dropped_is_counted, 0 },
                { nothing_is_dropped_where_nothing_is_torn, 0 },
                { half_a_batch_is_dropped_whole, 4 },
                { an_open_claim_of_a_writer_at_work_is_not_told, 0 },
                { an_open_claim_ends_the_log_of_a_crash, 0 },
                { a_durable_frame_with_any_byte_changed_is_damage, LAST_FRAME_BYTES - 1 },
                { a_durable_frame_that_is_gone_is_damage, DURABLE },
                { a_file_cut_within_the_durable_part_is_damage, 8 },
                { without_a_valid_mark_a_bad_frame_with_good_ones_behind_is_damage, 0 },
                { without_a_valid_mark_a_lost_frame_with_good_ones_behind_is_damage, COUNT - 1 },
                { without_a_valid_mark_a_bad_frame_with_a_segment_behind_is_damage, 0 },
                { without_a_valid_mark_a_bad_last_frame_is_a_torn_tail, 0 },
                { without_a_valid_mark_half_a_batch_at_the_end_is_a_torn_tail, 0 },
                { without_a_valid_mark_half_a_batch_with_good_frames_behind_is_damage, 3 },
                { damage_after_a_clean_close_is_damage, COUNT },
                { a_damaged_void_is_damage, 0 },
        };

        return RUN_TESTS("bad_input_tail", tests);
}
