/*
 * test_wait.c - waiting for records: woken, not polling; descriptors for event loops
 */
#include "test_threads_support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

static struct logstore *reader;
static struct logstore_cursor *cursor;

/* A cursor behind the only record: of the writer's handle, or of a read-only one. */
static void stand_at_the_end(bool read_only)
{
        open_store(LOGSTORE_CREATE);
        append_text("1");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(read_only ? reader : store, 0, &cursor), 0);
        expect_next(cursor, 1, "1");
}

static void leave(void)
{
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}

static void *append_later(void *argument)
{
        sleep_ms((intptr_t)argument);
        append_text("2");
        return NULL;
}

START_TEST(a_wait_ends_with_the_append)
{
        pthread_t thread;
        int64_t began;

        stand_at_the_end(_i);
        ck_assert_int_eq(pthread_create(&thread, NULL, append_later, (void *)100), 0);
        began = clock_ms();
        ck_assert_int_eq(logstore_cursor_wait(cursor, 30000), 0);
        ck_assert_int_ge(clock_ms() - began, 50);
        ck_assert_int_lt(clock_ms() - began, 900); /* before a sleeper looks by itself */
        expect_next(cursor, 2, "2");
        pthread_join(thread, NULL);
        leave();
}
END_TEST

START_TEST(a_wait_without_an_append_times_out)
{
        int64_t began = clock_ms();

        stand_at_the_end(_i);
        expect_failure(logstore_cursor_wait(cursor, 150), -ETIMEDOUT);
        ck_assert_int_ge(clock_ms() - began, 149);
        expect_failure(logstore_cursor_wait(cursor, 0), -ETIMEDOUT);
        leave();
}
END_TEST

static bool readable(int fd, int timeout_ms)
{
        struct pollfd poller = { .fd = fd, .events = POLLIN };

        return poll(&poller, 1, timeout_ms) == 1;
}

START_TEST(the_descriptor_is_readable_when_there_is_a_record)
{
        struct logstore_record record;
        uint64_t count;
        int fd;

        stand_at_the_end(_i);
        fd = logstore_cursor_fd(cursor);
        ck_assert_int_ge(fd, 3);
        ck_assert(!readable(fd, 50));
        append_text("2");
        ck_assert(readable(fd, 10000));
        ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
        expect_next(cursor, 2, "2");
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), -EAGAIN);
        append_text("3");
        ck_assert(readable(fd, 10000));
        expect_next(cursor, 3, "3");
        leave();
}
END_TEST

static void *follow_to_100(void *unused)
{
        struct logstore_record record = { 0 };
        int r = 0;

        (void)unused;
        while (record.number < 100 && r == 0) {
                r = logstore_cursor_next(cursor, &record);
                if (r == -EAGAIN)
                        r = logstore_cursor_wait(cursor, 10000);
        }
        return (void *)(intptr_t)r;
}

/* Word @index of the wake file: how many are about to sleep, the futex, if there are several. */
static uint32_t wake_word(int index)
{
        int fd = open(scratch("store/wake"), O_RDONLY);
        uint32_t word;

        ck_assert_int_eq(pread(fd, &word, sizeof(word), index * 4), sizeof(word));
        close(fd);
        return word;
}

/* Else who is woken makes a system call to wake the next, and an append one for nobody. */
START_TEST(who_waits_alone_counts_as_one)
{
        unsigned twice = 0;
        pthread_t thread;
        void *result;

        stand_at_the_end(_i);
        ck_assert_int_eq(pthread_create(&thread, NULL, follow_to_100, NULL), 0);
        for (unsigned number = 2; number <= 100; number++) {
                for (int ms = 0; ms < 5000 && wake_word(0) == 0; ms++)
                        sleep_ms(1);
                sleep_ms(1);
                twice += wake_word(0) > 1 || wake_word(2) != 0;
                append_text("another");
        }
        ck_assert_uint_le(twice, 5); /* a tick may come between a ticket and the sleep */
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_int_eq((int)(intptr_t)result, 0);
        leave();
}
END_TEST

/* ---- system calls of a sleeper, counted by strace ---- */

static unsigned count_in(const char *path, const char *text)
{
        FILE *file = fopen(path, "r");
        char line[1024];
        unsigned count = 0;

        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file))
                count += strstr(line, text) != NULL;
        fclose(file);
        return count;
}

static void wait_by_call(void)
{
        must(logstore_cursor_wait(cursor, 20000) == 0);
}

static void wait_by_descriptor(void)
{
        must(readable(logstore_cursor_fd(cursor), 20000));
}

static void expect_byte(int fd)
{
        char byte;

        must(read(fd, &byte, 1) == 1);
}

static void send_byte(int fd)
{
        must(write(fd, "x", 1) == 1);
}

/* Stand at the end once there is a store, and wait once told to. */
static void become_sleeper(int told, int stood, void (*wait)(void))
{
        alarm(30);
        expect_byte(told);
        must(try_open(LOGSTORE_READ_ONLY, &reader) == 0);
        must(logstore_cursor_open(reader, 0, &cursor) == 0);
        must(logstore_cursor_seek(cursor, 2) == 0);
        if (wait == wait_by_descriptor)
                must(logstore_cursor_fd(cursor) >= 3);
        send_byte(stood);
        expect_byte(told);
        wait();
        expect_next(cursor, 2, "2");
        _exit(0);
}

/* The child waits for a record for two seconds under strace, then gets it. Two looks of its own in
 * that time are allowed for the case that the writer had died; polling each ms would be 2,000, each
 * 100 ms 20. */
START_TEST(a_sleeper_makes_no_system_calls)
{
        void (*const waits[])(void) = { wait_by_call, wait_by_descriptor };
        char trace[512], command[1200];
        unsigned calls;
        int status, tell[2], stand[2];
        pid_t child;

        if (system("strace -o /dev/null true 2>/dev/null") != 0)
                return; /* not there, or not allowed */
        ck_assert_int_eq(pipe(tell), 0);
        ck_assert_int_eq(pipe(stand), 0);
        child = fork(); /* before there are threads: the child starts one */
        ck_assert_int_ge(child, 0);
        if (child == 0)
                become_sleeper(tell[0], stand[1], waits[_i]);
        open_store(LOGSTORE_CREATE);
        append_text("1");
        send_byte(tell[1]);
        expect_byte(stand[0]);
        snprintf(trace, sizeof(trace), "%s", scratch("trace"));
        snprintf(command, sizeof(command), "strace -f -qq -o %s -p %d & sleep 1", trace, child);
        ck_assert_int_eq(system(command), 0);
        send_byte(tell[1]);
        sleep_ms(2000);
        append_text("2");
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        sleep_ms(200); /* strace writes its file */
        calls = count_in(trace, "futex(");
        ck_assert_uint_ge(calls, 1);
        ck_assert_msg(calls < 18, "%u sleeps in two seconds", calls);
        calls = _i == 0 ? count_in(trace, "")
                        : 0; /* a sanitizer has threads of its own beside it */
        ck_assert_msg(calls < 200, "%u system calls in two seconds", calls);
}
END_TEST

/* Closing a cursor ends its watcher at once, whatever that is about to do. */
START_TEST(a_watched_cursor_closes_at_once)
{
        int64_t began;

        stand_at_the_end(_i);
        logstore_cursor_close(cursor);
        began = clock_ms();
        for (int i = 0; i < 200; i++) {
                ck_assert_int_eq(logstore_cursor_open(_i ? reader : store, 0, &cursor), 0);
                ck_assert_int_eq(logstore_cursor_seek(cursor, 2), 0);
                ck_assert_int_ge(logstore_cursor_fd(cursor), 3);
                if (i % 3)
                        usleep((useconds_t)i * 10);
                logstore_cursor_close(cursor);
        }
        ck_assert_int_lt(clock_ms() - began, 10000); /* one that slept on would take 200 s */
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

static uint64_t signals_within(int fd, int ms)
{
        uint64_t count = 0;

        sleep_ms(ms);
        return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The wake file is a help only: without it, as in a copied store, readers poll. */
START_TEST(without_a_wake_file_waits_and_descriptors_work)
{
        int fd;

        open_store(LOGSTORE_CREATE);
        append_text("1");
        ck_assert_int_eq(unlink(scratch("store/wake")), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        expect_next(cursor, 1, "1");
        expect_failure(logstore_cursor_wait(cursor, 0), -ETIMEDOUT);
        expect_failure(logstore_cursor_wait(cursor, 50), -ETIMEDOUT);
        fd = logstore_cursor_fd(cursor);
        ck_assert_int_ge(fd, 3);
        append_text("2");
        ck_assert(readable(fd, 10000));
        expect_next(cursor, 2, "2");
        leave(); /* ends the thread behind the descriptor, which nobody wakes */
}
END_TEST

/* What was waited for is taken back: one signal for that, none while nobody asks why, and the next
 * record, which has a number that was there before, has a signal again. */
START_TEST(the_descriptor_tells_of_a_truncation_once)
{
        struct logstore_record record;
        int fd;

        stand_at_the_end(_i);
        append_text("2");
        append_text("3");
        ck_assert_int_eq(logstore_cursor_seek(cursor, 4), 0);
        fd = logstore_cursor_fd(cursor);
        ck_assert_uint_eq(signals_within(fd, 50), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 1, 0), 0);
        ck_assert(readable(fd, 10000));
        ck_assert_uint_le(signals_within(fd, 300), 3);
        ck_assert_uint_eq(signals_within(fd, 300), 0);
        append_text("again 2");
        ck_assert(readable(fd, 10000));
        expect_failure(logstore_cursor_next(cursor, &record), -ESTALE);
        ck_assert_int_eq(logstore_cursor_seek(cursor, 2), 0);
        expect_next(cursor, 2, "again 2");
        leave();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_wait_ends_with_the_append, 2 },
                { a_wait_without_an_append_times_out, 2 },
                { the_descriptor_is_readable_when_there_is_a_record, 2 },
                { who_waits_alone_counts_as_one, 2 },
                { a_sleeper_makes_no_system_calls, 2 },
                { a_watched_cursor_closes_at_once, 2 },
                { without_a_wake_file_waits_and_descriptors_work, 0 },
                { the_descriptor_tells_of_a_truncation_once, 2 },
        };

        return RUN_TESTS("wait", tests);
}
