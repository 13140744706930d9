/*
 * ship_trim.c - take the oldest segments off the log in a bucket
 *
 * A TRIM is a commit that anybody may create who may write there, beside the shipper: it has the
 * shipper's term, and says all that the commit before it says, but for a later first record. The
 * condition of its creation makes it one of the row. Its shipper finds its number taken, and goes
 * on behind it (ship_behind.c).
 *
 * Objects go an hour after a checkpoint that does not name them. Where no shipper runs none would
 * be written, so a trim writes its own: as of its commit, so that nobody else writes the same. A
 * second TRIM names it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "remote/reader.h"
#include "remote/remote.h"
#include "remote/remote_log.h"
#include "remote/ship_private.h"

struct trim {
        const char *url;
        const struct logstore_remote_options *remote;
        const struct logstore_remote_trim_options *options;
        struct logstore_remote_trim_report *report;
        struct logstore_ship *ship; /* which ships nothing */
        uint64_t before, term;      /* what records say, and the log of which term; 0: not yet */
};

static bool is_dry(const struct trim *trim)
{
        return trim->options->flags & LOGSTORE_REMOTE_TRIM_DRY_RUN;
}

/* ---- how far ---- */

static uint64_t stored_bytes(const struct remote_segment *segment)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < segment->line_count; i++) {
                const struct remote_entry *entry = &segment->lines[i].entry;

                bytes += entry->object_bytes ? entry->object_bytes : entry->to - entry->from;
        }
        return bytes;
}

/* The first record of the segments that fit, from the newest one back. */
static uint64_t first_that_fits(const struct remote_log *log, uint64_t keep_bytes)
{
        uint64_t bytes = 0, first = log->head.end.number + 1;

        for (size_t i = log->segment_count; i > 0; i--) {
                bytes += stored_bytes(&log->segments[i - 1]);
                if (bytes > keep_bytes)
                        break;
                first = log->segments[i - 1].first_number;
        }
        return first;
}

/* The first of the last @count records. Voids are none. 0: there are no more. */
static int first_of_last(struct logstore_remote_cursor *cursor, uint64_t count, uint64_t *ret)
{
        struct logstore_record record = { 0 };
        int r = logstore_remote_cursor_seek(cursor, UINT64_MAX);

        while (r == 0 && count-- > 0)
                r = logstore_remote_cursor_prev(cursor, &record);
        *ret = r == 0 ? record.number : 0;
        return r == -EAGAIN ? 0 : r;
}

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Limits that only records can tell. This may take longer than a shipper's interval. As long as no
 * claim comes, the log is only made longer, and what was found stands. */
static int ask_records(struct trim *trim)
{
        const struct logstore_remote_trim_options *options = trim->options;
        struct logstore_remote_info info = { .struct_bytes = sizeof(info) };
        struct logstore_remote_cursor *cursor = NULL;
        struct logstore_remote *remote;
        uint64_t young = 0, last = 0;
        int r = logstore_remote_open(trim->url, trim->remote, NULL, &remote);

        if (r < 0)
                return r;
        r = logstore_remote_info(remote, &info);
        if (r == 0)
                r = logstore_remote_cursor_open(remote, 0, &cursor);
        if (r == 0 && options->keep_ns)
                r = reader_first_from(remote, now_ns() - options->keep_ns, &young);
        if (r == 0 && options->keep_records)
                r = first_of_last(cursor, options->keep_records, &last);
        logstore_remote_cursor_close(cursor);
        logstore_remote_close(remote);
        trim->before = young > last ? young : last;
        trim->term = info.term;
        return r;
}

/* What lies before it may go. 0, SHIP_AGAIN, or an error. */
static int find_before(struct trim *trim, const struct remote_log *log, uint64_t *ret)
{
        const struct logstore_remote_trim_options *options = trim->options;
        uint64_t before = options->before, other = 0;
        int r;

        if ((options->keep_ns || options->keep_records) && trim->term != log->head.term) {
                r = ask_records(trim);
                if (r == 0)
                        r = SHIP_AGAIN; /* it may be long ago */
                return r;
        }
        if (options->keep_bytes)
                other = first_that_fits(log, options->keep_bytes);
        before = other > before ? other : before;
        *ret = trim->before > before ? trim->before : before;
        return 0;
}

/* Is it one object, with its seal? What still comes as tails is needed to put that. */
static bool is_whole(const struct remote_segment *segment)
{
        return segment->line_count == 1 && segment->lines[0].entry.sealed;
}

/* The first record that is left, and how many segments are not. */
static uint64_t find_first(const struct remote_log *log, uint64_t before, uint64_t *ret_segments)
{
        size_t gone = 0;

        while (gone + 1 < log->segment_count && is_whole(&log->segments[gone]) &&
               log->segments[gone].leave_number < before)
                gone++;
        *ret_segments = gone;
        if (gone && log->segments[gone].first_number > log->head.first_number)
                return log->segments[gone].first_number;
        *ret_segments = 0;
        return log->head.first_number;
}

/* Another's commits may have come between two looks, and trims, too. */
static void note_first(struct logstore_remote_trim_report *report, uint64_t was, uint64_t first,
                       uint64_t segments)
{
        if (report->first_before == 0)
                report->first_before = was;
        if (segments > report->segments)
                report->segments = segments;
        report->first = first;
}

/* Find what is to be left of the log as it was looked at. 0, SHIP_AGAIN, or an error. */
static int plan(struct trim *trim)
{
        const struct logstore_ship *ship = trim->ship;
        uint64_t before, segments, first;
        struct remote_log log;
        int r = remote_log_of(&ship->said, &ship->table, &log);

        if (r < 0)
                return r;
        r = find_before(trim, &log, &before);
        if (r == 0) {
                first = find_first(&log, before, &segments);
                note_first(trim->report, log.head.first_number, first, segments);
        }
        remote_log_free(&log);
        return r;
}

/* ---- doing it ---- */

static int no_log(const struct logstore_ship *ship)
{
        return remote_detail(-ENODATA, "%s: no log was shipped here", ship->bucket->url);
}

/* @first_number is from the commit that was looked at, or from a later one. */
static int commit(struct logstore_ship *ship, uint64_t first_number)
{
        struct commit_header header = ship->last;

        header.kind = COMMIT_TRIM;
        header.first_number = first_number;
        return ship_commit(ship, &header, NULL, NULL, 0, NULL);
}

/* No commit names a checkpoint that knows the log as it is now, and no shipper has come since who
 * would write one. */
static bool lacks_checkpoint(const struct logstore_ship *ship)
{
        return ship->said.kind == COMMIT_TRIM && ship->said.checkpoint_seq + 1 < ship->said.seq;
}

static int cut(struct trim *trim)
{
        struct logstore_ship *ship = trim->ship;
        int r = ship_find(ship);

        if (r != 0)
                return r == -EAGAIN ? SHIP_AGAIN : r;
        if (ship->said.seq == 0)
                return no_log(ship);
        r = plan(trim);
        if (r != 0 || is_dry(trim))
                return r;
        if (trim->report->first == ship->said.first_number && !lacks_checkpoint(ship))
                return 0;
        r = commit(ship, trim->report->first);
        if (r == 0)
                trim->report->commit = ship->said.seq;
        return r;
}

static int step(struct logstore_ship *ship)
{
        return cut(ship->options.context);
}

/* A shipper that was faster writes a checkpoint in its time, and so does the next trim. */
static int write_checkpoint(struct logstore_ship *ship)
{
        int r = ship_put_checkpoint(ship);

        if (r == 0)
                r = commit(ship, ship->last.first_number);
        return r == SHIP_AGAIN || r == -EAGAIN ? 0 : r;
}

/* Before the bucket is tried out, which may even make it. */
static int check_there(struct logstore_ship *ship)
{
        uint64_t seq;
        int r = commit_list_one(ship->bucket, &seq);

        return r == 0 && seq == 0 ? no_log(ship) : r;
}

static int try_out(struct logstore_ship *ship)
{
        int r = check_there(ship);

        if (r == 0)
                r = ship_probe(ship);
        if (r == 0 && ship->may_not_remove)
                r = remote_detail_within(-EACCES, "nothing is trimmed, as nothing may be removed");
        return r;
}

static int run(struct trim *trim)
{
        struct logstore_ship *ship = trim->ship;
        int r = is_dry(trim) ? 0 : try_out(ship);

        if (r == 0)
                r = ship_until_settled(ship, step);
        if (r == -EAGAIN)
                remote_detail_within(r, "no trim for five minutes");
        if (r == 0 && trim->report->commit)
                r = write_checkpoint(ship);
        if (r == 0 && !is_dry(trim))
                r = ship_collect(ship);
        trim->report->removed = ship->removed;
        if (r == 0 && ship->may_not_remove)
                r = -EACCES; /* the bucket's line stands */
        return r;
}

static int check_options(const struct logstore_remote_trim_options *options)
{
        if (options->flags & ~(uint32_t)LOGSTORE_REMOTE_TRIM_DRY_RUN)
                return remote_detail(-EINVAL, "flags %#x: some are not known", options->flags);
        if (options->keep_ns < 0)
                return remote_detail(-EINVAL, "keep_ns is below 0");
        return 0;
}

int logstore_remote_trim(const char *url, const struct logstore_remote_options *remote,
                         const struct logstore_remote_trim_options *options,
                         struct logstore_remote_trim_report *ret)
{
        struct trim trim = { .url = url, .remote = remote, .options = options, .report = ret };
        struct bucket *bucket;
        int r;

        if (!url || !options || !ret)
                return remote_detail(-EINVAL, "an argument is NULL");
        if (options->struct_bytes != sizeof(*options) || ret->struct_bytes != sizeof(*ret))
                return remote_detail(-EINVAL, "struct_bytes is not set");
        *ret = (struct logstore_remote_trim_report){ .struct_bytes = sizeof(*ret) };
        r = check_options(options);
        if (r == 0)
                r = remote_open(url, remote, &bucket);
        if (r < 0)
                return r;
        trim.ship = ship_new(bucket);
        if (!trim.ship)
                return remote_detail(-ENOMEM, "no memory for a trim");
        trim.ship->options.context = &trim;
        r = run(&trim);
        logstore_ship_close(trim.ship);
        return r;
}
