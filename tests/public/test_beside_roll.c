/*
 * test_beside_roll.c - opens and verifies beside a process that rolls, trims and truncates
 *
 * Nothing is damaged, so no reader may report damage. A listing of a directory is no picture of one
 * moment, and the control page may say one thing before it and another after it.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_public_support.h"

#define OLD_SEGMENTS 250
#define OPENS 100
#define VERIFIES 10
#define RECORD_BYTES 30000 /* two in a segment */

enum way { ROLLS, TRIMS, TRUNCATES, WAYS };

static pid_t writer;

static void append_or_die(const char *bytes)
{
        if (logstore_append(store, bytes, RECORD_BYTES, NULL) < 0)
                _exit(1);
}

static void write_on(enum way way)
{
        static char bytes[RECORD_BYTES];

        for (unsigned i = 0;; i++) {
                struct logstore_bounds bounds;

                append_or_die(bytes);
                if (way != TRIMS) /* else nothing is trimmed, or readers begin anew for ever */
                        usleep(300);
                logstore_bounds(store, &bounds);
                if (way == TRIMS && i % 4 == 0 &&
                    logstore_trim_before(store, bounds.tail - OLD_SEGMENTS, NULL) < 0)
                        _exit(2);
                if (way == TRUNCATES && i % 64 == 63 &&
                    logstore_truncate_after(store, bounds.tail - 32, 0) < 0)
                        _exit(3);
        }
}

/* Also of a tail that moved while it was looked for. */
static uint64_t tail_now(void)
{
        struct logstore_bounds bounds;
        struct logstore *reader;

        ck_assert_msg(try_open(LOGSTORE_READ_ONLY, &reader) == 0, "%s", logstore_detail());
        bounds = bounds_of(reader);
        logstore_close(reader);
        return bounds.tail;
}

static void fill(void)
{
        static char bytes[RECORD_BYTES];

        open_store(LOGSTORE_CREATE);
        for (int i = 0; i < 2 * OLD_SEGMENTS; i++)
                ck_assert_int_eq(logstore_append(store, bytes, sizeof(bytes), NULL), 0);
}

static void begin(enum way way)
{
        fill();
        close_store();
        writer = fork();
        if (writer == 0) {
                open_store(0);
                write_on(way);
        }
        while (tail_now() <= 2 * OLD_SEGMENTS)
                usleep(1000);
}

static void end(void)
{
        int status;

        ck_assert_int_eq(waitpid(writer, &status, WNOHANG), 0); /* else it had an error */
        kill(writer, SIGKILL);
        waitpid(writer, &status, 0);
        open_store(0);
        close_store();
}

/* From a number that is not trimmed meanwhile up to the end, as it was at some moment. */
static void read_last(struct logstore *reader)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t tail = bounds_of(reader).tail;
        int r;

        ck_assert_int_eq(logstore_cursor_open(reader, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, tail - 40), 0);
        while ((r = logstore_cursor_next(cursor, &record)) == 0 && record.number < tail)
                ck_assert_uint_eq(record.size, RECORD_BYTES);
        ck_assert_msg(r == 0 || r == -EAGAIN || r == -ESTALE, "%s: %s", logstore_error_text(r),
                      logstore_detail());
        logstore_cursor_close(cursor);
}

START_TEST(no_open_finds_damage)
{
        begin(_i);
        for (int i = 0; i < OPENS; i++) {
                struct logstore *reader;

                ck_assert_msg(try_open(LOGSTORE_READ_ONLY, &reader) == 0, "open %d: %s", i,
                              logstore_detail());
                read_last(reader);
                logstore_close(reader);
        }
        end();
}
END_TEST

static void on_fault(void *context, const struct logstore_fault *fault)
{
        (void)context;
        if (fault->fatal)
                fprintf(stderr, "%s: offset %llu: record %llu: %s\n", fault->file,
                        (unsigned long long)fault->offset, (unsigned long long)fault->number,
                        fault->what);
}

START_TEST(no_verify_finds_a_fault)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, NULL };
        struct logstore_verify_report report;

        begin(_i);
        for (int i = 0; i < VERIFIES; i++) {
                int r = logstore_verify(store_path(), &hooks, &report);

                ck_assert_msg(r == 0, "verify %d: %s: %s", i, logstore_error_text(r),
                              logstore_detail());
        }
        end();
}
END_TEST

/* At the first progress, of 4 MiB. */
static void cut_once(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
        enum way *way = context;
        uint64_t tail = 2 * OLD_SEGMENTS;

        (void)done_bytes;
        (void)total_bytes;
        if (*way == TRIMS)
                ck_assert_int_eq(logstore_trim_before(store, tail - 9, NULL), 0);
        else if (*way == TRUNCATES)
                ck_assert_int_eq(logstore_truncate_after(store, tail / 2, 0), 0);
        *way = ROLLS;
}

START_TEST(what_is_cut_while_verify_runs_is_no_fault)
{
        enum way way = _i == 0 ? TRIMS : TRUNCATES;
        struct logstore_verify_hooks hooks = { on_fault, cut_once, &way };
        struct logstore_verify_report report;

        fill();
        ck_assert_msg(logstore_verify(store_path(), &hooks, &report) == 0, "%s", logstore_detail());
        ck_assert_int_eq(way, ROLLS);
        ck_assert_uint_eq(report.faults, 0);
        if (_i == 0)
                ck_assert_uint_eq(report.trimmed_to, bounds_of(store).first);
        else
                ck_assert_uint_eq(report.records, OLD_SEGMENTS);
        close_store();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { no_open_finds_damage, WAYS },
                { no_verify_finds_a_fault, WAYS },
                { what_is_cut_while_verify_runs_is_no_fault, 2 },
        };

        return RUN_TESTS("beside_roll", tests);
}
