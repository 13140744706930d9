/*
 * test_threads.c - many threads append, read, sync and trim one store at the same time
 */
#include "test_threads_support.h"

#define APPENDERS 8

static _Atomic uint64_t newest;    /* a number known to have been given */
static _Atomic unsigned appending; /* threads that still do */

struct job {
        pthread_t thread;
        uint32_t maker, records;
        size_t size;
};

static void note_number(uint64_t number)
{
        uint64_t seen = atomic_load(&newest);

        while (seen < number && !atomic_compare_exchange_weak(&newest, &seen, number))
                ;
}

/* What is appended after another append has returned gets a greater number. */
static uint64_t append_stamped(size_t size, struct stamp stamp)
{
        unsigned char data[8192];
        uint64_t before = atomic_load(&newest), number = 0;

        stamp_fill(data, size, stamp);
        must(logstore_append(store, data, size, &number) == 0);
        must(number > before);
        note_number(number);
        return number;
}

static void *append_all(void *argument)
{
        const struct job *job = argument;

        for (uint32_t count = 0; count < job->records; count++)
                append_stamped(job->size, (struct stamp){ job->maker, count });
        atomic_fetch_sub(&appending, 1);
        return NULL;
}

static void start_appenders(struct job *jobs, void *(*work)(void *), uint32_t records, size_t size)
{
        atomic_store(&appending, APPENDERS);
        for (uint32_t i = 0; i < APPENDERS; i++) {
                jobs[i] = (struct job){ .maker = i, .records = records, .size = size };
                ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
        }
}

static void join_appenders(struct job *jobs)
{
        for (int i = 0; i < APPENDERS; i++)
                ck_assert_int_eq(pthread_join(jobs[i].thread, NULL), 0);
}

/* Every number once, every record whole, each maker's in the order in which it made them. */
static void expect_all(struct logstore *where, uint64_t first, uint32_t records)
{
        uint32_t counts[APPENDERS] = { 0 };
        struct logstore_cursor *cursor;
        struct logstore_record record;

        ck_assert_int_eq(logstore_cursor_open(where, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, first), 0);
        for (uint64_t number = first; number < first + APPENDERS * records; number++) {
                struct stamp stamp;

                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
                ck_assert_uint_eq(record.number, number);
                stamp = stamp_check(record.data, record.size);
                ck_assert_uint_lt(stamp.maker, APPENDERS);
                ck_assert_uint_eq(stamp.count, counts[stamp.maker]++);
        }
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), -EAGAIN);
        logstore_cursor_close(cursor);
}

/* A first record of another size each time: the segments' ends fall at every place in a record. */
START_TEST(numbers_are_dense_however_the_log_rolls)
{
        struct job jobs[APPENDERS];

        open_store(LOGSTORE_CREATE | (_i % 2 ? LOGSTORE_NO_THREAD : 0));
        append_filled((size_t)_i * 16, 'x');
        start_appenders(jobs, append_all, 10, 990);
        join_appenders(jobs);
        start_appenders(jobs, append_all, 4, 6000 + (size_t)_i);
        join_appenders(jobs);
        ck_assert_uint_eq(bounds_of(store).tail, 1 + APPENDERS * 14);
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, 1 + APPENDERS * 14);
        expect_all(store, 1 + APPENDERS * 10 + 1, 4);
}
END_TEST

START_TEST(small_records_of_all_threads_are_whole)
{
        struct job jobs[APPENDERS];

        open_store(LOGSTORE_CREATE);
        start_appenders(jobs, append_all, 3000, 40);
        join_appenders(jobs);
        expect_all(store, 1, 3000);
        reopen_store();
        expect_all(store, 1, 3000);
}
END_TEST

/* ---- batches ---- */

static void *append_batches(void *argument)
{
        const struct job *job = argument;
        struct logstore_entry entries[7];
        unsigned char data[7][64];

        for (uint32_t count = 0; count < job->records; count += 7) {
                for (uint32_t i = 0; i < 7; i++) {
                        stamp_fill(data[i], sizeof(data[i]),
                                   (struct stamp){ job->maker, count + i });
                        entries[i] = (struct logstore_entry){ data[i], sizeof(data[i]), 0 };
                }
                must(logstore_append_batch(store, entries, 7, NULL) == 0);
        }
        atomic_fetch_sub(&appending, 1);
        return NULL;
}

START_TEST(batches_of_all_threads_stay_together)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct job jobs[APPENDERS];

        open_store(LOGSTORE_CREATE);
        start_appenders(jobs, append_batches, 700, 0);
        join_appenders(jobs);
        expect_all(store, 1, 700);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        for (int batch = 0; batch < APPENDERS * 100; batch++) {
                struct stamp begin = { 0 }, stamp;

                for (uint32_t i = 0; i < 7; i++) {
                        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
                        stamp = stamp_check(record.data, record.size);
                        if (i == 0)
                                begin = stamp;
                        ck_assert_uint_eq(stamp.maker, begin.maker);
                        ck_assert_uint_eq(stamp.count, begin.count + i);
                }
        }
        logstore_cursor_close(cursor);
}
END_TEST

/* ---- claims ---- */

static void *claim_all(void *argument)
{
        const struct job *job = argument;
        struct logstore_claim claim;

        for (uint32_t count = 0; count < job->records; count++) {
                size_t size = 16 + count % 200;

                must(logstore_claim(store, 240, &claim) == 0);
                stamp_fill(claim.data, size, (struct stamp){ job->maker, count });
                if (count % 5 == 4)
                        must(logstore_abort(store, &claim) == 0);
                else
                        must(logstore_commit(store, &claim, size) == 0);
        }
        atomic_fetch_sub(&appending, 1);
        return NULL;
}

/* An aborted claim keeps its number as a void; the others are there, shortened as they were. */
START_TEST(claims_of_all_threads_are_records_or_voids)
{
        unsigned char buffer[256];
        uint32_t last[APPENDERS] = { 0 };
        struct logstore_record record;
        struct job jobs[APPENDERS];
        unsigned voids = 0;

        open_store(LOGSTORE_CREATE);
        start_appenders(jobs, claim_all, 500, 0);
        join_appenders(jobs);
        ck_assert_uint_eq(bounds_of(store).tail, APPENDERS * 500);
        for (uint64_t number = 1; number <= APPENDERS * 500; number++) {
                int r = logstore_get(store, number, buffer, sizeof(buffer), &record);
                struct stamp stamp;

                if (r == -ENODATA) {
                        voids++;
                        continue;
                }
                ck_assert_int_eq(r, 0);
                stamp = stamp_check(record.data, record.size);
                ck_assert_uint_eq(record.size, 16 + stamp.count % 200);
                ck_assert_uint_ne(stamp.count % 5, 4);
                ck_assert(stamp.count == 0 || stamp.count > last[stamp.maker]);
                last[stamp.maker] = stamp.count;
        }
        ck_assert_uint_eq(voids, APPENDERS * 100);
}
END_TEST

struct duel {
        struct logstore_claim claim;
        pthread_barrier_t barrier;
        int aborted;
};

static void *abort_claim(void *argument)
{
        struct duel *duel = argument;
        struct logstore_claim claim = duel->claim;

        pthread_barrier_wait(&duel->barrier);
        duel->aborted = logstore_abort(store, &claim);
        return NULL;
}

START_TEST(commit_against_abort_has_one_winner)
{
        struct logstore_record record;
        unsigned char buffer[64];

        open_store(LOGSTORE_CREATE);
        for (int round = 0; round < 200; round++) {
                struct duel duel = { .aborted = 1 };
                pthread_t thread;
                int committed, got;

                must(logstore_claim(store, 32, &duel.claim) == 0);
                stamp_fill(duel.claim.data, 32, (struct stamp){ 1, (uint32_t)round });
                pthread_barrier_init(&duel.barrier, NULL, 2);
                must(pthread_create(&thread, NULL, abort_claim, &duel) == 0);
                pthread_barrier_wait(&duel.barrier);
                committed = logstore_commit(store, &duel.claim, 32);
                pthread_join(thread, NULL);
                pthread_barrier_destroy(&duel.barrier);
                ck_assert_int_ne(committed == 0, duel.aborted == 0);
                ck_assert_int_eq(committed ? committed : duel.aborted, -ECANCELED);
                got = logstore_get(store, duel.claim.number, buffer, sizeof(buffer), &record);
                ck_assert_int_eq(got, committed == 0 ? 0 : -ENODATA);
        }
}
END_TEST

/* ---- readers at the same time ---- */

/* Follow with a cursor to the end of the appenders' work; nothing is skipped. */
static void *follow(void *argument)
{
        struct logstore *where = argument ? argument : store;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t expected = 1;
        int r;

        must(logstore_cursor_open(where, 0, &cursor) == 0);
        for (;;) {
                unsigned left = atomic_load(&appending);

                while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                        must(record.number == expected++);
                        stamp_check(record.data, record.size);
                }
                must(r == -EAGAIN);
                if (left == 0)
                        break;
                r = logstore_cursor_wait(cursor, 5);
                must(r == 0 || r == -ETIMEDOUT);
        }
        logstore_cursor_close(cursor);
        return (void *)(uintptr_t)(expected - 1);
}

/* Backward from the tail to the first, over every roll. */
static void *walk_back(void *argument)
{
        struct logstore *where = argument ? argument : store;
        struct logstore_cursor *cursor;
        struct logstore_record record;

        while (atomic_load(&appending)) {
                uint64_t expected;
                int r;

                must(logstore_cursor_open(where, 0, &cursor) == 0);
                must(logstore_cursor_seek(cursor, UINT64_MAX) == 0);
                expected = logstore_cursor_position(cursor) - 1;
                while ((r = logstore_cursor_prev(cursor, &record)) == 0) {
                        must(record.number == expected--);
                        stamp_check(record.data, record.size);
                }
                must(r == -EAGAIN && expected == 0);
                logstore_cursor_close(cursor);
        }
        return NULL;
}

static void *get_anywhere(void *argument)
{
        struct logstore *where = argument ? argument : store;
        struct logstore_record record;
        struct logstore_bounds bounds;
        unsigned char buffer[8192];
        uint64_t at = 1;

        while (atomic_load(&appending)) {
                must(logstore_bounds(where, &bounds) == 0);
                must(logstore_get(where, bounds.tail + 1000000, buffer, sizeof(buffer), &record) ==
                     -EAGAIN);
                if (bounds.tail == 0)
                        continue;
                at = at * 6364136223846793005u + 1;
                must(logstore_get(where, 1 + (at >> 33) % bounds.tail, buffer, sizeof(buffer),
                                  &record) == 0);
                stamp_check(record.data, record.size);
        }
        return NULL;
}

static void *snapshot_often(void *argument)
{
        struct logstore_snapshot *snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;

        (void)argument;
        while (atomic_load(&appending)) {
                struct logstore_bounds bounds;
                uint64_t expected = 1;

                must(logstore_snapshot_open(store, 0, &snapshot) == 0);
                must(logstore_snapshot_bounds(snapshot, &bounds) == 0);
                must(logstore_snapshot_cursor(snapshot, 0, &cursor) == 0);
                while (logstore_cursor_next(cursor, &record) == 0) {
                        must(record.number == expected++);
                        stamp_check(record.data, record.size);
                }
                must(expected == bounds.tail + 1);
                logstore_cursor_close(cursor);
                logstore_snapshot_close(snapshot);
        }
        return NULL;
}

static void *sync_often(void *argument)
{
        uint64_t durable, last = 0;

        (void)argument;
        while (atomic_load(&appending)) {
                uint64_t number = atomic_load(&newest);

                must(logstore_sync(store, number) == 0);
                must(logstore_durable(store, &durable) == 0);
                must(durable >= number && durable >= last);
                last = durable;
        }
        return NULL;
}

static void *look_often(void *argument)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };

        (void)argument;
        while (atomic_load(&appending)) {
                must(logstore_info(store, &info) == 0);
                must(info.bounds.tail + 1 >= info.bounds.first);
                must(logstore_memory(store, &memory) == 0);
                sleep_ms(2);
        }
        return NULL;
}

START_TEST(threads_read_sync_and_look_while_others_append)
{
        static void *(*const works[])(void *) = { follow,         walk_back,  get_anywhere,
                                                  snapshot_often, sync_often, look_often };
        enum { WORKS = sizeof(works) / sizeof(works[0]) };
        struct job jobs[APPENDERS];
        pthread_t threads[WORKS];
        void *followed;

        open_store(LOGSTORE_CREATE);
        start_appenders(jobs, append_all, 1000, 200);
        for (int i = 0; i < WORKS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, works[i], NULL), 0);
        join_appenders(jobs);
        for (int i = 0; i < WORKS; i++)
                ck_assert_int_eq(pthread_join(threads[i], i == 0 ? &followed : NULL), 0);
        ck_assert_uint_eq((uintptr_t)followed, APPENDERS * 1000);
        expect_all(store, 1, 1000);
}
END_TEST

/* One read-only handle, several threads. */
START_TEST(threads_share_a_read_only_handle)
{
        static void *(*const works[])(void *) = { follow, walk_back, get_anywhere, get_anywhere };
        enum { WORKS = sizeof(works) / sizeof(works[0]) };
        struct logstore *reader;
        struct job jobs[APPENDERS];
        pthread_t threads[WORKS];
        void *followed;

        open_store(LOGSTORE_CREATE);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        start_appenders(jobs, append_all, 500, 200);
        for (int i = 0; i < WORKS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, works[i], reader), 0);
        join_appenders(jobs);
        for (int i = 0; i < WORKS; i++)
                ck_assert_int_eq(pthread_join(threads[i], i == 0 ? &followed : NULL), 0);
        ck_assert_uint_eq((uintptr_t)followed, APPENDERS * 500);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* ---- trim and retention at the same time ---- */

static void *trim_often(void *argument)
{
        struct logstore_bounds bounds;
        uint64_t first, last = 0;

        (void)argument;
        while (atomic_load(&appending)) {
                uint64_t number = atomic_load(&newest);

                must(logstore_trim_before(store, number > 500 ? number - 500 : 1, &first) == 0);
                /* Retention, which the store's thread applies, may have gone beyond @number. */
                must(logstore_bounds(store, &bounds) == 0);
                must(first >= last && first <= bounds.tail + 1);
                last = first;
                must(logstore_set_retention(store, 1 << 20, 100000, 0) == 0);
                must(logstore_apply_retention(store, 0, NULL) == 0);
        }
        return NULL;
}

/* Whoever is overtaken by the trim is told so, and goes on from the first there is. */
static void *follow_or_be_told(void *argument)
{
        struct logstore *where = argument ? argument : store;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t last = 0;
        int r;

        must(logstore_cursor_open(where, 0, &cursor) == 0);
        for (;;) {
                unsigned left = atomic_load(&appending);

                r = logstore_cursor_next(cursor, &record);
                if (r == 0) {
                        must(record.number > last);
                        last = record.number;
                        stamp_check(record.data, record.size);
                } else if (r == -ESTALE) {
                        do
                                r = logstore_cursor_seek(cursor, 0);
                        while (r == -ESTALE);
                        must(r == 0);
                } else {
                        must(r == -EAGAIN);
                        if (left == 0)
                                break;
                        r = logstore_cursor_wait(cursor, 5);
                        must(r == 0 || r == -ETIMEDOUT);
                }
        }
        logstore_cursor_close(cursor);
        return (void *)(uintptr_t)last;
}

START_TEST(readers_overtaken_by_trim_are_told)
{
        struct logstore *reader;
        struct job jobs[APPENDERS];
        pthread_t followers[4], trimmer;
        void *last;

        open_store(LOGSTORE_CREATE);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        start_appenders(jobs, append_all, 1500, 300);
        ck_assert_int_eq(pthread_create(&trimmer, NULL, trim_often, NULL), 0);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&followers[i], NULL, follow_or_be_told,
                                                i < 2 ? NULL : reader),
                                 0);
        join_appenders(jobs);
        ck_assert_int_eq(pthread_join(trimmer, NULL), 0);
        for (int i = 0; i < 4; i++) {
                ck_assert_int_eq(pthread_join(followers[i], &last), 0);
                ck_assert_uint_eq((uintptr_t)last, APPENDERS * 1500);
        }
        ck_assert_uint_gt(bounds_of(store).first, APPENDERS * 1500 / 2);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { numbers_are_dense_however_the_log_rolls, 64 },
                { small_records_of_all_threads_are_whole, 0 },
                { batches_of_all_threads_stay_together, 0 },
                { claims_of_all_threads_are_records_or_voids, 0 },
                { commit_against_abort_has_one_winner, 0 },
                { threads_read_sync_and_look_while_others_append, 0 },
                { threads_share_a_read_only_handle, 0 },
                { readers_overtaken_by_trim_are_told, 0 },
        };

        return RUN_TESTS("threads", tests);
}
