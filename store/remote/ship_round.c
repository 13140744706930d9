/*
 * ship_round.c - ship what is durable now: sealed segments as objects, the newest as tails
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/frames.h"
#include "remote/ship_private.h"

/* Fill in where the log's end is once this commit is there, and what proves it. */
static int set_end(const struct ship_part *part, const struct remote_place *end,
                   struct commit_header *header)
{
        header->end = *end;
        header->tail_bytes = end->offset < PROOF_BYTES ? end->offset : PROOF_BYTES;
        header->epoch = part->brief.start.epoch;
        return frames_hash(part->fd, part->extent->name, end->offset - header->tail_bytes,
                           end->offset, end->salt, true, &header->tail_check);
}

/* ---- sealed ---- */

/* Does the end that is shipped lie beyond the segment? Then a WHOLE leaves it where it is. */
static bool is_behind(const struct logstore_ship *ship, const struct ship_part *part)
{
        const struct remote_place *end = &ship->last.end;

        return end->id > part->extent->id;
}

static int commit_whole(struct logstore_ship *ship, struct ship_part *part)
{
        const struct remote_entry *entry = &part->entry;
        struct remote_place place = { entry->id, entry->salt, entry->to, entry->last_number };
        struct commit_header header = ship->last;
        int r = is_behind(ship, part) ? 0 : set_end(part, &place, &header);

        if (r != 0)
                return r;
        header.kind = COMMIT_WHOLE;
        header.nonce = entry->nonce;
        ship->report.objects++;
        ship->report.bytes += entry->object_bytes;
        r = ship_commit(ship, &header, entry, part->directory.blocks, part->directory.count, NULL);
        part->directory.blocks = NULL; /* taken over */
        return r;
}

static int ship_whole(struct logstore_ship *ship, struct ship_part *part)
{
        int r = ship_part_put(ship, part);

        return r == 0 ? commit_whole(ship, part) : r;
}

/* ---- unsealed ---- */

/* Where the tail goes on: in the segment that was shipped last, or at the beginning of the next. */
static struct frames_at tail_from(const struct logstore_ship *ship, const struct ship_part *part)
{
        const struct remote_place *end = &ship->last.end;

        if (end->id == part->extent->id && end->salt == part->extent->salt)
                return (struct frames_at){ end->offset, end->number + 1 };
        return frames_begin(&part->brief);
}

static int commit_tail(struct logstore_ship *ship, const struct ship_part *part, uint64_t from,
                       uint64_t first, const struct frames_at *at)
{
        struct commit_header header = ship->last;
        struct remote_entry entry =
                ship_part_entry(ship, part, from, at->offset, first, at->number - 1);
        struct remote_place place = { part->extent->id, part->extent->salt, at->offset,
                                      at->number - 1 };
        size_t size = at->offset - from;
        char *bytes = malloc(size);
        int r;

        if (!bytes)
                return remote_detail(-ENOMEM, "no memory for %zu bytes of a tail", size);
        header.kind = COMMIT_TAIL;
        header.nonce = 0;
        r = frames_read(part->fd, part->extent->name, bytes, size, from);
        frames_blank_seal(bytes, r == 0 ? size : 0, from);
        if (r == 0)
                r = set_end(part, &place, &header);
        if (r == 0)
                r = ship_commit(ship, &header, &entry, NULL, 0, bytes);
        free(bytes);
        return r;
}

/* From what is shipped to what is durable, in pieces of whole batches. A batch that no commit can
 * hold makes an object of what there is of the segment. */
static int ship_tail(struct logstore_ship *ship, struct ship_part *part)
{
        struct frames_at at = tail_from(ship, part);
        int r = 0;

        while (r == 0 && at.offset < part->extent->end) {
                bool begins = at.offset == FRAMES_OFFSET;
                uint64_t from = begins ? 0 : at.offset, first = at.number;

                r = frames_walk(part->fd, part->extent->name, &part->brief, part->extent->end,
                                COMMIT_PAYLOAD_MAX - FRAMES_OFFSET, &at, NULL);
                if (r == -E2BIG)
                        return ship_whole(ship, part);
                if (r == 0)
                        r = commit_tail(ship, part, from, first, &at);
                if (r == 0)
                        r = ship_checkpoint(ship);
        }
        return r;
}

/* ---- all of them ---- */

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
                if (!ship->table.lines[i].entry.sealed)
                        return ship->table.lines[i].entry.id;
        return ship->last.end.id;
}

static int ship_extent(struct logstore_ship *ship, const struct logstore_extent *extent)
{
        const struct table_line *line = table_whole(&ship->table, extent->id, extent->salt);
        struct ship_part part;
        int r;

        if (line && line->entry.sealed && line->entry.to == extent->end)
                return 0;
        if (!extent->sealed &&
            (extent->id < ship->last.end.id || extent->end <= FRAMES_OFFSET ||
             (extent->id == ship->last.end.id && extent->end <= ship->last.end.offset)))
                return 0;
        r = ship_part_open(ship, extent, &part);
        if (r != 0)
                return r;
        /* Another copy sealed it where the log was cut, and this one goes on in it. */
        if (line && line->entry.sealed && line->entry.to < extent->end)
                r = ship_whole(ship, &part);
        else
                r = extent->sealed ? ship_whole(ship, &part) : ship_tail(ship, &part);
        if (r == 0)
                r = ship_checkpoint(ship);
        ship_part_close(&part);
        return r;
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

static int ship_listed(struct logstore_ship *ship, const struct extents *extents)
{
        uint64_t done = 0, total = 0;
        int r = 0;

        for (size_t i = 0; i < extents->count; i++)
                total += extents->list[i].end;
        for (size_t i = 0; r == 0 && i < extents->count; i++) {
                r = ship_extent(ship, &extents->list[i]);
                done += extents->list[i].end;
                if (ship->options.progress)
                        ship->options.progress(ship->options.context, done, total);
                if (r == 0 && ship->stopped)
                        r = remote_detail(-ECANCELED, "stopped");
        }
        return r;
}

/* If the log was cut, a claim says so, also where no record comes behind the cut. */
static int compare(struct logstore_ship *ship)
{
        struct remote_place end = ship->last.end;
        int r = ship_compare(ship);

        if (r == 0 && (end.id != ship->last.end.id || end.offset != ship->last.end.offset))
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

int logstore_ship_round(struct logstore_ship *ship)
{
        int r = 0;

        do {
                if (!ship->claimed)
                        r = logstore_ship_start(ship);
                if (r == 0)
                        r = ship_extents(ship);
                if (r == 0)
                        r = ship_collect(ship);
                if (r == SHIP_AGAIN)
                        ship->claimed = false;
        } while (r == SHIP_AGAIN);
        return r;
}
