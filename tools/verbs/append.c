/*
 * append.c - logstore append: records from standard input or files
 *
 * Happy path: open or create the store; for each input take records and append them; between two
 * reads sync, acknowledge, copy to standard output, look at signals; at the end sync and close.
 * Only when both have succeeded the status is 0, whatever --sync said.
 *
 * Failures: if anything stops the input, the verb syncs all that it appended before, and one more
 * line says up to which number it is durable. A signal ends the input in the same way; then the
 * process dies by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/descriptors.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "records/session.h"
#include "verbs/append_private.h"
#include "verbs/verbs.h"

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

/* Is @error of the store's no more than a batch that no segment can hold, and passed over? */
static bool skips_batch(struct append_run *run, int error)
{
        tee_drop(&run->tee);
        if (error != -EMSGSIZE || run->on_error != ERROR_SKIP || !run->batch_records)
                return false;
        report_note("%s: a batch of %zu records does not fit in a segment: skipped", run->dir,
                    run->appender.refused);
        run->skipped += run->appender.refused;
        return true;
}

static int append_taken(struct append_run *run, struct input *in, const char *name)
{
        struct logstore_entry entry;
        int r;

        while ((r = take(run, in, name, &entry)) > 0) {
                r = appender_add(&run->appender, &entry);
                if (r < 0 && skips_batch(run, r))
                        continue;
                if (r < 0)
                        return report_store(r, run->dir);
                if (run->tees &&
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
        bool is_stdin = !run->fifo && strcmp(name, "-") == 0;
        /* A FIFO without a writer is waited for by input_fill(), where a signal is seen. */
        int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        struct input in;
        int status, r;

        if (is_stdin)
                name = "standard input";
        if (fd < 0)
                return report_file(-errno, name);
        if (is_stdin && (r = descriptors_check(fd, O_RDONLY)) < 0)
                return report_file(r, name);
        if (run->fifo && (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))) {
                close(fd);
                return report_no_fifo(name);
        }
        r = input_open(&in, fd, &run->format, (size_t)logstore_max_record(run->appender.store));
        if (r == 0) {
                in.signal_fd = run->signal_fd;
                in.split = run->on_error == ERROR_SPLIT;
                in.fifo = run->fifo;
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
        if (r == 0)
                tee_release(&run->tee);
        else if (!skips_batch(run, r))
                status = status_first(status, report_store(r, run->dir));
        r = appender_sync(&run->appender);
        if (r < 0)
                status = status_first(status, report_store(r, run->dir));
        if (r == 0 && keep_wanted(&run->keep)) { /* a short run has had no second for it */
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
                names = run->fifo ? &run->fifo : only_standard_input;
        }
        run->progress.total = regular_bytes(count, names);
        if (isatty(STDIN_FILENO) || ((run->acks || run->tees) && isatty(STDOUT_FILENO)))
                progress_quiet(&run->progress);
        for (int i = 0; i < count && status == STATUS_DONE && !run->signal; i++)
                status = append_file(run, names[i]);
        return finish(run, status);
}

static int append_run(struct append_run *run, int count, char **names)
{
        struct logstore *store;
        int status = creation_prepare(&run->creation, run->dir, &run->options), r;

        if (status == STATUS_DONE)
                status = run->waits ? session_write_waiting(run->dir, &run->options, run->wait_ns,
                                                            &store)
                                    : session_write(run->dir, &run->options, &store);
        if (status != STATUS_DONE) {
                run->signal = signals_came();
                return status;
        }
        creation_note(&run->creation, run->dir, &run->options, store);
        r = appender_open(&run->appender, store, (size_t)run->batch_records);
        if (r == 0) {
                run->appender.sync = run->sync;
                if (run->acks || run->tees)
                        r = buffer_open(&run->output, STDOUT_FILENO);
                if (run->acks)
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
        int status = append_options_parse(&run, count - 1);

        if (status != STATUS_DONE)
                return status;
        run.signal_fd = signals_hold();
        if (run.signal_fd < 0)
                return report_file(run.signal_fd, "signalfd");
        status = append_run(&run, count - 1, arguments + 1);
        if (run.signal)
                signals_die(run.signal);
        return status;
}
