/*
 * append_options.c - the options of logstore append, and what they mean together
 */
#include <errno.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "verbs/append_private.h"
#include "verbs/verbs.h"

static char *format_text, *delimiter_text, *sync_text, *batch_text;
static char *progress_text, *wait_text, *error_text, *fifo_path;
static struct keep keep;
static int ack_wanted, tee_wanted;
static struct creation creation;

struct poptOption append_options[] = {
        { "input", 'i', POPT_ARG_STRING, &format_text, 0, "how the input is cut into records",
          "lines|nul|len32|jsonl" },
        { "delimiter", 'D', POPT_ARG_STRING, &delimiter_text, 0,
          "cut at this instead of a newline; \\n \\t \\0 \\xHH are understood", "TEXT" },
        { "sync", 0, POPT_ARG_STRING, &sync_text, 0, "when to sync besides at the end",
          "none|batch|each|interval[=10ms]" },
        { "batch", 0, POPT_ARG_STRING, &batch_text, 0, "append N records at once, all or none",
          "N" },
        { "ack", 0, POPT_ARG_NONE, &ack_wanted, 0,
          "print numbers on standard output once they are durable (--sync batch if not said)",
          NULL },
        { "tee", 'T', POPT_ARG_NONE, &tee_wanted, 0, "copy the input to standard output", NULL },
        { "segment-size", 0, POPT_ARG_STRING, &creation.segment_text, 0,
          "of a store created now: 64K to 4G, 64M if not said", "SIZE" },
        { "mode", 0, POPT_ARG_STRING, &creation.mode_text, 0, "of files of a store created now",
          "0600|0640|0644|0660|0664" },
        { "group", 0, POPT_ARG_STRING, &creation.group_text, 0,
          "of a store created now; its files are 0640 if not said", "GROUP" },
        KEEP_OPTIONS(keep),
        { "wait", 0, POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL, &wait_text, 0,
          "while another process writes, wait, at most so long", "DURATION" },
        { "on-error", 0, POPT_ARG_STRING, &error_text, 0,
          "what to do with a record that is too long or not in the format", "stop|skip|split" },
        { "fifo", 'F', POPT_ARG_STRING, &fifo_path, 0,
          "read from this FIFO, and go on when its writers have gone", "FILE" },
        PROGRESS_OPTION(progress_text),
        POPT_TABLEEND,
};

static int sync_parse(struct append_run *run)
{
        int64_t ns = 0;

        if (!sync_text)
                run->sync = ack_wanted ? APPEND_SYNC_BATCH : APPEND_SYNC_NONE;
        else if (strcmp(sync_text, "none") == 0)
                run->sync = APPEND_SYNC_NONE;
        else if (strcmp(sync_text, "batch") == 0)
                run->sync = APPEND_SYNC_BATCH;
        else if (strcmp(sync_text, "each") == 0)
                run->sync = APPEND_SYNC_EACH;
        else if (strcmp(sync_text, "interval") == 0 ||
                 (strncmp(sync_text, "interval=", 9) == 0 &&
                  duration_parse(sync_text + 9, &ns) == 0 && ns >= 1000000 &&
                  ns / 1000000 <= UINT32_MAX))
                run->sync = APPEND_SYNC_INTERVAL;
        else
                return -EINVAL;
        if (run->sync == APPEND_SYNC_EACH)
                run->options.sync_policy = LOGSTORE_SYNC_EACH;
        if (run->sync == APPEND_SYNC_INTERVAL) {
                run->options.sync_policy = LOGSTORE_SYNC_INTERVAL;
                run->options.sync_ms = (uint32_t)(ns / 1000000);
        }
        return 0;
}

static int error_parse(struct append_run *run)
{
        if (!error_text || strcmp(error_text, "stop") == 0)
                run->on_error = ERROR_STOP;
        else if (strcmp(error_text, "skip") == 0)
                run->on_error = ERROR_SKIP;
        else if (strcmp(error_text, "split") == 0 && run->format.kind == INPUT_LINES)
                run->on_error = ERROR_SPLIT;
        else
                return report_usage("--on-error %s: wanted stop, skip, or for lines split",
                                    error_text);
        return STATUS_DONE;
}

static int wait_parse(struct append_run *run)
{
        run->waits = wait_text != NULL;
        if (wait_text && !wait_text[0])
                run->wait_ns = -1;
        else if (wait_text && duration_parse(wait_text, &run->wait_ns) < 0)
                return report_usage("--wait %s: wanted nothing, or a duration like 30s", wait_text);
        return STATUS_DONE;
}

static int limits_parse(struct append_run *run)
{
        int status = keep_parse(&keep);

        run->keep = keep;
        run->options.keep_bytes = keep.bytes;
        run->options.keep_records = keep.records;
        run->options.keep_ns = keep.ns;
        return status;
}

static int creation_options_parse(struct append_run *run)
{
        run->creation = creation;
        return creation_parse(&creation, &run->options);
}

static int fifo_parse(struct append_run *run, int files)
{
        run->fifo = fifo_path;
        if (fifo_path && fifo_path[0] == 0)
                return report_usage("--fifo: wanted a FIFO");
        if (fifo_path && files > 0)
                return report_usage("--fifo: not with files");
        return STATUS_DONE;
}

static int input_parse(struct append_run *run)
{
        if (input_format_parse(format_text, delimiter_text, &run->format) < 0)
                return report_usage("-i %s%s%s: wanted lines, nul, len32 or jsonl, -D with lines",
                                    format_text ? format_text : "lines",
                                    delimiter_text ? " -D " : "",
                                    delimiter_text ? delimiter_text : "");
        return STATUS_DONE;
}

static int output_parse(struct append_run *run)
{
        if (sync_parse(run) < 0)
                return report_usage("--sync %s: wanted none, batch, each or interval=TIME",
                                    sync_text);
        if (batch_text && (number_parse(batch_text, &run->batch_records) < 0 ||
                           run->batch_records == 0 || run->batch_records > 1 << 24))
                return report_usage("--batch %s: wanted 1 to 16777216", batch_text);
        if (ack_wanted && tee_wanted)
                return report_usage("--ack and -T both want standard output");
        run->acks = ack_wanted;
        run->tees = tee_wanted;
        if (progress_open(&run->progress, progress_text, "append", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
        return STATUS_DONE;
}

int append_options_parse(struct append_run *run, int files)
{
        static int (*const parts[])(struct append_run *) = {
                input_parse,  output_parse, error_parse,
                limits_parse, wait_parse,   creation_options_parse,
        };
        int status = fifo_parse(run, files);

        run->options.flags = LOGSTORE_CREATE;
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == STATUS_DONE; i++)
                status = parts[i](run);
        return status;
}
