/*
 * test_public_open.c - what opening and closing promise: options, the lock, read-only, misuse
 */
#include "test_public_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_store_is_created_only_when_asked)
{
        struct logstore *none = (struct logstore *)0x5a;

        expect_failure(try_open(0, &none), -ENOENT);
        expect_failure(try_open(LOGSTORE_READ_ONLY, &none), -ENOENT);
        ck_assert_ptr_eq(none, (struct logstore *)0x5a);
        ck_assert(!file_exists(store_path()));
        open_store(LOGSTORE_CREATE);
        append_text("kept");
        close_store();
        open_store(LOGSTORE_CREATE); /* there already: opened, not made anew */
        expect_text(store, 1, "kept");
}
END_TEST

START_TEST(options_may_be_missing)
{
        ck_assert_int_eq(mkdir(store_path(), 0700), 0);
        open_store(LOGSTORE_CREATE);
        append_text("x");
        close_store();
        open_store_with(NULL);
        expect_text(store, 1, "x");
}
END_TEST

/* What no option may be; nothing is created for it. */
static const struct logstore_options refused_values[] = {
        { .flags = LOGSTORE_CREATE | 1u << 31 },
        { .flags = LOGSTORE_CREATE, .segment_bytes = 1 },
        { .flags = LOGSTORE_CREATE, .segment_bytes = 65535 },
        { .flags = LOGSTORE_CREATE, .segment_bytes = 65536 + 4096 },
        { .flags = LOGSTORE_CREATE, .segment_bytes = (UINT64_C(4) << 30) + 65536 },
        { .flags = LOGSTORE_CREATE, .segment_bytes = UINT64_MAX },
        { .flags = LOGSTORE_CREATE, .file_mode = 0666 },
        { .flags = LOGSTORE_CREATE, .file_mode = 0100 },
        { .flags = LOGSTORE_CREATE, .sync_policy = 3 },
        { .flags = LOGSTORE_CREATE, .sync_policy = UINT32_MAX },
};

START_TEST(impossible_options_are_refused)
{
        struct logstore_options options = refused_values[_i];
        struct logstore *none = NULL;

        options.struct_bytes = sizeof(options);
        expect_failure(logstore_open(store_path(), &options, &none), -EINVAL);
        ck_assert_ptr_null(none);
        ck_assert(!file_exists(store_path()));
}
END_TEST

START_TEST(an_options_struct_of_another_size_is_refused)
{
        static const uint32_t sizes[] = { 0, 4, sizeof(struct logstore_options) + 1, UINT32_MAX };
        struct logstore_options options = { .flags = LOGSTORE_CREATE };
        struct logstore *none = NULL;

        options.struct_bytes = sizes[_i];
        expect_failure(logstore_open(store_path(), &options, &none), -EINVAL);
        ck_assert_ptr_null(none);
        ck_assert(!file_exists(store_path()));
}
END_TEST

START_TEST(null_is_an_error_and_no_crash)
{
        struct logstore_snapshot *snapshot = NULL;
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_entry entry = { .data = "x", .size = 1 };
        struct logstore_cursor *cursor = NULL;
        struct logstore_record record = { 0 };
        struct logstore_bounds bounds = { 0 };
        struct logstore_claim claim = { 0 };
        struct logstore *other = NULL;
        uint64_t number = 77;
        char buffer[8];

        expect_failure(logstore_open(NULL, &options, &other), -EINVAL);
        expect_failure(logstore_open(store_path(), &options, NULL), -EINVAL);
        ck_assert_int_eq(logstore_close(NULL), 0);
        expect_failure(logstore_max_record(NULL), -EINVAL);
        expect_failure(logstore_append(NULL, "x", 1, &number), -EINVAL);
        expect_failure(logstore_appendv(NULL, NULL, 0, &number), -EINVAL);
        expect_failure(logstore_append_batch(NULL, &entry, 1, &number), -EINVAL);
        expect_failure(logstore_claim(NULL, 1, &claim), -EINVAL);
        expect_failure(logstore_commit(NULL, &claim, 1), -EINVAL);
        expect_failure(logstore_abort(NULL, &claim), -EINVAL);
        expect_failure(logstore_cancel_claims(NULL, 0), -EINVAL);
        expect_failure(logstore_sync(NULL, 0), -EINVAL);
        expect_failure(logstore_sync_timed(NULL, 0, 0), -EINVAL);
        expect_failure(logstore_sync_start(NULL, 0), -EINVAL);
        expect_failure(logstore_sync_fd(NULL), -EINVAL);
        expect_failure(logstore_durable(NULL, &number), -EINVAL);
        expect_failure(logstore_bounds(NULL, &bounds), -EINVAL);
        expect_failure(logstore_get(NULL, 1, buffer, 8, &record), -EINVAL);
        expect_failure(logstore_get_many(NULL, &number, 1, buffer, 8, &record), -EINVAL);
        expect_failure(logstore_cursor_open(NULL, 0, &cursor), -EINVAL);
        logstore_cursor_close(NULL);
        expect_failure(logstore_cursor_next(NULL, &record), -EINVAL);
        expect_failure(logstore_cursor_prev(NULL, &record), -EINVAL);
        expect_failure(logstore_cursor_seek(NULL, 1), -EINVAL);
        expect_failure(logstore_cursor_seek_time(NULL, 1), -EINVAL);
        expect_failure(logstore_cursor_get(NULL, 1, &record), -EINVAL);
        ck_assert_uint_eq(logstore_cursor_position(NULL), 0);
        expect_failure(logstore_cursor_wait(NULL, 0), -EINVAL);
        expect_failure(logstore_set_retention(NULL, 0, 0, 0), -EINVAL);
        expect_failure(logstore_set_floor(NULL, 0), -EINVAL);
        expect_failure(logstore_trim_before(NULL, 1, &number), -EINVAL);
        expect_failure(logstore_apply_retention(NULL, 1, &number), -EINVAL);
        expect_failure(logstore_truncate_after(NULL, 1, 0), -EINVAL);
        expect_failure(logstore_info(NULL, &info), -EINVAL);
        expect_failure(logstore_memory(NULL, &memory), -EINVAL);
        expect_failure(logstore_warm(NULL, 1, 1), -EINVAL);
        expect_failure(logstore_evict(NULL, 1, 1), -EINVAL);
        expect_failure(logstore_snapshot_open(NULL, 0, &snapshot), -EINVAL);
        logstore_snapshot_close(NULL);
        ck_assert_uint_eq(number, 77);
        ck_assert_ptr_null(cursor);
        ck_assert_ptr_null(snapshot);
}
END_TEST

START_TEST(null_parameters_are_an_error_and_no_crash)
{
        struct logstore_cursor *cursor = NULL;
        struct logstore_claim claim;
        uint64_t number = 1;
        char buffer[8];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_text("one");
        expect_failure(logstore_append(store, NULL, 1, NULL), -EINVAL);
        expect_failure(logstore_appendv(store, NULL, 1, NULL), -EINVAL);
        expect_failure(logstore_append_batch(store, NULL, 1, NULL), -EINVAL);
        expect_failure(logstore_claim(store, 1, NULL), -EINVAL);
        expect_failure(logstore_commit(store, NULL, 1), -EINVAL);
        expect_failure(logstore_abort(store, NULL), -EINVAL);
        expect_failure(logstore_durable(store, NULL), -EINVAL);
        expect_failure(logstore_bounds(store, NULL), -EINVAL);
        expect_failure(logstore_get(store, 1, buffer, 8, NULL), -EINVAL);
        expect_failure(logstore_get_many(store, NULL, 1, buffer, 8, NULL), -EINVAL);
        expect_failure(logstore_get_many(store, &number, 1, NULL, 8, NULL), -EINVAL);
        expect_failure(logstore_cursor_open(store, 0, NULL), -EINVAL);
        expect_failure(logstore_cursor_open(store, 1u << 31, &cursor), -EINVAL);
        expect_failure(logstore_info(store, NULL), -EINVAL);
        expect_failure(logstore_segments(store, NULL, NULL), -EINVAL);
        ck_assert_ptr_null(cursor);
        ck_assert_int_eq(logstore_claim(store, 1, &claim), 0);
        *(char *)claim.data = 'x';
        ck_assert_int_eq(logstore_commit(store, &claim, 1), 0);
        ck_assert_uint_eq(bounds_of(store).tail, 2);
}
END_TEST

START_TEST(an_info_struct_of_another_size_is_refused)
{
        struct logstore_memory memory = { .struct_bytes = 4 };
        struct logstore_info info = { .struct_bytes = 4 };

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        expect_failure(logstore_info(store, &info), -EINVAL);
        expect_failure(logstore_memory(store, &memory), -EINVAL);
}
END_TEST

START_TEST(info_says_what_there_is)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(3);
        ck_assert_int_eq(logstore_info(store, &info), 0);
        ck_assert_uint_eq(info.version, 1);
        ck_assert_uint_eq(info.segment_bytes, SMALL_SEGMENT_BYTES);
        ck_assert_uint_eq(info.file_mode, 0600);
        ck_assert_uint_eq(info.failed, 0);
        ck_assert_int_eq(info.locked, 1);
        ck_assert_int_eq(info.writer_pid, getpid());
        ck_assert_uint_ge(info.segments, 1);
        ck_assert_uint_eq(info.bounds.first, 1);
        ck_assert_uint_eq(info.bounds.tail, 3);
}
END_TEST

START_TEST(version_and_error_texts_are_there)
{
        ck_assert_str_eq(logstore_version(), LOGSTORE_VERSION);
        for (int error = -200; error <= 10; error++) {
                ck_assert_ptr_nonnull(logstore_error_text(error));
                ck_assert_str_ne(logstore_error_text(error), "");
        }
}
END_TEST

/* ---- the lock --------------------------------------------------------------------------- */

START_TEST(a_second_writer_in_the_same_process_is_refused)
{
        struct logstore *second = NULL;
        char pid[16];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_text("one");
        expect_failure(try_open(0, &second), -EBUSY);
        snprintf(pid, sizeof(pid), "%d", getpid());
        ck_assert_msg(strstr(logstore_detail(), pid) != NULL, "no pid in: %s", logstore_detail());
        ck_assert_ptr_null(second);
        ck_assert_uint_eq(append_text("two"), 2); /* and the first is still a writer */
        expect_failure(try_open(0, &second), -EBUSY);
}
END_TEST

START_TEST(a_second_writer_from_another_process_is_refused)
{
        pid_t child;
        int status;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        child = fork();
        if (child == 0) {
                struct logstore *second = NULL;
                char pid[16];
                int r = try_open(0, &second);

                snprintf(pid, sizeof(pid), "%d", getppid());
                _exit(r == -EBUSY && strstr(logstore_detail(), pid) ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        append_text("still mine");
}
END_TEST

START_TEST(the_lock_ends_with_close)
{
        for (unsigned i = 0; i < 20; i++) {
                open_store(LOGSTORE_CREATE | (i % 2 ? LOGSTORE_NO_THREAD : 0));
                append_text("again");
                close_store();
        }
        open_store(0);
        ck_assert_uint_eq(bounds_of(store).tail, 20);
}
END_TEST

START_TEST(the_lock_ends_with_the_process_although_a_child_lives)
{
        int pipes[2], status;
        char byte = 0;
        pid_t writer;

        ck_assert_int_eq(pipe(pipes), 0);
        writer = fork();
        if (writer == 0) {
                open_store(LOGSTORE_CREATE);
                append_text("kept");
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                if (fork() == 0) {
                        close(pipes[1]);
                        byte = (char)read(pipes[0], &byte, 1); /* until the test ends */
                        _exit(0);
                }
                _exit(0);
        }
        ck_assert_int_eq(waitpid(writer, &status, 0), writer);
        ck_assert_int_eq(status, 0);
        open_store(0);
        expect_text(store, 1, "kept");
        close(pipes[1]);
}
END_TEST

START_TEST(a_forked_child_cannot_use_the_handles_but_may_close_them)
{
        struct logstore_cursor *cursor;
        int status;
        pid_t child;

        open_store(LOGSTORE_CREATE | (_i ? LOGSTORE_NO_THREAD : 0));
        append_text("one");
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        child = fork();
        if (child == 0) {
                struct logstore_record record;
                struct logstore_bounds bounds;
                struct logstore_claim claim;
                char buffer[8];
                int bad = 0;

                bad += logstore_append(store, "x", 1, NULL) != -ECHILD;
                bad += logstore_claim(store, 1, &claim) != -ECHILD;
                bad += logstore_sync(store, 0) != -ECHILD;
                bad += logstore_bounds(store, &bounds) != -ECHILD;
                bad += logstore_get(store, 1, buffer, 8, &record) != -ECHILD;
                bad += logstore_cursor_next(cursor, &record) != -ECHILD;
                logstore_cursor_close(cursor);
                bad += logstore_close(store) != 0;
                _exit(bad);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_uint_eq(append_text("two"), 2);
        expect_next(cursor, 1, "one");
        expect_next(cursor, 2, "two");
        logstore_cursor_close(cursor);
        reopen_store();
        expect_text(store, 2, "two");
}
END_TEST

/* ---- a read-only open changes nothing --------------------------------------------------- */

struct trace {
        char name[64];
        struct stat st;
        struct bytes bytes;
};

static size_t trace_files(struct trace *traces, size_t capacity)
{
        static const char *const names[] = { "control",        "wake",           "0000000001.log",
                                             "0000000002.log", "0000000003.log", "0000000001.idx",
                                             "0000000002.idx" };
        size_t count = 0;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const char *path = scratch("store/%s", names[i]);

                if (count == capacity || stat(path, &traces[count].st) < 0)
                        continue;
                strcpy(traces[count].name, names[i]);
                traces[count].bytes = load_file(path);
                ck_assert_int_eq(stat(path, &traces[count].st), 0);
                count++;
        }
        return count;
}

static void expect_same_files(const struct trace *traces, size_t count)
{
        struct trace now[16];

        ck_assert_uint_eq(trace_files(now, 16), count);
        for (size_t i = 0; i < count; i++) {
                ck_assert_str_eq(now[i].name, traces[i].name);
                ck_assert_msg(
                        now[i].bytes.size == traces[i].bytes.size &&
                                !memcmp(now[i].bytes.data, traces[i].bytes.data, now[i].bytes.size),
                        "%s has changed", now[i].name);
                ck_assert_msg(now[i].st.st_ino == traces[i].st.st_ino, "%s is another file",
                              now[i].name);
                ck_assert_msg(now[i].st.st_mtim.tv_sec == traces[i].st.st_mtim.tv_sec &&
                                      now[i].st.st_mtim.tv_nsec == traces[i].st.st_mtim.tv_nsec &&
                                      now[i].st.st_ctim.tv_sec == traces[i].st.st_ctim.tv_sec &&
                                      now[i].st.st_ctim.tv_nsec == traces[i].st.st_ctim.tv_nsec,
                              "times of %s have changed", now[i].name);
        }
}

static void read_everything(uint64_t want)
{
        struct logstore_verify_report report;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *reader;
        uint64_t count = 0;

        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        while (logstore_cursor_next(cursor, &record) == 0)
                count++;
        ck_assert_uint_eq(count, want);
        expect_numbered(reader, want / 2, want / 2 + 10);
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
}

enum { READ_COUNT = 3000 };

START_TEST(reading_a_closed_store_changes_nothing)
{
        struct trace traces[16];
        size_t count;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(READ_COUNT);
        close_store();
        count = trace_files(traces, 16);
        ck_assert_uint_ge(count, 4);
        read_everything(READ_COUNT);
        expect_same_files(traces, count);
}
END_TEST

START_TEST(reading_a_store_in_use_changes_nothing)
{
        struct trace traces[16];
        size_t count;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(READ_COUNT);
        count = trace_files(traces, 16);
        read_everything(READ_COUNT);
        expect_same_files(traces, count);
        append_text("the writer goes on");
}
END_TEST

START_TEST(reading_a_crashed_store_changes_nothing)
{
        struct trace traces[16];
        size_t count;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(READ_COUNT);
        crash_store();
        count = trace_files(traces, 16);
        read_everything(READ_COUNT);
        expect_same_files(traces, count);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_store_is_created_only_when_asked, 0 },
                { options_may_be_missing, 0 },
                { impossible_options_are_refused,
                  sizeof(refused_values) / sizeof(refused_values[0]) },
                { an_options_struct_of_another_size_is_refused, 4 },
                { null_is_an_error_and_no_crash, 0 },
                { null_parameters_are_an_error_and_no_crash, 0 },
                { an_info_struct_of_another_size_is_refused, 0 },
                { info_says_what_there_is, 0 },
                { version_and_error_texts_are_there, 0 },
                { a_second_writer_in_the_same_process_is_refused, 0 },
                { a_second_writer_from_another_process_is_refused, 0 },
                { the_lock_ends_with_close, 0 },
                { the_lock_ends_with_the_process_although_a_child_lives, 0 },
                { a_forked_child_cannot_use_the_handles_but_may_close_them, 2 },
                { reading_a_closed_store_changes_nothing, 0 },
                { reading_a_store_in_use_changes_nothing, 0 },
                { reading_a_crashed_store_changes_nothing, 0 },
        };

        return RUN_TESTS("public_open", tests);
}
