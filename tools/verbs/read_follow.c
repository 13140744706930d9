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
        int r = logstore_cursor_open(run->store, run->cursor_flags, &run->cursor);

        return r < 0 ? report_store(r, run->dir) : STATUS_DONE;
}

int read_catch_up(struct reading *run, uint64_t stood)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(run->store, &bounds);

        if (r < 0)
                return report_store(r, run->dir);
        if (stood < bounds.first)
                report_note("%s: records %llu to %llu were trimmed before they were read", run->dir,
                            (unsigned long long)stood, (unsigned long long)bounds.first - 1);
        else if (stood > bounds.tail)
                report_note("%s: the log was cut back to record %llu", run->dir,
                            (unsigned long long)bounds.tail);
        r = logstore_cursor_seek(run->cursor, stood < bounds.first  ? bounds.first
                                              : stood > bounds.tail ? UINT64_MAX
                                                                    : stood);
        return r < 0 && r != -ESTALE ? report_store(r, run->dir) : STATUS_DONE;
}

/* The name means another opening: go on where we stood, or where another store begins. */
static int go_over(struct reading *run, struct logstore *to, bool other)
{
        uint64_t stood = logstore_cursor_position(run->cursor);
        struct logstore_bounds bounds;
        int status, r;

        logstore_cursor_close(run->cursor);
        run->cursor = NULL;
        status = session_close(run->store, run->dir, STATUS_DONE);
        run->store = to;
        status = status_first(status, read_open_cursor(run));
        if (status != STATUS_DONE)
                return status;
        if (!other)
                return read_catch_up(run, stood);
        r = logstore_bounds(to, &bounds);
        if (r == 0)
                r = logstore_cursor_seek(run->cursor, 0);
        if (r < 0)
                return report_store(r, run->dir);
        run->range.first = bounds.first;
        run->tail = bounds.tail;
        run->seen = bounds.first - 1;
        run->seen_ns = CURSOR_FILE_NONE;
        if (run->cursor_path) {
                r = cursor_file_go_over(&run->position, to);
                return r < 0 ? report_store(r, run->dir) : read_flush(run);
        }
        return STATUS_DONE;
}

/* Is the store still the one that is there? */
static int look_around(struct reading *run)
{
        uint64_t tail = logstore_cursor_position(run->cursor) - 1;
        struct logstore *other_store;
        bool other;
        int status = follow_look(&run->follow, run->store, tail, &other_store, &other);

        return other_store ? go_over(run, other_store, other) : status;
}

int read_failed(struct reading *run, int error)
{
        const struct logstore *store = run->store;
        int status = STATUS_DONE;

        if (!run->follows || !follow_left(&run->follow))
                return report_store(error, run->dir);
        if (read_flush(run) != STATUS_DONE)
                return STATUS_IO;
        while (status == STATUS_DONE && run->store == store) {
                status = look_around(run);
                if (status != STATUS_DONE || run->store != store)
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
        struct logstore *store = run->store;
        int status = STATUS_DONE, r;

        if (read_flush(run) != STATUS_DONE)
                return STATUS_IO;
        do {
                r = logstore_cursor_wait(run->cursor, LOOK_AT_OUTPUT_MS);
                if (r == -ETIMEDOUT && follow_output_closed())
                        run->output.buffer.error = -EPIPE;
                if (r == -ETIMEDOUT)
                        status = look_around(run);
        } while ((r == -ETIMEDOUT || r == -EINTR) && run->store == store && status == STATUS_DONE &&
                 read_output_status(run) == STATUS_DONE);
        if (r < 0 && r != -ETIMEDOUT && r != -ESTALE)
                return read_failed(run, r);
        return status_first(status, read_output_status(run));
}
