/*
 * reader_time.c - seeking by time, and waiting
 *
 * What counts is the greatest time so far, which never falls. Each segment's start frame tells it
 * of the log before; in the right segment we walk.
 */
#include <errno.h>
#include <time.h>

#include "remote/reader.h"
#include "remote/reader_private.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

static int read_brief(struct logstore_remote *remote, size_t which, struct segment_brief *ret)
{
        const struct remote_segment *segment = &remote->log.segments[which];
        struct window window = { 0 };
        int r = 0;

        if (segment->lines[0].entry.codec != CODEC_PLAIN)
                r = reader_directory(remote, which);
        if (r < 0)
                return r;
        window_begin(&window, remote->pieces, segment);
        window.hint = FRAMES_OFFSET;
        r = reader_start(remote, which, &window, ret);
        window_free(&window);
        return r;
}

/* The greatest time before segment @which; 0: none. */
static int greatest_before(struct logstore_remote *remote, size_t which, int64_t *ret)
{
        struct segment_brief brief;
        int r = read_brief(remote, which, &brief);

        if (r == 0)
                *ret = brief.start.greatest_ns;
        return r;
}

/* The first segment that may have the record: the log before the next one has reached @time_ns. */
static int find_segment(struct logstore_remote *remote, int64_t time_ns, size_t *ret,
                        bool *ret_reached)
{
        size_t low = 0, high = remote->log.segment_count - 1;
        int64_t greatest;
        int r = 0;

        while (r == 0 && low < high) {
                size_t middle = low + (high - low) / 2;

                r = greatest_before(remote, middle + 1, &greatest);
                if (r == 0 && (greatest == 0 || greatest < time_ns))
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret = low;
        *ret_reached = false;
        if (r == 0 && low == 0) { /* what was trimmed may already have reached it */
                r = greatest_before(remote, 0, &greatest);
                *ret_reached = r == 0 && greatest != 0 && greatest >= time_ns;
        }
        return r;
}

static int try_seek_time(struct logstore_remote_cursor *cursor, int64_t time_ns)
{
        struct logstore_remote *remote = cursor->remote;
        struct logstore_record record;
        bool reached = false;
        uint64_t number;
        size_t which;
        int r = reader_look_whole(remote);

        if (r < 0)
                return r;
        if (remote->log.segment_count == 0)
                return reader_stand(cursor, 0);
        r = find_segment(remote, time_ns, &which, &reached);
        if (r < 0)
                return r;
        number = remote->log.segments[which].first_number;
        if (number < reader_bounds(remote).first)
                number = reader_bounds(remote).first;
        r = reader_stand(cursor, number);
        cursor->window.hint = 0;
        while (r == 0 && !reached) {
                r = reader_step(cursor, &record);
                if (r == 0 && record.time_ns >= time_ns)
                        return reader_stand(cursor, record.number);
        }
        return r == -EAGAIN ? 0 : r; /* none: it stands behind the tail */
}

int logstore_remote_cursor_seek_time(struct logstore_remote_cursor *cursor, int64_t time_ns)
{
        struct reader_was was;
        unsigned tries = 0;
        int r = reader_check(cursor, cursor);

        if (r < 0)
                return r;
        was = reader_where(cursor);
        while ((r = try_seek_time(cursor, time_ns)) < 0) {
                reader_put_back(cursor, &was);
                if ((r = reader_again(cursor->remote, r, &tries)) < 0)
                        return r;
        }
        return 0;
}

/* ---- the age of segments ---- */

static int try_first_from(struct logstore_remote *remote, int64_t time_ns, uint64_t *ret_number)
{
        int r = reader_look_whole(remote);
        size_t which = 0;

        for (; r == 0 && which + 1 < remote->log.segment_count; which++) {
                struct segment_brief brief;

                r = read_brief(remote, which + 1, &brief);
                if (r == 0 && brief.started_ns >= time_ns)
                        break;
        }
        if (r == 0)
                *ret_number =
                        remote->log.segment_count ? remote->log.segments[which].first_number : 0;
        return r;
}

int reader_first_from(struct logstore_remote *remote, int64_t time_ns, uint64_t *ret_number)
{
        unsigned tries = 0;
        int r;

        while ((r = try_first_from(remote, time_ns, ret_number)) < 0)
                if ((r = reader_again(remote, r, &tries)) < 0)
                        return r;
        return 0;
}

/* ---- waiting ---- */

/* Has next a record, or an error to tell? The cursor stands as before. */
static bool has_something(struct logstore_remote_cursor *cursor)
{
        int r = reader_settle(cursor);

        return r < 0 || (cursor->id != 0 && cursor->number <= reader_bounds(cursor->remote).tail);
}

/* Until the next look is due, or the time is over. */
static int sleep_until(int64_t until_ns)
{
        int64_t ns = until_ns - clock_boot_ns();
        struct timespec pause = { ns / NS_PER_S, ns % NS_PER_S };

        return ns > 0 && nanosleep(&pause, NULL) < 0 ? remote_detail(-EINTR, "a signal came") : 0;
}

int logstore_remote_cursor_wait(struct logstore_remote_cursor *cursor, int timeout_ms)
{
        int64_t end_ns = timeout_ms < 0 ? INT64_MAX : clock_boot_ns() + timeout_ms * NS_PER_MS;
        int r = reader_check(cursor, cursor);

        while (r == 0 && !has_something(cursor)) {
                int64_t due_ns =
                        cursor->remote->looked_ns + cursor->remote->options.look_ms * NS_PER_MS;

                r = sleep_until(due_ns < end_ns ? due_ns : end_ns);
                if (r == 0 && clock_boot_ns() >= due_ns)
                        r = logstore_remote_look(cursor->remote);
                else if (r == 0 && clock_boot_ns() >= end_ns)
                        return remote_detail(-ETIMEDOUT, "nothing new");
        }
        return r;
}
