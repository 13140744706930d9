/*
 * test_bad_input_scan.c - a search behind damage takes time in proportion to the file
 *
 * That holds whatever the file holds: a payload is full of what looks like frames. Linked with
 * --wrap of hash_long and os_stat, to count work instead of timing it.
 */
#include <logstore.h>

#include "os/os.h"
#include "segment/hash.h"
#include "test_bad_input_support.h"

uint64_t __real_hash_long(const struct hash_key *key, const void *data, size_t bytes);
uint64_t __wrap_hash_long(const struct hash_key *key, const void *data, size_t bytes);
int __real_os_stat(int fd, struct os_stat *ret);
int __wrap_os_stat(int fd, struct os_stat *ret);

#define MIB (UINT64_C(1) << 20)
#define SEGMENT (8 * MIB)
#define PAYLOAD (4 * MIB)
#define HOSTILE 4 /* number of the record that holds it */
#define BEHIND 10
#define TAIL (HOSTILE + BEHIND)

static uint64_t hashed, stats;

uint64_t __wrap_hash_long(const struct hash_key *key, const void *data, size_t bytes)
{
        hashed += bytes;
        ck_assert_msg(hashed <= 100 * SEGMENT, "more than %" PRIu64 " bytes were hashed", hashed);
        return __real_hash_long(key, data, bytes);
}

int __wrap_os_stat(int fd, struct os_stat *ret)
{
        stats++;
        ck_assert_msg(stats <= 10000, "more than %" PRIu64 " looks at a file's length", stats);
        return __real_os_stat(fd, ret);
}

static void count_anew(void)
{
        hashed = stats = 0;
}

/* How long is what looks like a frame at @at of the payload, and of which ordinal? */
static const struct {
        const char *what;
        uint32_t frame_bytes; /* 0: to the payload's end */
} patterns[] = {
        { "each to the end", 0 },
        { "linked, of 1 MiB", MIB },
        { "linked, of 64 KiB", MIB / 16 },
        { "linked, of 512 bytes", 512 },
};
#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static void fill_hostile(char *data, uint32_t frame_bytes)
{
        for (uint32_t at = 0; at < PAYLOAD; at += FRAME_ALIGN) {
                uint32_t bytes = frame_bytes ? frame_bytes : (uint32_t)PAYLOAD - at;
                uint32_t header[2] = { (uint32_t)FRAME_RECORD << FRAME_KIND_SHIFT |
                                               (bytes - FRAME_HEADER_BYTES),
                                       1000 + (frame_bytes ? at / frame_bytes : 0) };

                if (bytes >= FRAME_HEADER_BYTES)
                        memcpy(data + at, header, sizeof(header));
        }
}

enum harm { PAYLOAD_BYTE, SIZE, HEADER, HARMS };

static void make_hostile(unsigned pattern, enum harm harm)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        char *data = calloc(1, PAYLOAD);
        struct place place;
        uint64_t number;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SEGMENT;
        open_store_with(&options);
        append_numbered(HOSTILE - 1);
        fill_hostile(data, patterns[pattern].frame_bytes);
        ck_assert_int_eq(logstore_append(store, data, PAYLOAD, &number), 0);
        ck_assert_uint_eq(number, HOSTILE);
        free(data);
        for (int i = 0; i < BEHIND; i++)
                append_filled(i % 2 ? 100000 : 100, (unsigned char)i);
        close_store();
        place = place_of(HOSTILE);
        if (harm == PAYLOAD_BYTE)
                flip_byte(segment_path(1), place.offset + place.bytes - 1);
        else if (harm == SIZE)
                flip_byte(segment_path(1), place.offset);
        else
                zero_range(segment_path(1), place.offset, FRAME_HEADER_BYTES);
        count_anew();
}

/* Every way to read or mend it ends in time; nothing behind the harm is lost to a salvage. */
START_TEST(what_looks_like_frames_is_passed_in_time)
{
        unsigned pattern = (unsigned)_i / 2 % PATTERNS;
        enum harm harm = (enum harm)((unsigned)_i / 2 / PATTERNS);
        struct logstore_repair_report report;
        struct logstore_record record;
        char buffer[100];

        make_hostile(pattern, harm);
        if (_i % 2)
                zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        expect_failure(logstore_verify(store_path(), NULL, NULL), -EBADMSG);
        count_anew();
        expect_failure(try_open(0, &store), -EBADMSG);
        count_anew();
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_lt(logstore_get(store, HOSTILE, buffer, sizeof(buffer), &record), 0);
        close_store();
        count_anew();
        ck_assert_int_eq(logstore_repair(store_path(), 0, scratch("saved"), NULL, &report), 0);
        ck_assert_msg(report.salvaged == TAIL - 1, "%s, harm %d: %" PRIu64 " of %d",
                      patterns[pattern].what, harm, report.salvaged, TAIL - 1);
        ck_assert_uint_eq(report.kept_last, HOSTILE - 1);
        count_anew();
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        open_store(0);
        expect_numbered(store, 1, HOSTILE - 1);
}
END_TEST

/* The log's end is torn in such a record, and neither slot is valid: this may be damage. */
START_TEST(a_torn_tail_full_of_them_is_not_cut_unseen)
{
        struct place place;

        make_hostile((unsigned)_i, HEADER);
        place = place_of(HOSTILE - 1);
        zero_range(segment_path(1), place.offset + place.bytes + PAYLOAD, MIB / 4);
        zero_range(scratch("store/control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        expect_failure(try_open(0, &store), -EBADMSG);
}
END_TEST

/* A segment that may be large, and a file that is not. */
START_TEST(what_a_file_does_not_have_is_not_searched)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_repair_report report;
        struct place place;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = UINT64_C(1) << 30;
        open_store_with(&options);
        append_numbered(20);
        close_store();
        place = place_of(10);
        if (_i == 0)
                flip_byte(segment_path(1), place.offset + FRAME_HEADER_BYTES);
        else
                cut_file(segment_path(1), _i == 1 ? place.offset : place.offset + 4);
        count_anew();
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, scratch("saved"),
                                         NULL, &report),
                         0);
        ck_assert_uint_eq(report.kept_last, 9);
        ck_assert_uint_eq(report.salvaged, _i == 0 ? 19 : 9);
        ck_assert_uint_eq(report.lost_records, 11);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_looks_like_frames_is_passed_in_time, 2 * PATTERNS * HARMS },
                { a_torn_tail_full_of_them_is_not_cut_unseen, PATTERNS },
                { what_a_file_does_not_have_is_not_searched, 3 },
        };

        return RUN_TESTS("bad_input_scan", tests);
}
