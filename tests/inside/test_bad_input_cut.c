/*
 * test_bad_input_cut.c - a file that another process cuts under the writer costs no acknowledged
 * record
 *
 * The pages behind the new end are dropped with what was written to them, and an msync of them
 * succeeds. So what a sync or a seal says must be held against the length of the file. With the
 * guard on, as a fault must not end the process in any call.
 */
#include "test_bad_input_support.h"

#include <unistd.h>

#define COUNT 15
#define RECORD_BYTES 3000

static void append_unsynced(uint32_t flags)
{
        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        open_store(LOGSTORE_CREATE | flags);
        for (unsigned i = 0; i < COUNT; i++)
                append_filled(RECORD_BYTES, 'x');
        ck_assert_uint_eq(bounds_of(store).tail,
                          COUNT); /* it has walked: no fault tells of the cut */
}

static void close_failed(void)
{
        ck_assert_int_eq(logstore_close(store), -EIO);
        store = NULL;
}

static const uint32_t forms[] = { LOGSTORE_NO_THREAD, LOGSTORE_NO_RING, 0 };

START_TEST(what_was_cut_before_its_sync_is_not_acknowledged)
{
        append_unsynced(forms[_i]);
        cut_file(segment_path(1), 8192);
        expect_failure(logstore_sync(store, 0), -EIO);
        expect_failure(logstore_sync(store, 1), -EIO);
        close_failed();
}
END_TEST

START_TEST(what_was_cut_before_a_started_sync_is_not_durable)
{
        uint64_t number = 0;
        int r = 0;

        append_unsynced(forms[_i]);
        cut_file(segment_path(1), 8192);
        r = logstore_sync_start(store, 0);
        for (int tries = 0; r == 0 && number < COUNT && tries < 10000; tries++, usleep(1000))
                r = logstore_durable(store, &number);
        ck_assert_int_eq(r, -EIO);
        close_failed();
}
END_TEST

/* A cut within a page turns the rest into zeros. Nothing faults: the tail would wait for frames. */
START_TEST(a_tail_does_not_wait_for_what_was_cut)
{
        struct logstore_claim claim;
        uint64_t number = 0;
        int r = 0;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        memset(claim.data, 'x', 8);
        append_filled(100, 'x');
        cut_file(segment_path(1), FRAMES_OFFSET + FRAME_HEADER_BYTES + 8); /* behind its frame */
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        if (_i == 0)
                r = logstore_sync(store, 0);
        else
                r = logstore_sync_start(store, 0);
        for (int tries = 0; r == 0 && number < 2 && tries < 10000; tries++, usleep(1000))
                r = logstore_durable(store, &number);
        ck_assert_int_eq(r, -EIO);
        close_failed();
}
END_TEST

static int note_state(void *context, const struct logstore_segment_info *info)
{
        uint32_t *state = context;

        *state = info->state;
        return 1;
}

START_TEST(what_was_cut_is_not_sealed)
{
        uint32_t state = LOGSTORE_SEGMENT_ACTIVE;

        append_unsynced(LOGSTORE_NO_THREAD);
        while (state == LOGSTORE_SEGMENT_ACTIVE) {
                append_filled(RECORD_BYTES, 'x');
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                ck_assert_int_eq(logstore_segments(store, note_state, &state), 1);
        }
        ck_assert_uint_eq(state, LOGSTORE_SEGMENT_FULL);
        cut_file(segment_path(1), 8192);
        close_failed();
}
END_TEST

START_TEST(under_a_control_file_that_was_cut_nothing_is_acknowledged)
{
        append_unsynced(LOGSTORE_NO_THREAD);
        cut_file(scratch("store/control"), _i ? 100 : 0);
        expect_failure(logstore_sync(store, 0), -EIO);
        close_failed();
}
END_TEST

START_TEST(a_copy_needs_the_control_file)
{
        struct logstore_snapshot *snapshot;

        append_unsynced(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        cut_file(scratch("store/control"), 0);
        expect_failure(logstore_snapshot_export(snapshot, scratch("copy"), NULL), -EIO);
        ck_assert(!file_exists(scratch("copy")));
        expect_failure((int)logstore_max_record(store), -EIO);
        logstore_snapshot_close(snapshot);
        close_failed();
}
END_TEST

START_TEST(a_cursor_is_closed_whatever_became_of_the_wake_file)
{
        struct logstore_cursor *cursor;

        append_unsynced(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_ge(logstore_cursor_fd(cursor), 0);
        cut_file(scratch("store/wake"), 0);
        logstore_cursor_close(cursor);
        close_store();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_was_cut_before_its_sync_is_not_acknowledged, 3 },
                { what_was_cut_before_a_started_sync_is_not_durable, 3 },
                { a_tail_does_not_wait_for_what_was_cut, 2 },
                { what_was_cut_is_not_sealed, 0 },
                { under_a_control_file_that_was_cut_nothing_is_acknowledged, 2 },
                { a_copy_needs_the_control_file, 0 },
                { a_cursor_is_closed_whatever_became_of_the_wake_file, 0 },
        };

        return RUN_TESTS("bad_input_cut", tests);
}
