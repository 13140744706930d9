/*
 * crash_reader.c - follow a store while its writers are killed, and check all that is seen
 *
 *   crash_reader DIR --oracle FILE       until SIGTERM
 *
 * Reads on from where it stands, through the deaths and recoveries of writers. Each record must be
 * the one that its life wrote under its number. Numbers must follow each other; only voids leave
 * gaps. A look must show all that was acknowledged before it; only a cut that was begun may take
 * records back. A cursor behind a cut is told so: it never goes on under numbers that are used
 * again.
 *
 * Exit: 0 nothing wrong, 1 something was, 2 usage. One line of figures on stdout.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logstore.h"
#include "oracle.h"
#include "payload.h"

static struct {
        const char *path, *oracle_path;
        int oracle_fd;
        struct logstore *store;
        struct logstore_cursor *cursor;
        struct oracle oracle;
        uint64_t next; /* number expected; 0: any, after opening */
        uint64_t seed; /* of the life that wrote the record before it; 0: none was read */
        uint64_t records, looks, reopens;
} r;

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
        (void)signal;
        stopped = 1;
}

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
        va_list list;

        fprintf(stderr, "crash_reader: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fprintf(stderr, " (%s)\n", logstore_detail());
        exit(1);
}

static void load_oracle(void)
{
        int error = oracle_load(r.oracle_fd, 0, &r.oracle);

        if (error < 0)
                wrong("oracle: %s", strerror(-error));
}

static void close_store(void)
{
        if (r.cursor != NULL)
                logstore_cursor_close(r.cursor);
        r.cursor = NULL;
        logstore_close(r.store);
        r.store = NULL;
}

/* The store may not be there yet. */
static bool open_store(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int error;

        options.flags = LOGSTORE_READ_ONLY;
        error = logstore_open(r.path, &options, &r.store);
        if (error == -ENOENT || error == -EMEDIUMTYPE)
                return false;
        if (error < 0)
                wrong("open: %s", logstore_error_text(error));
        error = logstore_cursor_open(r.store, 0, &r.cursor);
        if (error < 0)
                wrong("cursor: %s", logstore_error_text(error));
        r.next = r.seed = 0;
        r.reopens++;
        return true;
}

/* After -ESTALE: where the log begins now, or behind what is still there. */
static void stand_again(void)
{
        struct logstore_bounds bounds;
        int error = logstore_bounds(r.store, &bounds);

        r.seed = 0;
        if (error == 0) {
                r.next = r.next < bounds.first ? bounds.first : r.next;
                r.next = r.next > bounds.tail + 1 ? bounds.tail + 1 : r.next;
                error = logstore_cursor_seek(r.cursor, r.next);
        }
        if (error < 0 && error != -ESTALE && error != -EAGAIN)
                wrong("seek %" PRIu64 ": %s", r.next, logstore_error_text(error));
}

/* What is wrong with it, as far as the oracle goes that we know; NULL: nothing. */
static const char *find_fault(const struct logstore_record *record)
{
        uint64_t seed = oracle_seed(&r.oracle, record->number), before;
        struct payload_place place;

        if (!payload_check(record->data, record->size, seed, record->number, &place))
                return "is not what was appended";
        if (record->number < r.next)
                return "was read before";
        for (uint64_t number = r.next; number > 0 && number < record->number; number++)
                if (!payload_may_be_void(oracle_seed(&r.oracle, number), number))
                        return "comes behind a hole";
        before = r.next > 1 ? oracle_seed(&r.oracle, r.next - 1) : 0;
        if (r.seed != 0 && before != 0 && before != r.seed)
                return "follows one that was cut";
        return NULL;
}

/* Did a cut begin since @before was loaded? Then what we read since may be of either log. */
static bool cut_since(const struct oracle *before)
{
        load_oracle();
        return r.oracle.cuts != before->cuts;
}

/* The record is too short to differ between lives: only the current oracle says which wrote it. */
static bool tells_no_life(const struct logstore_record *record)
{
        return record->size < 2 * PAYLOAD_PLACE_BYTES;
}

/* False: a cut came in between, so that nobody can tell. */
static bool check_record(const struct logstore_record *record)
{
        const struct oracle before = r.oracle;
        const char *fault = find_fault(record);

        if (fault != NULL || tells_no_life(record)) {
                if (cut_since(&before))
                        return false;
                fault = find_fault(record); /* a new life may have begun */
        }
        if (fault != NULL)
                wrong("record %" PRIu64 " of %zu bytes, where %" PRIu64 " was due, %s",
                      record->number, record->size, r.next, fault);
        r.next = record->number + 1;
        r.seed = oracle_seed(&r.oracle, record->number);
        r.records++;
        return true;
}

/* Read to the end; everything that was acknowledged before must come. False: open anew. */
static bool look(void)
{
        struct logstore_record record;
        struct oracle before;
        uint64_t acked, end;
        int error;

        r.looks++;
        load_oracle();
        before = r.oracle;
        acked = before.cut > 0 && before.cut <= before.acked ? before.cut - 1 : before.acked;
        while ((error = logstore_cursor_next(r.cursor, &record)) == 0)
                if (!check_record(&record))
                        return false;
        if (error == -ESTALE) {
                stand_again();
                return true;
        }
        end = logstore_cursor_position(r.cursor);
        if (error == -EAGAIN && end > acked)
                return true;
        if (cut_since(&before) || (error == -EBADMSG && before.cut > 0))
                return false;
        if (error != -EAGAIN)
                wrong("next at %" PRIu64 ": %s", r.next, logstore_error_text(error));
        wrong("the log ends before %" PRIu64 ", acknowledged was %" PRIu64, end, acked);
}

static int parse(int argc, char **argv)
{
        if (argc != 4 || strcmp(argv[2], "--oracle") != 0)
                return -EINVAL;
        r.path = argv[1];
        r.oracle_path = argv[3];
        return 0;
}

int main(int argc, char **argv)
{
        struct sigaction action = { .sa_handler = on_stop };

        if (parse(argc, argv) < 0) {
                fprintf(stderr, "usage: crash_reader DIR --oracle FILE\n");
                return 2;
        }
        sigaction(SIGTERM, &action, NULL);
        r.oracle_fd = oracle_open(r.oracle_path);
        if (r.oracle_fd < 0)
                wrong("%s: %s", r.oracle_path, strerror(-r.oracle_fd));
        while (!stopped) {
                if (r.store == NULL && !open_store()) {
                        usleep(500);
                        continue;
                }
                if (!look() || r.looks % 64 == 0)
                        close_store(); /* opening beside a writer is part of the test */
                else if (logstore_cursor_wait(r.cursor, 2) == 0)
                        continue;
        }
        if (r.store != NULL)
                close_store();
        printf("crash_reader: records=%" PRIu64 " looks=%" PRIu64 " opens=%" PRIu64 "\n", r.records,
               r.looks, r.reopens);
        return 0;
}
