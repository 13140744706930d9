/*
 * append.c - logstore append: records from standard input or files
 *
 * Happy path: open or create the store; for each input take records and append them; between two
 * reads sync, acknowledge, copy to standard output, look at signals; at the end sync and close.
 * Only when both have succeeded the status is 0, whatever --sync said.
 *
 * Failures: whatever stops the input, all that was appended before is synced, and one more line says
 * up to which number it is durable. A signal ends the input in the same way; then the process dies
 * by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appender.h"
#include "buffer.h"
#include "creation.h"
#include "input.h"
#include "keep.h"
#include "numbers.h"
#include "progress.h"
#include "report.h"
#include "session.h"
#include "signals.h"
#include "tee.h"
#include "verbs.h"

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

struct append_run {
        const char *dir;
        struct logstore_options options;
        struct input_format format;
        enum append_sync sync;
        uint64_t batch_records; /* 0: no batches */
        struct appender appender;
        struct buffer output; /* of --ack or -T */
        struct tee tee;
        struct progress progress;
        enum { ERROR_STOP, ERROR_SKIP, ERROR_SPLIT } on_error;
        uint64_t skipped, cut; /* records */
        int64_t wait_ns;       /* for the lock; negative: for ever */
        uint64_t done_bytes;   /* of the files before this one */
        int signal_fd;
        int signal; /* that ended the input, or 0 */
};

/* ---- options ---- */

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

static int limits_parse(struct append_run *run)
{
        int status = keep_parse(&keep);

        if (wait_text && !wait_text[0])
                run->wait_ns = -1;
        else if (wait_text && duration_parse(wait_text, &run->wait_ns) < 0)
                return report_usage("--wait %s: wanted nothing, or a duration like 30s", wait_text);
        run->options.keep_bytes = keep.bytes;
        run->options.keep_records = keep.records;
        run->options.keep_ns = keep.ns;
        return status;
}

static int options_parse(struct append_run *run)
{
        int status;

        run->options.flags = LOGSTORE_CREATE;
        if (input_format_parse(format_text, delimiter_text, &run->format) < 0)
                return report_usage("-i %s%s%s: wanted lines, nul, len32 or jsonl, -D with lines",
                                    format_text ? format_text : "lines",
                                    delimiter_text ? " -D " : "",
                                    delimiter_text ? delimiter_text : "");
        if (sync_parse(run) < 0)
                return report_usage("--sync %s: wanted none, batch, each or interval=TIME",
                                    sync_text);
        if (batch_text && (number_parse(batch_text, &run->batch_records) < 0 ||
                           run->batch_records == 0 || run->batch_records > 1 << 24))
                return report_usage("--batch %s: wanted 1 to 16777216", batch_text);
        if (ack_wanted && tee_wanted)
                return report_usage("--ack and -T both want standard output");
        if (progress_open(&run->progress, progress_text, "append", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
        status = error_parse(run);
        if (status == STATUS_DONE)
                status = limits_parse(run);
        return status == STATUS_DONE ? creation_parse(&creation, &run->options) : status;
}

/* ---- one input ---- */

/* As input_take(), past what is skipped. */
static int take(struct append_run *run, struct input *in, const char *name,
                struct logstore_entry *ret)
{
        int r;

        while ((r = input_take(in, ret)) == -EMSGSIZE || r == -EBADMSG) {
                if (run->on_error == ERROR_STOP)
                        return r;
                report_note("%s: %s: skipped", name, in->problem);
                run->skipped++;
        }
        return r;
}

static int append_taken(struct append_run *run, struct input *in, const char *name)
{
        struct logstore_entry entry;
        int r;

        while ((r = take(run, in, name, &entry)) > 0) {
                r = appender_add(&run->appender, &entry);
                if (r < 0) {
                        tee_drop(&run->tee);
                        return report_store(r, run->dir);
                }
                if (tee_wanted &&
                    tee_take(&run->tee, in->raw, in->raw_bytes, run->appender.entry_count == 0) < 0)
                        return report_file(-ENOMEM, "standard output");
                if ((run->sync == APPEND_SYNC_EACH || run->output.error == -EINTR) &&
                    (run->signal = signals_came()))
                        return STATUS_DONE;
        }
        if (r == -EMSGSIZE || r == -EBADMSG)
                return report_no("%s: %s", name, in->problem);
        return r < 0 ? report_file(r, name) : STATUS_DONE;
}

/* finish() says what it was. */
static int output_status(struct append_run *run)
{
        int r = run->output.error;

        if (r == -EPIPE && signals_pipe_kills())
                run->signal = SIGPIPE;
        if (r == -EINTR) /* and this is no error of the output */
                run->signal = signals_came();
        return r < 0 && r != -EINTR ? STATUS_IO : STATUS_DONE;
}

/* What is done between two reads of the input. */
static int between_reads(struct append_run *run, struct input *in)
{
        int r;

        do {
                r = appender_pause(&run->appender);
                if (r < 0)
                        return report_store(r, run->dir);
        } while (appender_waits(&run->appender) && input_idle(in, 1));
        (void)buffer_flush(&run->output); /* the error stays in the buffer */
        progress_show(&run->progress, run->done_bytes + in->total_bytes);
        run->signal = signals_came();
        return output_status(run);
}

static int append_input(struct append_run *run, struct input *in, const char *name)
{
        int status, r;

        do {
                status = append_taken(run, in, name);
                if (status == STATUS_DONE && !run->signal)
                        status = between_reads(run, in);
                if (status != STATUS_DONE || run->signal)
                        return status;
                r = input_fill(in);
        } while (r > 0 || r == -EINTR);
        return r < 0 ? report_file(r, name) : STATUS_DONE;
}

static int report_no_fifo(const char *name)
{
        report_note("--fifo %s: is no FIFO", name);
        return STATUS_IO;
}

static int append_file(struct append_run *run, const char *name)
{
        bool is_stdin = !fifo_path && strcmp(name, "-") == 0;
        /* A FIFO without a writer is waited for by input_fill(), where a signal is seen. */
        int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        struct input in;
        int status, r;

        if (is_stdin)
                name = "standard input";
        if (fd < 0)
                return report_file(-errno, name);
        if (fifo_path && (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))) {
                close(fd);
                return report_no_fifo(name);
        }
        r = input_open(&in, fd, &run->format, (size_t)logstore_max_record(run->appender.store));
        if (r == 0) {
                in.signal_fd = run->signal_fd;
                in.split = run->on_error == ERROR_SPLIT;
                in.fifo = fifo_path;
                status = append_input(run, &in, name);
                run->done_bytes += in.total_bytes;
                run->cut += in.cut_lines;
                fd = in.fd; /* another one of a FIFO */
                input_close(&in);
        } else {
                status = report_file(r, name);
        }
        if (!is_stdin)
                close(fd);
        return status;
}

/* ---- all of them ---- */

static uint64_t regular_bytes(int count, char **names)
{
        uint64_t total = 0;
        struct stat st;

        for (int i = 0; i < count; i++) {
                int r = strcmp(names[i], "-") ? stat(names[i], &st) : fstat(STDIN_FILENO, &st);

                if (r < 0 || !S_ISREG(st.st_mode))
                        return 0;
                total += (uint64_t)st.st_size;
        }
        return total;
}

/* Make everything durable, whatever happened before, and say how far if not all is well. */
static int finish(struct append_run *run, int status)
{
        struct logstore *store = run->appender.store;
        uint64_t durable;
        int r;

        progress_clear(&run->progress);
        r = appender_flush(&run->appender);
        if (r < 0)
                status = status_first(status, report_store(r, run->dir));
        else
                tee_release(&run->tee);
        r = appender_sync(&run->appender);
        if (r < 0)
                status = status_first(status, report_store(r, run->dir));
        if (r == 0 && keep_wanted(&keep)) { /* a short run has had no second for it */
                r = logstore_apply_retention(store, 0, NULL);
                if (r < 0)
                        status = status_first(status, report_store(r, run->dir));
        }
        (void)buffer_flush(&run->output);
        if (output_status(run) != STATUS_DONE)
                status = status_first(status, report_file(run->output.error, "standard output"));
        if (run->cut)
                report_note("%s: %llu lines were longer than a record, and cut", run->dir,
                            (unsigned long long)run->cut);
        if (run->skipped)
                status = status_first(status, report_no("%s: %llu records were skipped", run->dir,
                                                        (unsigned long long)run->skipped));
        if ((status != STATUS_DONE || run->signal) && run->signal != SIGPIPE &&
            logstore_durable(store, &durable) == 0)
                report_note("%s: durable up to record %llu", run->dir, (unsigned long long)durable);
        return status;
}

static int append_all(struct append_run *run, int count, char **names)
{
        static char standard_input[] = "-", *only_standard_input[] = { standard_input };
        int status = STATUS_DONE;

        if (count == 0) {
                count = 1;
                names = fifo_path ? &fifo_path : only_standard_input;
        }
        run->progress.total = regular_bytes(count, names);
        if (isatty(STDIN_FILENO) || ((ack_wanted || tee_wanted) && isatty(STDOUT_FILENO)))
                progress_quiet(&run->progress);
        for (int i = 0; i < count && status == STATUS_DONE && !run->signal; i++)
                status = append_file(run, names[i]);
        return finish(run, status);
}

static int append_run(struct append_run *run, int count, char **names)
{
        struct logstore *store;
        int status = creation_prepare(&creation, run->dir, &run->options), r;

        if (status == STATUS_DONE)
                status = wait_text ? session_write_waiting(run->dir, &run->options, run->wait_ns,
                                                           &store)
                                   : session_write(run->dir, &run->options, &store);
        if (status != STATUS_DONE) {
                run->signal = signals_came();
                return status;
        }
        creation_note(&creation, run->dir, &run->options, store);
        r = appender_open(&run->appender, store, (size_t)run->batch_records);
        if (r == 0) {
                run->appender.sync = run->sync;
                if (ack_wanted || tee_wanted)
                        r = buffer_open(&run->output, STDOUT_FILENO);
                if (ack_wanted)
                        run->appender.acks = &run->output;
                run->tee.out = &run->output;
        }
        status = r < 0 ? report_file(r, run->dir) : append_all(run, count, names);
        tee_free(&run->tee);
        buffer_close(&run->output);
        appender_close(&run->appender);
        return session_close(store, run->dir, status);
}

int verb_append(int count, char **arguments)
{
        struct append_run run = {
                .options = LOGSTORE_OPTIONS_INIT,
                .dir = arguments[0],
                .output = { .fd = -1, .compare_fd = -1 },
        };
        int status = options_parse(&run);

        if (status != STATUS_DONE)
                return status;
        if (fifo_path && fifo_path[0] == 0)
                return report_usage("--fifo: wanted a FIFO");
        if (fifo_path && count > 1)
                return report_usage("--fifo: not with files");
        run.signal_fd = signals_hold();
        if (run.signal_fd < 0)
                return report_file(run.signal_fd, "signalfd");
        status = append_run(&run, count - 1, arguments + 1);
        if (run.signal)
                signals_die(run.signal);
        return status;
}
