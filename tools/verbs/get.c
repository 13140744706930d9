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
#include "records/source.h"
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

/* What the words mean. Where the log begins and ends is asked for once, and only if a word needs
 * it: at a URL that is one more request. */
struct words {
        const struct source *source;
        struct logstore_bounds bounds;
        bool known;
};

static int resolve(struct words *words, const char *text, uint64_t *ret)
{
        const struct logstore_bounds any = { .first = 1 };
        bool needed = text[0] < '0' || text[0] > '9';
        int r = needed && !words->known ? source_bounds(words->source, &words->bounds) : 0;

        if (r < 0)
                return source_report(words->source, r);
        words->known |= needed;
        (void)range_number(text, needed ? &words->bounds : &any, ret); /* checked before */
        if (text[0] == '-' && *ret < words->bounds.first)
                return report_no(
                        "%s: no record %s, there are %llu", words->source->name, text,
                        (unsigned long long)(words->bounds.tail + 1 - words->bounds.first));
        return STATUS_DONE;
}

static int get_one(struct words *words, const char *text, struct output *output)
{
        struct logstore_record record;
        uint64_t number;
        int status = resolve(words, text, &number), r;

        if (status != STATUS_DONE)
                return status;
        r = source_get(words->source, number, &record);
        if (r < 0)
                return source_report(words->source, r);
        output_record(output, &record);
        return STATUS_DONE;
}

static int get_all(struct source *source, char **texts, struct output *output)
{
        struct words words = { .source = source };
        int status = source_open_cursor(source, 0);

        if (status != STATUS_DONE)
                return status;
        for (; *texts && output->buffer.error == 0; texts++)
                status = status_first(status, get_one(&words, *texts, output));
        if (buffer_flush(&output->buffer) < 0)
                return report_file(output->buffer.error, "standard output");
        return status;
}

int verb_get(int count, char **arguments)
{
        struct output output = { .format = OUTPUT_RAW, .terminator = '\n' };
        const struct logstore_bounds any = { .first = 1 };
        struct source source;
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
        status = source_open(&source, arguments[0], false);
        if (status != STATUS_DONE)
                return status;
        r = buffer_open(&output.buffer, STDOUT_FILENO);
        if (raw_control)
                output.buffer.visible = false;
        status = r < 0 ? report_file(r, "output") : get_all(&source, arguments + 1, &output);
        r = output.buffer.error;
        buffer_close(&output.buffer);
        status = source_close(&source, status);
        if (r == -EPIPE && signals_pipe_kills())
                signals_die(SIGPIPE);
        return status;
}
