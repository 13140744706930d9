/*
 * test_directory.c - which directory is a store, who may use it, and who has it
 */
#include <sys/wait.h>

#include "chain/control.h"
#include "chain/directory.h"
#include "test_unit_support.h"

static const struct {
        const char *what, *name;
        int want;
} contents[] = {
        { "nothing", NULL, 0 },
        { "a control file", "control", 1 },
        { "a wake file alone: a creation that crashed", "wake", 0 },
        { "a file under preparation", "new.control.01234567", 0 },
        { "a hidden file", ".keep", 0 },
        { "a quarantine", "quarantine", 0 },
        { "another file", "notes.txt", -EMEDIUMTYPE },
        { "a segment without a control file", "0000000001.log", -EBADMSG },
        { "an index without a control file", "0000000001.idx", 0 },
};

START_TEST(a_store_is_told_by_its_names)
{
        int r;

        begin();
        ck_assert_int_eq(mkdir(scratch("it"), 0700), 0);
        if (contents[_i].name)
                save_file(scratch("it/%s", contents[_i].name), "x", 1);
        directory = os_open_directory(scratch("it"));
        r = directory_is_store(directory);
        ck_assert_msg(r == contents[_i].want, "%s: %d", contents[_i].what, r);
}
END_TEST

static const struct {
        const char *what;
        uint32_t flags, file_mode;
        int want;
} makes[] = {
        { "missing", 0, 0600, -ENOENT },
        { "made for its owner", LOGSTORE_CREATE, 0600, 0 },
        { "made for a group", LOGSTORE_CREATE, 0640, 0 },
        { "made for all", LOGSTORE_CREATE, 0644, 0 },
        { "written by a group", LOGSTORE_CREATE, 0660, 0 },
};

START_TEST(a_directory_is_made_only_if_asked_and_as_private_as_its_files)
{
        uint32_t readable = makes[_i].file_mode & 0444;
        struct os_stat st;
        int fd, r;

        begin();
        umask(_i % 2 ? 0 : 0777);
        r = directory_open(scratch("it"), makes[_i].flags, makes[_i].file_mode, &fd);
        ck_assert_msg(r == makes[_i].want, "%s: %d", makes[_i].what, r);
        if (r == 0) {
                expect_ok(os_stat(fd, &st));
                ck_assert_uint_eq(st.mode & 0444, readable);
                ck_assert_uint_eq(st.mode & 0111, readable >> 2);
                ck_assert_uint_eq(st.mode & 0222, makes[_i].file_mode & 0222);
        } else {
                ck_assert(!file_exists(scratch("it")));
        }
}
END_TEST

START_TEST(a_directory_that_everyone_may_write_needs_leave)
{
        int fd;

        begin();
        ck_assert_int_eq(mkdir(scratch("it"), 0700), 0);
        ck_assert_int_eq(chmod(scratch("it"), 0777), 0);
        expect_failure(directory_open(scratch("it"), 0, 0600, &fd), -EPERM);
        expect_ok(directory_open(scratch("it"), LOGSTORE_SHARED_DIR_OK, 0600, &fd));
}
END_TEST

START_TEST(what_is_no_directory_is_refused)
{
        int fd;

        begin();
        save_file(scratch("it"), "x", 1);
        expect_failure(directory_open(scratch("it"), LOGSTORE_CREATE, 0600, &fd), -ENOTDIR);
        expect_failure(directory_open(scratch("no/it"), LOGSTORE_CREATE, 0600, &fd), -ENOENT);
}
END_TEST

static void begin_locking(void)
{
        const struct control_options options = { 1 << 20, 1, 0600 };

        begin();
        expect_ok(control_create(directory, &options));
}

/* As a writer does once it has the lock. */
static void name_writer(void)
{
        struct control control;

        expect_ok(control_open(&memory, directory, true, &control));
        control_set_writer(&control);
        control_close(&control);
}

START_TEST(the_lock_is_held_by_one_who_is_named)
{
        char pid[24];
        int first, second;

        begin_locking();
        ck_assert_int_eq(directory_locked(directory), 0);
        expect_ok(directory_lock(directory, &first));
        ck_assert_int_eq(directory_locked(directory), 1);
        name_writer();
        ck_assert_int_eq(directory_writer(directory), os_process_id());
        expect_failure(directory_lock(directory, &second), -EBUSY);
        snprintf(pid, sizeof(pid), "%d", os_process_id());
        ck_assert_ptr_nonnull(strstr(logstore_detail(), pid));
        os_close(first);
        ck_assert_int_eq(directory_locked(directory), 0);
        expect_ok(directory_lock(directory, &second));
}
END_TEST

START_TEST(the_lock_of_another_process_ends_with_it)
{
        int status, fd;
        pid_t child;

        begin_locking();
        child = fork();
        if (child == 0) {
                int held;
                name_writer();
                _exit(directory_lock(directory, &held) < 0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(directory_writer(directory), 0); /* who is dead is not named */
        expect_ok(directory_lock(directory, &fd));
}
END_TEST

START_TEST(a_control_file_that_is_none_is_not_locked)
{
        int fd;

        begin();
        if (_i == 0)
                ck_assert_int_eq(mkfifo(scratch("control"), 0600), 0);
        else
                ck_assert_int_eq(symlink("elsewhere", scratch("control")), 0);
        expect_failure(directory_lock(directory, &fd), -EPERM);
        ck_assert(!file_exists(scratch("elsewhere")));
}
END_TEST

START_TEST(only_our_own_files_under_preparation_are_removed)
{
        static const struct {
                const char *name;
                bool stays;
        } files[] = {
                { "new.control", false },
                { "new.0000000003.log", false },
                { "new.0000000003.idx", false },
                { "new.years.eve", true },
                { "new.", true },
                { "new.0000000003.log.old", true },
                { "0000000003.log", true },
                { "renew.control", true },
        };

        begin();
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                save_file(scratch("%s", files[i].name), "x", 1);
        expect_ok(directory_clean(directory));
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                ck_assert_msg(file_exists(scratch("%s", files[i].name)) == files[i].stays, "%s",
                              files[i].name);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { a_store_is_told_by_its_names, COUNT(contents) },
                { a_directory_is_made_only_if_asked_and_as_private_as_its_files, COUNT(makes) },
                { a_directory_that_everyone_may_write_needs_leave, 0 },
                { what_is_no_directory_is_refused, 0 },
                { the_lock_is_held_by_one_who_is_named, 0 },
                { the_lock_of_another_process_ends_with_it, 0 },
                { a_control_file_that_is_none_is_not_locked, 2 },
                { only_our_own_files_under_preparation_are_removed, 0 },
        };

        return RUN_TESTS("directory", tests);
}
