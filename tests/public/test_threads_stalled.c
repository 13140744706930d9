/*
 * test_threads_stalled.c - claims that stay open: whom they hold up, who names them, what ends them
 */
#include "test_threads_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct stalled {
        struct logstore_claim claim;
        pthread_t thread;
        pthread_barrier_t barrier;
        _Atomic int thread_id;
        int (*end)(struct stalled *);
};

static int commit(struct stalled *stalled)
{
        return logstore_commit(store, &stalled->claim, stalled->claim.size);
}

static int abort_it(struct stalled *stalled)
{
        return logstore_abort(store, &stalled->claim);
}

static int just_end(struct stalled *stalled)
{
        (void)stalled;
        return 0;
}

static int exit_thread(struct stalled *stalled)
{
        (void)stalled;
        pthread_exit(NULL);
}

static int be_cancelled(struct stalled *stalled)
{
        (void)stalled;
        pthread_cancel(pthread_self());
        pthread_testcancel();
        return -1;
}

/* Claims a record, fills it, and sits on it until told to go on. */
static void *sit(void *argument)
{
        struct stalled *stalled = argument;

        stalled->thread_id = (int)syscall(SYS_gettid);
        must(logstore_claim(store, 100, &stalled->claim) == 0);
        memset(stalled->claim.data, 's', 100);
        pthread_barrier_wait(&stalled->barrier);
        pthread_barrier_wait(&stalled->barrier);
        must(stalled->end(stalled) == 0);
        return NULL;
}

static void stall(struct stalled *stalled, int (*end)(struct stalled *))
{
        stalled->end = end;
        pthread_barrier_init(&stalled->barrier, NULL, 2);
        ck_assert_int_eq(pthread_create(&stalled->thread, NULL, sit, stalled), 0);
        pthread_barrier_wait(&stalled->barrier);
}

static void go_on(struct stalled *stalled)
{
        pthread_barrier_wait(&stalled->barrier);
        ck_assert_int_eq(pthread_join(stalled->thread, NULL), 0);
        pthread_barrier_destroy(&stalled->barrier);
}

/* Append until it is refused; how many were taken. */
static unsigned append_until_refused(size_t size)
{
        unsigned char data[4096] = { 0 };
        unsigned count = 0;
        int r;

        while ((r = logstore_append(store, data, size, NULL)) == 0)
                ck_assert_uint_lt(++count, 1000000);
        expect_failure(r, -EAGAIN);
        return count;
}

static const struct {
        const char *how;
        int (*end)(struct stalled *);
        int gives;
} ends[] = {
        { "commit", commit, 0 },
        { "abort", abort_it, -ENODATA },
        { "the thread's end", just_end, -ENODATA },
        { "pthread_exit", exit_thread, -ENODATA },
        { "cancellation", be_cancelled, -ENODATA },
};

/* Other threads go on for several segments. Then they are refused, with the claim's name. Then all
 * is well. */
START_TEST(a_stalled_claim_holds_up_what_it_must_and_nothing_else)
{
        struct stalled stalled;
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_record record;
        char buffer[4096], number[32], thread[32];
        uint64_t durable;
        unsigned count;

        open_store(LOGSTORE_CREATE | (_i % 2 ? LOGSTORE_NO_THREAD : 0));
        append_text("before");
        stall(&stalled, ends[_i / 2].end);
        ck_assert_uint_eq(stalled.claim.number, 2);
        sleep_ms(20);
        count = append_until_refused(1000);
        ck_assert_msg(count > 2 * 60, "%u records of about 60 a segment", count);

        snprintf(number, sizeof(number), "record 2,");
        snprintf(thread, sizeof(thread), "thread %d", stalled.thread_id);
        ck_assert_msg(strstr(logstore_detail(), number) && strstr(logstore_detail(), thread), "%s",
                      logstore_detail());
        ck_assert_int_eq(logstore_info(store, &info), 0);
        ck_assert_uint_eq(info.open_claims, 1);
        ck_assert_uint_eq(info.oldest_claim, 2);
        ck_assert_int_eq(info.oldest_claim_tid, stalled.thread_id);
        ck_assert_uint_ge(info.oldest_claim_ms, 20);
        ck_assert_uint_lt(info.oldest_claim_ms, 60000);
        ck_assert_uint_eq(info.bounds.tail, 1);

        ck_assert_int_eq(logstore_sync(store, 1), 0);
        expect_failure(logstore_sync_timed(store, 2, 20), -ETIMEDOUT);
        ck_assert_int_eq(logstore_durable(store, &durable), 0);
        ck_assert_uint_eq(durable, 1);
        expect_failure(logstore_get(store, 3, buffer, sizeof(buffer), &record), -EAGAIN);
        expect_failure(logstore_close(store), -EBUSY);
        expect_failure(logstore_truncate_after(store, 1, 0), -EBUSY);

        go_on(&stalled);
        ck_assert_uint_eq(bounds_of(store).tail, 2 + count);
        ck_assert_int_eq(logstore_get(store, 2, buffer, sizeof(buffer), &record),
                         ends[_i / 2].gives);
        append_text("after");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_info(store, &info), 0);
        ck_assert_uint_eq(info.open_claims, 0);
        ck_assert_uint_eq(info.oldest_claim, 0);
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, 3 + count);
        ck_assert_int_eq(logstore_get(store, 2, buffer, sizeof(buffer), &record),
                         ends[_i / 2].gives);
        ck_assert_int_eq(logstore_get(store, 2 + count, buffer, sizeof(buffer), &record), 0);
        expect_text(store, 3 + count, "after");
}
END_TEST

static void *append_full_speed(void *argument)
{
        unsigned *refused = argument;
        unsigned char data[500] = { 0 };

        for (int i = 0; i < 400; i++) { /* 3.3 segments */
                int64_t began = clock_ms();
                int r = logstore_append(store, data, sizeof(data), NULL);

                must(r == 0 || r == -EAGAIN);
                *refused += r != 0;
                must(clock_ms() - began < 5000);
        }
        return NULL;
}

START_TEST(other_appenders_never_wait_for_a_stalled_claim)
{
        struct stalled stalled;
        unsigned refused = 0;
        pthread_t thread;

        open_store(LOGSTORE_CREATE);
        stall(&stalled, commit);
        ck_assert_int_eq(pthread_create(&thread, NULL, append_full_speed, &refused), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_eq(refused, 0);
        ck_assert_uint_eq(bounds_of(store).tail, 0);
        go_on(&stalled);
        ck_assert_uint_eq(bounds_of(store).tail, 401);
}
END_TEST

static void *sync_all(void *argument)
{
        _Atomic int *done = argument;

        must(logstore_sync(store, 3) == 0);
        atomic_store(done, 1);
        return NULL;
}

START_TEST(a_sync_waits_until_the_claim_before_it_is_resolved)
{
        struct stalled stalled;
        _Atomic int done = 0;
        uint64_t durable;
        pthread_t thread;

        open_store(LOGSTORE_CREATE);
        append_text("1");
        stall(&stalled, commit);
        append_text("3");
        ck_assert_int_eq(pthread_create(&thread, NULL, sync_all, (void *)&done), 0);
        for (int i = 0; i < 20; i++) {
                sleep_ms(5);
                ck_assert_int_eq(atomic_load(&done), 0);
                ck_assert_int_eq(logstore_durable(store, &durable), 0);
                ck_assert_uint_le(durable, 1);
        }
        go_on(&stalled);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(logstore_durable(store, &durable), 0);
        ck_assert_uint_eq(durable, 3);
}
END_TEST

START_TEST(claims_can_be_cancelled_by_others)
{
        struct stalled stalled;
        struct logstore_claim claim;

        open_store(LOGSTORE_CREATE);
        stall(&stalled, just_end);
        ck_assert_int_eq(logstore_cancel_claims(store, 60000), 0);
        ck_assert_int_eq(logstore_cancel_claims(store, 0), 1);
        claim = stalled.claim;
        expect_failure(logstore_commit(store, &claim, 10), -ECANCELED);
        expect_failure(logstore_abort(store, &claim), -ECANCELED);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        go_on(&stalled);
        close_store();
}
END_TEST

/* Threads that come and go, each leaving a claim behind; none is forgotten, none taken twice. */
START_TEST(claims_of_many_ended_threads_are_voids)
{
        struct logstore_record record;
        char buffer[200];

        open_store(LOGSTORE_CREATE);
        for (uint64_t number = 1; number <= 300; number++) {
                struct stalled stalled;

                stall(&stalled, number % 3 ? just_end : commit);
                ck_assert_uint_eq(stalled.claim.number, number);
                go_on(&stalled);
                ck_assert_int_eq(logstore_get(store, number, buffer, sizeof(buffer), &record),
                                 number % 3 ? -ENODATA : 0);
        }
        close_store();
}
END_TEST

/* Segments full of voids and of nothing else are passed over in both directions. */
START_TEST(cursors_step_over_segments_full_of_voids)
{
        struct logstore_cursor *cursor;
        struct logstore_claim claim;
        struct logstore_record record;

        open_store(LOGSTORE_CREATE);
        append_text("first");
        for (int i = 0; i < 200; i++) {
                ck_assert_int_eq(logstore_claim(store, 1000, &claim), 0);
                ck_assert_int_eq(logstore_abort(store, &claim), 0);
        }
        append_text("last");
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        expect_next(cursor, 1, "first");
        expect_next(cursor, 202, "last");
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), -EAGAIN);
        ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 202);
        ck_assert_int_eq(logstore_cursor_prev(cursor, &record), 0);
        ck_assert_uint_eq(record.number, 1);
        ck_assert_int_eq(logstore_cursor_prev(cursor, &record), -EAGAIN);
        logstore_cursor_close(cursor);
}
END_TEST

/* ---- an append that stands still in the middle ---- */

static char *unreadable;
static _Atomic bool caught, let_go;

static void stand_still(int signal_number)
{
        (void)signal_number;
        atomic_store(&caught, true);
        while (!atomic_load(&let_go))
                usleep(1000);
        if (mprotect(unreadable, 4096, PROT_READ) < 0)
                _exit(1);
}

static void *append_unreadable(void *unused)
{
        (void)unused;
        must(logstore_append(store, unreadable, 100, NULL) == 0);
        return NULL;
}

static void *append_many(void *appended)
{
        for (int i = 0; i < 40; i++) { /* three in a segment: more than wait for one record */
                append_filled(20000, 'm');
                atomic_fetch_add((_Atomic int *)appended, 1);
        }
        return NULL;
}

/* It was not put off by its program, so it ends by itself: who needs its place waits. */
START_TEST(an_append_in_the_middle_is_waited_for)
{
        struct sigaction action = { .sa_handler = stand_still };
        pthread_t slow, other;
        _Atomic int appended = 0;

        open_store(LOGSTORE_CREATE);
        unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert(unreadable != MAP_FAILED);
        ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
        ck_assert_int_eq(pthread_create(&slow, NULL, append_unreadable, NULL), 0);
        while (!atomic_load(&caught))
                usleep(1000);
        ck_assert_int_eq(pthread_create(&other, NULL, append_many, &appended), 0);
        usleep(300000);
        ck_assert_int_lt(atomic_load(&appended), 40);
        atomic_store(&let_go, true);
        ck_assert_int_eq(pthread_join(slow, NULL), 0);
        ck_assert_int_eq(pthread_join(other, NULL), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 41);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_stalled_claim_holds_up_what_it_must_and_nothing_else,
                  2 * sizeof(ends) / sizeof(ends[0]) },
                { other_appenders_never_wait_for_a_stalled_claim, 0 },
                { a_sync_waits_until_the_claim_before_it_is_resolved, 0 },
                { claims_can_be_cancelled_by_others, 0 },
                { claims_of_many_ended_threads_are_voids, 0 },
                { cursors_step_over_segments_full_of_voids, 0 },
                { an_append_in_the_middle_is_waited_for, 0 },
        };

        return RUN_TESTS("threads_stalled", tests);
}
