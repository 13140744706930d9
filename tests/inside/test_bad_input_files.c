/*
 * test_bad_input_files.c - segments and indexes that are gone, garbled, renamed or of another store
 */
#include "test_bad_input_support.h"

#include <unistd.h>

#define COUNT 9000 /* several segments */

static void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(COUNT);
        close_store();
}

static uint64_t first_of_segment(uint64_t id)
{
        struct bytes file = load_file(segment_path(id));
        struct start_payload start;

        memcpy(&start, file.data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        free(file.data);
        return start.first_number;
}

static void expect_everything(uint32_t flags)
{
        struct logstore_verify_report report;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t count = 0;

        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        open_store(flags);
        expect_numbered(store, 1, COUNT);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        while (logstore_cursor_next(cursor, &record) == 0)
                ck_assert_uint_eq(record.number, ++count);
        ck_assert_uint_eq(count, COUNT);
        logstore_cursor_close(cursor);
        close_store();
}

/* ---- indexes are a help, never evidence -------------------------------------------------- */

static void delete_index(const char *path)
{
        ck_assert_int_eq(unlink(path), 0);
}

static void empty_index(const char *path)
{
        cut_file(path, 0);
}

static void cut_index(const char *path)
{
        cut_file(path, load_file(path).size / 2);
}

static void garble_header(const char *path)
{
        flip_byte(path, 40);
}

static void garble_entries(const char *path)
{
        struct bytes bytes = load_file(path);

        memset(bytes.data + sizeof(struct index_header), 0x5a,
               bytes.size - sizeof(struct index_header));
        save_file(path, bytes.data, bytes.size);
}

static void fill_with_noise(const char *path)
{
        struct bytes bytes = load_file(path);

        for (size_t i = 0; i < bytes.size; i++)
                bytes.data[i] = (unsigned char)(i * 131 + 7);
        save_file(path, bytes.data, bytes.size);
}

static void take_from_other_segment(const char *path)
{
        struct bytes bytes = load_file(index_path(2));

        (void)path;
        save_file(index_path(1), bytes.data, bytes.size);
}

static void make_link(const char *path)
{
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(symlink("/dev/zero", path), 0);
}

static void (*const index_harms[])(const char *) = {
        delete_index,
        empty_index,
        cut_index,
        garble_header,
        garble_entries,
        fill_with_noise,
        take_from_other_segment,
        make_link,
};

static const uint32_t orders[][2] = {
        { LOGSTORE_READ_ONLY, LOGSTORE_NO_THREAD },
        { LOGSTORE_NO_THREAD, LOGSTORE_READ_ONLY },
};
#define HARMS (sizeof(index_harms) / sizeof(index_harms[0]))

START_TEST(a_harmed_index_changes_no_answer)
{
        make_store();
        ck_assert(file_exists(index_path(1)));
        ck_assert(file_exists(index_path(2)));
        index_harms[_i / 2](index_path(1));
        for (unsigned turn = 0; turn < 2; turn++)
                expect_everything(orders[_i % 2][turn]);
}
END_TEST

/* ---- segments ---------------------------------------------------------------------------- */

/* A version that this library does not know may be a damaged one. */
static bool is_broken(int r)
{
        return r == -EBADMSG || r == -EPROTONOSUPPORT;
}

/* Everything before segment @id is served read-only; it and what follows is reported. */
static void expect_broken_from(uint64_t id, uint64_t first)
{
        struct logstore_verify_report report = { 0 };
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *writer = NULL;
        uint64_t count = 0;
        char name[32];
        int r;

        snprintf(name, sizeof(name), SEGMENT_NAME_FORMAT, id);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        ck_assert_uint_ge(report.faults, 1);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                ck_assert_uint_eq(record.number, ++count);
        ck_assert_msg(is_broken(r), "reading ended with %d after %" PRIu64, r, count);
        ck_assert_msg(strstr(logstore_detail(), name) != NULL, "no %s in: %s", name,
                      logstore_detail());
        ck_assert_uint_eq(count, first - 1);
        logstore_cursor_close(cursor);
        close_store();

        r = try_open(LOGSTORE_NO_THREAD, &writer);
        if (r == 0) { /* found when read, not at open: the same */
                char buffer[64];

                expect_failure(logstore_get(writer, first, buffer, sizeof(buffer), &record),
                               -EBADMSG);
                ck_assert_int_eq(logstore_close(writer), 0);
        } else {
                ck_assert_msg(is_broken(r), "open gave %d: %s", r, logstore_detail());
                ck_assert_msg(strstr(logstore_detail(), name) != NULL, "no %s in: %s", name,
                              logstore_detail());
        }
}

START_TEST(a_missing_segment_in_the_middle_is_damage)
{
        uint64_t first;

        make_store();
        first = first_of_segment(3);
        ck_assert_int_eq(unlink(segment_path(3)), 0);
        if (_i)
                ck_assert_int_eq(unlink(index_path(3)), 0);
        expect_broken_from(3, first);
}
END_TEST

/* Each field of the header, one byte of each. */
static const size_t header_bytes[] = { 0, 8, 12, 24, 40, 48, 56, 64, 72, 300, 504, 511 };

START_TEST(a_damaged_segment_header_is_damage)
{
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        flip_byte(segment_path(2), header_bytes[_i]);
        expect_broken_from(2, first);
}
END_TEST

START_TEST(a_damaged_start_frame_is_damage)
{
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        flip_byte(segment_path(2), HEADER_BYTES + (size_t)_i);
        expect_broken_from(2, first);
}
END_TEST

START_TEST(a_segment_under_another_name_is_damage)
{
        struct bytes other;
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        other = load_file(segment_path(3));
        save_file(segment_path(2), other.data, other.size);
        expect_broken_from(2, first);
}
END_TEST

START_TEST(two_segments_that_swapped_names_are_damage)
{
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        ck_assert_int_eq(rename(segment_path(2), scratch("aside")), 0);
        ck_assert_int_eq(rename(segment_path(3), segment_path(2)), 0);
        ck_assert_int_eq(rename(scratch("aside"), segment_path(3)), 0);
        expect_broken_from(3, first); /* which the one behind names */
}
END_TEST

START_TEST(a_segment_of_another_store_is_damage)
{
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        ck_assert_int_eq(rename(store_path(), scratch("other")), 0);
        make_store();
        ck_assert_int_eq(unlink(segment_path(2)), 0);
        ck_assert_int_eq(rename(scratch("other/0000000002.log"), segment_path(2)), 0);
        expect_broken_from(2, first);
}
END_TEST

START_TEST(a_missing_newest_segment_is_damage)
{
        struct logstore_verify_report report = { 0 };
        struct logstore *none = NULL;
        uint64_t id = 1;

        make_store();
        while (file_exists(segment_path(id)))
                id++;
        for (id--; first_of_segment(id) == 0; id--)
                ck_assert_int_eq(unlink(segment_path(id)), 0); /* prepared, not started */
        ck_assert_int_eq(unlink(segment_path(id)), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        expect_failure(try_open(0, &none), -EBADMSG);
}
END_TEST

START_TEST(a_store_without_segments_is_damage)
{
        struct logstore *none = NULL;

        make_store();
        for (uint64_t id = 1; file_exists(segment_path(id)); id++)
                ck_assert_int_eq(unlink(segment_path(id)), 0);
        expect_failure(try_open(0, &none), -EBADMSG);
        expect_failure(try_open(LOGSTORE_CREATE, &none), -EBADMSG);
        ck_assert(!file_exists(segment_path(1)));
}
END_TEST

/* ---- damage inside a sealed segment ------------------------------------------------------ */

struct heard {
        unsigned faults;
        uint64_t number, offset;
        char file[32];
};

static void hear_fault(void *context, const struct logstore_fault *fault)
{
        struct heard *heard = context;

        if (!fault->fatal)
                return;
        heard->faults++;
        heard->number = fault->number;
        heard->offset = fault->offset;
        snprintf(heard->file, sizeof(heard->file), "%s", fault->file);
}

/* Bytes of a frame whose change leaves the frames behind it in their places. */
static const size_t inner_bytes[] = { 4, 7, 8, 15, 16, 23, 24, 27 };

START_TEST(damage_in_a_sealed_segment_is_reported_where_it_is)
{
        struct heard heard = { 0 };
        struct logstore_verify_hooks hooks = { .fault = hear_fault, .context = &heard };
        struct logstore_verify_report report = { 0 };
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct place place;
        char offset[32], buffer[64];
        uint64_t count = 0;

        make_store();
        place = place_of(100);
        flip_byte(scratch("store/%s", place.file), place.offset + inner_bytes[_i]);

        ck_assert_int_eq(logstore_verify(store_path(), &hooks, &report), -EBADMSG);
        ck_assert_uint_eq(report.faults, 1);
        ck_assert_uint_eq(heard.faults, 1);
        ck_assert_uint_eq(heard.number, 100);
        ck_assert_uint_eq(heard.offset, place.offset);
        ck_assert_str_eq(heard.file, place.file);

        open_store(LOGSTORE_NO_THREAD); /* sealed: found when it is read */
        expect_failure(logstore_get(store, 100, buffer, sizeof(buffer), &record), -EBADMSG);
        expect_numbered(store, 1, 99);
        expect_numbered(store, 101, COUNT);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        while (logstore_cursor_next(cursor, &record) == 0)
                count++;
        ck_assert_uint_eq(count, 99);
        expect_failure(logstore_cursor_next(cursor, &record), -EBADMSG);
        snprintf(offset, sizeof(offset), "%zu", place.offset);
        ck_assert_msg(strstr(logstore_detail(), offset) && strstr(logstore_detail(), "100") &&
                              strstr(logstore_detail(), place.file),
                      "not file, offset, number: %s", logstore_detail());
        logstore_cursor_close(cursor);
        ck_assert_uint_eq(append_text("the rest stays usable"), COUNT + 1);
}
END_TEST

START_TEST(a_cursor_may_skip_damage)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct place place;
        uint64_t expected = 1;
        int r;

        make_store();
        place = place_of(100);
        flip_byte(scratch("store/%s", place.file), place.offset + 24);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_cursor_open(store, LOGSTORE_SKIP_DAMAGE, &cursor), 0);
        while ((r = logstore_cursor_next(cursor, &record)) != -EAGAIN) {
                ck_assert_int_eq(r, expected == 100 ? -EBADMSG : 0);
                if (r == 0)
                        ck_assert_uint_eq(record.number, expected);
                expected++;
        }
        ck_assert_uint_eq(expected, COUNT + 1);
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(a_sealed_segment_that_was_cut_is_reported)
{
        struct logstore_verify_report report = { 0 };
        struct logstore_record record;
        struct place place;
        char buffer[64];

        make_store();
        place = place_of(1500);
        cut_file(scratch("store/%s", place.file), place.offset + 5);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        open_store(LOGSTORE_READ_ONLY);
        expect_numbered(store, 1, 1000);
        expect_failure(logstore_get(store, 1500, buffer, sizeof(buffer), &record), -EBADMSG);
        expect_failure(logstore_get(store, 1501, buffer, sizeof(buffer), &record), -EBADMSG);
        expect_numbered(store, COUNT - 10, COUNT);
}
END_TEST

/* ---- what was closed, and what a segment is said to be ----------------------------------- */

static uint64_t newest_segment(void)
{
        uint64_t id = 1;

        while (file_exists(segment_path(id + 1)) && first_of_segment(id + 1) != 0)
                id++;
        return id;
}

/* Sealed ones alone need no look after a clean close. What would be refused after the next crash
 * is refused before anything is appended to it. */
START_TEST(after_a_clean_close_a_segment_without_seal_is_read)
{
        struct logstore *writer = NULL;
        uint64_t last;

        make_store();
        last = newest_segment();
        zero_range(segment_path(last - 1), SECTOR_BYTES, SECTOR_BYTES);
        if (_i) {
                flip_byte(segment_path(last - 1), FRAMES_OFFSET + 30);
                expect_failure(try_open(LOGSTORE_NO_THREAD, &writer), -EBADMSG);
                return;
        }
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(append_text("one more"), COUNT + 1);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        crash_store();
        open_store(LOGSTORE_NO_THREAD);
        expect_numbered(store, 1, COUNT);
        expect_text(store, COUNT + 1, "one more");
}
END_TEST

START_TEST(without_a_mark_segments_below_the_first_number_ever_are_damage)
{
        struct logstore_verify_report report = { 0 };
        struct logstore_record record;
        struct logstore *writer = NULL;
        uint64_t first = COUNT * 2;
        char buffer[64];

        make_store();
        forge(scratch("store/control"), 0, offsetof(struct control_static, check),
              offsetof(struct control_static, first_number), &first, sizeof(first));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        open_store(LOGSTORE_READ_ONLY);
        expect_failure(logstore_get(store, COUNT * 2, buffer, sizeof(buffer), &record), -EBADMSG);
        close_store();
        expect_failure(try_open(LOGSTORE_NO_THREAD, &writer), -EBADMSG);
}
END_TEST

START_TEST(without_a_mark_damage_in_a_sealed_segment_does_not_end_the_log)
{
        struct logstore_record record;
        struct place place;
        char buffer[64];

        make_store();
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        place = place_of(100);
        flip_byte(scratch("store/%s", place.file), place.offset + FRAME_HEADER_BYTES);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, COUNT);
        expect_numbered(store, 1, 99);
        expect_failure(logstore_get(store, 100, buffer, sizeof(buffer), &record), -EBADMSG);
        expect_numbered(store, 101, COUNT);
}
END_TEST

/* What a seal covers was durable, whatever lies before it. */
START_TEST(without_a_mark_a_damaged_sealed_segment_does_not_end_the_log)
{
        struct logstore_record record;
        struct logstore *none = NULL;
        uint64_t first, behind;
        char buffer[64];

        make_store();
        first = first_of_segment(2);
        behind = first_of_segment(3);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        flip_byte(segment_path(2), 20);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, COUNT);
        expect_numbered(store, 1, first - 1);
        for (uint64_t number = first; number < behind; number++)
                expect_failure(logstore_get(store, number, buffer, sizeof(buffer), &record),
                               -EBADMSG);
        expect_numbered(store, behind, COUNT);
        close_store();
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
}
END_TEST

static void forget_seals(uint64_t mark_number, uint64_t mark_id, uint64_t mark_offset)
{
        uint64_t mark[3] = { mark_number, mark_id, mark_offset };

        for (uint64_t id = newest_segment(); id > 0; id--)
                zero_range(segment_path(id), SECTOR_BYTES, SECTOR_BYTES);
        for (size_t slot = SECTOR_BYTES; slot < 3 * SECTOR_BYTES; slot += SECTOR_BYTES)
                forge(scratch("store/control"), slot, offsetof(struct control_slot, check),
                      offsetof(struct control_slot, mark_number), mark, sizeof(mark));
}

static void forget_seals_and_mark(void)
{
        forget_seals(0, 0, 0);
}

/* What follows a torn frame is no part of the log, although it is whole and the cursor near it. */
START_TEST(a_cursor_gets_nothing_from_behind_the_tail)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct place place;

        make_store();
        forget_seals_and_mark();
        place = place_of(5);
        flip_byte(scratch("store/%s", place.file), place.offset + FRAME_HEADER_BYTES);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, 4);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        for (uint64_t number = 5; number < 9; number++) {
                ck_assert_int_eq(logstore_cursor_get(cursor, 3, &record), 0);
                expect_failure(logstore_cursor_get(cursor, number, &record), -EAGAIN);
        }
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 4);
        logstore_cursor_close(cursor);
}
END_TEST

/* Damage below the mark, a torn frame behind it, and a segment behind that: the log ends between
 * the torn frame and the segment. */
START_TEST(a_cursor_skips_damage_to_the_tail_and_not_beyond)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct place torn;

        make_store();
        ck_assert_int_eq(unlink(index_path(1)), 0);
        forget_seals(3, 1, place_of(4).offset);
        torn = place_of(6);
        zero_range(segment_path(1), torn.offset, torn.bytes);
        zero_range(segment_path(1), place_of(2).offset, FRAME_HEADER_BYTES);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, 5);
        ck_assert_int_eq(logstore_cursor_open(store, LOGSTORE_SKIP_DAMAGE, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        expect_failure(logstore_cursor_next(cursor, &record), -EBADMSG);
        ck_assert_uint_eq(logstore_cursor_position(cursor), 6);
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        logstore_cursor_close(cursor);
}
END_TEST

/* Let segment 2 say that one record less precedes it than does. */
static void miscount_before_second(void)
{
        struct bytes file = load_file(segment_path(2));
        struct frame *frame = (struct frame *)(file.data + HEADER_BYTES);
        struct start_payload *start = (struct start_payload *)frame->payload;
        uint64_t place = frame->commit | (uint64_t)frame->ordinal << 32, salt;

        memcpy(&salt, file.data + offsetof(struct segment_header, salt), sizeof(salt));
        start->first_number--;
        start->previous_records--;
        frame->check = XXH3_64bits_withSeed(&frame->time_ns, 8 + sizeof(*start), salt) ^
                       place * CHECK_WORD_FACTOR ^ HEADER_BYTES * CHECK_OFFSET_FACTOR;
        save_file(segment_path(2), file.data, file.size);
        free(file.data);
}

START_TEST(a_segment_holds_no_more_numbers_than_the_next_one_says)
{
        uint64_t first;

        make_store();
        first = first_of_segment(2);
        forget_seals_and_mark();
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, COUNT);
        close_store();
        miscount_before_second();
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_uint_eq(bounds_of(store).tail, first - 2);
}
END_TEST

static int look_at_second(void *context, const struct logstore_segment_info *info)
{
        *(struct logstore_segment_info *)context = *info;
        return info->id == 2;
}

START_TEST(a_segment_without_a_start_frame_is_described_as_damaged)
{
        struct logstore_segment_info info = { 0 };

        make_store();
        if (_i)
                cut_file(segment_path(2), HEADER_BYTES);
        else
                flip_byte(segment_path(2), HEADER_BYTES + 30);
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_segments(store, look_at_second, &info), 1);
        ck_assert_uint_eq(info.id, 2);
        ck_assert_int_eq(info.state, LOGSTORE_SEGMENT_DAMAGED);
        ck_assert_uint_eq(info.records, 0);
        ck_assert_uint_eq(info.used_bytes, 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_harmed_index_changes_no_answer, 2 * HARMS },
                { a_missing_segment_in_the_middle_is_damage, 2 },
                { a_damaged_segment_header_is_damage,
                  sizeof(header_bytes) / sizeof(header_bytes[0]) },
                { a_damaged_start_frame_is_damage, FRAME_HEADER_BYTES + 56 },
                { a_segment_under_another_name_is_damage, 0 },
                { two_segments_that_swapped_names_are_damage, 0 },
                { a_segment_of_another_store_is_damage, 0 },
                { a_missing_newest_segment_is_damage, 0 },
                { a_store_without_segments_is_damage, 0 },
                { damage_in_a_sealed_segment_is_reported_where_it_is,
                  sizeof(inner_bytes) / sizeof(inner_bytes[0]) },
                { a_cursor_may_skip_damage, 0 },
                { a_sealed_segment_that_was_cut_is_reported, 0 },
                { after_a_clean_close_a_segment_without_seal_is_read, 2 },
                { without_a_mark_segments_below_the_first_number_ever_are_damage, 0 },
                { without_a_mark_damage_in_a_sealed_segment_does_not_end_the_log, 0 },
                { without_a_mark_a_damaged_sealed_segment_does_not_end_the_log, 0 },
                { a_cursor_gets_nothing_from_behind_the_tail, 0 },
                { a_cursor_skips_damage_to_the_tail_and_not_beyond, 0 },
                { a_segment_holds_no_more_numbers_than_the_next_one_says, 0 },
                { a_segment_without_a_start_frame_is_described_as_damaged, 2 },
        };

        return RUN_TESTS("bad_input_files", tests);
}
