/*
 * test_fork.c - a child may touch everything of its parent's store and harms nothing
 */
#include "test_threads_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

/* The address sanitizer's allocator does not survive a fork beside another thread that allocates,
 * and the begin and end of every thread use it; that of the C library does. */
#ifdef __SANITIZE_ADDRESS__
enum { CHILD_MAY_ALLOCATE = 0 };
#else
enum { CHILD_MAY_ALLOCATE = 1 };
#endif

/* A child of fork may not free what its parent's store holds, so at its end that looks leaked. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}

static struct logstore_cursor *cursor;
static struct logstore_snapshot *snapshot;
static struct logstore_claim claim;

static void prepare(void)
{
        void *data;
        size_t size;

        open_store(LOGSTORE_CREATE);
        append_numbered(300);
        append_filled(60000, 'x'); /* so that there are two segments */
        append_filled(60000, 'y');
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_edit(snapshot, 2, &data, &size), 0);
        memset(data, 'e', size);
        ck_assert_int_eq(logstore_claim(store, 100, &claim), 0);
}

static void finish(void)
{
        struct logstore_record record;

        memset(claim.data, 'z', 10);
        ck_assert_int_eq(logstore_commit(store, &claim, 10), 0);
        expect_next(cursor, 1, "record 1");
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 2, &record), 0);
        ck_assert_mem_eq(record.data, "eeeeeeee", 8); /* the child dropped and closed nothing */
        ck_assert_uint_gt(logstore_snapshot_copied_bytes(snapshot), 0);
        logstore_cursor_close(cursor);
        logstore_snapshot_close(snapshot);
        expect_text(store, 303, "zzzzzzzzzz");
        append_text("after");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        close_store();
        open_store(0);
        expect_numbered(store, 1, 300);
        expect_text(store, 304, "after");
}

static void expect_echild(int64_t r, const char *call)
{
        if (r != -ECHILD || !logstore_detail()[0]) {
                fprintf(stderr, "%s gave %lld\n", call, (long long)r);
                _exit(1);
        }
}
#define ECHILD_FROM(call) expect_echild((call), #call)

static int each_segment(void *context, const struct logstore_segment_info *info)
{
        (void)context, (void)info;
        return 0;
}

static void touch_writer(void)
{
        struct logstore_entry entry = { "x", 1, 0 };
        struct iovec piece = { (void *)"x", 1 };
        uint64_t number;

        ECHILD_FROM(logstore_append(store, "x", 1, &number));
        ECHILD_FROM(logstore_appendv(store, &piece, 1, &number));
        ECHILD_FROM(logstore_append_batch(store, &entry, 1, &number));
        ECHILD_FROM(logstore_commit(store, &claim, 1));
        ECHILD_FROM(logstore_abort(store, &claim));
        ECHILD_FROM(logstore_claim(store, 1, &claim));
        ECHILD_FROM(logstore_cancel_claims(store, 0));
        ECHILD_FROM(logstore_sync(store, 0));
        ECHILD_FROM(logstore_sync_timed(store, 0, 1));
        ECHILD_FROM(logstore_sync_start(store, 0));
        ECHILD_FROM(logstore_sync_fd(store));
        ECHILD_FROM(logstore_durable(store, &number));
        ECHILD_FROM(logstore_set_retention(store, 1, 1, 1));
        ECHILD_FROM(logstore_set_floor(store, 1));
        ECHILD_FROM(logstore_trim_before(store, 300, &number));
        ECHILD_FROM(logstore_apply_retention(store, 0, &number));
        ECHILD_FROM(logstore_truncate_after(store, 1, 0));
        ECHILD_FROM(logstore_max_record(store));
}

static void touch_reader(void)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        struct logstore_residency residency;
        struct logstore_snapshot *other;
        struct logstore_cursor *another;
        struct logstore_record record;
        struct logstore_bounds bounds;
        uint64_t number = 1;
        char buffer[100];

        ECHILD_FROM(logstore_bounds(store, &bounds));
        ECHILD_FROM(logstore_get(store, 1, buffer, sizeof(buffer), &record));
        ECHILD_FROM(logstore_get_many(store, &number, 1, buffer, sizeof(buffer), &record));
        ECHILD_FROM(logstore_cursor_open(store, 0, &another));
        ECHILD_FROM(logstore_snapshot_open(store, 0, &other));
        ECHILD_FROM(logstore_info(store, &info));
        ECHILD_FROM(logstore_segments(store, each_segment, NULL));
        ECHILD_FROM(logstore_memory(store, &memory));
        ECHILD_FROM(logstore_residency(store, 1, &residency, 0, NULL));
        ECHILD_FROM(logstore_warm(store, 1, 2));
        ECHILD_FROM(logstore_evict(store, 1, 2));
}

static void touch_objects(void)
{
        struct logstore_cursor *another;
        struct logstore_record record;
        struct logstore_bounds bounds;
        uint64_t numbers[1];
        void *data;
        size_t size;

        ECHILD_FROM(logstore_cursor_next(cursor, &record));
        ECHILD_FROM(logstore_cursor_prev(cursor, &record));
        ECHILD_FROM(logstore_cursor_seek(cursor, 1));
        ECHILD_FROM(logstore_cursor_seek_time(cursor, 1));
        ECHILD_FROM(logstore_cursor_get(cursor, 1, &record));
        ECHILD_FROM(logstore_cursor_wait(cursor, 1));
        ECHILD_FROM(logstore_cursor_fd(cursor));
        must(logstore_cursor_position(cursor) == 0);
        ECHILD_FROM(logstore_snapshot_get(snapshot, 1, &record));
        ECHILD_FROM(logstore_snapshot_cursor(snapshot, 0, &another));
        ECHILD_FROM(logstore_snapshot_edit(snapshot, 1, &data, &size));
        ECHILD_FROM(logstore_snapshot_drop(snapshot, 0, UINT64_MAX));
        ECHILD_FROM(logstore_snapshot_export(snapshot, scratch("exported"), NULL));
        ECHILD_FROM(logstore_snapshot_bounds(snapshot, &bounds));
        ECHILD_FROM(logstore_snapshot_edited(snapshot, numbers, 1));
        must(logstore_snapshot_copied_bytes(snapshot) == 0);
}

static void close_all(void)
{
        logstore_cursor_close(cursor);
        logstore_snapshot_close(snapshot);
        if (logstore_close(store) != 0)
                _exit(2);
}

static pid_t child_does(void (*work)(void))
{
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                work();
                _exit(0);
        }
        return child;
}

START_TEST(every_call_in_a_child_is_refused)
{
        void (*works[])(void) = { touch_writer, touch_reader, touch_objects, close_all };

        prepare();
        for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
                expect_child(child_does(works[i]));
        finish();
}
END_TEST

/* ---- exit handlers, thread ends, stores of the child's own ---- */

static void exit_plainly(void)
{
        atexit(close_all);
        exit(0);
}

static void *do_nothing(void *argument)
{
        return argument;
}

/* The claim belongs to the thread that forks; in the child that thread ends. */
static void end_threads(void)
{
        pthread_t threads[20];

        for (int i = 0; i < 20; i++)
                must(pthread_create(&threads[i], NULL, do_nothing, NULL) == 0);
        for (int i = 0; i < 20; i++)
                must(pthread_join(threads[i], NULL) == 0);
        pthread_exit(NULL);
}

static void *claim_and_end(void *argument)
{
        struct logstore_claim mine;

        must(logstore_claim(argument, 50, &mine) == 0);
        return NULL;
}

/* The same thread ids may live in the child, with claims of their own. */
static void use_a_store_of_its_own(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *own, *refused;
        struct logstore_record record;
        pthread_t threads[20];
        char buffer[10];

        options.flags = LOGSTORE_CREATE;
        must(logstore_open(store_path(), &options, &refused) == -EBUSY);
        must(logstore_open(scratch("own"), &options, &own) == 0);
        must(logstore_append(own, "own", 3, NULL) == 0);
        for (int i = 0; i < 20; i++)
                must(pthread_create(&threads[i], NULL, claim_and_end, own) == 0);
        for (int i = 0; i < 20; i++)
                must(pthread_join(threads[i], NULL) == 0);
        must(logstore_get(own, 21, buffer, sizeof(buffer), &record) == -ENODATA);
        must(logstore_close(own) == 0);
        pthread_exit(NULL);
}

static void read_anew(void)
{
        struct logstore *reader;
        struct logstore_record record;
        char buffer[100];

        must(try_open(LOGSTORE_READ_ONLY, &reader) == 0);
        must(logstore_get(reader, 7, buffer, sizeof(buffer), &record) == 0);
        must(record.size == 8 && memcmp(buffer, "record 7", 8) == 0);
        must(logstore_close(reader) == 0);
        exit(0);
}

START_TEST(whatever_a_child_does_the_parent_is_unharmed)
{
        void (*works[])(void) = { exit_plainly, end_threads, use_a_store_of_its_own, read_anew };
        pthread_t threads[4];

        prepare();
        for (int i = 0; i < 4; i++) /* ended threads whose ids may come again */
                ck_assert_int_eq(pthread_create(&threads[i], NULL, do_nothing, NULL), 0);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        expect_child(child_does(works[_i]));
        finish();
}
END_TEST

/* A wild write of the child must not reach the parent's files: the mappings are not there. */
START_TEST(a_child_does_not_have_the_mappings)
{
        FILE *maps;
        pid_t child;

        prepare();
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
                char line[4096];

                maps = fopen("/proc/self/maps", "r");
                while (maps && fgets(line, sizeof(line), maps))
                        if (strstr(line, ".log") && strstr(line, "rw-s"))
                                _exit(1);
                _exit(maps ? 0 : 2);
        }
        expect_child(child);
        finish();
}
END_TEST

/* Fork at any moment, also while other threads append, and exit or open a store in the child. */
static _Atomic bool enough;

static void *append_until_enough(void *argument)
{
        struct logstore_claim mine;

        (void)argument;
        while (!atomic_load(&enough)) {
                must(logstore_append(store, "appended", 8, NULL) == 0);
                must(logstore_claim(store, 8, &mine) == 0);
                memcpy(mine.data, "appended", 8);
                must(logstore_commit(store, &mine, 8) == 0);
                must(logstore_sync(store, 0) == 0 || errno == EDEADLK);
        }
        return NULL;
}

static void open_own(int i)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *own;

        options.flags = LOGSTORE_CREATE;
        must(logstore_open(scratch("own-%d", i), &options, &own) == 0);
        must(logstore_append(own, "x", 1, NULL) == 0);
        must(logstore_close(own) == 0);
}

START_TEST(fork_while_others_append)
{
        pthread_t threads[2];
        struct logstore_record record;
        uint64_t tail;
        char buffer[16];

        open_store(LOGSTORE_CREATE);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, append_until_enough, NULL), 0);
        for (int i = 0; i < 100; i++) {
                pid_t child = fork();

                ck_assert_int_ge(child, 0);
                if (child == 0) {
                        alarm(20);
                        touch_writer();
                        if (CHILD_MAY_ALLOCATE)
                                open_own(i);
                        _exit(0);
                }
                expect_child(child);
        }
        atomic_store(&enough, true);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        tail = bounds_of(store).tail;
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, tail);
        for (uint64_t number = 1; number <= tail; number++)
                ck_assert_int_eq(logstore_get(store, number, buffer, sizeof(buffer), &record), 0);
}
END_TEST

/* ---- the lock ---- */

/* A parent dies while its child lives on; the store can be opened again at once. */
START_TEST(the_lock_dies_with_the_parent_not_with_its_child)
{
        int ready[2];
        pid_t parent, grandchild = 0;
        char byte;

        ck_assert_int_eq(pipe(ready), 0);
        parent = fork();
        ck_assert_int_ge(parent, 0);
        if (parent == 0) {
                open_store(LOGSTORE_CREATE);
                append_text("of the parent");
                must(logstore_sync(store, 0) == 0);
                grandchild = fork();
                if (grandchild == 0) {
                        close(ready[0]);
                        for (;;)
                                pause();
                }
                must(write(ready[1], &grandchild, sizeof(grandchild)) == sizeof(grandchild));
                for (;;)
                        pause();
        }
        ck_assert_int_eq(read(ready[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
        expect_failure(try_open(0, &store), -EBUSY);
        kill(parent, SIGKILL);
        waitpid(parent, NULL, 0);
        ck_assert_int_eq(kill(grandchild, 0), 0); /* it lives */
        open_store(0);
        expect_text(store, 1, "of the parent");
        kill(grandchild, SIGKILL);
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 0); /* it ended */
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { every_call_in_a_child_is_refused, 0 },
                { whatever_a_child_does_the_parent_is_unharmed, CHILD_MAY_ALLOCATE ? 4 : 1 },
                { a_child_does_not_have_the_mappings, 0 },
                { fork_while_others_append, 0 },
                { the_lock_dies_with_the_parent_not_with_its_child, 0 },
        };

        not_under_tsan(whatever_a_child_does_the_parent_is_unharmed, "the child starts threads");
        not_under_tsan(fork_while_others_append, "the child starts threads");
        return RUN_TESTS("fork", tests);
}
