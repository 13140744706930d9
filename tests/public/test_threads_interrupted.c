/*
 * test_threads_interrupted.c - threads that are cancelled, and signals, in the middle of calls
 */
#include "test_threads_support.h"

#include <signal.h>

#define THREADS 4

enum work { APPEND, APPEND_EACH, BATCH, CLAIM, SYNC, GET, WALK, WAIT, TRIM, SNAPSHOT, WORKS };

static _Atomic unsigned long calls;

static void work_once(enum work work, uint64_t turn)
{
        unsigned char data[2000] = { 0 };
        struct logstore_entry entries[3] = { { data, 10, 0 }, { data, 600, 0 }, { data, 0, 0 } };
        struct logstore_snapshot *snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore_claim claim;
        int r;

        switch (work) {
        case APPEND:
        case APPEND_EACH:
                must(logstore_append(store, data, turn % sizeof(data), NULL) == 0);
                break;
        case BATCH:
                must(logstore_append_batch(store, entries, 3, NULL) == 0);
                break;
        case CLAIM:
                while ((r = logstore_claim(store, 900, &claim)) == -EAGAIN)
                        pthread_testcancel(); /* others were fast while one slept on its claim */
                must(r == 0);
                pthread_testcancel(); /* here too: the thread's end must resolve it */
                must(logstore_commit(store, &claim, turn % 900) == 0);
                break;
        case SYNC:
                must(logstore_append(store, data, 700, NULL) == 0);
                must(logstore_sync(store, 1) == 0);
                break;
        case GET:
                must(logstore_get(store, 1 + turn * 37 % 500, data, sizeof(data), &record) == 0);
                break;
        case TRIM:
                must(logstore_append(store, data, 700, NULL) == 0);
                must(logstore_trim_before(store, 1, NULL) == 0);
                break;
        default: /* these make an object: not left behind half way */
                pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
                if (work == SNAPSHOT) {
                        must(logstore_snapshot_open(store, 0, &snapshot) == 0);
                        must(logstore_snapshot_get(snapshot, 1, &record) == 0);
                        logstore_snapshot_close(snapshot);
                } else {
                        must(logstore_cursor_open(store, 0, &cursor) == 0);
                        if (work == WAIT)
                                must(logstore_cursor_seek(cursor, UINT64_MAX) == 0);
                        pthread_cleanup_push((void (*)(void *))logstore_cursor_close, cursor);
                        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
                        if (work == WAIT)
                                logstore_cursor_wait(cursor, 2);
                        else
                                while (logstore_cursor_next(cursor, &record) == 0)
                                        ;
                        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
                        pthread_cleanup_pop(1);
                }
                pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        }
        atomic_fetch_add(&calls, 1);
}

static void *work_for_ever(void *argument)
{
        enum work work = (enum work)(uintptr_t)argument;

        for (uint64_t turn = 0;; turn++) {
                work_once(work, turn);
                pthread_testcancel();
        }
        return NULL;
}

static void prepare(enum work work)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.mapped_segments = 1; /* readers map and unmap all the time */
        options.flags = LOGSTORE_CREATE | (work % 2 ? LOGSTORE_NO_THREAD : 0);
        options.sync_policy = work == APPEND_EACH ? LOGSTORE_SYNC_EACH : LOGSTORE_SYNC_NONE;
        open_store_with(&options);
        for (int i = 0; i < 500; i++)
                append_filled(1000, 'a');
}

/* Nobody holds a lock, every record is whole, everything still works. */
static void expect_unharmed(void)
{
        struct logstore_bounds bounds;
        struct logstore_record record;
        char buffer[2048];
        int r;

        append_text("after");
        ck_assert_int_eq(logstore_sync_timed(store, 0, 10000), 0);
        bounds = bounds_of(store);
        for (uint64_t number = bounds.first; number <= bounds.tail; number++) {
                r = logstore_get(store, number, buffer, sizeof(buffer), &record);
                ck_assert(r == 0 || r == -ENODATA);
        }
        ck_assert_int_eq(logstore_trim_before(store, bounds.tail, NULL), 0);
        close_store();
        open_store(0);
        expect_text(store, bounds.tail, "after");
}

START_TEST(a_cancelled_thread_leaves_the_store_as_if_it_had_returned)
{
        prepare((enum work)_i);
        for (int round = 0; round < 40; round++) {
                pthread_t threads[THREADS];
                unsigned long before = atomic_load(&calls);

                for (int i = 0; i < THREADS; i++)
                        ck_assert_int_eq(pthread_create(&threads[i], NULL, work_for_ever,
                                                        (void *)(uintptr_t)_i),
                                         0);
                while (atomic_load(&calls) < before + 20)
                        sleep_ms(1);
                for (int i = 0; i < THREADS; i++)
                        ck_assert_int_eq(pthread_cancel(threads[i]), 0);
                for (int i = 0; i < THREADS; i++) {
                        void *result;

                        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
                        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
                }
        }
        expect_unharmed();
}
END_TEST

/* ---- signals ---- */

static _Atomic unsigned signals;
static _Atomic bool enough;

static void on_signal(int signal)
{
        (void)signal;
        atomic_fetch_add(&signals, 1);
}

static void *work_until_enough(void *argument)
{
        for (uint64_t turn = 0; !atomic_load(&enough); turn++)
                work_once((enum work)(uintptr_t)argument, turn);
        return NULL;
}

/* A handler without SA_RESTART makes system calls end early; no call of the library fails by it. */
START_TEST(signals_disturb_no_call)
{
        struct sigaction action = { .sa_handler = on_signal };
        pthread_t threads[THREADS];
        int64_t until = clock_ms() + 1000;

        prepare((enum work)_i);
        ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
        for (int i = 0; i < THREADS; i++)
                ck_assert_int_eq(
                        pthread_create(&threads[i], NULL, work_until_enough, (void *)(uintptr_t)_i),
                        0);
        for (int turn = 0; clock_ms() < until || atomic_load(&signals) < 200; turn++) {
                pthread_kill(threads[turn % THREADS], SIGUSR1);
                if (turn % 8 == 0)
                        sched_yield();
        }
        atomic_store(&enough, true);
        for (int i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        expect_unharmed();
}
END_TEST

static void *interrupt_main(void *argument)
{
        sleep_ms(50);
        pthread_kill(*(pthread_t *)argument, SIGUSR1);
        return NULL;
}

START_TEST(a_signal_ends_a_wait_and_says_so)
{
        struct sigaction action = { .sa_handler = on_signal };
        struct logstore_cursor *cursor;
        pthread_t self = pthread_self(), thread;

        open_store(LOGSTORE_CREATE);
        ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_main, &self), 0);
        expect_failure(logstore_cursor_wait(cursor, 20000), -EINTR);
        pthread_join(thread, NULL);
        logstore_cursor_close(cursor);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_cancelled_thread_leaves_the_store_as_if_it_had_returned, WORKS },
                { signals_disturb_no_call, WORKS },
                { a_signal_ends_a_wait_and_says_so, 0 },
        };

        return RUN_TESTS("threads_interrupted", tests);
}
