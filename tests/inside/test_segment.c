/*
 * test_segment.c - one file of frames: made whole, checked before use, searched without leaving it
 */
#include "test_unit_support.h"

static struct segment_brief brief;

static int read_brief(uint64_t id)
{
        return segment_brief_read(directory, uuid, id, &brief);
}

static const struct {
        const char *name;
        uint64_t id;
        bool is_index;
} names[] = {
        { "0000000001.log", 1, false },
        { "0000000007.idx", 7, true },
        { "9999999999.log", UINT64_C(9999999999), false },
        { "10000000000.log", UINT64_C(10000000000), false },
        { "1000000000000000000.log", ID_MAX, false },
        { "1000000000000000001.log", 0, false },
        { "18446744073709551615.log", 0, false },
        { "18446744073709551616.log", 0, false },
        { "00000000001.log", 0, false },
        { "1.log", 0, false },
        { "0000000000.log", 0, false },
        { "0000000001.log2", 0, false },
        { "0000000001.", 0, false },
        { "-000000001.log", 0, false },
        { " 000000001.log", 0, false },
        { "new.0000000001.log", 0, false },
        { "", 0, false },
};

START_TEST(only_the_exact_name_of_a_segment_is_one)
{
        bool is_index = false;

        ck_assert_uint_eq(segment_name_id(names[_i].name, &is_index), names[_i].id);
        if (names[_i].id)
                ck_assert_int_eq(is_index, names[_i].is_index);
}
END_TEST

START_TEST(a_prepared_segment_has_a_header_and_no_start)
{
        begin();
        expect_ok(segment_prepare(directory, uuid, 3, SEGMENT_BYTES_MIN * 4, 0640));
        expect_ok(read_brief(3));
        ck_assert_uint_eq(brief.bytes, SEGMENT_BYTES_MIN * 4);
        ck_assert_uint_eq(brief.file_bytes, GROW_BYTES);
        ck_assert(!brief.started && !brief.torn_start && !brief.sealed);
        ck_assert(!file_exists(scratch("new.0000000003.log")));
}
END_TEST

START_TEST(a_name_that_is_taken_is_not_taken_again)
{
        uint64_t salt;

        begin();
        expect_ok(segment_prepare(directory, uuid, 3, SEGMENT_BYTES_MIN, 0600));
        expect_ok(read_brief(3));
        salt = brief.salt;
        expect_failure(segment_prepare(directory, uuid, 3, SEGMENT_BYTES_MIN, 0600), -EEXIST);
        expect_ok(read_brief(3));
        ck_assert_uint_eq(brief.salt, salt);
        ck_assert(!file_exists(scratch("new.0000000003.log")));
}
END_TEST

START_TEST(no_two_segments_have_the_same_salt)
{
        uint64_t salt;

        begin();
        expect_ok(segment_prepare(directory, uuid, 1, SEGMENT_BYTES_MIN, 0600));
        expect_ok(segment_prepare(directory, uuid, 2, SEGMENT_BYTES_MIN, 0600));
        expect_ok(read_brief(1));
        salt = brief.salt;
        expect_ok(read_brief(2));
        ck_assert_uint_ne(brief.salt, salt);
}
END_TEST

START_TEST(no_flipped_byte_of_the_header_is_believed)
{
        begin();
        expect_ok(segment_prepare(directory, uuid, 1, SEGMENT_BYTES_MIN, 0600));
        for (size_t i = 0; i < SECTOR_BYTES; i++) {
                flip_byte(scratch("0000000001.log"), i);
                ck_assert_msg(read_brief(1) == -EBADMSG, "byte %zu", i);
                flip_byte(scratch("0000000001.log"), i);
        }
        expect_ok(read_brief(1));
}
END_TEST

/* A header whose checksum is true and which is yet not ours. */
static const struct {
        const char *what;
        size_t offset;
        uint64_t value;
        size_t bytes;
        int want;
} forged[] = {
        { "another version", 8, FORMAT_VERSION + 1, 4, -EPROTONOSUPPORT },
        { "a longer header", 12, 8192, 4, -EPROTONOSUPPORT },
        { "a flag that may be ignored", 16, 1, 4, 0 },
        { "a flag that must be known", 20, 1, 4, -EPROTONOSUPPORT },
        { "another store", 24, 1, 8, -EBADMSG },
        { "another id", 40, 2, 8, -EBADMSG },
        { "no size", 56, 0, 8, -EBADMSG },
        { "an odd size", 56, SEGMENT_BYTES_MIN + 8, 8, -EBADMSG },
        { "too large a size", 56, UINT64_MAX - GROW_BYTES + 1, 8, -EBADMSG },
};

START_TEST(what_a_header_may_say)
{
        struct bytes file;
        uint64_t check;
        int r;

        begin();
        expect_ok(segment_prepare(directory, uuid, 1, SEGMENT_BYTES_MIN, 0600));
        file = load_file(scratch("0000000001.log"));
        memcpy(file.data + forged[_i].offset, &forged[_i].value, forged[_i].bytes);
        check = hash_seeded(0, file.data, 504);
        memcpy(file.data + 504, &check, sizeof(check));
        save_file(scratch("0000000001.log"), file.data, file.size);
        r = read_brief(1);
        ck_assert_msg(r == forged[_i].want, "%s: %d", forged[_i].what, r);
}
END_TEST

static const struct {
        int64_t bytes;
        int want;
} cuts[] = { { 0, -EBADMSG }, { 511, -EBADMSG }, { 4095, -EBADMSG }, { 4096, 0 }, { 4175, 0 } };

START_TEST(a_file_cut_in_its_first_page_is_damaged_and_behind_it_not_started)
{
        struct draft draft;

        begin();
        draft = draft_new(1, 1);
        draft_close(&draft);
        ck_assert_int_eq(truncate(scratch("0000000001.log"), cuts[_i].bytes), 0);
        ck_assert_int_eq(read_brief(1), cuts[_i].want);
        if (cuts[_i].want == 0)
                ck_assert(!brief.started);
}
END_TEST

START_TEST(a_start_frame_that_does_not_validate_is_torn)
{
        struct draft draft;

        begin();
        draft = draft_new(1, 42);
        draft_close(&draft);
        expect_ok(read_brief(1));
        ck_assert(brief.started && !brief.torn_start);
        ck_assert_uint_eq(brief.start.first_number, 42);
        for (size_t i = HEADER_BYTES; i < FRAMES_OFFSET; i++) {
                flip_byte(scratch("0000000001.log"), i);
                expect_ok(read_brief(1));
                ck_assert_msg(!brief.started && brief.torn_start, "byte %zu", i);
                flip_byte(scratch("0000000001.log"), i);
        }
}
END_TEST

START_TEST(a_seal_that_does_not_validate_is_no_seal_and_no_damage)
{
        struct draft draft;

        begin();
        draft = draft_new(1, 42);
        for (int i = 0; i < 10; i++)
                draft_record(&draft, 100);
        segment_seal(draft.segment, 10, draft.offset, 77);
        draft_close(&draft);
        expect_ok(read_brief(1));
        ck_assert(brief.sealed);
        ck_assert_uint_eq(brief.seal.last_number, 51);
        ck_assert_int_eq(brief.seal.greatest_ns, 77);
        for (size_t i = SECTOR_BYTES; i < 2 * SECTOR_BYTES; i++) {
                flip_byte(scratch("0000000001.log"), i);
                expect_ok(read_brief(1));
                ck_assert_msg(!brief.sealed, "byte %zu", i);
                flip_byte(scratch("0000000001.log"), i);
        }
}
END_TEST

START_TEST(a_seal_beyond_the_file_does_not_count)
{
        struct draft draft;

        begin();
        draft = draft_new(1, 1);
        draft_record(&draft, 9000);
        segment_seal(draft.segment, 1, draft.offset, 0);
        draft_close(&draft);
        ck_assert_int_eq(truncate(scratch("0000000001.log"), 8192), 0);
        expect_ok(read_brief(1));
        ck_assert(!brief.sealed);
}
END_TEST

START_TEST(a_seal_of_more_records_than_have_room_does_not_count)
{
        struct draft draft;

        begin();
        draft = draft_new(1, 1);
        for (int i = 0; i < 10; i++)
                draft_put(&draft, FRAME_RECORD, 0, 0, 0);
        segment_seal(draft.segment, 10 + (uint64_t)_i, draft.offset, 0);
        draft_close(&draft);
        expect_ok(read_brief(1));
        ck_assert_int_eq(brief.sealed, _i == 0);
}
END_TEST

static const char *const kinds[] = { "fifo", "symlink", "directory" };

START_TEST(what_is_no_regular_file_is_refused)
{
        struct segment *segment;
        int r;

        begin();
        expect_failure(read_brief(1), -ENOENT);
        if (strcmp(kinds[_i], "fifo") == 0)
                ck_assert_int_eq(mkfifo(scratch("0000000001.log"), 0600), 0);
        else if (strcmp(kinds[_i], "symlink") == 0)
                ck_assert_int_eq(symlink("control", scratch("0000000001.log")), 0);
        else
                ck_assert_int_eq(mkdir(scratch("0000000001.log"), 0700), 0);
        expect_failure(read_brief(1), -EBADMSG);
        r = segment_open(&memory, directory, uuid, 1, OS_SHARED_WRITE, &segment);
        ck_assert_msg(r == -EPERM || r == -EISDIR, "%s: %d", kinds[_i], r);
        ck_assert_uint_eq(memory.heap_bytes, 0);
}
END_TEST

/* Records of all lengths, pads and voids between: found by number, with and without an index. */
START_TEST(every_record_is_found_by_its_ordinal)
{
        uint64_t offsets[301], found;
        struct segment *reader;
        struct record_view view;
        struct draft draft;

        begin();
        draft = draft_new(5, 1);
        for (uint32_t i = 1; i <= 300; i++) {
                if (i % 7 == 0)
                        draft_put(&draft, FRAME_PAD, 8 * (i % 5 + 1), 0, 0);
                offsets[i] = draft_put(&draft, i % 11 ? FRAME_RECORD : FRAME_VOID, i % 60, 1, i);
        }
        segment_seal(draft.segment, 300, draft.offset, 300);
        for (int pass = 0; pass < 3; pass++) { /* walked, written and walked, from the file */
                expect_ok(segment_open(&memory, directory, uuid, 5, OS_SHARED_READ, &reader));
                reader->index_mode = pass == 1 ? 0600 : 0;
                for (uint32_t i = 300; i >= 1; i--) {
                        expect_ok(segment_locate(reader, i, &found, &view));
                        ck_assert_uint_eq(found, offsets[i]);
                        ck_assert_uint_eq(view.ordinal, i);
                }
                ck_assert_int_eq(segment_locate(reader, 301, &found, &view), -EAGAIN);
                ck_assert_int_eq(file_exists(scratch("0000000005.idx")), pass > 0);
                segment_close(reader);
        }
        draft_close(&draft);
        ck_assert_uint_eq(memory.mappings, 0);
        ck_assert_uint_eq(memory.heap_bytes, 0);
}
END_TEST

START_TEST(a_peek_ends_where_the_file_ends)
{
        struct segment *reader;
        struct record_view view;
        struct draft draft;
        uint64_t last;

        begin();
        draft = draft_new(1, 1);
        while (draft.offset < 3 * 4096)
                last = draft_record(&draft, 1000);
        last = draft_record(&draft, 4096);
        draft_close(&draft);
        ck_assert_int_eq(truncate(scratch("0000000001.log"), (off_t)last + 2000), 0);
        expect_ok(segment_open(&memory, directory, uuid, 1, OS_SHARED_READ, &reader));
        ck_assert_int_eq(segment_peek(reader, last, &view), -EBADMSG);
        ck_assert_int_eq(segment_peek(reader, SEGMENT_BYTES_MIN - 4096, &view), -EAGAIN);
        ck_assert_int_eq(segment_peek(reader, SEGMENT_BYTES_MIN, &view), -EAGAIN);
        ck_assert_int_eq(segment_peek(reader, SEGMENT_BYTES_MIN + 4096, &view), -EAGAIN);
        ck_assert_int_eq(truncate(scratch("0000000001.log"), SEGMENT_BYTES_MIN), 0);
        expect_ok(segment_peek(reader, last, &view)); /* it grew: looked at again */
        segment_close(reader);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { only_the_exact_name_of_a_segment_is_one, COUNT(names) },
                { a_prepared_segment_has_a_header_and_no_start, 0 },
                { a_name_that_is_taken_is_not_taken_again, 0 },
                { no_two_segments_have_the_same_salt, 0 },
                { no_flipped_byte_of_the_header_is_believed, 0 },
                { what_a_header_may_say, COUNT(forged) },
                { a_file_cut_in_its_first_page_is_damaged_and_behind_it_not_started, COUNT(cuts) },
                { a_start_frame_that_does_not_validate_is_torn, 0 },
                { a_seal_that_does_not_validate_is_no_seal_and_no_damage, 0 },
                { a_seal_beyond_the_file_does_not_count, 0 },
                { a_seal_of_more_records_than_have_room_does_not_count, 2 },
                { what_is_no_regular_file_is_refused, COUNT(kinds) },
                { every_record_is_found_by_its_ordinal, 0 },
                { a_peek_ends_where_the_file_ends, 0 },
        };

        return RUN_TESTS("segment", tests);
}
