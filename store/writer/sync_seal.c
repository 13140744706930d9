/*
 * sync_seal.c - what is synced besides a round: seals, and start frames alone
 *
 * Seal: sync all of the segment. Store the seal and sync it. Sync the control page. Write the index
 *       file, which is never synced, because it is never evidence.
 */
#include <errno.h>
#include <stdio.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/sync.h"
#include "writer/sync_private.h"

static int sync_start_of(struct sync *sync, const struct map *map, size_t bytes, const char *name)
{
        char why[256];
        int r = map_sync(map, bytes);

        if (r == 0)
                return 0;
        snprintf(why, sizeof(why), "%s: offset 0: a sync failed: %s", name, logstore_error_text(r));
        return head_give_up(sync->head, why);
}

int sync_seal_alone(struct sync *sync)
{
        struct segment *segment;
        struct slot *slot;
        struct tail end;
        uint32_t turn, records;
        int r = head_failure(sync->head);

        if (r == 0)
                r = head_oldest_full(sync->head, &turn, &end);
        if (r == 0 && (int32_t)(sync->synced.turn - turn) <= 0)
                r = sync_round(sync); /* the tail is beyond this segment */
        if (r < 0)
                return r;
        r = control_held(sync->head->control); /* else another writer may have sealed it */
        if (r < 0)
                return r;
        slot = &sync->head->slots[turn % HEAD_SLOTS];
        r = sync_check_piece(sync, slot, HEADER_BYTES, end.offset);
        if (r < 0) /* a seal would say that all of it is there */
                return head_give_up(sync->head, logstore_detail());
        segment = slot->segment;
        records = (uint32_t)(end.number + 1 - segment->brief.start.first_number);
        segment_seal(segment, records, end.offset, end.greatest_ns);
        (void)os_touch(segment->fd); /* for backups; the sync below makes it durable */
        r = sync_start_of(sync, &segment->map, HEADER_BYTES, segment->name);
        if (r == 0 && (r = control_sync(sync->head->control)) < 0)
                r = head_give_up(sync->head, logstore_detail());
        if (r < 0)
                return r;
        /* A failure does no harm: a reader that needs the index builds it. */
        segment_write_index(segment, &segment->index, control_file_mode(sync->head->control->page),
                            records, end.offset);
        head_retire(sync->head, turn);
        return 0;
}

static int seal(void *context)
{
        return sync_seal_alone(context);
}

int sync_seal(struct sync *sync)
{
        /* *Behind* asks at every tick. A turn for nothing would hold up syncs. */
        if (atomic_load(&sync->head->oldest) == atomic_load(&sync->head->newest))
                return -EAGAIN;
        return sync_alone(sync, seal, sync);
}

/* ---- a start frame alone ---- */

struct started {
        struct sync *sync;
        uint32_t turn;
};

static int sync_start_frame(void *context)
{
        struct started *started = context;
        struct head *head = started->sync->head;
        struct segment *segment;
        uint64_t end;
        int r = head_failure(head);

        if (r < 0)
                return r;
        if (head_pin(head, started->turn, &segment, &end) < 0)
                return 0; /* others have rolled on, and it is sealed */
        r = sync_start_of(started->sync, &segment->map, FRAMES_OFFSET, segment->name);
        catalog_unpin(head->catalog, segment);
        return r;
}

int sync_all_started_alone(struct sync *sync)
{
        struct started started = { sync, atomic_load(&sync->head->oldest) };
        uint32_t newest = atomic_load(&sync->head->newest);
        int r = 0;

        for (; r == 0 && newest - started.turn < HEAD_SLOTS; started.turn++)
                r = sync_start_frame(&started);
        return r;
}

int sync_started(struct sync *sync, uint32_t turn)
{
        struct started started = { sync, turn };

        return sync_alone(sync, sync_start_frame, &started);
}
