/*
 * ship_round.c - ship what is durable now: sealed segments as objects, the newest as tails
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/ship_private.h"

struct extents {
        struct logstore_extent *list;
        size_t count, room;
};

/* Does the log lead from the one to the other? The first may have grown since it was told, and then
 * what lies between would be missed. */
static bool leads_to(const struct logstore_extent *extent, const struct logstore_extent *next)
{
        return next->previous_id == extent->id && next->previous_salt == extent->salt &&
               next->previous_end == extent->end;
}

static int collect(void *context, const struct logstore_extent *extent)
{
        struct extents *extents = context;

        if (extents->count && !leads_to(&extents->list[extents->count - 1], extent))
                return SHIP_LOOK_AGAIN;
        if (extents->count == extents->room) {
                size_t room = extents->room ? 2 * extents->room : 16;
                struct logstore_extent *list = reallocarray(extents->list, room, sizeof(*list));

                if (!list)
                        return -ENOMEM;
                extents->list = list;
                extents->room = room;
        }
        extents->list[extents->count++] = *extent;
        return 0;
}

/* The oldest segment that is not there as it is here. */
static uint64_t begin_with(const struct logstore_ship *ship)
{
        for (size_t i = 0; i < ship->table.count; i++)
                if (!ship->table.lines[i].entry.sealed ||
                    ship_is_damaged(ship, &ship->table.lines[i].entry))
                        return ship->table.lines[i].entry.id;
        return ship->last.end.id;
}

/* Is something of the segment to be put again? */
static bool has_damage(const struct logstore_ship *ship, const struct logstore_extent *extent)
{
        for (size_t i = 0; i < ship->table.count; i++) {
                const struct remote_entry *entry = &ship->table.lines[i].entry;

                if (entry->id == extent->id && entry->salt == extent->salt &&
                    ship_is_damaged(ship, entry))
                        return true;
        }
        return false;
}

/* Many commits, one after another, take longer than an object beside the others. What is there
 * already is then sent again, so it must not be more than what is not. */
static bool goes_in_one(const struct logstore_ship *ship, const struct logstore_extent *extent)
{
        const struct remote_place *end = &ship->last.end;
        uint64_t there = end->id == extent->id ? end->offset : 0;

        return extent->end - there > COMMIT_PAYLOAD_MAX && there <= extent->end / 2;
}

/* The log was cut in the segment, and what lies behind the cut is still named. It is a copy that
 * goes on there: who cuts goes on in a new segment. */
static bool was_cut_in(const struct logstore_ship *ship, const struct logstore_extent *extent)
{
        const struct remote_place *end = &ship->last.end;

        for (size_t i = 0; i < ship->table.count; i++) {
                const struct remote_entry *entry = &ship->table.lines[i].entry;

                if (entry->id == end->id && entry->salt == end->salt && entry->to > end->offset)
                        return extent->id == end->id;
        }
        return false;
}

enum plan { PLAN_NOTHING, PLAN_WHOLE, PLAN_TAIL };

static enum plan plan_for(const struct logstore_ship *ship, const struct logstore_extent *extent)
{
        const struct table_line *line = table_whole(&ship->table, extent->id, extent->salt);
        const struct remote_place *end = &ship->last.end;

        if (ship->damaged_count > 0 && has_damage(ship, extent))
                return PLAN_WHOLE;
        if (line && line->entry.sealed && line->entry.to == extent->end &&
            !(end->id == extent->id && end->salt == extent->salt && end->offset < extent->end))
                return PLAN_NOTHING;
        if (extent->sealed)
                return PLAN_WHOLE;
        if (extent->id < end->id || extent->end <= FRAMES_OFFSET ||
            (extent->id == end->id && extent->end <= end->offset))
                return PLAN_NOTHING;
        /* Another copy sealed it where the log was cut, and this one goes on in it. */
        if (line && line->entry.sealed && line->entry.to < extent->end)
                return PLAN_WHOLE;
        return was_cut_in(ship, extent) || goes_in_one(ship, extent) ? PLAN_WHOLE : PLAN_TAIL;
}

static int look(struct logstore_ship *ship, struct extents *extents)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(ship->store, &bounds);

        if (r == 0) {
                ship->durable = bounds.durable;
                r = logstore_extents(ship->store, begin_with(ship), collect, extents);
        }
        return r < 0 ? remote_detail(r, "%s", logstore_detail()) : r;
}

int ship_progress(struct logstore_ship *ship, const struct logstore_extent *extent)
{
        ship->done_bytes += extent->end;
        if (ship->options.progress)
                ship->options.progress(ship->options.context, ship->done_bytes, ship->total_bytes);
        return ship->stopped ? remote_detail(-ECANCELED, "stopped") : 0;
}

/* The segments from *@at on, up to the next one that goes as a tail, if it does. */
static int ship_run(struct logstore_ship *ship, const struct extents *extents, size_t *at,
                    struct logstore_extent *wholes)
{
        size_t count = 0;
        int r;

        for (; *at < extents->count; ++*at) {
                const struct logstore_extent *extent = &extents->list[*at];
                enum plan plan = plan_for(ship, extent);

                if (plan == PLAN_WHOLE)
                        wholes[count++] = *extent;
                else if (plan == PLAN_TAIL)
                        break;
                else if ((r = ship_progress(ship, extent)) < 0)
                        return r;
        }
        r = ship_wholes(ship, wholes, count);
        if (r != 0 || *at == extents->count)
                return r;
        return ship_tail(ship, &extents->list[(*at)++]);
}

static int ship_listed(struct logstore_ship *ship, const struct extents *extents)
{
        struct logstore_extent *wholes = calloc(extents->count + 1, sizeof(*wholes));
        int r = wholes ? 0 : remote_detail(-ENOMEM, "no memory for a list of segments");

        ship->done_bytes = ship->total_bytes = 0;
        for (size_t i = 0; i < extents->count; i++)
                ship->total_bytes += extents->list[i].end;
        for (size_t i = 0; r == 0 && i < extents->count;)
                r = ship_run(ship, extents, &i, wholes);
        free(wholes);
        return r;
}

/* If the log was cut, a claim says so, also where no record comes behind the cut. */
static int compare(struct logstore_ship *ship)
{
        struct remote_place end = ship->last.end;
        int r = ship_compare(ship);

        if (r == 0 && (end.id != ship->last.end.id || end.offset != ship->last.end.offset ||
                       end.number != ship->last.end.number))
                return SHIP_AGAIN;
        return r;
}

static int ship_extents(struct logstore_ship *ship)
{
        int r = SHIP_LOOK_AGAIN;

        while (r == SHIP_LOOK_AGAIN) {
                struct extents extents = { 0 };
                int looked = compare(ship);

                if (looked == 0)
                        looked = look(ship, &extents);
                r = looked == 0 || looked == SHIP_LOOK_AGAIN ? ship_listed(ship, &extents) : looked;
                if (r == 0)
                        r = looked;
                free(extents.list);
        }
        return r;
}

static int ship_all(struct logstore_ship *ship)
{
        int r = ship->claimed ? 0 : ship_start(ship);

        if (r == 0 && ship->searches)
                r = ship_find_damage(ship);
        if (r == 0)
                r = ship_extents(ship);
        if (r == 0)
                r = ship_collect(ship);
        if (r == 0 && ship->damaged_count > 0)
                r = ship_tell_damage(ship);
        if (r == SHIP_AGAIN)
                ship->claimed = false;
        return r;
}

int logstore_ship_round(struct logstore_ship *ship)
{
        return ship_until_settled(ship, ship_all);
}
