/*
 * crash_reader.c - follow a store while its writers are killed, and check all that is seen
 *
 *   crash_reader DIR --oracle FILE       until SIGTERM
 *
 * Reads on from where it stands, through the deaths and recoveries of writers. Each record must
 * be the one that its life wrote under its number, numbers must follow each other but for voids,
 * and whatever was acknowledged before a look must be seen in it.
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
        r.next = 0;
        r.reopens++;
        return true;
}

/* After -ESTALE: where the log begins now, or behind what is still there. */
static void stand_again(void)
{
        struct logstore_bounds bounds;
        int error = logstore_bounds(r.store, &bounds);

        if (error == 0) {
                r.next = r.next < bounds.first ? bounds.first : r.next;
                r.next = r.next > bounds.tail + 1 ? bounds.tail + 1 : r.next;
                error = logstore_cursor_seek(r.cursor, r.next);
        }
        if (error < 0 && error != -ESTALE && error != -EAGAIN)
                wrong("seek %" PRIu64 ": %s", r.next, logstore_error_text(error));
}

static bool is_right(const struct logstore_record *record)
{
        struct payload_place place;

        return payload_check(record->data, record->size, oracle_seed(&r.oracle, record->number),
                             record->number, &place);
}

static void check_record(const struct logstore_record *record)
{
        if (!is_right(record)) {
                load_oracle(); /* a new life may have begun */
                if (!is_right(record))
                        wrong("record %" PRIu64 " of %zu bytes is not what was appended",
                              record->number, record->size);
        }
        if (r.next == 0)
                r.next = record->number;
        if (record->number < r.next)
                wrong("record %" PRIu64 " where %" PRIu64 " was due", record->number, r.next);
        for (; r.next < record->number; r.next++)
                if (!payload_may_be_void(oracle_seed(&r.oracle, r.next), r.next))
                        wrong("hole at %" PRIu64 " before %" PRIu64, r.next, record->number);
        r.next++;
        r.records++;
}

/* Read to the end; everything that was acknowledged before must come. */
static void look(void)
{
        struct logstore_record record;
        bool moved = false;
        uint64_t acked;
        int error;

        load_oracle();
        acked = r.oracle.acked;
        while ((error = logstore_cursor_next(r.cursor, &record)) == 0)
                check_record(&record);
        if (error == -ESTALE) {
                stand_again();
                moved = true;
        } else if (error != -EAGAIN) {
                wrong("next at %" PRIu64 ": %s", r.next, logstore_error_text(error));
        }
        if (!moved && logstore_cursor_position(r.cursor) <= acked)
                wrong("the log ends before %" PRIu64 ", acknowledged was %" PRIu64,
                      logstore_cursor_position(r.cursor), acked);
        r.looks++;
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
                look();
                if (r.looks % 64 == 0)
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
