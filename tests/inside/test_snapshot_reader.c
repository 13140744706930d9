/*
 * test_snapshot_reader.c - a snapshot in a reading process, which also has what no sync covered:
 * its cursor, its export, and what is damaged there
 */
#include <fcntl.h>
#include <unistd.h>

#include "format.h"
#include "segment/record.h"
#include "test_public_support.h"

static struct logstore *reader;
static struct logstore_snapshot *snapshot;

/* So many appends of a batch succeed yet, the one after them is refused. */
static int batches_left = -1;

int __real_logstore_append_batch(struct logstore *where, const struct logstore_entry *entries,
                                 size_t count, uint64_t *ret_first);
int __wrap_logstore_append_batch(struct logstore *where, const struct logstore_entry *entries,
                                 size_t count, uint64_t *ret_first);
int __wrap_logstore_append_batch(struct logstore *where, const struct logstore_entry *entries,
                                 size_t count, uint64_t *ret_first)
{
        if (batches_left == 0)
                return -EAGAIN;
        batches_left -= batches_left > 0;
        return __real_logstore_append_batch(where, entries, count, ret_first);
}

/* A batch of three and one more record, not synced; a snapshot of them in a reading process. */
static void snapshot_of_four(void)
{
        const struct logstore_entry batch[] = {
                { .data = "a", .size = 1 },
                { .data = "b", .size = 1 },
                { .data = "c", .size = 1 },
        };

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_append_batch(store, batch, 3, NULL), 0);
        append_text("d");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_snapshot_open(reader, 0, &snapshot), 0);
}

static void leave(void)
{
        logstore_snapshot_close(snapshot);
        ck_assert_int_eq(logstore_close(reader), 0);
}

static void edit(uint64_t number, char byte)
{
        void *data;
        size_t size;
        int r = logstore_snapshot_edit(snapshot, number, &data, &size);

        ck_assert_msg(r == 0, "edit %" PRIu64 ": %s", number, logstore_detail());
        ck_assert_uint_eq(size, 1);
        *(char *)data = byte;
}

/* One byte of the first segment, which is mapped: its file must not be cut meanwhile. */
static void put_byte(uint64_t offset, char byte)
{
        int fd = open(scratch("store/0000000001.log"), O_WRONLY);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
        ck_assert_int_eq(close(fd), 0);
}

/* The edited frame does not validate, and that does not make its batch a torn one. */
START_TEST(an_edit_inside_an_unsynced_batch_hides_nothing)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;

        snapshot_of_four();
        edit(2, 'X');
        ck_assert_int_eq(logstore_snapshot_cursor(snapshot, 0, &cursor), 0);
        expect_next(cursor, 1, "a");
        expect_next(cursor, 2, "X");
        expect_next(cursor, 3, "c");
        expect_next(cursor, 4, "d");
        expect_failure(logstore_cursor_next(cursor, &record), -EAGAIN);
        for (uint64_t number = 4; number > 0; number--) {
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
                ck_assert_uint_eq(record.number, number);
        }
        ck_assert_int_eq(logstore_cursor_get(cursor, 1, &record), 0);
        logstore_cursor_close(cursor);
        leave();
}
END_TEST

START_TEST(an_export_has_the_whole_batch)
{
        struct logstore *copy;
        const char *path = scratch("copy");

        snapshot_of_four();
        edit(2, 'X');
        ck_assert_int_eq(logstore_snapshot_export(snapshot, path, NULL), 0);
        ck_assert_int_eq(logstore_open(path, NULL, &copy), 0);
        expect_text(copy, 1, "a");
        expect_text(copy, 2, "X");
        expect_text(copy, 3, "c");
        expect_text(copy, 4, "d");
        ck_assert_int_eq(logstore_close(copy), 0);
        leave();
}
END_TEST

/* 0 as an entry's time means now; a record's is copied, and nothing else. */
START_TEST(an_export_keeps_the_time_zero)
{
        static const int64_t times[] = { LOGSTORE_TIME_ZERO, -5, 7 };
        const char *path = scratch("copy");
        struct logstore_record record;
        struct logstore *copy = NULL;
        char buffer[10];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 3; i++) {
                struct logstore_entry entry = { "timed", 5, times[i] };

                ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
        }
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_export(snapshot, path, NULL), 0);
        logstore_snapshot_close(snapshot);
        close_store();
        ck_assert_int_eq(logstore_open(path, NULL, &copy), 0);
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq(logstore_get(copy, i + 1, buffer, sizeof(buffer), &record), 0);
                ck_assert_int_eq(record.time_ns, i ? times[i] : 0);
        }
        ck_assert_int_eq(logstore_close(copy), 0);
}
END_TEST

/* Beyond the mark a bad frame reads as the end of the log, but not to a snapshot that had it. */
START_TEST(an_export_does_not_end_before_the_snapshot)
{
        snapshot_of_four();
        put_byte(FRAMES_OFFSET + 2 * record_frame_bytes(1) + FRAME_HEADER_BYTES, '?');
        expect_failure(logstore_snapshot_export(snapshot, scratch("copy"), NULL), -EBADMSG);
        leave();
}
END_TEST

/* Nor is it the end when the new store takes no more for now; 3: the last record. */
START_TEST(an_export_does_not_end_before_the_last_append)
{
        snapshot_of_four();
        batches_left = _i;
        ck_assert_int_eq(logstore_snapshot_export(snapshot, scratch("copy"), NULL), -EAGAIN);
        batches_left = -1;
        leave();
}
END_TEST

/* A void is told by its frame: that has to be sound first. */
START_TEST(a_record_turned_into_a_void_is_damaged)
{
        struct logstore_record record;
        struct logstore_claim claim;
        void *data;
        size_t size;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_text("a");
        ck_assert_int_eq(logstore_claim(store, 1, &claim), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        put_byte(FRAMES_OFFSET + 3, (char)(record_word(FRAME_VOID, 1) >> 24));
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_snapshot_open(reader, 0, &snapshot), 0);
        expect_failure(logstore_snapshot_get(snapshot, 1, &record), -EBADMSG);
        expect_failure(logstore_snapshot_edit(snapshot, 1, &data, &size), -EBADMSG);
        expect_failure(logstore_snapshot_get(snapshot, 2, &record), -ENODATA);
        expect_failure(logstore_snapshot_edit(snapshot, 2, &data, &size), -ENODATA);
        leave();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { an_edit_inside_an_unsynced_batch_hides_nothing, 0 },
                { an_export_has_the_whole_batch, 0 },
                { an_export_keeps_the_time_zero, 0 },
                { an_export_does_not_end_before_the_snapshot, 0 },
                { an_export_does_not_end_before_the_last_append, 4 },
                { a_record_turned_into_a_void_is_damaged, 0 },
        };

        return RUN_TESTS("snapshot_reader", tests);
}
