/*
 * test_public_read.c - reads keep promises: by number, in bulk, by cursor, by time, beside a writer
 */
#include "test_public_support.h"

#include <pthread.h>
#include <time.h>

static void setup_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
}

static struct logstore_cursor *cursor_on(struct logstore *where)
{
        struct logstore_cursor *cursor = NULL;
        int r = logstore_cursor_open(where, 0, &cursor);

        ck_assert_msg(r == 0, "cursor: %s: %s", logstore_error_text(r), logstore_detail());
        return cursor;
}

static uint64_t next_number(struct logstore_cursor *cursor)
{
        struct logstore_record record = { 0 };
        int r = logstore_cursor_next(cursor, &record);

        return r == 0 ? record.number : (uint64_t)r;
}

static uint64_t prev_number(struct logstore_cursor *cursor)
{
        struct logstore_record record = { 0 };
        int r = logstore_cursor_prev(cursor, &record);

        return r == 0 ? record.number : (uint64_t)r;
}

#define NOTHING_THERE ((uint64_t)-EAGAIN)

/* Enough records for several segments, so that every walk crosses their borders. */
#define SEVERAL_SEGMENTS 8000

/* ---- by number -------------------------------------------------------------------------- */

START_TEST(get_refuses_numbers_that_are_not_there_and_touches_nothing)
{
        struct logstore_record record, before;
        char buffer[8] = "pattern";

        setup_store();
        append_text("one");
        memset(&record, 0x5a, sizeof(record));
        before = record;
        expect_failure(logstore_get(store, 0, buffer, 8, &record), -EINVAL);
        expect_failure(logstore_get(store, 2, buffer, 8, &record), -EAGAIN);
        expect_failure(logstore_get(store, UINT64_MAX, buffer, 8, &record), -EAGAIN);
        ck_assert_mem_eq(&record, &before, sizeof(record));
        ck_assert_str_eq(buffer, "pattern");
}
END_TEST

START_TEST(get_before_the_first_is_stale)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_record record;
        char buffer[8];

        options.flags = LOGSTORE_CREATE;
        options.first_number = 100;
        open_store_with(&options);
        append_text("a hundred");
        expect_failure(logstore_get(store, 99, buffer, 8, &record), -ESTALE);
        expect_failure(logstore_get(store, 1, buffer, 8, &record), -ESTALE);
        expect_failure(logstore_get(store, 0, buffer, 8, &record), -EINVAL);
}
END_TEST

START_TEST(get_into_too_small_a_buffer_says_the_size_needed)
{
        struct logstore_record record;
        char buffer[8] = "pattern";

        setup_store();
        append_text("0123456789");
        memset(&record, 0x5a, sizeof(record));
        expect_failure(logstore_get(store, 1, buffer, 8, &record), -ENOBUFS);
        ck_assert_uint_eq(record.size, 10);
        ck_assert_uint_eq(record.number, UINT64_C(0x5a5a5a5a5a5a5a5a));
        ck_assert_str_eq(buffer, "pattern");
        expect_failure(logstore_get(store, 1, NULL, 0, &record), -ENOBUFS);
        ck_assert_uint_eq(record.size, 10);
}
END_TEST

/* A size that nobody wrote is damage, not a buffer to be made larger. */
START_TEST(get_does_not_ask_for_the_size_of_a_damaged_record)
{
        struct logstore_record record = { .size = 77 };
        uint64_t number = 1;
        struct logstore *reader;
        char buffer[8];

        setup_store();
        append_text("0123456");
        append_filled(1000, 'x');
        close_store();
        flip_byte(scratch("store/0000000001.log"), 4224); /* the first frame, its size: 7 to 248 */
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        expect_failure(logstore_get(reader, 1, buffer, 8, &record), -EBADMSG);
        ck_assert_uint_eq(record.size, 77);
        ck_assert_int_eq(logstore_get_many(reader, &number, 1, buffer, 8, &record), 1);
        ck_assert_int_eq((int)record.size, -EBADMSG);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(get_finds_every_number_in_any_order)
{
        setup_store();
        append_numbered(SEVERAL_SEGMENTS);
        for (unsigned pass = 0; pass < 2; pass++) {
                for (uint64_t i = 0, number = 1; i < SEVERAL_SEGMENTS; i++) {
                        expect_numbered(store, number, number);
                        number = (number + 3001) % SEVERAL_SEGMENTS + 1;
                }
                reopen_store();
        }
}
END_TEST

/* ---- in bulk ---------------------------------------------------------------------------- */

START_TEST(get_many_reads_in_any_order_and_names_each_failure)
{
        uint64_t numbers[] = { 5, 1, 9999, 0, 3, 5 };
        struct logstore_record records[6];
        char buffer[256];

        setup_store();
        append_numbered(5);
        ck_assert_int_eq(logstore_get_many(store, numbers, 6, buffer, sizeof(buffer), records), 6);
        for (unsigned i = 0; i < 6; i++) {
                char text[32];

                snprintf(text, sizeof(text), "record %" PRIu64, numbers[i]);
                if (i == 2 || i == 3) {
                        ck_assert_ptr_null(records[i].data);
                        ck_assert_int_eq((int)records[i].size, i == 2 ? -EAGAIN : -EINVAL);
                        continue;
                }
                ck_assert_uint_eq(records[i].number, numbers[i]);
                ck_assert_uint_eq(records[i].size, strlen(text));
                ck_assert_mem_eq(records[i].data, text, strlen(text));
                ck_assert((const char *)records[i].data >= buffer);
                ck_assert((const char *)records[i].data + records[i].size <=
                          buffer + sizeof(buffer));
        }
}
END_TEST

START_TEST(get_many_stops_when_the_buffer_is_full)
{
        uint64_t numbers[10];
        struct logstore_record records[10];
        char *buffer = malloc(5000);
        int done;

        setup_store();
        for (unsigned i = 0; i < 10; i++)
                numbers[i] = append_filled(1000, (unsigned char)('a' + i));
        done = logstore_get_many(store, numbers, 10, buffer, 5000, records);
        ck_assert_int_ge(done, 4);
        ck_assert_int_le(done, 5);
        for (int i = 0; i < done; i++) {
                ck_assert_uint_eq(records[i].size, 1000);
                ck_assert_int_eq(((const char *)records[i].data)[999], 'a' + i);
        }
        free(buffer);
}
END_TEST

START_TEST(get_many_agrees_with_get_over_segments)
{
        enum { COUNT = 500 };
        uint64_t numbers[COUNT];
        struct logstore_record records[COUNT];
        char *buffer = malloc(64 * COUNT);

        open_store(LOGSTORE_CREATE | (_i ? LOGSTORE_NO_RING : 0));
        append_numbered(SEVERAL_SEGMENTS);
        close_store();
        open_store(_i ? LOGSTORE_NO_RING : 0);
        for (unsigned i = 0; i < COUNT; i++)
                numbers[i] = (i * UINT64_C(2654435761)) % SEVERAL_SEGMENTS + 1;
        ck_assert_int_eq(logstore_get_many(store, numbers, COUNT, buffer, 64 * COUNT, records),
                         COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
                struct logstore_record single;
                char own[64];

                ck_assert_int_eq(logstore_get(store, numbers[i], own, sizeof(own), &single), 0);
                ck_assert_ptr_nonnull(records[i].data);
                ck_assert_uint_eq(records[i].number, single.number);
                ck_assert_int_eq(records[i].time_ns, single.time_ns);
                ck_assert_uint_eq(records[i].size, single.size);
                ck_assert_mem_eq(records[i].data, own, single.size);
        }
        free(buffer);
}
END_TEST

/* They are read in groups of 128, of which what is left may be too few to be read at once. */
START_TEST(get_many_reads_what_is_left_of_a_group)
{
        enum { MOST = 134 };
        uint64_t numbers[MOST];
        struct logstore_record records[MOST];
        char buffer[64 * MOST];

        setup_store();
        append_numbered(SEVERAL_SEGMENTS);
        for (unsigned i = 0; i < MOST; i++)
                numbers[i] = 1 + i * 7;
        for (unsigned count = 126; count <= MOST; count++) {
                ck_assert_int_eq(
                        logstore_get_many(store, numbers, count, buffer, sizeof(buffer), records),
                        count);
                for (unsigned i = 0; i < count; i++) {
                        char text[32];

                        snprintf(text, sizeof(text), "record %" PRIu64, numbers[i]);
                        ck_assert_uint_eq(records[i].size, strlen(text));
                        ck_assert_mem_eq(records[i].data, text, strlen(text));
                }
        }
}
END_TEST

/* However many segments the records of one call lie in. */
START_TEST(get_many_keeps_to_the_limit_of_mapped_segments)
{
        enum { COUNT = 64 };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        uint64_t numbers[COUNT], one;
        struct logstore_record records[COUNT];
        char *buffer = malloc(COUNT * 40000);

        setup_store();
        for (unsigned i = 0; i < COUNT; i++) /* one in each segment */
                numbers[i] = append_filled(40000, (unsigned char)i);
        close_store();
        options.flags = LOGSTORE_READ_ONLY;
        options.mapped_segments = 4;
        open_store_with(&options);
        ck_assert_int_eq(logstore_get(store, numbers[0], buffer, 40000, records), 0);
        ck_assert_int_eq(logstore_memory(store, &memory), 0);
        one = memory.shared_mapped;
        ck_assert_int_eq(logstore_get_many(store, numbers, COUNT, buffer, COUNT * 40000, records),
                         COUNT);
        for (unsigned i = 0; i < COUNT; i++)
                ck_assert_uint_eq(((const unsigned char *)records[i].data)[39999], i);
        ck_assert_int_eq(logstore_memory(store, &memory), 0);
        ck_assert_uint_le(memory.shared_mapped, one + 4 * (SMALL_SEGMENT_BYTES + 8192));
        free(buffer);
}
END_TEST

/* Small records, records of which few fit into one bulk read, larger ones than fit, and a void. */
START_TEST(get_many_reads_records_of_any_size)
{
        enum { COUNT = 300, LARGE = 100000 };
        struct logstore_record *records = calloc(COUNT, sizeof(*records));
        char *buffer = malloc(COUNT * LARGE);
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_claim claim;
        uint64_t numbers[COUNT];

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = 1 << 20;
        open_store_with(&options);
        for (unsigned i = 0; i < COUNT; i++) {
                static const size_t sizes[] = { 0, 1, 100, 9000, 15000, LARGE };
                if (i == 7) {
                        ck_assert_int_eq(logstore_claim(store, 50, &claim), 0);
                        ck_assert_int_eq(logstore_abort(store, &claim), 0);
                        numbers[i] = claim.number;
                } else {
                        numbers[i] = append_filled(sizes[i * 7 % 6], (unsigned char)i);
                }
        }
        reopen_store();
        for (unsigned i = 0; i < COUNT / 2; i++) { /* not in their order */
                uint64_t other = numbers[i];
                numbers[i] = numbers[COUNT - 1 - i];
                numbers[COUNT - 1 - i] = other;
        }
        ck_assert_int_eq(logstore_get_many(store, numbers, COUNT, buffer, COUNT * LARGE, records),
                         COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
                const unsigned char *data = records[i].data;
                uint64_t number = COUNT - i;

                ck_assert_uint_eq(records[i].number, number);
                if (number == 8) {
                        ck_assert_ptr_null(data);
                        ck_assert_int_eq((int)records[i].size, -ENODATA);
                        continue;
                }
                ck_assert_ptr_nonnull(data);
                for (size_t at = 0; at < records[i].size; at++)
                        ck_assert_uint_eq(data[at], (unsigned char)(number - 1));
        }
        ck_assert_uint_eq(records[COUNT - 6].size, LARGE); /* number 6: 5 * 7 % 6 is 5 */
        free(records);
        free(buffer);
}
END_TEST

/* ---- cursors ---------------------------------------------------------------------------- */

START_TEST(a_cursor_walks_there_and_back_again)
{
        struct logstore_cursor *cursor;

        setup_store();
        append_numbered(SEVERAL_SEGMENTS);
        cursor = cursor_on(store);
        ck_assert_uint_eq(prev_number(cursor), NOTHING_THERE);
        for (uint64_t number = 1; number <= SEVERAL_SEGMENTS; number++)
                ck_assert_uint_eq(next_number(cursor), number);
        ck_assert_uint_eq(next_number(cursor), NOTHING_THERE);
        for (uint64_t number = SEVERAL_SEGMENTS; number >= 1; number--)
                ck_assert_uint_eq(prev_number(cursor), number);
        ck_assert_uint_eq(prev_number(cursor), NOTHING_THERE);
        ck_assert_uint_eq(next_number(cursor), 1);
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(a_cursor_follows_the_tail)
{
        struct logstore_cursor *cursor;

        setup_store();
        cursor = cursor_on(store);
        ck_assert_uint_eq(next_number(cursor), NOTHING_THERE);
        for (uint64_t number = 1; number <= SEVERAL_SEGMENTS; number++) {
                append_text("and one more");
                expect_next(cursor, number, "and one more");
                ck_assert_uint_eq(next_number(cursor), NOTHING_THERE);
        }
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(a_failed_step_leaves_cursor_and_record_alone)
{
        struct logstore_record record, before;
        struct logstore_cursor *cursor;

        setup_store();
        append_text("one");
        cursor = cursor_on(store);
        expect_next(cursor, 1, "one");
        memset(&record, 0x5a, sizeof(record));
        before = record;
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        expect_failure(logstore_cursor_next(cursor, NULL), -EINVAL);
        expect_failure(logstore_cursor_get(cursor, 7, &record), -EAGAIN);
        expect_failure(logstore_cursor_get(cursor, 0, &record), -EINVAL);
        expect_failure(logstore_cursor_seek(cursor, 3), -EAGAIN);
        ck_assert_mem_eq(&record, &before, sizeof(record));
        ck_assert_uint_eq(logstore_cursor_position(cursor), 2);
        append_text("two");
        expect_next(cursor, 2, "two");
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(seek_stands_between_two_records)
{
        struct logstore_cursor *cursor;

        setup_store();
        append_numbered(SEVERAL_SEGMENTS);
        cursor = cursor_on(store);
        for (uint64_t number = 1; number <= SEVERAL_SEGMENTS; number += 37) {
                ck_assert_int_eq(logstore_cursor_seek(cursor, number), 0);
                ck_assert_uint_eq(logstore_cursor_position(cursor), number);
                ck_assert_uint_eq(next_number(cursor), number);
                ck_assert_int_eq(logstore_cursor_seek(cursor, number), 0);
                ck_assert_uint_eq(prev_number(cursor), number > 1 ? number - 1 : NOTHING_THERE);
        }
        ck_assert_int_eq(logstore_cursor_seek(cursor, SEVERAL_SEGMENTS + 1), 0);
        ck_assert_uint_eq(next_number(cursor), NOTHING_THERE);
        ck_assert_uint_eq(prev_number(cursor), SEVERAL_SEGMENTS);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 0), 0);
        ck_assert_uint_eq(next_number(cursor), 1);
        ck_assert_int_eq(logstore_cursor_seek(cursor, UINT64_MAX), 0);
        ck_assert_uint_eq(prev_number(cursor), SEVERAL_SEGMENTS);
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(cursor_get_reads_without_a_copy_and_goes_on_behind)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;

        setup_store();
        append_numbered(100);
        cursor = cursor_on(store);
        ck_assert_int_eq(logstore_cursor_get(cursor, 50, &record), 0);
        ck_assert_uint_eq(record.number, 50);
        ck_assert_mem_eq(record.data, "record 50", 9);
        ck_assert_uint_eq(next_number(cursor), 51);
        ck_assert_int_eq(logstore_cursor_get(cursor, 1, &record), 0);
        ck_assert_uint_eq(next_number(cursor), 2);
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(an_unverified_cursor_reads_the_same)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t number = 0;

        setup_store();
        append_numbered(SEVERAL_SEGMENTS);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(
                logstore_cursor_open(store, LOGSTORE_UNVERIFIED | LOGSTORE_DROP_BEHIND, &cursor),
                0);
        while (logstore_cursor_next(cursor, &record) == 0) {
                char text[32];

                snprintf(text, sizeof(text), "record %" PRIu64, ++number);
                ck_assert_uint_eq(record.number, number);
                ck_assert_uint_eq(record.size, strlen(text));
                ck_assert_mem_eq(record.data, text, record.size);
        }
        ck_assert_uint_eq(number, SEVERAL_SEGMENTS);
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(close_with_an_open_cursor_is_busy)
{
        struct logstore_cursor *cursor;

        setup_store();
        append_text("one");
        cursor = cursor_on(store);
        expect_failure(logstore_close(store), -EBUSY);
        expect_next(cursor, 1, "one");
        logstore_cursor_close(cursor);
        close_store();
}
END_TEST

/* ---- by time ---------------------------------------------------------------------------- */

/* Times as they came; a clock that went back makes the greatest so far count. */
static const int64_t times[] = { 100, 200, 150, 200, 300, 250, 260, 400 };

static const struct {
        int64_t time_ns;
        uint64_t want; /* 0: behind the tail */
} sought[] = {
        { INT64_MIN, 1 }, { 0, 1 },   { 100, 1 },       { 101, 2 }, { 150, 2 },
        { 200, 2 },       { 201, 5 }, { 260, 5 },       { 300, 5 }, { 301, 8 },
        { 400, 8 },       { 401, 0 }, { INT64_MAX, 0 },
};

START_TEST(seek_by_time_finds_where_the_greatest_time_reaches_it)
{
        struct logstore_cursor *cursor;

        setup_store();
        for (unsigned i = 0; i < 8; i++) {
                struct logstore_entry entry = { .data = "x", .size = 1, .time_ns = times[i] };

                ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
        }
        cursor = cursor_on(store);
        for (unsigned i = 0; i < sizeof(sought) / sizeof(sought[0]); i++) {
                ck_assert_int_eq(logstore_cursor_seek_time(cursor, sought[i].time_ns), 0);
                ck_assert_uint_eq(next_number(cursor),
                                  sought[i].want ? sought[i].want : NOTHING_THERE);
        }
        logstore_cursor_close(cursor);
}
END_TEST

START_TEST(seek_by_time_works_across_segments)
{
        enum { COUNT = 3000, STEP = 10 };
        static char data[100];
        struct logstore_cursor *cursor;

        setup_store();
        for (int64_t i = 1; i <= COUNT; i++) {
                struct logstore_entry entry = { .data = data, .size = 100, .time_ns = i * STEP };

                ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
        }
        for (unsigned pass = 0; pass < 2; pass++) {
                cursor = cursor_on(store);
                for (int64_t i = 1; i <= COUNT; i += 17) {
                        ck_assert_int_eq(logstore_cursor_seek_time(cursor, i * STEP), 0);
                        ck_assert_uint_eq(next_number(cursor), (uint64_t)i);
                        ck_assert_int_eq(logstore_cursor_seek_time(cursor, i * STEP - 3), 0);
                        ck_assert_uint_eq(next_number(cursor), (uint64_t)i);
                }
                logstore_cursor_close(cursor);
                reopen_store();
        }
}
END_TEST

/* ---- waiting ---------------------------------------------------------------------------- */

static void *append_after_a_moment(void *argument)
{
        struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

        (void)argument;
        nanosleep(&pause, NULL);
        append_text("woken");
        return NULL;
}

START_TEST(wait_ends_when_a_record_comes)
{
        struct logstore_cursor *cursor;
        pthread_t thread;

        setup_store();
        cursor = cursor_on(store);
        expect_failure(logstore_cursor_wait(cursor, 10), -ETIMEDOUT);
        expect_failure(logstore_cursor_wait(cursor, 0), -ETIMEDOUT);
        ck_assert_int_eq(pthread_create(&thread, NULL, append_after_a_moment, NULL), 0);
        ck_assert_int_eq(logstore_cursor_wait(cursor, 30000), 0);
        expect_next(cursor, 1, "woken");
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        append_text("there");
        ck_assert_int_eq(logstore_cursor_wait(cursor, 0), 0);
        logstore_cursor_close(cursor);
}
END_TEST

/* ---- beside a writer -------------------------------------------------------------------- */

START_TEST(a_reader_sees_what_the_writer_appends)
{
        struct logstore_cursor *cursor;
        struct logstore *reader;

        setup_store();
        append_text("first");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        cursor = cursor_on(reader);
        expect_next(cursor, 1, "first");
        for (uint64_t number = 2; number <= SEVERAL_SEGMENTS; number++) {
                append_text("later");
                expect_next(cursor, number, "later");
                ck_assert_uint_eq(next_number(cursor), NOTHING_THERE);
        }
        ck_assert_uint_eq(bounds_of(reader).tail, SEVERAL_SEGMENTS);
        expect_text(reader, SEVERAL_SEGMENTS, "later");
        expect_text(reader, 1, "first");
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(a_reader_does_not_see_unresolved_claims)
{
        struct logstore_claim claim;
        struct logstore *reader;

        setup_store();
        append_text("one");
        ck_assert_int_eq(logstore_claim(store, 3, &claim), 0);
        append_text("three");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_uint_eq(bounds_of(reader).tail, 1);
        memcpy(claim.data, "two", 3);
        ck_assert_int_eq(logstore_commit(store, &claim, 3), 0);
        ck_assert_uint_eq(bounds_of(reader).tail, 3);
        expect_text(reader, 2, "two");
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

static int count_records(void *context, const struct logstore_segment_info *info)
{
        uint64_t **next = context;

        *(*next)++ = info->records;
        return 0;
}

/* Records behind an open claim are not in the log yet, for a reader after a crash never: the
 * segments have what the bounds say. */
START_TEST(segments_hold_no_records_beyond_the_tail)
{
        uint64_t records[4] = { 0 }, *next = records;
        struct logstore_claim claim;
        struct logstore *reader;

        setup_store();
        append_text("one");
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        for (unsigned i = 0; i < 7; i++)
                append_filled(20000, 'x');
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_uint_eq(bounds_of(reader).tail, 1);
        ck_assert_int_eq(logstore_segments(_i ? store : reader, count_records, &next), 0);
        ck_assert_int_eq(next - records, 3);
        ck_assert_uint_eq(records[0], 1);
        ck_assert_uint_eq(records[1], 0);
        ck_assert_uint_eq(records[2], 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        next = records;
        ck_assert_int_eq(logstore_segments(_i ? store : reader, count_records, &next), 0);
        ck_assert_uint_eq(records[0] + records[1] + records[2], 9);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(a_reader_may_not_write)
{
        struct logstore_entry entry = { .data = "x", .size = 1 };
        struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
        struct logstore_claim claim, before;
        struct logstore *reader;
        uint64_t number = 77;

        setup_store();
        append_text("one");
        close_store();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        memset(&claim, 0x5a, sizeof(claim));
        before = claim;
        expect_failure(logstore_append(reader, "x", 1, &number), -EROFS);
        expect_failure(logstore_appendv(reader, &piece, 1, &number), -EROFS);
        expect_failure(logstore_append_batch(reader, &entry, 1, &number), -EROFS);
        expect_failure(logstore_claim(reader, 1, &claim), -EROFS);
        expect_failure(logstore_sync(reader, 0), -EROFS);
        expect_failure(logstore_sync_timed(reader, 0, 10), -EROFS);
        expect_failure(logstore_sync_start(reader, 0), -EROFS);
        expect_failure(logstore_sync_fd(reader), -EROFS);
        expect_failure(logstore_trim_before(reader, 1, &number), -EROFS);
        expect_failure(logstore_truncate_after(reader, 1, 0), -EROFS);
        ck_assert_uint_eq(number, 77);
        ck_assert_mem_eq(&claim, &before, sizeof(claim));
        expect_text(reader, 1, "one");
        ck_assert_int_eq(logstore_durable(reader, &number), 0);
        ck_assert_uint_eq(number, 1);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { get_refuses_numbers_that_are_not_there_and_touches_nothing, 0 },
                { get_before_the_first_is_stale, 0 },
                { get_into_too_small_a_buffer_says_the_size_needed, 0 },
                { get_does_not_ask_for_the_size_of_a_damaged_record, 0 },
                { get_finds_every_number_in_any_order, 0 },
                { get_many_reads_in_any_order_and_names_each_failure, 0 },
                { get_many_stops_when_the_buffer_is_full, 0 },
                { get_many_agrees_with_get_over_segments, 2 },
                { get_many_reads_what_is_left_of_a_group, 0 },
                { get_many_keeps_to_the_limit_of_mapped_segments, 0 },
                { get_many_reads_records_of_any_size, 0 },
                { a_cursor_walks_there_and_back_again, 0 },
                { a_cursor_follows_the_tail, 0 },
                { a_failed_step_leaves_cursor_and_record_alone, 0 },
                { seek_stands_between_two_records, 0 },
                { cursor_get_reads_without_a_copy_and_goes_on_behind, 0 },
                { an_unverified_cursor_reads_the_same, 0 },
                { close_with_an_open_cursor_is_busy, 0 },
                { seek_by_time_finds_where_the_greatest_time_reaches_it, 0 },
                { seek_by_time_works_across_segments, 0 },
                { wait_ends_when_a_record_comes, 0 },
                { a_reader_sees_what_the_writer_appends, 0 },
                { a_reader_does_not_see_unresolved_claims, 0 },
                { segments_hold_no_records_beyond_the_tail, 2 },
                { a_reader_may_not_write, 0 },
        };

        return RUN_TESTS("public_read", tests);
}
