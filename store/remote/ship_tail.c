/*
 * ship_tail.c - ship what is durable of the newest segment, in commits that have its bytes
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/ship_private.h"

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
        struct remote_entry entry = ship_part_entry(part, from, at->offset, first, at->number - 1);
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
                r = ship_set_end(part, &place, &header);
        if (r == 0)
                r = ship_commit(ship, &header, &entry, NULL, 0, bytes);
        free(bytes);
        return r;
}

/* From what is shipped to what is durable, in pieces of whole batches. A batch that no commit can
 * hold makes an object of what there is of the segment. */
static int ship_frames(struct logstore_ship *ship, struct ship_part *part)
{
        struct frames_at at = tail_from(ship, part);
        int r = 0;

        while (r == 0 && at.offset < part->extent->end) {
                bool begins = at.offset == FRAMES_OFFSET;
                uint64_t from = begins ? 0 : at.offset, first = at.number;

                r = frames_walk(part->fd, part->extent->name, &part->brief, part->extent->end,
                                COMMIT_PAYLOAD_MAX - FRAMES_OFFSET, &at, NULL);
                if (r == -E2BIG)
                        return ship_wholes(ship, part->extent, 1);
                if (r == 0)
                        r = commit_tail(ship, part, from, first, &at);
                if (r == 0)
                        r = ship_checkpoint(ship);
        }
        return r == 0 ? ship_progress(ship, part->extent) : r;
}

int ship_tail(struct logstore_ship *ship, const struct logstore_extent *extent)
{
        struct ship_part part = { .extent = extent, .fd = -1, .term = (uint32_t)ship->last.term };
        const struct remote_place *end = &ship->last.end;
        uint64_t there = end->id == extent->id ? end->offset : 0;
        sem_t *passed = ship_gate_tail(ship->gate, extent->end - there);
        int r = ship->stopped ? remote_detail(-ECANCELED, "stopped") : 0; /* while it waited */

        if (r == 0)
                r = ship_part_open(ship, &part);
        if (r == 0)
                r = ship_frames(ship, &part);
        ship_gate_leave(passed);
        ship_part_close(&part);
        return r;
}
