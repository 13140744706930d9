/*
 * get.c - logstore get: the bytes of some records, in the order they are asked for
 *
 * A record that is not there is one line and status 1; the others are printed all the same.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/times.h"
#include "records/output.h"
#include "records/range.h"
#include "records/session.h"
#include "verbs/verbs.h"

static char *format_text;
static int local_time, raw_control;

struct poptOption get_options[] = {
        { "output", 'o', POPT_ARG_STRING, &format_text, 0,
          "how records are printed; raw if not said", "text|short|raw|len32|jsonl|hex" },
        RAW_CONTROL_OPTION(raw_control),
        LOCAL_TIME_OPTION(local_time),
        POPT_TABLEEND,
};

static int get_one(struct logstore_cursor *cursor, const char *dir, const char *text,
                   const struct logstore_bounds *bounds, struct output *output)
{
        struct logstore_record record;
        uint64_t number;
        int r;

        (void)range_number(text, bounds, &number); /* checked before */
        if (number < bounds->first && text[0] == '-')
                return report_no("%s: no record %s, there are %llu", dir, text,
                                 (unsigned long long)(bounds->tail + 1 - bounds->first));
        r = logstore_cursor_get(cursor, number, &record);
        if (r < 0)
                return report_store(r, dir);
        output_record(output, &record);
        return STATUS_DONE;
}

static int get_all(struct logstore *store, char **arguments, struct output *output)
{
        struct logstore_cursor *cursor;
        struct logstore_bounds bounds;
        int status = STATUS_DONE, r = logstore_bounds(store, &bounds);

        if (r == 0)
                r = logstore_cursor_open(store, 0, &cursor);
        if (r < 0)
                return report_store(r, arguments[0]);
        for (char **text = arguments + 1; *text && output->buffer.error == 0; text++) {
                int got = get_one(cursor, arguments[0], *text, &bounds, output);

                status = status_first(status, got);
        }
        logstore_cursor_close(cursor);
        if (buffer_flush(&output->buffer) < 0)
                return report_file(output->buffer.error, "standard output");
        return status;
}

int verb_get(int count, char **arguments)
{
        struct output output = { .format = OUTPUT_RAW, .terminator = '\n' };
        const struct logstore_bounds any = { .first = 1 };
        struct logstore *store;
        uint64_t number;
        int status, r;

        if (output_format_parse(format_text, &output.format) < 0)
                return report_usage("-o %s: wanted text, short, raw, len32, jsonl or hex",
                                    format_text);
        if (local_time)
                times_are_local();
        for (int i = 1; i < count; i++)
                if (range_number(arguments[i], &any, &number) < 0)
                        return report_usage("%s: wanted a record number, first, last or -N",
                                            arguments[i]);
        status = session_read(arguments[0], &store);
        if (status != STATUS_DONE)
                return status;
        r = buffer_open(&output.buffer, STDOUT_FILENO);
        if (raw_control)
                output.buffer.visible = false;
        status = r < 0 ? report_file(r, "output") : get_all(store, arguments, &output);
        r = output.buffer.error;
        buffer_close(&output.buffer);
        status = session_close(store, arguments[0], status);
        if (r == -EPIPE && signals_pipe_kills())
                signals_die(SIGPIPE);
        return status;
}
