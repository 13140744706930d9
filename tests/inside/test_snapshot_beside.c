/*
 * test_snapshot_beside.c - a snapshot stays the same while the log is appended to, trimmed and cut
 */
#include "chain/chain.h"
#include "test_public_support.h"

static struct logstore_snapshot *snapshot;

/* What somebody else does right before a snapshot's chain is read, or its first segment mapped. */
static void (*before_load)(void), (*before_pin)(void);

static void happen(void (**once)(void))
{
        void (*what)(void) = *once;

        *once = NULL;
        if (what)
                what();
}

int __real_chain_load(struct chain *chain);
int __wrap_chain_load(struct chain *chain);
int __wrap_chain_load(struct chain *chain)
{
        if (chain->kind == OS_PRIVATE)
                happen(&before_load);
        return __real_chain_load(chain);
}

int __real_chain_pin(struct chain *chain, uint64_t number, struct segment **ret);
int __wrap_chain_pin(struct chain *chain, uint64_t number, struct segment **ret);
int __wrap_chain_pin(struct chain *chain, uint64_t number, struct segment **ret)
{
        if (chain->kind == OS_PRIVATE)
                happen(&before_pin);
        return __real_chain_pin(chain, number, ret);
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

/* ---- opening beside a truncation ---- */

static uint64_t cut_to;

static void cut(void)
{
        ck_assert_int_eq(logstore_truncate_after(store, cut_to, 0), 0);
}

/* Record n is of time n, and what is appended later is not. */
static void expect_the_log_as_cut(void)
{
        struct logstore_bounds bounds;
        struct logstore_record record;

        append_times(100, 109);
        ck_assert_int_eq(logstore_snapshot_bounds(snapshot, &bounds), 0);
        ck_assert_uint_eq(bounds.tail, cut_to);
        for (uint64_t number = 1; number <= cut_to; number++) {
                ck_assert_int_eq(logstore_snapshot_get(snapshot, number, &record), 0);
                ck_assert_int_eq(record.time_ns, (int64_t)number);
        }
        expect_failure(logstore_snapshot_get(snapshot, cut_to + 1, &record), -EAGAIN);
}

static const struct {
        bool by_reader, at_pin;
        uint64_t cut_to;
} cuts[] = {
        { false, false, 8 }, /* in the active segment, which is sealed anew */
        { true, false, 8 },  { false, true, 8 }, { true, true, 8 },
        { false, false, 5 }, /* before it: its file goes */
        { true, false, 5 },  { false, true, 5 }, { true, true, 5 },
};

START_TEST(a_snapshot_opened_beside_a_cut_is_of_one_log)
{
        struct logstore *reader;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_times(1, 9);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        cut_to = cuts[_i].cut_to;
        *(cuts[_i].at_pin ? &before_pin : &before_load) = cut;
        ck_assert_int_eq(logstore_snapshot_open(cuts[_i].by_reader ? reader : store, 0, &snapshot),
                         0);
        expect_the_log_as_cut();
        logstore_snapshot_close(snapshot);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* The writer died when the new head was there and nothing said so yet. */
START_TEST(a_snapshot_sees_a_cut_that_was_not_announced)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_bounds bounds;
        struct logstore *reader;
        struct bytes head;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_times(1, 3);
        copy_directory(store_path(), scratch("image"));
        options.flags = LOGSTORE_READ_ONLY;
        ck_assert_int_eq(logstore_open(scratch("image"), &options, &reader), 0);
        ck_assert_uint_eq(bounds_of(reader).tail, 3);
        ck_assert_int_eq(logstore_truncate_after(store, 2, 0), 0);
        head = load_file(scratch("store/0000000002.log"));
        save_file(scratch("image/0000000002.log"), head.data, head.size);
        ck_assert_int_eq(logstore_snapshot_open(reader, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_bounds(snapshot, &bounds), 0);
        ck_assert_uint_eq(bounds.tail, 2);
        logstore_snapshot_close(snapshot);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_time_is_found_in_what_was_trimmed, 0 },
                { a_time_is_found_in_what_was_cut_off, 8 },
                { a_time_beyond_the_snapshot_is_behind_its_tail, 0 },
                { a_snapshot_opened_beside_a_cut_is_of_one_log, sizeof(cuts) / sizeof(cuts[0]) },
                { a_snapshot_sees_a_cut_that_was_not_announced, 0 },
        };

        return RUN_TESTS("snapshot_beside", tests);
}
