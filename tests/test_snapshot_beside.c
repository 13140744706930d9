/*
 * test_snapshot_beside.c - a snapshot stays what it was while the log is appended to, trimmed and cut
 */
#include "catalog.h"
#include "test_public_support.h"

static struct logstore_snapshot *snapshot;

/* What somebody else does right before the next load of a snapshot's chain. */
static void (*before_load)(void);

static void happen(void (**once)(void))
{
        void (*what)(void) = *once;

        *once = NULL;
        if (what)
                what();
}

int __real_catalog_load(struct catalog *catalog);
int __wrap_catalog_load(struct catalog *catalog);
int __wrap_catalog_load(struct catalog *catalog)
{
        if (catalog->kind == OS_PRIVATE)
                happen(&before_load);
        return __real_catalog_load(catalog);
}

static void append_at(int64_t time_ns)
{
        static const char data[20000];
        struct logstore_entry entry = { .data = data, .size = sizeof(data), .time_ns = time_ns };

        ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
}

/* Three records in a segment, each a time later. */
static void append_times(int64_t from, int64_t to)
{
        for (int64_t time = from; time <= to; time++)
                append_at(time);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* ---- by time ---- */

static uint64_t sought(int64_t time_ns)
{
        struct logstore_cursor *cursor;
        uint64_t position;

        ck_assert_int_eq(logstore_snapshot_cursor(snapshot, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek_time(cursor, time_ns), 0);
        position = logstore_cursor_position(cursor);
        logstore_cursor_close(cursor);
        return position;
}

/* Record n is of time n. */
static void expect_all_times(int64_t last)
{
        for (int64_t time = 1; time <= last + 1; time++)
                ck_assert_uint_eq(sought(time), (uint64_t)time);
}

START_TEST(a_time_is_found_in_what_was_trimmed)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_times(1, 12);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        expect_all_times(12);
        ck_assert_int_eq(logstore_trim_before(store, 10, NULL), 0);
        expect_all_times(12);
        logstore_snapshot_close(snapshot);
}
END_TEST

/* The segment that was active is sealed as the log ends in it after the cut. */
START_TEST(a_time_is_found_in_what_was_cut_off)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_times(1, 9);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_truncate_after(store, _i + 1, 0), 0);
        expect_all_times(9);
        logstore_snapshot_close(snapshot);
}
END_TEST

static void append_more(void)
{
        append_times(3, 12);
}

/* A segment that began after the tail was looked at is in the chain, not in the snapshot. */
START_TEST(a_time_beyond_the_snapshot_is_behind_its_tail)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_times(1, 2);
        before_load = append_more;
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        for (int64_t time = 1; time <= 13; time++)
                ck_assert_uint_eq(sought(time), time < 3 ? (uint64_t)time : 3);
        logstore_snapshot_close(snapshot);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_time_is_found_in_what_was_trimmed, 0 },
                { a_time_is_found_in_what_was_cut_off, 8 },
                { a_time_beyond_the_snapshot_is_behind_its_tail, 0 },
        };

        return RUN_TESTS("snapshot_beside", tests);
}
