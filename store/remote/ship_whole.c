/*
 * ship_whole.c - ship segments as objects: several on their way at once, committed in their order
 *
 * Threads check, pack and put; the calling thread creates the commits. An object that was put and
 * gets no commit, because one before it failed, is removed when its term is over.
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/ship_private.h"
#include "remote/workers.h"

/* So many at once at most: each takes a window, a connection and a packer, 8 MiB with the highest
 * levels. */
#define OBJECTS_MOST 8
#define OBJECTS_MOST_HARD 4
#define LEVEL_HARD 12

struct run {
        struct logstore_ship *ship;
        struct ship_part *parts;
};

unsigned ship_wholes_most(const struct logstore_ship_options *options, uint32_t connections)
{
        unsigned most = options->compress < LEVEL_HARD ? OBJECTS_MOST : OBJECTS_MOST_HARD;

        return most < connections ? most : connections;
}

static unsigned count_at_once(const struct logstore_ship *ship, size_t count)
{
        unsigned most = ship_wholes_most(&ship->options, ship->connections);

        return most < count ? most : (unsigned)count;
}

static int put(void *context, size_t which)
{
        struct run *run = context;
        struct ship_part *part = &run->parts[which];
        sem_t *passed = ship_gate_object(run->ship->gate);
        int r = run->ship->stopped ? remote_detail(-ECANCELED, "stopped") : 0; /* while it waited */

        if (r == 0)
                r = ship_part_open(run->ship, part);
        if (r == 0)
                r = ship_part_put(run->ship, part);
        ship_gate_leave(passed);
        return r;
}

/* Does the end that is shipped lie beyond the segment? Then a WHOLE leaves it where it is. */
static bool is_behind(const struct logstore_ship *ship, const struct ship_part *part)
{
        return ship->last.end.id > part->extent->id;
}

static int commit(struct logstore_ship *ship, struct ship_part *part)
{
        const struct remote_entry *entry = &part->entry;
        struct remote_place place = { entry->id, entry->salt, entry->to, entry->last_number };
        struct commit_header header = ship->last;
        int r = is_behind(ship, part) ? 0 : ship_set_end(part, &place, &header);

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

static int finish(void *context, size_t which)
{
        struct run *run = context;
        struct ship_part *part = &run->parts[which];
        int r = commit(run->ship, part);

        if (r == 0)
                r = ship_checkpoint(run->ship);
        if (r == 0)
                r = ship_progress(run->ship, part->extent);
        ship_part_close(part);
        return r;
}

int ship_wholes(struct logstore_ship *ship, const struct logstore_extent *extents, size_t count)
{
        struct run run = { ship, calloc(count + 1, sizeof(*run.parts)) };
        unsigned at_once = count_at_once(ship, count);
        int r;

        if (!run.parts)
                return remote_detail(-ENOMEM, "no memory for %zu segments", count);
        for (size_t i = 0; i < count; i++)
                run.parts[i] = (struct ship_part){
                        .extent = &extents[i],
                        .fd = -1,
                        .term = (uint32_t)ship->last.term,
                        .connections = at_once ? ship->connections / at_once : 1,
                };
        r = workers_run_in_order(count, at_once, put, finish, &run);
        for (size_t i = 0; i < count; i++)
                ship_part_close(&run.parts[i]);
        free(run.parts);
        return r;
}
