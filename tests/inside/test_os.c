/*
 * test_os.c - the system as the store wants it: errors without signals, descriptors above 2
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test_unit_support.h"

static int create(const char *name)
{
        int fd = os_open(directory, name, OS_WRITE | OS_CREATE, 0640);

        expect_ok(fd);
        return fd;
}

START_TEST(a_file_is_created_once_with_its_mode_whatever_the_umask)
{
        static const mode_t masks[] = { 0, 022, 077, 0777 };
        struct os_stat st;

        begin();
        for (size_t i = 0; i < 4; i++) {
                umask(masks[i]);
                os_close(create("file"));
                expect_ok(os_stat_name(directory, "file", &st));
                ck_assert_uint_eq(st.mode, 0640);
                ck_assert_int_eq(os_open(directory, "file", OS_WRITE | OS_CREATE, 0640), -EEXIST);
                expect_ok(os_unlink(directory, "file"));
        }
}
END_TEST

/* Else a host program that has closed its stderr would write its messages into the store. */
START_TEST(no_descriptor_is_one_of_the_standard_ones)
{
        int status;
        pid_t child;

        begin();
        child = fork();
        if (child == 0) {
                bool bad = false;

                close(0), close(1), close(2);
                bad |= os_open(directory, "file", OS_WRITE | OS_CREATE, 0600) < 3;
                bad |= os_open(directory, "file", OS_READ, 0) < 3;
                bad |= os_open_directory("/") < 3;
                bad |= os_eventfd() < 3;
                bad |= fcntl(0, F_GETFD) >= 0 || fcntl(1, F_GETFD) >= 0 || fcntl(2, F_GETFD) >= 0;
                _exit(bad);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(descriptors_are_closed_on_exec)
{
        begin();
        ck_assert_int_eq(fcntl(create("file"), F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(os_open_directory("/"), F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fcntl(os_eventfd(), F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(a_symlink_is_not_followed_and_a_fifo_not_waited_for)
{
        struct os_stat st;
        int fd;

        begin();
        os_close(create("file"));
        ck_assert_int_eq(symlink("file", scratch("link")), 0);
        ck_assert_int_eq(os_open(directory, "link", OS_READ, 0), -EPERM);
        ck_assert_int_eq(os_open(directory, "link", OS_WRITE | OS_CREATE, 0600), -EEXIST);
        ck_assert_int_eq(mkfifo(scratch("fifo"), 0600), 0);
        fd = os_open(directory, "fifo", OS_READ, 0);
        if (fd >= 0) {
                expect_ok(os_stat(fd, &st));
                ck_assert(!st.regular);
        }
}
END_TEST

START_TEST(reading_is_short_only_at_the_end)
{
        char buffer[10] = "";
        size_t got = 99;
        int fd;

        begin();
        fd = create("file");
        expect_ok(os_write(fd, "abcdef", 6, 2));
        expect_ok(os_read(fd, buffer, 10, 0, &got));
        ck_assert_uint_eq(got, 8);
        ck_assert_mem_eq(buffer, "\0\0abcdef", 8);
        expect_ok(os_read(fd, buffer, 10, 100, &got));
        ck_assert_uint_eq(got, 0);
        ck_assert_int_eq(os_read(-1, buffer, 1, 0, &got), -EBADF);
        ck_assert_uint_eq(got, 0);
}
END_TEST

START_TEST(growing_never_shrinks)
{
        struct os_stat st;
        int fd;

        begin();
        fd = create("file");
        expect_ok(os_grow(fd, 100000));
        expect_ok(os_grow(fd, 5));
        expect_ok(os_stat(fd, &st));
        ck_assert_uint_eq(st.bytes, 100000);
}
END_TEST

START_TEST(the_size_limit_is_an_error_and_no_signal)
{
        struct rlimit limit = { 8192, 8192 };
        struct os_stat st;
        int fd;

        begin();
        fd = create("file");
        signal(SIGXFSZ, SIG_DFL);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        expect_ok(os_grow(fd, 8192));
        ck_assert_int_eq(os_grow(fd, 8193), -EFBIG);
        ck_assert_int_eq(os_write(fd, "xy", 2, 8191), -EFBIG);
        expect_ok(os_stat(fd, &st));
        ck_assert_uint_eq(st.bytes, 8192);
}
END_TEST

START_TEST(a_fresh_rename_replaces_nothing)
{
        struct bytes file;

        begin();
        save_file(scratch("a"), "a", 1);
        save_file(scratch("b"), "b", 1);
        ck_assert_int_eq(os_rename_fresh(directory, "a", "b"), -EEXIST);
        file = load_file(scratch("b"));
        ck_assert_int_eq(file.data[0], 'b');
        expect_ok(os_rename_fresh(directory, "a", "c"));
        ck_assert(file_exists(scratch("c")) && !file_exists(scratch("a")));
        expect_ok(os_rename(directory, "c", "b"));
        ck_assert(!file_exists(scratch("c")));
        ck_assert_int_eq(os_rename(directory, "no", "b"), -ENOENT);
}
END_TEST

START_TEST(populating_beyond_the_file_is_an_error_and_no_signal)
{
        size_t page = os_page_bytes();
        void *base;
        int fd;

        begin();
        fd = create("file");
        expect_ok(os_grow(fd, page));
        expect_ok(os_map(fd, OS_SHARED_WRITE, 4 * page, &base));
        expect_ok(os_populate(base, page));
        ck_assert_int_eq(os_populate(base, 2 * page), -ENOSPC);
        expect_ok(os_grow(fd, 4 * page));
        expect_ok(os_populate(base, 4 * page));
        memset(base, 'x', 4 * page);
        expect_ok(os_zap(base, 4 * page));
        ck_assert_int_eq(((char *)base)[4 * page - 1], 'x'); /* the page cache keeps it */
        expect_ok(os_unmap(base, 4 * page));
}
END_TEST

static int stop_at_third(void *context, const char *name)
{
        (void)name;
        return ++*(int *)context == 3 ? -ENOTUNIQ : 0;
}

static int count(void *context, const char *name)
{
        (void)name;
        ++*(int *)context;
        return 0;
}

START_TEST(listing_ends_when_the_hearer_says_so_and_begins_anew_each_time)
{
        int names = 0, again = 0, stopped = 0;

        begin();
        for (int i = 0; i < 10; i++)
                save_file(scratch("file-%d", i), "", 0);
        expect_ok(os_list(directory, count, &names));
        expect_ok(os_list(directory, count, &again));
        ck_assert_int_eq(names, 12); /* with . and .. */
        ck_assert_int_eq(again, 12);
        ck_assert_int_eq(os_list(directory, stop_at_third, &stopped), -ENOTUNIQ);
        ck_assert_int_eq(stopped, 3);
}
END_TEST

START_TEST(a_lock_keeps_out_another_open_of_the_same_process)
{
        int one, other, looker;

        begin();
        one = create("file");
        other = os_open(directory, "file", OS_WRITE, 0);
        looker = os_open(directory, "file", OS_READ, 0);
        ck_assert_int_eq(os_locked(looker), 0);
        expect_ok(os_lock(one));
        ck_assert_int_eq(os_lock(other), -EAGAIN);
        ck_assert_int_eq(os_locked(looker), 1);
        os_close(other); /* a POSIX lock would vanish here */
        ck_assert_int_eq(os_locked(looker), 1);
        os_close(one);
        ck_assert_int_eq(os_locked(looker), 0);
}
END_TEST

START_TEST(a_sleep_on_a_word_ends_at_once_if_it_has_changed)
{
        _Atomic uint32_t word = 5;

        ck_assert_int_eq(os_futex_wait(&word, 4, -1, false), -EAGAIN);
        ck_assert_int_eq(os_futex_wait(&word, 5, 1000, true), -ETIMEDOUT);
        ck_assert_int_eq(os_futex_wake(&word, 1, false), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_file_is_created_once_with_its_mode_whatever_the_umask, 0 },
                { no_descriptor_is_one_of_the_standard_ones, 0 },
                { descriptors_are_closed_on_exec, 0 },
                { a_symlink_is_not_followed_and_a_fifo_not_waited_for, 0 },
                { reading_is_short_only_at_the_end, 0 },
                { growing_never_shrinks, 0 },
                { the_size_limit_is_an_error_and_no_signal, 0 },
                { a_fresh_rename_replaces_nothing, 0 },
                { populating_beyond_the_file_is_an_error_and_no_signal, 0 },
                { listing_ends_when_the_hearer_says_so_and_begins_anew_each_time, 0 },
                { a_lock_keeps_out_another_open_of_the_same_process, 0 },
                { a_sleep_on_a_word_ends_at_once_if_it_has_changed, 0 },
        };

        return RUN_TESTS("os", tests);
}
