/*
 * test_lock.c - one writer, whatever is removed or put in place of a file while it writes
 *
 * The lock is on the control file, without which a directory is no store: so whoever gets in beside
 * a writer got another control file, and the first writer acknowledges nothing any more.
 */
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_public_support.h"

#define SYNCED 20

static void remove_store(void)
{
        char command[600];

        snprintf(command, sizeof(command), "exec rm -r '%s'", store_path());
        ck_assert_int_eq(system(command), 0);
}

static void begin(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(SYNCED);
        ck_assert_int_eq(logstore_sync(store, SYNCED), 0);
}

/* Remove whatever a helpful hand might take for stale: all but control file and segments. */
static void remove_helpers(void)
{
        DIR *directory = opendir(store_path());
        struct dirent *entry;

        ck_assert_ptr_nonnull(directory);
        while ((entry = readdir(directory)))
                if (entry->d_name[0] != '.' && strcmp(entry->d_name, "control") != 0 &&
                    !strstr(entry->d_name, ".log"))
                        ck_assert_int_eq(unlink(scratch("store/%s", entry->d_name)), 0);
        closedir(directory);
}

START_TEST(no_file_beside_the_log_lets_a_second_writer_in)
{
        struct logstore *second;

        begin();
        remove_helpers();
        expect_failure(try_open(LOGSTORE_NO_THREAD, &second), -EBUSY);
        append_numbered(1);
        ck_assert_int_eq(logstore_sync(store, SYNCED + 1), 0);
        reopen_store();
        expect_numbered(store, 1, SYNCED + 1);
}
END_TEST

/* As a restore does that writes a file anew and renames it. */
static void replace_control(void)
{
        struct bytes bytes = load_file(scratch("store/control"));

        save_file(scratch("store/restored"), bytes.data, bytes.size);
        ck_assert_int_eq(rename(scratch("store/restored"), scratch("store/control")), 0);
}

static int take_back(struct logstore *it)
{
        return logstore_truncate_after(it, 5, 0);
}

static int trim(struct logstore *it)
{
        return logstore_trim_before(it, 10, NULL);
}

static int sync_last(struct logstore *it)
{
        return logstore_sync(it, bounds_of(it).tail);
}

static const struct {
        const char *what;
        int (*call)(struct logstore *);
} durable_calls[] = { { "sync", sync_last },
                      { "truncate", take_back },
                      { "close", logstore_close } };

/* The log is that of the writer @other, which appended @number; also when it is opened anew. */
static void expect_others(struct logstore *other, uint64_t number)
{
        store = other;
        expect_numbered(store, 1, SYNCED);
        expect_text(store, number, "other");
        reopen_store();
        expect_numbered(store, 1, SYNCED);
        expect_text(store, number, "other");
}

START_TEST(a_writer_whose_control_file_was_replaced_acknowledges_nothing)
{
        struct logstore *other;
        uint64_t number;

        begin();
        append_text("lost to the other writer");
        replace_control();
        ck_assert_int_eq(try_open(LOGSTORE_NO_THREAD, &other), 0);
        ck_assert_int_eq(logstore_append(other, "other", 5, &number), 0);
        ck_assert_int_eq(logstore_sync(other, number), 0);
        ck_assert_uint_gt(number, SYNCED);

        expect_failure(durable_calls[_i].call(store), -EIO);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "control: the file was replaced"));
        if (durable_calls[_i].call != logstore_close) {
                expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
                ck_assert_uint_eq(bounds_of(store).durable, SYNCED);
                expect_failure(logstore_close(store), -EIO);
        }
        expect_others(other, number);
}
END_TEST

/* The file put in place says that the log was closed cleanly. So the second writer goes on where
 * the first is about to store. The first finds out only by its next sync. */
START_TEST(a_writer_beside_another_goes_on_in_a_segment_of_its_own)
{
        struct logstore *other;
        struct bytes clean;
        uint64_t number;

        begin();
        close_store();
        clean = load_file(scratch("store/control"));
        open_store(LOGSTORE_NO_THREAD);
        save_file(scratch("store/restored"), clean.data, clean.size);
        ck_assert_int_eq(rename(scratch("store/restored"), scratch("store/control")), 0);
        free(clean.data);
        ck_assert_int_eq(try_open(LOGSTORE_NO_THREAD, &other), 0);
        ck_assert_int_eq(logstore_append(other, "other", 5, &number), 0);
        ck_assert_int_eq(logstore_sync(other, number), 0);
        append_text("lost to the other writer");
        expect_failure(logstore_close(store), -EIO);

        expect_others(other, number);
}
END_TEST

/* The writer has nothing to sync and begins another segment. Its name would be that of the segment
 * that the other writer has begun. */
START_TEST(a_writer_whose_control_file_was_replaced_begins_no_segment)
{
        static const uint8_t large[20000];
        struct logstore *other;
        uint64_t number;
        int r = 0;

        begin();
        replace_control();
        ck_assert_int_eq(try_open(LOGSTORE_NO_THREAD, &other), 0);
        ck_assert_int_eq(logstore_append(other, "other", 5, &number), 0);
        ck_assert_int_eq(logstore_sync(other, number), 0);
        for (int i = 0; i < 8 && r == 0; i++)
                r = logstore_append(store, large, sizeof(large), NULL);
        expect_failure(r, -EIO);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "control: the file was replaced"));
        expect_failure(logstore_close(store), -EIO);

        store = other;
        reopen_store();
        expect_numbered(store, 1, SYNCED);
        expect_text(store, number, "other");
}
END_TEST

START_TEST(a_writer_whose_store_was_removed_says_so)
{
        begin();
        append_text("nowhere");
        if (_i == 0)
                ck_assert_int_eq(unlink(scratch("store/control")), 0);
        else
                remove_store();
        expect_failure(sync_last(store), -EIO);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "control: the file was removed"));
        expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
        expect_failure(trim(store), -EIO);
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

START_TEST(a_store_that_is_moved_goes_on)
{
        begin();
        append_numbered(1);
        ck_assert_int_eq(rename(store_path(), scratch("elsewhere")), 0);
        ck_assert_int_eq(sync_last(store), 0);
        ck_assert_int_eq(logstore_close(store), 0);
        store = NULL;
        ck_assert_int_eq(rename(scratch("elsewhere"), store_path()), 0);
        open_store(LOGSTORE_NO_THREAD);
        expect_numbered(store, 1, SYNCED + 1);
}
END_TEST

#define ROUNDS 200
#define CREATORS 3

static void create_and_append(int go)
{
        struct logstore *mine;
        uint64_t number;
        char byte;
        int r;

        if (read(go, &byte, 1) != 0)
                _exit(10);
        r = try_open(LOGSTORE_CREATE | LOGSTORE_NO_THREAD, &mine);
        if (r == -EBUSY)
                _exit(1);
        if (r < 0 || logstore_append(mine, "x", 1, &number) < 0 || logstore_close(mine) < 0) {
                fprintf(stderr, "%d: %s\n", r, logstore_detail());
                _exit(11);
        }
        _exit(0);
}

START_TEST(several_who_create_one_store_make_one)
{
        for (int round = 0; round < ROUNDS; round++) {
                int go[2], status, made = 0;

                ck_assert_int_eq(pipe(go), 0);
                for (int i = 0; i < CREATORS; i++)
                        if (fork() == 0) {
                                close(go[1]);
                                create_and_append(go[0]);
                        }
                close(go[0]);
                close(go[1]); /* all at once */
                for (int i = 0; i < CREATORS; i++) {
                        ck_assert_int_gt(wait(&status), 0);
                        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
                        made += WEXITSTATUS(status) == 0;
                }
                ck_assert_int_gt(made, 0);
                open_store(LOGSTORE_NO_THREAD);
                ck_assert_uint_eq(bounds_of(store).tail, made);
                close_store();
                remove_store();
        }
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { no_file_beside_the_log_lets_a_second_writer_in, 0 },
                { a_writer_whose_control_file_was_replaced_acknowledges_nothing,
                  sizeof(durable_calls) / sizeof(durable_calls[0]) },
                { a_writer_beside_another_goes_on_in_a_segment_of_its_own, 0 },
                { a_writer_whose_control_file_was_replaced_begins_no_segment, 0 },
                { a_writer_whose_store_was_removed_says_so, 2 },
                { a_store_that_is_moved_goes_on, 0 },
                { several_who_create_one_store_make_one, 0 },
        };

        return RUN_TESTS("lock", tests);
}
