/*
 * ship_compare.c - is what was shipped the beginning of the local log?
 *
 * If it is not, it may have been ours: the log was cut below it, or trimmed. Then it goes on at the
 * cut, or behind the gap. Else the logs have diverged.
 */
#include <errno.h>
#include <inttypes.h>

#include "remote/ship_private.h"

struct sought {
        const struct remote_place *place;
        bool found;
        struct logstore_extent extent;
};

static int seek_extent(void *context, const struct logstore_extent *extent)
{
        struct sought *sought = context;

        if (extent->id == sought->place->id) {
                sought->found = true;
                sought->extent = *extent;
        }
        return 1; /* the first that comes is the one, or it is gone */
}

static int diverged(const struct logstore_ship *ship, const struct remote_place *place,
                    const char *why)
{
        return remote_detail(-EILSEQ,
                             "%s: the logs have diverged: %s (segment %" PRIu64 ", offset %" PRIu64
                             ", record %" PRIu64 ", commit %" PRIu64
                             "): ship to another prefix, or fetch from this one",
                             ship->bucket->url, why, place->id, place->offset, place->number,
                             ship->last.seq);
}

static int seek_first(void *context, const struct logstore_extent *extent)
{
        struct sought *sought = context;

        sought->found = true;
        sought->extent = *extent;
        return 1;
}

/* The log in the bucket begins anew behind record @number. Its end is in no segment, as at the
 * beginning. */
static int begin_behind(struct logstore_ship *ship, uint64_t number)
{
        struct commit_header *last = &ship->last;

        last->end = (struct remote_place){ .number = number };
        last->tail_bytes = last->tail_check = 0;
        last->first_number = number + 1;
        table_drop_dead(&ship->table, &last->end, last->first_number);
        return 0;
}

/* Retention went beyond what was shipped, as it may where a limit of lag is set. What is there
 * begins anew with the first record that is left: the log in the bucket has no gaps. The records
 * from @first_missing on are missing, and no more. */
static int give_up(struct logstore_ship *ship, uint64_t first_missing)
{
        struct logstore_bounds bounds;
        uint64_t number;
        int r = logstore_bounds(ship->store, &bounds);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        number = bounds.first - 1;
        ship->gap_first = first_missing <= number ? first_missing : 0;
        ship->gap_last = number;
        ship->last.epoch = bounds.epoch;
        return begin_behind(ship, number);
}

static bool has_shipped(const struct logstore_ship *ship, uint64_t id, uint64_t salt, uint64_t end)
{
        for (size_t i = 0; i < ship->table.count; i++) {
                const struct remote_entry *entry = &ship->table.lines[i].entry;

                if (entry->id == id && entry->salt == salt && entry->to >= end)
                        return true;
        }
        return false;
}

/* The log goes on at the cut: what was shipped behind it is dead. If nothing that is in the bucket
 * is left before it, the log there begins anew: at the cut if it is the very beginning; else with
 * what is here, since the records before the cut were trimmed there. */
static int go_back(struct logstore_ship *ship, const struct remote_place *cut)
{
        struct commit_header *last = &ship->last;

        if (cut->offset == FRAMES_OFFSET)
                return begin_behind(ship, cut->number);
        if (!has_shipped(ship, cut->id, cut->salt, cut->offset))
                return give_up(ship, UINT64_MAX);
        table_drop_dead(&ship->table, cut, last->first_number);
        return ship_set_end_at(ship, cut, last);
}

/* The log was cut, and goes on at @cut. If that is where the first segment that is left begins, and
 * the log before it is trimmed, records behind the cut may be trimmed as well: how many cannot be
 * told any more, unless that segment leads on from what was shipped. */
static int go_back_or_past(struct logstore_ship *ship, const struct remote_place *cut)
{
        struct sought sought = { 0 };
        int r = logstore_extents(ship->store, 0, seek_first, &sought);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (cut->offset != FRAMES_OFFSET || !sought.found || sought.extent.id != cut->id ||
            sought.extent.previous_id == 0)
                return go_back(ship, cut);
        return give_up(ship, has_shipped(ship, sought.extent.previous_id,
                                         sought.extent.previous_salt, sought.extent.previous_end)
                                     ? UINT64_MAX
                                     : ship->last.first_number);
}

/* The segment that was shipped last is trimmed, and its end is ours. If the first one that is left
 * leads on from there, no record is missing. */
static int go_past(struct logstore_ship *ship, bool gap)
{
        const struct remote_place *end = &ship->last.end;
        struct sought sought = { 0 };
        int r = logstore_extents(ship->store, 0, seek_first, &sought);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (sought.found && sought.extent.previous_id == end->id &&
            sought.extent.previous_salt == end->salt && sought.extent.previous_end == end->offset) {
                ship->trimmed_end = *end;
                return 0;
        }
        return gap ? give_up(ship, end->number + 1)
                   : diverged(ship, end, "the segment that was shipped last is not on this log");
}

/* Where all was cut, a copy from before has smaller numbers. If nothing was cut since, numbers that
 * are left out were trimmed: behind a gap, before its first segment was shipped. */
static int compare_empty(struct logstore_ship *ship)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(ship->store, &bounds);

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (ship->last.end.number && bounds.first > ship->last.end.number + 1 &&
            bounds.epoch == ship->last.epoch)
                return give_up(ship, ship->last.end.number + 1);
        return bounds.first > ship->last.end.number
                       ? 0
                       : diverged(ship, &ship->last.end, "what is here was cut off there");
}

int ship_compare(struct logstore_ship *ship)
{
        const struct commit_header *last = &ship->last;
        const struct remote_place *end = &last->end;
        struct sought sought = { .place = end };
        struct remote_place cut;
        bool same, gap;
        int r;

        ship->gap_first = 0;
        ship->last.epoch = ship->said.epoch;
        ship->last.end = ship->said.end; /* a cut may lie below the last cut */
        ship->last.tail_bytes = ship->said.tail_bytes;
        ship->last.tail_check = ship->said.tail_check;
        if (end->id == 0)
                return compare_empty(ship);
        r = logstore_extents(ship->store, end->id, seek_extent, &sought);
        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (!sought.found || sought.extent.salt != end->salt || sought.extent.end < end->offset) {
                r = ship_was_cut(ship, &cut);
                if (r != 0)
                        return r < 0 ? r : go_back_or_past(ship, &cut);
                r = ship_was_trimmed(ship, &gap);
                if (r != 0)
                        return r < 0 ? r : go_past(ship, gap);
                return diverged(ship, end,
                                sought.found && sought.extent.salt == end->salt
                                        ? "more was shipped than is durable here"
                                        : "the segment that was shipped last is not on this log");
        }
        r = ship_check_end(ship, last, &same);
        if (r == 0 && !same)
                r = diverged(ship, end, "the bytes before the end that was shipped are others");
        return r;
}
