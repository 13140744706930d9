/*
 * test_bad_input_sigbus.c - a file cut by somebody else is an error of the call, not the end
 *
 * Checked with the guard on: as reader and as writer, in any thread, with a handler of the program
 * beneath. Without the guard the signal ends the process, as logstore.h says.
 */
#include "test_bad_input_support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 200
#define RECORD_BYTES 100

static void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < COUNT; i++)
                append_filled(RECORD_BYTES, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* The page with the last records is gone; the file's first pages stay. */
static void cut_segment(void)
{
        cut_file(segment_path(1), 2 * 4096);
}

static int get_last(struct logstore *where)
{
        struct logstore_record record;
        char buffer[RECORD_BYTES];

        return logstore_get(where, COUNT, buffer, sizeof(buffer), &record);
}

START_TEST(a_file_cut_under_a_reader_is_an_io_error)
{
        struct logstore_record record, before;
        struct logstore_cursor *cursor;
        struct logstore *reader;
        char buffer[RECORD_BYTES];
        int r;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        make_store();
        close_store();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
        ck_assert_int_eq(get_last(reader), 0);
        cut_segment();
        memset(&record, 0x5a, sizeof(record));
        before = record;
        expect_failure(logstore_get(reader, COUNT, buffer, sizeof(buffer), &record), -EIO);
        ck_assert_mem_eq(&record, &before, sizeof(record));
        r = logstore_get(reader, 2, buffer, sizeof(buffer), &record);
        ck_assert_msg(r == 0 || r == -EIO, "what is left gave %d", r);
        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                ck_assert_uint_lt(record.number, 2 * 4096 / RECORD_BYTES);
        ck_assert_msg(r == -EIO || r == -EBADMSG, "the cursor ended with %d", r);
        expect_failure(get_last(reader), -EIO); /* and it stays one */
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

START_TEST(a_file_cut_under_the_writer_fails_the_store)
{
        int r = 0;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        make_store();
        cut_segment();
        for (unsigned i = 0; i < 2000 && r == 0; i++)
                r = logstore_append(store, "lost", 4, NULL);
        if (r == 0)
                r = logstore_sync(store, 0);
        ck_assert_msg(r == -EIO, "got %d: %s", r, logstore_detail());
        ck_assert_str_ne(logstore_detail(), "");
        r = logstore_close(store);
        store = NULL;
        ck_assert_msg(r == 0 || r == -EIO, "close gave %d", r);
        ck_assert_int_eq(try_open(0, &store), -EBADMSG); /* durable records are gone */
}
END_TEST

/* Make records that the tail has not walked over, because a claim before them is open. When the
 * file is cut, the page of the claim stays and the pages of the last records go. */
static struct logstore_claim records_behind_a_claim(uint32_t flags)
{
        struct logstore_claim claim;

        open_store(LOGSTORE_CREATE | flags);
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        memset(claim.data, 'x', 8);
        for (unsigned i = 1; i < COUNT; i++)
                append_filled(RECORD_BYTES, 'x');
        return claim;
}

static void close_failed_store(void)
{
        expect_failure(logstore_close(store), -EIO);
        store = NULL;
}

static const uint32_t thread_flags[] = { LOGSTORE_NO_THREAD, 0 };

/* The tail stands before zeros that no thread will ever fill: nobody waits for them. */
START_TEST(a_file_cut_before_the_tail_walks_ends_sync_and_close)
{
        struct logstore_claim claim;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        claim = records_behind_a_claim(thread_flags[_i]);
        cut_segment();
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        expect_failure(logstore_sync_timed(store, 0, 10000), -EIO);
        expect_failure(logstore_sync(store, 0), -EIO);
        close_failed_store();
}
END_TEST

START_TEST(a_file_cut_before_the_tail_walks_ends_a_close_alone)
{
        struct logstore_claim claim;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        claim = records_behind_a_claim(thread_flags[_i]);
        cut_segment();
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        close_failed_store();
}
END_TEST

/* Behind the claim, so that a thread of the library is started for it. */
static void *start_with_sigbus_blocked(void *unused)
{
        sigset_t bus;

        (void)unused;
        sigemptyset(&bus);
        sigaddset(&bus, SIGBUS);
        pthread_sigmask(SIG_BLOCK, &bus, NULL);
        return (void *)(intptr_t)logstore_sync_start(store, 0);
}

static const uint32_t forms[] = { 0, LOGSTORE_NO_RING };

/* It is a thread of the library that walks the tail here, whatever signals its maker blocks. */
START_TEST(a_file_cut_under_a_started_sync_ends_it)
{
        struct logstore_claim claim;
        struct pollfd told;
        pthread_t thread;
        uint64_t durable;
        void *r;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        claim = records_behind_a_claim(LOGSTORE_NO_THREAD | forms[_i]);
        cut_segment();
        told = (struct pollfd){ .fd = logstore_sync_fd(store), .events = POLLIN };
        ck_assert_int_ge(told.fd, 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, start_with_sigbus_blocked, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, &r), 0);
        ck_assert_int_eq((int)(intptr_t)r, 0);
        ck_assert_int_eq(logstore_commit(store, &claim, 8), 0);
        ck_assert_int_eq(poll(&told, 1, 10000), 1);
        expect_failure(logstore_durable(store, &durable), -EIO);
        close_failed_store();
}
END_TEST

/* A commit into a lost page stores nothing: it must not succeed, and no sync may cover it. */
START_TEST(a_file_cut_under_a_claim_is_an_error_of_its_commit)
{
        struct logstore_claim claim;
        uint64_t durable;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD | forms[_i]);
        append_text("before");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_claim(store, 8, &claim), 0);
        cut_file(segment_path(1), 4096);
        expect_failure(logstore_commit(store, &claim, 0), -EIO);
        expect_failure(logstore_sync_start(store, 0), -EIO);
        expect_failure(logstore_durable(store, &durable), -EIO);
        close_failed_store();
}
END_TEST

static void *claim_cut_and_end(void *unused)
{
        struct logstore_claim claim;
        int r = logstore_claim(store, 8, &claim);

        (void)unused;
        cut_file(segment_path(1), 4096);
        return (void *)(intptr_t)r;
}

/* The claim is aborted as the thread ends, which is in no call of the library. */
START_TEST(a_file_cut_under_the_claim_of_a_thread_that_ends_fails_the_store)
{
        pthread_t thread;
        void *r;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(pthread_create(&thread, NULL, claim_cut_and_end, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, &r), 0);
        ck_assert_int_eq((int)(intptr_t)r, 0);
        expect_failure(logstore_sync(store, 0), -EIO);
        close_failed_store();
}
END_TEST

static void *get_in_thread(void *reader)
{
        return (void *)(intptr_t)get_last(reader);
}

START_TEST(any_thread_gets_the_error)
{
        pthread_t threads[4];
        struct logstore *reader;

        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        make_store();
        close_store();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(get_last(reader), 0);
        cut_segment();
        for (unsigned i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, get_in_thread, reader), 0);
        for (unsigned i = 0; i < 4; i++) {
                void *r;

                ck_assert_int_eq(pthread_join(threads[i], &r), 0);
                ck_assert_int_eq((int)(intptr_t)r, -EIO);
        }
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* ---- faults that are not the store's ----------------------------------------------------- */

static sigjmp_buf escape;
static volatile sig_atomic_t handled;

static void own_handler(int signal_number)
{
        (void)signal_number;
        handled++;
        siglongjmp(escape, 1);
}

static volatile char *foreign_mapping(void)
{
        int fd = open(scratch("foreign"), O_RDWR | O_CREAT, 0600);
        volatile char *mapping;

        ck_assert_int_ge(fd, 0);
        mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        ck_assert(mapping != MAP_FAILED);
        return mapping; /* of an empty file: every touch faults */
}

START_TEST(other_faults_go_to_the_handler_that_was_there)
{
        struct sigaction action = { .sa_handler = own_handler };

        ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
        ck_assert_int_eq(logstore_guard_sigbus(), 0);
        make_store();
        for (unsigned i = 0; i < 3; i++) {
                if (sigsetjmp(escape, 1) == 0)
                        (void)*foreign_mapping();
        }
        ck_assert_int_eq(handled, 3);
        cut_segment();
        handled = 0;
        (void)logstore_append(store, "x", 1, NULL);
        expect_failure(get_last(store), -EIO);
        ck_assert_int_eq(handled, 0);
}
END_TEST

START_TEST(other_faults_still_kill_when_nobody_handles_them)
{
        int status;
        pid_t child = fork();

        if (child == 0) {
                signal(SIGBUS, SIG_DFL);
                if (logstore_guard_sigbus() < 0)
                        _exit(1);
                (void)*foreign_mapping();
                _exit(2);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

START_TEST(a_fault_of_the_program_in_a_record_it_was_given_is_its_own)
{
        int status;
        pid_t child;

        make_store();
        close_store();
        child = fork();
        if (child == 0) {
                struct logstore_cursor *cursor;
                struct logstore_record record;
                struct logstore *reader;

                signal(SIGBUS, SIG_DFL);
                if (logstore_guard_sigbus() < 0 || try_open(LOGSTORE_READ_ONLY, &reader) < 0 ||
                    logstore_cursor_open(reader, 0, &cursor) < 0 ||
                    logstore_cursor_get(cursor, COUNT, &record) < 0)
                        _exit(1);
                cut_segment();
                (void)*(volatile const char *)record.data;
                _exit(2);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

START_TEST(without_the_guard_the_signal_ends_the_process)
{
        int status;
        pid_t child;

        make_store();
        close_store();
        child = fork();
        if (child == 0) {
                struct logstore *reader;

                signal(SIGBUS, SIG_DFL);
                if (try_open(LOGSTORE_READ_ONLY, &reader) < 0 || get_last(reader) < 0)
                        _exit(1);
                cut_segment();
                _exit(get_last(reader) == 0 ? 2 : 3);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_file_cut_under_a_reader_is_an_io_error, 0 },
                { a_file_cut_under_the_writer_fails_the_store, 0 },
                { a_file_cut_before_the_tail_walks_ends_sync_and_close, 2 },
                { a_file_cut_before_the_tail_walks_ends_a_close_alone, 2 },
                { a_file_cut_under_a_started_sync_ends_it, 2 },
                { a_file_cut_under_a_claim_is_an_error_of_its_commit, 2 },
                { a_file_cut_under_the_claim_of_a_thread_that_ends_fails_the_store, 0 },
                { any_thread_gets_the_error, 0 },
                { other_faults_go_to_the_handler_that_was_there, 0 },
                { other_faults_still_kill_when_nobody_handles_them, 0 },
                { a_fault_of_the_program_in_a_record_it_was_given_is_its_own, 0 },
                { without_the_guard_the_signal_ends_the_process, 0 },
        };

        return RUN_TESTS("bad_input_sigbus", tests);
}
