/*
 * test_public_append.c - what appending promises: numbers, all-or-none, refusals that use nothing
 */
#include "test_public_support.h"

#include <pthread.h>
#include <stdatomic.h>

static void setup_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
}

START_TEST(numbers_start_at_one_and_are_dense)
{
        struct logstore_bounds bounds;

        setup_store();
        for (uint64_t number = 1; number <= 1000; number++)
                ck_assert_uint_eq(append_text("x"), number);
        bounds = bounds_of(store);
        ck_assert_uint_eq(bounds.first, 1);
        ck_assert_uint_eq(bounds.tail, 1000);
}
END_TEST

START_TEST(an_empty_store_has_its_tail_before_its_first)
{
        struct logstore_bounds bounds;

        setup_store();
        bounds = bounds_of(store);
        ck_assert_uint_eq(bounds.first, 1);
        ck_assert_uint_eq(bounds.tail, 0);
        ck_assert_uint_eq(bounds.durable, 0);
}
END_TEST

START_TEST(the_first_number_can_be_chosen_at_creation)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE;
        options.first_number = 1000;
        open_store_with(&options);
        ck_assert_uint_eq(append_text("a"), 1000);
        close_store();
        open_store(0);
        ck_assert_uint_eq(append_text("b"), 1001);
        ck_assert_uint_eq(bounds_of(store).first, 1000);
}
END_TEST

START_TEST(the_number_need_not_be_asked_for)
{
        struct iovec piece = { .iov_base = (char[]){ "b" }, .iov_len = 1 };
        struct logstore_entry entry = { .data = "c", .size = 1 };

        setup_store();
        ck_assert_int_eq(logstore_append(store, "a", 1, NULL), 0);
        ck_assert_int_eq(logstore_appendv(store, &piece, 1, NULL), 0);
        ck_assert_int_eq(logstore_append_batch(store, &entry, 1, NULL), 0);
        expect_text(store, 1, "a");
        expect_text(store, 2, "b");
        expect_text(store, 3, "c");
}
END_TEST

START_TEST(empty_records_are_records)
{
        setup_store();
        ck_assert_int_eq(logstore_append(store, NULL, 0, NULL), 0);
        ck_assert_int_eq(logstore_append(store, "", 0, NULL), 0);
        ck_assert_int_eq(logstore_appendv(store, NULL, 0, NULL), 0);
        for (uint64_t number = 1; number <= 3; number++)
                expect_text(store, number, "");
        reopen_store();
        for (uint64_t number = 1; number <= 3; number++)
                expect_text(store, number, "");
}
END_TEST

START_TEST(appendv_joins_its_pieces)
{
        char big[3000];
        char text[] = "one two three";
        struct iovec pieces[] = {
                { text, 4 }, { NULL, 0 }, { text + 4, 4 }, { text, 0 }, { text + 8, 5 },
        };
        struct iovec large[] = { { big, 1 }, { big + 1, sizeof(big) - 2 }, { big, 1 } };
        struct logstore_record record;
        char buffer[sizeof(big)];

        setup_store();
        ck_assert_int_eq(logstore_appendv(store, pieces, 5, NULL), 0);
        expect_text(store, 1, "one two three");
        for (size_t i = 0; i < sizeof(big); i++)
                big[i] = (char)(i * 7);
        ck_assert_int_eq(logstore_appendv(store, large, 3, NULL), 0);
        ck_assert_int_eq(logstore_get(store, 2, buffer, sizeof(buffer), &record), 0);
        ck_assert_uint_eq(record.size, sizeof(big));
        ck_assert_mem_eq(buffer, big, sizeof(big) - 1);
        ck_assert_int_eq(buffer[sizeof(big) - 1], big[0]);
}
END_TEST

START_TEST(appendv_refuses_sizes_that_overflow)
{
        char text[] = "ab";
        struct iovec pieces[] = { { text, SIZE_MAX }, { text + 1, 2 } };
        uint64_t number = 77;

        setup_store();
        expect_failure(logstore_appendv(store, pieces, 2, &number), -EINVAL);
        expect_failure(logstore_appendv(store, pieces, -1, &number), -EINVAL);
        ck_assert_uint_eq(number, 77);
        ck_assert_uint_eq(append_text("next"), 1);
}
END_TEST

START_TEST(a_record_of_the_largest_size_fits_and_one_byte_more_is_refused_whole)
{
        uint64_t number = 77;
        int64_t most;
        char *data;

        setup_store();
        most = logstore_max_record(store);
        ck_assert_int_gt(most, 60000);
        ck_assert_int_lt(most, (int64_t)SMALL_SEGMENT_BYTES);
        data = calloc(1, (size_t)most + 1);
        append_text("before");
        ck_assert_int_eq(logstore_append(store, data, (size_t)most, &number), 0);
        ck_assert_uint_eq(number, 2);
        expect_failure(logstore_append(store, data, (size_t)most + 1, &number), -EMSGSIZE);
        expect_failure(logstore_append(store, data, SIZE_MAX, &number), -EMSGSIZE);
        ck_assert_uint_eq(number, 2);
        ck_assert_uint_eq(append_text("after"), 3);
        expect_text(store, 3, "after");
        free(data);
}
END_TEST

START_TEST(many_segments_hold_one_log)
{
        setup_store();
        for (unsigned i = 0; i < 300; i++)
                append_filled(5000, (unsigned char)i);
        for (unsigned pass = 0; pass < 2; pass++) {
                for (unsigned i = 0; i < 300; i++) {
                        struct logstore_record record;
                        unsigned char buffer[5000];

                        ck_assert_int_eq(logstore_get(store, i + 1, buffer, 5000, &record), 0);
                        ck_assert_uint_eq(record.size, 5000);
                        ck_assert_uint_eq(buffer[0], (unsigned char)i);
                        ck_assert_uint_eq(buffer[4999], (unsigned char)i);
                }
                reopen_store();
        }
}
END_TEST

START_TEST(times_are_of_the_moment_of_the_append)
{
        struct timespec before, after;
        struct logstore_record record;
        int64_t before_ns, after_ns;
        char buffer[8];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD | LOGSTORE_FINE_TIME);
        clock_gettime(CLOCK_REALTIME, &before);
        append_text("now");
        clock_gettime(CLOCK_REALTIME, &after);
        ck_assert_int_eq(logstore_get(store, 1, buffer, sizeof(buffer), &record), 0);
        before_ns = before.tv_sec * INT64_C(1000000000) + before.tv_nsec;
        after_ns = after.tv_sec * INT64_C(1000000000) + after.tv_nsec;
        ck_assert_int_ge(record.time_ns, before_ns);
        ck_assert_int_le(record.time_ns, after_ns);
}
END_TEST

/* ---- batches ---------------------------------------------------------------------------- */

START_TEST(a_batch_has_dense_numbers_and_its_own_times)
{
        struct logstore_entry entries[] = {
                { .data = "one", .size = 3, .time_ns = 1000 },
                { .data = "", .size = 0, .time_ns = -5 },
                { .data = "three", .size = 5, .time_ns = 2000 },
        };
        struct logstore_record record;
        uint64_t first = 0;
        char buffer[8];

        setup_store();
        append_text("zero");
        ck_assert_int_eq(logstore_append_batch(store, entries, 3, &first), 0);
        ck_assert_uint_eq(first, 2);
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq(logstore_get(store, 2 + i, buffer, 8, &record), 0);
                ck_assert_int_eq(record.time_ns, entries[i].time_ns);
                ck_assert_uint_eq(record.size, entries[i].size);
                ck_assert_mem_eq(buffer, entries[i].data, entries[i].size);
        }
        ck_assert_uint_eq(append_text("five"), 5);
}
END_TEST

/* Whatever the number of entries that are filled together. */
START_TEST(a_batch_of_any_length_has_every_entry_as_it_was)
{
        enum { MOST = 40 };
        struct logstore_entry entries[MOST];
        struct logstore_record record;
        char data[MOST], buffer[MOST];
        uint64_t first = 0;

        setup_store();
        for (unsigned i = 0; i < MOST; i++)
                data[i] = (char)('a' + i);
        for (unsigned count = 1; count <= MOST; count++) {
                for (unsigned i = 0; i < count; i++)
                        entries[i] = (struct logstore_entry){ .data = data + i,
                                                              .size = (i * 7) % (MOST - i),
                                                              .time_ns = 1000 - (int)i };
                ck_assert_int_eq(logstore_append_batch(store, entries, count, &first), 0);
                for (unsigned i = 0; i < count; i++) {
                        ck_assert_int_eq(logstore_get(store, first + i, buffer, MOST, &record), 0);
                        ck_assert_int_eq(record.time_ns, entries[i].time_ns);
                        ck_assert_uint_eq(record.size, entries[i].size);
                        ck_assert_mem_eq(buffer, entries[i].data, entries[i].size);
                }
        }
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, MOST * (MOST + 1) / 2);
}
END_TEST

START_TEST(a_batch_too_large_is_refused_whole)
{
        size_t each = (size_t)SMALL_SEGMENT_BYTES / 8;
        char *data = calloc(1, SMALL_SEGMENT_BYTES);
        struct logstore_entry entries[9];
        uint64_t first = 77;

        setup_store();
        for (unsigned i = 0; i < 9; i++)
                entries[i] = (struct logstore_entry){ .data = data, .size = each };
        append_text("before");
        expect_failure(logstore_append_batch(store, entries, 9, &first), -EMSGSIZE);
        expect_failure(logstore_append_batch(store, entries, 0, &first), -EINVAL);
        expect_failure(logstore_append_batch(store, NULL, 1, &first), -EINVAL);
        entries[3].size = SIZE_MAX - 100;
        expect_failure(logstore_append_batch(store, entries, 9, &first), -EMSGSIZE);
        ck_assert_uint_eq(first, 77);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        ck_assert_uint_eq(append_text("after"), 2);
        free(data);
}
END_TEST

START_TEST(a_batch_that_does_not_fit_the_rest_of_a_segment_stays_in_one_piece)
{
        static char data[9000];
        struct logstore_entry entries[6];

        setup_store();
        for (unsigned i = 0; i < 6; i++)
                entries[i] = (struct logstore_entry){ .data = data, .size = sizeof(data) };
        for (unsigned i = 0; i < 20; i++) {
                uint64_t first;

                append_filled(100, 1);
                ck_assert_int_eq(logstore_append_batch(store, entries, 6, &first), 0);
                ck_assert_uint_eq(first, 7 * i + 2);
        }
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, 140);
}
END_TEST

START_TEST(a_batch_of_very_many_records_is_one_batch)
{
        struct logstore_entry *entries = calloc(2400, sizeof(*entries));
        uint64_t first = 0;

        setup_store();
        for (unsigned i = 0; i < 2400; i++)
                entries[i] = (struct logstore_entry){ .data = "", .size = 0, .time_ns = 1 + i };
        ck_assert_int_eq(logstore_append_batch(store, entries, 2400, &first), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 2400);
        expect_text(store, 2400, "");
        free(entries);
}
END_TEST

/* ---- claims ----------------------------------------------------------------------------- */

static struct logstore_claim claim_bytes(size_t size)
{
        struct logstore_claim claim = { 0 };
        int r = logstore_claim(store, size, &claim);

        ck_assert_msg(r == 0, "claim: %s: %s", logstore_error_text(r), logstore_detail());
        ck_assert_uint_eq(claim.size, size);
        return claim;
}

START_TEST(a_claim_is_filled_in_place)
{
        struct logstore_claim claim;

        setup_store();
        claim = claim_bytes(5);
        ck_assert_uint_eq(claim.number, 1);
        memcpy(claim.data, "hello", 5);
        ck_assert_uint_eq(bounds_of(store).tail, 0);
        ck_assert_int_eq(logstore_commit(store, &claim, 5), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        expect_text(store, 1, "hello");
}
END_TEST

START_TEST(a_commit_may_use_less_than_was_claimed)
{
        static const size_t used[] = { 0, 1, 7, 8, 9, 15, 16, 17, 63, 64 };
        char text[65];

        setup_store();
        for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
                struct logstore_claim claim = claim_bytes(64);

                memset(claim.data, 'a' + (int)i, 64);
                ck_assert_int_eq(logstore_commit(store, &claim, used[i]), 0);
        }
        for (unsigned pass = 0; pass < 2; pass++) {
                for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
                        memset(text, 'a' + (int)i, used[i]);
                        text[used[i]] = '\0';
                        expect_text(store, i + 1, text);
                }
                reopen_store();
        }
}
END_TEST

START_TEST(records_behind_an_open_claim_wait_for_it)
{
        struct logstore_record record;
        struct logstore_claim claim;
        char buffer[8];

        setup_store();
        append_text("one");
        claim = claim_bytes(3);
        ck_assert_uint_eq(append_text("three"), 3);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        expect_failure(logstore_get(store, 2, buffer, 8, &record), -EAGAIN);
        expect_failure(logstore_get(store, 3, buffer, 8, &record), -EAGAIN);
        memcpy(claim.data, "two", 3);
        ck_assert_int_eq(logstore_commit(store, &claim, 3), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 3);
        expect_text(store, 2, "two");
        expect_text(store, 3, "three");
}
END_TEST

START_TEST(an_aborted_claim_is_a_void_that_keeps_its_number)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore_claim claim;
        char buffer[8];

        setup_store();
        append_text("one");
        claim = claim_bytes(100);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        ck_assert_uint_eq(append_text("three"), 3);
        for (unsigned pass = 0; pass < 2; pass++) {
                expect_failure(logstore_get(store, 2, buffer, 8, &record), -ENODATA);
                ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
                expect_next(cursor, 1, "one");
                expect_next(cursor, 3, "three");
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
                ck_assert_uint_eq(record.number, 3);
                ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
                ck_assert_uint_eq(record.number, 1);
                logstore_cursor_close(cursor);
                reopen_store();
        }
}
END_TEST

START_TEST(a_claim_is_resolved_once)
{
        struct logstore_claim claim;

        setup_store();
        claim = claim_bytes(8);
        expect_failure(logstore_commit(store, &claim, 9), -EMSGSIZE);
        memcpy(claim.data, "12345678", 8);
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        expect_failure(logstore_abort(store, &claim), -ECANCELED);
        expect_failure(logstore_commit(store, &claim, 8), -ECANCELED);
        expect_text(store, 1, "12345678");
        claim = claim_bytes(8);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        expect_failure(logstore_abort(store, &claim), -ECANCELED);
        expect_failure(logstore_commit(store, &claim, 1), -ECANCELED);
        ck_assert_uint_eq(bounds_of(store).tail, 2);
}
END_TEST

START_TEST(a_claim_too_large_uses_no_number)
{
        struct logstore_claim claim, before;

        setup_store();
        memset(&claim, 0x5a, sizeof(claim));
        before = claim;
        expect_failure(logstore_claim(store, (size_t)logstore_max_record(store) + 1, &claim),
                       -EMSGSIZE);
        expect_failure(logstore_claim(store, 8, NULL), -EINVAL);
        ck_assert_mem_eq(&claim, &before, sizeof(claim));
        ck_assert_uint_eq(append_text("next"), 1);
}
END_TEST

START_TEST(stalled_claims_can_be_cancelled)
{
        struct logstore_claim one, two;

        setup_store();
        one = claim_bytes(10);
        two = claim_bytes(10);
        append_text("three");
        ck_assert_int_eq(logstore_cancel_claims(store, 3600 * 1000), 0);
        ck_assert_int_eq(logstore_cancel_claims(store, 0), 2);
        ck_assert_uint_eq(bounds_of(store).tail, 3);
        expect_failure(logstore_commit(store, &one, 1), -ECANCELED);
        expect_failure(logstore_abort(store, &two), -ECANCELED);
        expect_text(store, 3, "three");
}
END_TEST

static void *claim_and_end(void *argument)
{
        *(struct logstore_claim *)argument = claim_bytes(10);
        return NULL;
}

START_TEST(the_claim_of_a_thread_that_ended_is_aborted)
{
        struct logstore_record record;
        struct logstore_claim claim;
        pthread_t thread;
        char buffer[8];

        setup_store();
        ck_assert_int_eq(pthread_create(&thread, NULL, claim_and_end, &claim), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_eq(claim.number, 1);
        append_text("two");
        ck_assert_uint_eq(bounds_of(store).tail, 2);
        expect_failure(logstore_get(store, 1, buffer, 8, &record), -ENODATA);
        expect_failure(logstore_commit(store, &claim, 1), -ECANCELED);
}
END_TEST

START_TEST(close_with_an_open_claim_is_busy_and_the_store_goes_on)
{
        struct logstore_claim claim;

        setup_store();
        claim = claim_bytes(2);
        expect_failure(logstore_close(store), -EBUSY);
        memcpy(claim.data, "ok", 2);
        ck_assert_int_eq(logstore_commit(store, &claim, 2), 0);
        append_text("more");
        reopen_store();
        expect_text(store, 1, "ok");
        expect_text(store, 2, "more");
}
END_TEST

/* ---- sync ------------------------------------------------------------------------------- */

START_TEST(sync_moves_the_durable_number)
{
        uint64_t durable = 77;

        setup_store();
        append_numbered(10);
        ck_assert_int_eq(logstore_sync(store, 4), 0);
        ck_assert_int_eq(logstore_durable(store, &durable), 0);
        ck_assert_uint_ge(durable, 4);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_durable(store, &durable), 0);
        ck_assert_uint_eq(durable, 10);
        ck_assert_uint_eq(bounds_of(store).durable, 10);
        ck_assert_int_eq(logstore_sync_timed(store, 10, 1000), 0);
}
END_TEST

static _Atomic bool syncing_along;

static void *sync_along(void *unused)
{
        (void)unused;
        while (atomic_load(&syncing_along))
                if (logstore_append(store, "x", 1, NULL) != 0 || logstore_sync(store, 0) != 0)
                        abort();
        return NULL;
}

/* A thread that is alone does not wait for those with which it shared syncs before. */
START_TEST(a_thread_that_is_alone_again_syncs)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        pthread_t thread;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = 16 << 20; /* none is sealed meanwhile */
        open_store_with(&options);
        for (unsigned round = 0; round < 30; round++) {
                atomic_store(&syncing_along, true);
                ck_assert_int_eq(pthread_create(&thread, NULL, sync_along, NULL), 0);
                for (unsigned i = 0; i < 20; i++) {
                        append_numbered(1);
                        ck_assert_int_eq(logstore_sync(store, 0), 0);
                }
                atomic_store(&syncing_along, false);
                ck_assert_int_eq(pthread_join(thread, NULL), 0);
                append_numbered(1);
                ck_assert_int_eq(logstore_sync_timed(store, 0, 10000), 0);
        }
}
END_TEST

START_TEST(sync_of_what_was_not_appended_is_refused)
{
        setup_store();
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_failure(logstore_sync(store, 1), -EAGAIN);
        append_text("one");
        expect_failure(logstore_sync(store, 2), -EAGAIN);
        expect_failure(logstore_sync_start(store, 2), -EAGAIN);
        ck_assert_int_eq(logstore_sync(store, 1), 0);
}
END_TEST

START_TEST(sync_behind_ones_own_claim_is_a_deadlock)
{
        struct logstore_claim claim;
        uint64_t number;

        setup_store();
        append_text("one");
        claim = claim_bytes(3);
        number = append_text("three");
        expect_failure(logstore_sync(store, number), -EDEADLK);
        ck_assert_int_eq(logstore_sync(store, 1), 0);
        ck_assert_int_eq(logstore_abort(store, &claim), 0);
        ck_assert_int_eq(logstore_sync(store, number), 0);
}
END_TEST

static void *claim_in_thread(void *argument)
{
        struct logstore_claim claim = claim_bytes(3);
        pthread_barrier_t *barrier = argument;

        pthread_barrier_wait(barrier); /* claimed */
        pthread_barrier_wait(barrier); /* the other is done waiting */
        ck_assert_int_eq(logstore_commit(store, &claim, 3), 0);
        return NULL;
}

START_TEST(sync_behind_the_claim_of_another_times_out)
{
        pthread_barrier_t barrier;
        pthread_t thread;
        uint64_t number;

        setup_store();
        pthread_barrier_init(&barrier, NULL, 2);
        ck_assert_int_eq(pthread_create(&thread, NULL, claim_in_thread, &barrier), 0);
        pthread_barrier_wait(&barrier);
        number = append_text("two");
        expect_failure(logstore_sync_timed(store, number, 20), -ETIMEDOUT);
        pthread_barrier_wait(&barrier);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(logstore_sync_timed(store, number, 10000), 0);
}
END_TEST

START_TEST(under_sync_each_an_append_is_durable_on_return)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        uint64_t durable = 0;

        options.flags = LOGSTORE_CREATE;
        options.sync_policy = LOGSTORE_SYNC_EACH;
        open_store_with(&options);
        for (unsigned i = 0; i < 50; i++) {
                uint64_t number = append_text("x");

                ck_assert_int_eq(logstore_durable(store, &durable), 0);
                ck_assert_uint_ge(durable, number);
        }
}
END_TEST

START_TEST(under_sync_interval_records_become_durable_by_themselves)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        uint64_t durable = 0;

        options.flags = LOGSTORE_CREATE;
        options.sync_policy = LOGSTORE_SYNC_INTERVAL;
        options.sync_ms = 5;
        open_store_with(&options);
        append_numbered(5);
        for (unsigned wait = 0; wait < 2000 && durable < 5; wait++) {
                struct timespec pause = { .tv_nsec = 1000000 };

                nanosleep(&pause, NULL);
                ck_assert_int_eq(logstore_durable(store, &durable), 0);
        }
        ck_assert_uint_eq(durable, 5);
}
END_TEST

enum { THREADS = 4, EACH = 5000 };

static void *append_own_numbers(void *argument)
{
        unsigned first = (unsigned)(uintptr_t)argument;

        for (unsigned value = first; value < first + EACH; value++)
                ck_assert_int_eq(logstore_append(store, &value, sizeof(value), NULL), 0);
        return NULL;
}

START_TEST(many_threads_append_and_every_record_is_there_once)
{
        pthread_t threads[THREADS];
        unsigned *seen = calloc(THREADS * EACH, sizeof(*seen));
        struct logstore_cursor *cursor;
        struct logstore_record record;

        open_store(LOGSTORE_CREATE);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(
                        pthread_create(&threads[i], NULL, append_own_numbers, (void *)(i * EACH)),
                        0);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_uint_eq(bounds_of(store).tail, THREADS * EACH);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        while (logstore_cursor_next(cursor, &record) == 0) {
                unsigned value;

                ck_assert_uint_eq(record.size, sizeof(value));
                memcpy(&value, record.data, sizeof(value));
                ck_assert_uint_lt(value, THREADS * EACH);
                seen[value]++;
        }
        for (unsigned i = 0; i < THREADS * EACH; i++)
                ck_assert_uint_eq(seen[i], 1);
        logstore_cursor_close(cursor);
        free(seen);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { numbers_start_at_one_and_are_dense, 0 },
                { an_empty_store_has_its_tail_before_its_first, 0 },
                { the_first_number_can_be_chosen_at_creation, 0 },
                { the_number_need_not_be_asked_for, 0 },
                { empty_records_are_records, 0 },
                { appendv_joins_its_pieces, 0 },
                { appendv_refuses_sizes_that_overflow, 0 },
                { a_record_of_the_largest_size_fits_and_one_byte_more_is_refused_whole, 0 },
                { many_segments_hold_one_log, 0 },
                { times_are_of_the_moment_of_the_append, 0 },
                { a_batch_has_dense_numbers_and_its_own_times, 0 },
                { a_batch_of_any_length_has_every_entry_as_it_was, 0 },
                { a_batch_too_large_is_refused_whole, 0 },
                { a_batch_that_does_not_fit_the_rest_of_a_segment_stays_in_one_piece, 0 },
                { a_batch_of_very_many_records_is_one_batch, 0 },
                { a_claim_is_filled_in_place, 0 },
                { a_commit_may_use_less_than_was_claimed, 0 },
                { records_behind_an_open_claim_wait_for_it, 0 },
                { an_aborted_claim_is_a_void_that_keeps_its_number, 0 },
                { a_claim_is_resolved_once, 0 },
                { a_claim_too_large_uses_no_number, 0 },
                { stalled_claims_can_be_cancelled, 0 },
                { the_claim_of_a_thread_that_ended_is_aborted, 0 },
                { close_with_an_open_claim_is_busy_and_the_store_goes_on, 0 },
                { sync_moves_the_durable_number, 0 },
                { a_thread_that_is_alone_again_syncs, 0 },
                { sync_of_what_was_not_appended_is_refused, 0 },
                { sync_behind_ones_own_claim_is_a_deadlock, 0 },
                { sync_behind_the_claim_of_another_times_out, 0 },
                { under_sync_each_an_append_is_durable_on_return, 0 },
                { under_sync_interval_records_become_durable_by_themselves, 0 },
                { many_threads_append_and_every_record_is_there_once, 0 },
        };

        return RUN_TESTS("public_append", tests);
}
