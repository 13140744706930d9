/*
 * test_threads_ends.c - both ends of the log move at once, and nothing between them is harmed
 *
 * Appends that roll, syncs, trims, truncations, retention, snapshots and cursors run over segments
 * of a few records, each in a thread of its own. The thread sanitizer watches the lists that they
 * share. This test judges the answers: records are whole, the first number never falls, and what is
 * left is sound.
 *
 * Linked with --wrap of pthread_mutex_lock: before it a thread now and then stands still, so what
 * it has read before it took the lock is old by then. The log keeps more and more segments, and
 * several stores are used one after the other, because the shared lists move when they grow.
 */
#include "test_threads_support.h"

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
        static __thread unsigned seed;

        if (seed == 0)
                seed = (unsigned)(uintptr_t)&seed >> 6;
        if (rand_r(&seed) % 16 == 0)
                usleep(100);
        return __real_pthread_mutex_lock(mutex);
}

#define RECORD_BYTES 60000 /* about two in a segment */
#define STORES 3
#define CUTS 24 /* after so many truncations of one it is enough */

static _Atomic unsigned cuts;

static bool enough(void)
{
        return atomic_load(&cuts) >= CUTS;
}

/* Records that trim and retention let stay. */
static uint64_t kept(void)
{
        return 20 + 10 * (uint64_t)atomic_load(&cuts);
}

static void *append_on(void *unused)
{
        char data[RECORD_BYTES];

        (void)unused;
        for (uint32_t count = 0; !enough(); count++) {
                uint64_t number;
                int r;

                stamp_fill(data, sizeof(data), (struct stamp){ 1, count });
                must(logstore_append(store, data, 100 + count * 7919 % (RECORD_BYTES - 100),
                                     &number) == 0);
                r = count % 8 ? 0 : logstore_sync(store, number);
                must(r == 0 || r == -EAGAIN); /* taken back */
        }
        return NULL;
}

static void *truncate_on(void *unused)
{
        unsigned seed = 1;

        (void)unused;
        while (!enough()) {
                struct logstore_bounds bounds = bounds_of(store);
                uint64_t back = (unsigned)rand_r(&seed) % 6;
                int r;

                if (bounds.tail < bounds.first + back || bounds.tail < kept() / 2) {
                        usleep(100);
                        continue;
                }
                r = logstore_truncate_after(store, bounds.tail - back, 0);
                must(r == 0 || r == -EBUSY || r == -EAGAIN || r == -EINVAL || r == -ESTALE);
                if (r == 0)
                        atomic_fetch_add(&cuts, 1);
        }
        return NULL;
}

static void *trim_on(void *unused)
{
        uint64_t before = 0, first = 0;

        (void)unused;
        while (!enough()) {
                struct logstore_bounds bounds = bounds_of(store);

                must(bounds.first >= before);
                uint64_t keep = kept(), to = bounds.tail < keep ? 0 : bounds.tail - keep;

                must(logstore_trim_before(store, to, &first) == 0);
                must(first >= bounds.first);
                before = first;
                sleep_ms(1);
        }
        return NULL;
}

static void *retain_on(void *unused)
{
        uint64_t first;

        (void)unused;
        for (int look = 0; !enough(); look = !look) {
                must(logstore_set_retention(store, 0, kept(), 0) == 0);
                must(logstore_apply_retention(store, look, &first) == 0);
                sleep_ms(1);
        }
        return NULL;
}

/* A snapshot is what it was, whatever happens to the log. */
static void *snapshot_on(void *unused)
{
        (void)unused;
        while (!enough()) {
                struct logstore_snapshot *snapshot;
                struct logstore_bounds bounds;
                int r = logstore_snapshot_open(store, 0, &snapshot);

                must(r == 0 || r == -ESTALE || r == -EAGAIN);
                if (r < 0)
                        continue;
                must(logstore_snapshot_bounds(snapshot, &bounds) == 0);
                for (uint64_t number = bounds.first; number <= bounds.tail; number++) {
                        struct logstore_record record;

                        must(logstore_snapshot_get(snapshot, number, &record) == 0);
                        stamp_check(record.data, record.size);
                }
                logstore_snapshot_close(snapshot);
        }
        return NULL;
}

static void *read_on(void *unused)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;

        (void)unused;
        must(logstore_cursor_open(store, 0, &cursor) == 0);
        while (!enough()) {
                int r = logstore_cursor_next(cursor, &record);

                if (r == 0)
                        stamp_check(record.data, record.size);
                else
                        must(logstore_cursor_seek(cursor, bounds_of(store).first) <= 0);
                must(r == 0 || r == -ESTALE || r == -EAGAIN || r == -ENOENT);
        }
        logstore_cursor_close(cursor);
        return NULL;
}

static void *(*const verbs[])(void *) = { append_on, truncate_on, trim_on,
                                          retain_on, snapshot_on, read_on };
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void run_verbs(int form)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        pthread_t threads[VERBS];

        options.flags = LOGSTORE_CREATE | (form ? LOGSTORE_NO_THREAD | LOGSTORE_NO_RING : 0);
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        open_store_with(&options);
        atomic_store(&cuts, 0);
        for (int i = 0; i < VERBS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, verbs[i], NULL), 0);
        for (int i = 0; i < VERBS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        close_store();
}

static void expect_sound(void)
{
        static char buffer[RECORD_BYTES];
        struct logstore_verify_report report;
        struct logstore_record record;
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        ck_assert_int_eq(try_open(0, &store), 0);
        bounds = bounds_of(store);
        for (uint64_t number = bounds.first; number <= bounds.tail; number++) {
                ck_assert_int_eq(logstore_get(store, number, buffer, sizeof(buffer), &record), 0);
                stamp_check(buffer, record.size);
        }
        close_store();
}

START_TEST(both_ends_move_at_once)
{
        for (int i = 0; i < STORES; i++) {
                run_verbs(_i);
                expect_sound();
                ck_assert_int_eq(rename(store_path(), scratch("used-%d", i)), 0);
        }
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { both_ends_move_at_once, 2 },
        };

        return RUN_TESTS("threads_ends", tests);
}
