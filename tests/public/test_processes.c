/*
 * test_processes.c - one writing process, many reading ones that are stopped, killed, unprivileged
 */
#include "test_threads_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define READERS 8

/* What processes tell each other, in shared memory. */
static struct shared {
        _Atomic uint64_t appended;
        _Atomic bool over;
        _Atomic uint64_t seen[READERS];
        _Atomic uint64_t told_stale;
} * shared;

static void make_shared(void)
{
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        ck_assert_ptr_ne(shared, MAP_FAILED);
}

/* Follow until it is over and nothing is left; numbers rise, and skip only what was trimmed. */
static void follow(int reader)
{
        struct logstore *where;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t expected = 0;
        int r;

        must(try_open(LOGSTORE_READ_ONLY, &where) == 0);
        must(logstore_cursor_open(where, 0, &cursor) == 0);
        for (;;) {
                bool over = atomic_load(&shared->over);

                r = logstore_cursor_next(cursor, &record);
                if (r == 0) {
                        struct stamp stamp = stamp_check(record.data, record.size);

                        must(expected == 0 || record.number == expected);
                        must(stamp.count == (uint32_t)record.number);
                        expected = record.number + 1;
                        atomic_store(&shared->seen[reader], record.number);
                } else if (r == -ESTALE) {
                        atomic_fetch_add(&shared->told_stale, 1);
                        expected = 0;
                        r = logstore_cursor_seek(cursor, 0);
                        must(r == 0 || r == -ESTALE);
                } else {
                        must(r == -EAGAIN);
                        if (over && atomic_load(&shared->seen[reader]) >= shared->appended)
                                break;
                        r = logstore_cursor_wait(cursor, 20);
                        must(r == 0 || r == -ETIMEDOUT);
                }
        }
        logstore_cursor_close(cursor);
        must(logstore_close(where) == 0);
        _exit(0);
}

static pid_t start_reader(int reader)
{
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                store = NULL; /* the parent's */
                alarm(100);
                follow(reader);
        }
        return child;
}

static void append_counted(size_t size)
{
        unsigned char data[8192];
        uint64_t number;

        stamp_fill(data, size, (struct stamp){ 1, (uint32_t)atomic_load(&shared->appended) + 1 });
        ck_assert_int_eq(logstore_append(store, data, size, &number), 0);
        ck_assert_uint_eq(number, atomic_load(&shared->appended) + 1);
        atomic_store(&shared->appended, number);
}

/* Three of the readers are stopped again and again, so that the trim runs far past them. */
START_TEST(readers_follow_beside_aggressive_trim)
{
        pid_t readers[READERS];

        make_shared();
        open_store(LOGSTORE_CREATE);
        append_counted(100);
        for (int i = 0; i < READERS; i++)
                readers[i] = start_reader(i);
        for (int turn = 0; turn < 4000; turn++) {
                append_counted(16 + (size_t)turn * 37 % 2000);
                if (turn % 400 == 0)
                        for (int i = 0; i < 3; i++)
                                kill(readers[i], turn % 800 ? SIGCONT : SIGSTOP);
                if (turn % 50 == 49)
                        ck_assert_int_eq(logstore_trim_before(store, (uint64_t)turn - 20, NULL), 0);
                if (turn % 100 == 99)
                        sleep_ms(2);
        }
        for (int i = 0; i < 3; i++)
                kill(readers[i], SIGCONT);
        atomic_store(&shared->over, true);
        for (int i = 0; i < READERS; i++) {
                expect_child(readers[i]);
                ck_assert_uint_eq(atomic_load(&shared->seen[i]), shared->appended);
        }
        ck_assert_uint_gt(atomic_load(&shared->told_stale), 0);
}
END_TEST

/* ---- the writer dies ---- */

/* Appends, and leaves claims half filled, until it is killed. */
static void write_until_killed(void)
{
        struct logstore_claim claim;

        alarm(60);
        open_store(0);
        for (;;) {
                append_counted(500);
                must(logstore_sync(store, 0) == 0);
                must(logstore_claim(store, 400, &claim) == 0);
                memset(claim.data, 0xee, 200); /* never committed in time */
                if (claim.number % 7 == 0)
                        sleep_ms(5);
                stamp_fill(claim.data, 300, (struct stamp){ 2, (uint32_t)claim.number });
                must(logstore_commit(store, &claim, 300) == 0);
                must(logstore_sync(store, 0) == 0);
                atomic_store(&shared->appended, claim.number);
        }
}

START_TEST(readers_see_whole_records_while_writers_are_killed)
{
        struct logstore_bounds bounds;
        pid_t readers[READERS];

        make_shared();
        open_store(LOGSTORE_CREATE);
        close_store();
        for (int i = 0; i < READERS; i++)
                readers[i] = start_reader(i);
        for (int life = 0; life < 15; life++) {
                uint64_t before = atomic_load(&shared->appended);
                pid_t writer = fork();

                ck_assert_int_ge(writer, 0);
                if (writer == 0)
                        write_until_killed();
                while (atomic_load(&shared->appended) < before + 10)
                        sleep_ms(1);
                sleep_ms(life % 4);
                kill(writer, SIGKILL);
                waitpid(writer, NULL, 0);
                open_store(0);
                bounds = bounds_of(store);
                ck_assert_uint_ge(bounds.tail, atomic_load(&shared->appended));
                ck_assert_uint_le(bounds.tail, atomic_load(&shared->appended) + 2);
                atomic_store(&shared->appended, bounds.tail);
                close_store();
        }
        atomic_store(&shared->over, true);
        for (int i = 0; i < READERS; i++) {
                expect_child(readers[i]);
                ck_assert_uint_eq(atomic_load(&shared->seen[i]), shared->appended);
        }
}
END_TEST

/* Read what there is to be read, from the record behind *seen. True: it is said to be cut. */
static bool is_told_of_a_cut(struct logstore_cursor *cursor, uint64_t *seen)
{
        struct logstore_record record;
        int r;

        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                ck_assert_uint_eq(record.number, ++*seen);
        ck_assert_msg(r == -EAGAIN || r == -ESTALE, "behind record %" PRIu64 ": %d (%s)", *seen, r,
                      logstore_detail());
        if (r == -ESTALE)
                ck_assert_int_eq(logstore_cursor_seek(cursor, *seen + 1), 0);
        return r == -ESTALE;
}

/* A recovery begins a segment of a new epoch, and notes that in the control page a moment later. A
 * reader may go on into the segment in this moment. Nothing that it passed was cut. It looks again
 * at once, because the moment is short. */
START_TEST(a_tailer_is_not_told_of_a_cut_by_lives_of_the_writer)
{
        struct logstore *reader;
        struct logstore_cursor *cursor;
        uint64_t seen = 0;
        int lives = 40, told = 0;

        open_store(LOGSTORE_CREATE);
        close_store();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        for (int life = 0; life < lives; life++) {
                pid_t writer = fork();

                ck_assert_int_ge(writer, 0);
                if (writer == 0) {
                        must(try_open(0, &store) == 0);
                        for (int i = 0; i < 3; i++)
                                must(logstore_append(store, "abc", 3, NULL) == 0);
                        kill(getpid(), SIGKILL);
                }
                while (waitpid(writer, NULL, WNOHANG) == 0)
                        told += is_told_of_a_cut(cursor, &seen);
                told += is_told_of_a_cut(cursor, &seen);
        }
        ck_assert_uint_eq(seen, 3 * (uint64_t)lives);
        ck_assert_msg(told == 0, "told of a cut in %d of %d lives", told, lives);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* A writer that is stopped keeps its lock; readers read on; it goes on as if nothing had been. */
START_TEST(a_stopped_writer_keeps_its_lock)
{
        struct logstore *reader;
        struct logstore_bounds bounds;
        uint64_t before;
        pid_t writer;

        make_shared();
        open_store(LOGSTORE_CREATE);
        close_store();
        writer = fork();
        ck_assert_int_ge(writer, 0);
        if (writer == 0)
                write_until_killed();
        while (atomic_load(&shared->appended) < 20)
                sleep_ms(1);
        kill(writer, SIGSTOP);
        sleep_ms(50);
        before = atomic_load(&shared->appended);
        expect_failure(try_open(0, &store), -EBUSY);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        bounds = bounds_of(reader);
        ck_assert_uint_ge(bounds.tail, before);
        sleep_ms(300);
        expect_failure(try_open(0, &store), -EBUSY);
        ck_assert_uint_eq(bounds_of(reader).tail, bounds.tail);
        kill(writer, SIGCONT);
        while (bounds_of(reader).tail < bounds.tail + 10)
                sleep_ms(1);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
        ck_assert_int_eq(logstore_close(reader), 0);
        open_store(0);
}
END_TEST

/* ---- a user who may only read ---- */

static void become_nobody(void)
{
        must(setgroups(0, NULL) == 0);
        must(setgid(65534) == 0 && setuid(65534) == 0);
}

/* Root, and not that of a user namespace that has nobody else. */
static bool may_become_nobody(void)
{
        int status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0)
                _exit(setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        return status == 0;
}

START_TEST(a_user_without_write_permission_follows)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        char root[512];
        int64_t began;
        pid_t reader;

        if (!may_become_nobody()) {
                printf("# left out: %s: only root can become somebody else\n", __func__);
                fflush(stdout);
                return;
        }
        make_shared();
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.flags = LOGSTORE_CREATE | (_i ? LOGSTORE_NO_THREAD : 0);
        options.file_mode = 0644;
        snprintf(root, sizeof(root), "%s", scratch("."));
        ck_assert_int_eq(chmod(root, 0755), 0);
        open_store_with(&options);
        ck_assert_int_eq(chmod(store_path(), 0755), 0);
        append_counted(100);
        reader = fork();
        ck_assert_int_ge(reader, 0);
        if (reader == 0) {
                alarm(60);
                become_nobody();
                must(try_open(0, &store) < 0); /* not for writing */
                follow(0);
        }
        for (int i = 0; i < 600; i++) {
                append_counted(1000);
                if (i % 100 == 99)
                        sleep_ms(20); /* it sleeps meanwhile */
        }
        atomic_store(&shared->over, true);
        began = clock_ms();
        expect_child(reader);
        ck_assert_int_lt(clock_ms() - began, 20000);
        ck_assert_uint_eq(atomic_load(&shared->seen[0]), shared->appended);
}
END_TEST

/* ---- mappings, descriptors, threads ---- */

static unsigned count_lines(const char *path, const char *with)
{
        FILE *file = fopen(path, "r");
        char line[4096];
        unsigned count = 0;

        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file))
                count += strstr(line, with) != NULL;
        fclose(file);
        return count;
}

static unsigned count_entries(const char *path)
{
        DIR *directory = opendir(path);
        unsigned count = 0;

        ck_assert_ptr_nonnull(directory);
        while (readdir(directory))
                count++;
        closedir(directory);
        return count;
}

static void open_use_close(uint32_t flags)
{
        struct logstore_snapshot *snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;

        open_store(flags);
        if (!(flags & LOGSTORE_READ_ONLY))
                append_text("x");
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 1, &record), 0);
        logstore_snapshot_close(snapshot);
        logstore_cursor_close(cursor);
        close_store();
}

START_TEST(a_thousand_opens_leave_nothing_behind)
{
        unsigned mappings, descriptors, threads;

        for (int i = 0; i < 10; i++)
                open_use_close(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        open_use_close(LOGSTORE_READ_ONLY);
        mappings = count_lines("/proc/self/maps", "");
        descriptors = count_entries("/proc/self/fd");
        threads = count_entries("/proc/self/task");
        for (int i = 0; i < 1000; i++)
                open_use_close(i % 2 ? LOGSTORE_READ_ONLY : i % 40 ? LOGSTORE_NO_THREAD : 0);
        ck_assert_uint_eq(count_lines("/proc/self/maps", "logstore-test"), 0);
        ck_assert_uint_le(count_lines("/proc/self/maps", ""), mappings + 30); /* the heap's */
        ck_assert_uint_eq(count_entries("/proc/self/fd"), descriptors);
        ck_assert_uint_eq(count_entries("/proc/self/task"), threads);
}
END_TEST

/* A host program may have closed 0, 1 and 2. */
START_TEST(descriptors_are_never_standard_and_close_on_exec)
{
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                struct logstore_cursor *cursor;
                struct logstore_record record;
                char link[64] = "";

                close(0), close(1), close(2);
                if (try_open(LOGSTORE_CREATE, &store) < 0 ||
                    logstore_cursor_open(store, 0, &cursor) < 0 || logstore_cursor_fd(cursor) < 3 ||
                    logstore_sync_fd(store) < 3)
                        _exit(1);
                for (int i = 0; i < 200; i++)
                        if (logstore_append(store, link, sizeof(link), NULL) < 0)
                                _exit(2);
                if (logstore_cursor_next(cursor, &record) < 0 || logstore_sync(store, 0) < 0)
                        _exit(3);
                for (int fd = 0; fd < 3; fd++)
                        if (fcntl(fd, F_GETFD) >= 0)
                                _exit(10 + fd);
                for (int fd = 3; fd < 1000; fd++) {
                        char target[512] = "";

                        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                        if (readlink(link, target, sizeof(target) - 1) > 0 &&
                            strstr(target, "/store") && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
                                _exit(4);
                }
                _exit(0);
        }
        expect_child(child);
}
END_TEST

/* ---- deleted segments ---- */

static unsigned deleted_files(void)
{
        return count_lines("/proc/self/maps", ".log (deleted)");
}

static unsigned deleted_descriptors(void)
{
        unsigned count = 0;

        for (int fd = 0; fd < 1000; fd++) {
                char link[64], target[512] = "";

                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                count += readlink(link, target, sizeof(target) - 1) > 0 &&
                         strstr(target, ".log (deleted)") != NULL;
        }
        return count;
}

/* A cursor keeps its segment and no other; the moment that it goes, nothing is held any more. */
START_TEST(readers_hold_only_the_deleted_segment_that_they_stand_in)
{
        struct logstore *reader = NULL;
        struct logstore_snapshot *snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore_bounds bounds;

        open_store(LOGSTORE_CREATE);
        for (int i = 0; i < 3000; i++)
                append_filled(1000, 'x');
        if (_i)
                ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(_i ? reader : store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_snapshot_open(_i ? reader : store, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 700, &record), 0);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_trim_before(store, 2900, NULL), 0);
        if (reader)
                bounds = bounds_of(reader); /* it learns of the trim when it is called */
        ck_assert_uint_eq(*(const char *)record.data, 'x'); /* still mapped */
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 700, &record), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 2950), 0);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        logstore_snapshot_close(snapshot);
        bounds = bounds_of(reader ? reader : store);
        ck_assert_uint_gt(bounds.first, 2800);
        ck_assert_uint_eq(deleted_files(), 0);
        ck_assert_uint_eq(deleted_descriptors(), 0);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(close_with_live_cursors_and_snapshots_is_busy)
{
        struct logstore_snapshot *snapshot;
        struct logstore_cursor *cursor;
        struct logstore_record record;

        open_store(LOGSTORE_CREATE);
        append_text("one");
        if (_i) {
                close_store();
                open_store(LOGSTORE_READ_ONLY);
        }
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        expect_failure(logstore_close(store), -EBUSY);
        expect_next(cursor, 1, "one");
        logstore_cursor_close(cursor);
        expect_failure(logstore_close(store), -EBUSY);
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 1, &record), 0);
        logstore_snapshot_close(snapshot);
        close_store();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { readers_follow_beside_aggressive_trim, 0 },
                { readers_see_whole_records_while_writers_are_killed, 0 },
                { a_tailer_is_not_told_of_a_cut_by_lives_of_the_writer, 0 },
                { a_stopped_writer_keeps_its_lock, 0 },
                { a_user_without_write_permission_follows, 2 },
                { a_thousand_opens_leave_nothing_behind, 0 },
                { descriptors_are_never_standard_and_close_on_exec, 0 },
                { readers_hold_only_the_deleted_segment_that_they_stand_in, 2 },
                { close_with_live_cursors_and_snapshots_is_busy, 2 },
        };

        return RUN_TESTS("processes", tests);
}
