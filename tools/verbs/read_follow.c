/*
 * read_follow.c - at the end of the log: what is printed goes out, and more is waited for
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "lib/report.h"
#include "records/session.h"
#include "verbs/read_private.h"

#define LOOK_AT_OUTPUT_MS 500 /* a follower notices within this time that its reader has gone */

int read_output_status(const struct reading *run)
{
        return run->output.buffer.error ? STATUS_IO : STATUS_DONE;
}

int read_flush(struct reading *run)
{
        if (buffer_flush(&run->output.buffer) < 0)
                return STATUS_IO;
        if (!run->cursor_path)
                return STATUS_DONE;
        return cursor_file_save(&run->position, &run->output.buffer, run->seen, run->seen_ns);
}

int read_open_cursor(struct reading *run)
{
        return source_open_cursor(&run->source, run->cursor_flags);
}

int read_catch_up(struct reading *run, uint64_t stood)
{
        struct logstore_bounds bounds;
        int r = source_bounds(&run->source, &bounds);

        if (r < 0)
                return source_report(&run->source, r);
        if (stood < bounds.first)
                report_note("%s: records %llu to %llu were trimmed before they were read",
                            run->source.name, (unsigned long long)stood,
                            (unsigned long long)bounds.first - 1);
        else if (stood > bounds.tail)
                report_note("%s: the log was cut back to record %llu", run->source.name,
                            (unsigned long long)bounds.tail);
        r = source_seek(&run->source, stood < bounds.first  ? bounds.first
                                      : stood > bounds.tail ? UINT64_MAX
                                                            : stood);
        return r < 0 && r != -ESTALE ? source_report(&run->source, r) : STATUS_DONE;
}

/* The name means another opening: go on where we stood, or where another store begins. */
static int go_over(struct reading *run, struct logstore *to, bool other)
{
        uint64_t stood = source_position(&run->source);
        struct logstore_bounds bounds;
        int status, r;

        status = source_close(&run->source, STATUS_DONE);
        run->source.store = to;
        status = status_first(status, read_open_cursor(run));
        if (status != STATUS_DONE)
                return status;
        if (!other)
                return read_catch_up(run, stood);
        r = logstore_bounds(to, &bounds);
        if (r == 0)
                r = source_seek(&run->source, 0);
        if (r < 0)
                return source_report(&run->source, r);
        run->range.first = bounds.first;
        run->tail = bounds.tail;
        run->seen = bounds.first - 1;
        run->seen_ns = CURSOR_FILE_NONE;
        if (run->cursor_path) {
                r = cursor_file_go_over(&run->position, &run->source);
                return r < 0 ? source_report(&run->source, r) : read_flush(run);
        }
        return STATUS_DONE;
}

/* Is the store still the one that is there? */
static int look_around(struct reading *run)
{
        uint64_t tail = source_position(&run->source) - 1;
        struct logstore *other_store;
        bool other;
        int status = follow_look(&run->follow, run->source.store, tail, &other_store, &other);

        return other_store ? go_over(run, other_store, other) : status;
}

int read_failed(struct reading *run, int error)
{
        const struct logstore *store = run->source.store;
        int status = STATUS_DONE;

        if (!run->follows || run->source.calls || !follow_left(&run->follow))
                return source_report(&run->source, error);
        if (read_flush(run) != STATUS_DONE)
                return STATUS_IO;
        while (status == STATUS_DONE && run->source.store == store) {
                status = look_around(run);
                if (status != STATUS_DONE || run->source.store != store)
                        break;
                if (follow_output_closed())
                        run->output.buffer.error = -EPIPE;
                status = read_output_status(run);
                (void)poll(NULL, 0, LOOK_AT_OUTPUT_MS / 2);
        }
        return status;
}

int read_wait(struct reading *run)
{
        struct logstore *store = run->source.store;
        int status = STATUS_DONE, r;

        if (read_flush(run) != STATUS_DONE)
                return STATUS_IO;
        do {
                r = source_wait(&run->source, LOOK_AT_OUTPUT_MS);
                if (r == -ETIMEDOUT && follow_output_closed())
                        run->output.buffer.error = -EPIPE;
                if (r == -ETIMEDOUT && !run->source.calls) /* a URL means one log */
                        status = look_around(run);
        } while ((r == -ETIMEDOUT || r == -EINTR) && run->source.store == store &&
                 status == STATUS_DONE && read_output_status(run) == STATUS_DONE);
        if (r < 0 && r != -ETIMEDOUT && r != -ESTALE)
                return read_failed(run, r);
        return status_first(status, read_output_status(run));
}
