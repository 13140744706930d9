/*
 * test_index.c - an index leads near a record, and one that is wrong is refused
 */
#include <sys/resource.h>

#include "test_unit_support.h"

#define RECORDS 1000u
#define ID 7
#define SALT 1234

static struct index made;

/* As appends would: every record takes 40 bytes. */
static uint64_t offset_of(uint32_t ordinal)
{
        return FRAMES_OFFSET + (uint64_t)(ordinal - 1) * 40;
}

static void make(void)
{
        begin();
        expect_ok(index_new(&memory, SEGMENT_BYTES_MIN, &made));
        for (uint32_t ordinal = 1; ordinal <= RECORDS; ordinal++)
                index_set(&made, ordinal, offset_of(ordinal));
}

static void make_file(void)
{
        make();
        expect_ok(index_write(&made, directory, 0640, ID, SALT, RECORDS, offset_of(RECORDS + 1)));
        index_close(&made);
}

static int open_made(struct index *ret)
{
        return index_open(&memory, directory, ID, SALT, RECORDS, ret);
}

static void expect_leads(const struct index *index, uint32_t ordinal)
{
        uint32_t at = 0;
        uint64_t offset = index_floor(index, ordinal, &at);

        ck_assert_uint_le(at, ordinal);
        ck_assert_uint_gt(at + INDEX_STRIDE, ordinal);
        ck_assert_uint_eq(offset, offset_of(at));
}

START_TEST(every_ordinal_is_found_within_a_few_frames)
{
        make();
        for (uint32_t ordinal = 1; ordinal <= RECORDS; ordinal++)
                expect_leads(&made, ordinal);
        index_close(&made);
}
END_TEST

START_TEST(there_is_room_for_as_many_empty_records_as_fit)
{
        uint32_t most = (uint32_t)((SEGMENT_BYTES_MIN - FRAMES_OFFSET) / FRAME_HEADER_BYTES), at;

        make();
        index_set(&made, most, SEGMENT_BYTES_MIN - FRAME_HEADER_BYTES);
        ck_assert_uint_lt((most - 1) / INDEX_STRIDE, made.count);
        index_floor(&made, most, &at);
        ck_assert_uint_gt(at + INDEX_STRIDE, most);
        index_close(&made);
}
END_TEST

START_TEST(an_ordinal_that_it_has_not_leads_to_the_first_frame)
{
        uint32_t at = 0;

        make();
        ck_assert_uint_eq(index_floor(&made, UINT32_MAX, &at), FRAMES_OFFSET);
        ck_assert_uint_eq(at, 1);
        index_close(&made);
}
END_TEST

START_TEST(a_written_index_says_the_same_and_is_evictable)
{
        struct index index;

        make_file();
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 0);
        expect_ok(open_made(&index));
        for (uint32_t ordinal = 1; ordinal <= RECORDS; ordinal++)
                expect_leads(&index, ordinal);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 0);
        ck_assert_uint_gt(memory.mapped_bytes[MEMORY_SHARED], 0);
        index_close(&index);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_SHARED], 0);
        ck_assert_uint_eq(memory.mappings, 0);
}
END_TEST

START_TEST(the_file_has_the_mode_given_and_no_temporary_stays)
{
        struct os_stat st;

        make_file();
        expect_ok(os_stat_name(directory, "0000000007.idx", &st));
        ck_assert_uint_eq(st.mode, 0640);
        ck_assert(!file_exists(scratch("new.0000000007.idx")));
}
END_TEST

/* A segment full of records of 100 bytes: frames of 128. */
START_TEST(it_takes_less_than_a_hundredth_of_the_segment)
{
        const uint64_t bytes = SEGMENT_BYTES_DEFAULT;
        uint32_t records = (uint32_t)((bytes - FRAMES_OFFSET) / 128);
        struct index index;
        struct os_stat st;

        begin();
        expect_ok(index_new(&memory, bytes, &index));
        for (uint32_t i = 0; i < records; i++)
                index_set(&index, i + 1, FRAMES_OFFSET + (uint64_t)i * 128);
        expect_ok(index_write(&index, directory, 0600, ID, SALT, records, bytes));
        index_close(&index);
        expect_ok(os_stat_name(directory, "0000000007.idx", &st));
        ck_assert_uint_lt(st.bytes * 100, (uint64_t)records * 128);
}
END_TEST

/* Minor faults of this thread while the first @records entries are set. */
static long faults_of_setting(struct index *index, uint32_t records)
{
        struct rusage before, after;

        getrusage(RUSAGE_THREAD, &before);
        for (uint32_t ordinal = 1; ordinal <= records; ordinal++)
                index_set(index, ordinal, offset_of(ordinal));
        getrusage(RUSAGE_THREAD, &after);
        return after.ru_minflt - before.ru_minflt;
}

START_TEST(what_was_populated_does_not_fault)
{
        const uint32_t records = 256 * 1024, pages = records / INDEX_STRIDE * 4 / 4096;
        struct index bare, populated;

        begin();
        expect_ok(index_new(&memory, SEGMENT_BYTES_DEFAULT, &bare));
        expect_ok(index_new(&memory, SEGMENT_BYTES_DEFAULT, &populated));
        index_populate(&populated, records / 2);
        index_populate(&populated, records);
        index_populate(&populated, 1); /* less than there is: nothing */
        ck_assert_int_ge(faults_of_setting(&bare, records), pages / 2);
        ck_assert_int_lt(faults_of_setting(&populated, records), pages / 2);
        index_populate(&populated, UINT32_MAX); /* no more than there is room for */
        ck_assert_uint_eq(populated.populated_bytes, populated.map.bytes);
        index_close(&bare);
        index_close(&populated);
}
END_TEST

START_TEST(a_missing_index_is_missing)
{
        struct index index;

        begin();
        ck_assert_int_eq(open_made(&index), -ENOENT);
}
END_TEST

START_TEST(no_flipped_byte_is_believed)
{
        struct bytes file;
        struct index index;

        make_file();
        file = load_file(scratch("0000000007.idx"));
        for (size_t i = 0; i < file.size; i++) {
                file.data[i] ^= 0x10;
                save_file(scratch("0000000007.idx"), file.data, file.size);
                ck_assert_msg(open_made(&index) == -EBADMSG, "byte %zu", i);
                file.data[i] ^= 0x10;
        }
        ck_assert_uint_eq(memory.mappings, 0);
        free(file.data);
}
END_TEST

static const struct {
        const char *what;
        int64_t bytes;
} lengths[] = { { "empty", 0 },
                { "less than a header", 71 },
                { "a header alone", 72 },
                { "an entry short", 72 + RECORDS / INDEX_STRIDE * 4 - 4 },
                { "an entry long", 72 + RECORDS / INDEX_STRIDE * 4 + 4 } };

START_TEST(another_length_is_refused)
{
        struct index index;

        make_file();
        ck_assert_int_eq(truncate(scratch("0000000007.idx"), lengths[_i].bytes), 0);
        ck_assert_msg(open_made(&index) == -EBADMSG, "%s", lengths[_i].what);
}
END_TEST

static const struct {
        const char *what;
        uint64_t id, salt, records;
} wanted[] = { { "of another segment", ID + 1, SALT, RECORDS },
               { "of a segment with another salt", ID, SALT + 1, RECORDS },
               { "of more records", ID, SALT, RECORDS + 1 } };

START_TEST(an_index_is_believed_only_by_its_own_segment)
{
        struct index index;
        char name[32];
        int r;

        make_file();
        snprintf(name, sizeof(name), INDEX_NAME_FORMAT, wanted[_i].id);
        if (wanted[_i].id != ID)
                expect_ok(os_rename(directory, "0000000007.idx", name));
        r = index_open(&memory, directory, wanted[_i].id, wanted[_i].salt, wanted[_i].records,
                       &index);
        ck_assert_msg(r == -EBADMSG, "%s: %d", wanted[_i].what, r);
}
END_TEST

/* Whole checksums over numbers that cannot be: nothing beyond the file is ever touched. */
static const struct {
        const char *what;
        uint64_t records;
        uint32_t stride;
        uint64_t entries;
} forged[] = {
        { "as many entries as overflow their bytes", UINT64_C(1) << 62, 1, UINT64_C(1) << 62 },
        { "records that overflow when rounded up", UINT64_MAX, 4, 0 },
        { "no stride", RECORDS, 0, 0 },
        { "a stride that is no power of two", RECORDS, 3, 334 },
};

START_TEST(a_forged_header_is_refused)
{
        struct index_header header = {
                .magic = INDEX_MAGIC,
                .version = FORMAT_VERSION,
                .stride = forged[_i].stride,
                .id = ID,
                .salt = SALT,
                .records = forged[_i].records,
                .entries = forged[_i].entries,
                .entries_check = hash_seeded(SALT, "", 0),
        };
        struct index index;
        int r;

        begin();
        header.check = hash_seeded(SALT, &header, offsetof(struct index_header, check));
        save_file(scratch("0000000007.idx"), &header, sizeof(header));
        r = open_made(&index);
        ck_assert_msg(r == -EBADMSG, "%s: %d", forged[_i].what, r);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { every_ordinal_is_found_within_a_few_frames, 0 },
                { there_is_room_for_as_many_empty_records_as_fit, 0 },
                { an_ordinal_that_it_has_not_leads_to_the_first_frame, 0 },
                { a_written_index_says_the_same_and_is_evictable, 0 },
                { the_file_has_the_mode_given_and_no_temporary_stays, 0 },
                { it_takes_less_than_a_hundredth_of_the_segment, 0 },
                { what_was_populated_does_not_fault, 0 },
                { a_missing_index_is_missing, 0 },
                { no_flipped_byte_is_believed, 0 },
                { another_length_is_refused, COUNT(lengths) },
                { an_index_is_believed_only_by_its_own_segment, COUNT(wanted) },
                { a_forged_header_is_refused, COUNT(forged) },
        };

        not_under_tsan(what_was_populated_does_not_fault, "its shadow memory faults as well");
        return RUN_TESTS("index", tests);
}
