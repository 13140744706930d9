/*
 * sync_seal.c - what is synced besides a round: seals, and start frames alone
 *
 * Seal: sync all of the segment. Store the seal and sync it. Sync the control page. Write the index
 *       file, which is never synced, because it is never evidence.
 */
#include <errno.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/sync.h"
#include "writer/sync_private.h"

static int sync_start_of(struct sync *sync, const struct segment *segment, size_t bytes)
{
        return segment_sync_start(segment, bytes) < 0
                       ? writer_give_up(sync->writer, logstore_detail())
                       : 0;
}

int sync_seal_alone(struct sync *sync)
{
        struct segment *segment;
        struct gate *gate;
        struct tail end;
        uint32_t turn, records;
        int r = writer_failure(sync->writer);

        if (r == 0)
                r = writer_oldest_full(sync->writer, &turn, &end);
        if (r == 0 && (int32_t)(sync->synced.turn - turn) <= 0)
                r = sync_round(sync); /* the tail is beyond this segment */
        if (r < 0)
                return r;
        r = control_held(sync->writer->control); /* else another writer may have sealed it */
        if (r < 0)
                return r;
        gate = &sync->writer->gates[turn % WRITER_GATES];
        r = sync_check_piece(sync, gate, HEADER_BYTES, end.offset);
        if (r < 0) /* a seal would say that all of it is there */
                return writer_give_up(sync->writer, logstore_detail());
        segment = gate->segment;
        records = (uint32_t)(end.number + 1 - segment->brief.start.first_number);
        segment_seal(segment, records, end.offset, end.greatest_ns);
        (void)os_touch(segment->fd); /* for backups; the sync below makes it durable */
        r = sync_start_of(sync, segment, HEADER_BYTES);
        if (r == 0 && (r = control_sync(sync->writer->control)) < 0)
                r = writer_give_up(sync->writer, logstore_detail());
        if (r < 0)
                return r;
        /* A failure does no harm: a reader that needs the index builds it. */
        segment_write_index(segment, &segment->index,
                            control_file_mode(sync->writer->control->page), records, end.offset);
        writer_retire(sync->writer, turn);
        return 0;
}

static int seal(void *context)
{
        return sync_seal_alone(context);
}

int sync_seal(struct sync *sync)
{
        /* *Behind* asks at every tick. A turn for nothing would hold up syncs. */
        if (atomic_load(&sync->writer->oldest) == atomic_load(&sync->writer->newest))
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
        struct writer *writer = started->sync->writer;
        struct segment *segment;
        uint64_t end;
        int r = writer_failure(writer);

        if (r < 0)
                return r;
        if (writer_pin(writer, started->turn, &segment, &end) < 0)
                return 0; /* others have rolled on, and it is sealed */
        r = sync_start_of(started->sync, segment, FRAMES_OFFSET);
        chain_unpin(writer->chain, segment);
        return r;
}

int sync_all_started_alone(struct sync *sync)
{
        struct started started = { sync, atomic_load(&sync->writer->oldest) };
        uint32_t newest = atomic_load(&sync->writer->newest);
        int r = 0;

        for (; r == 0 && newest - started.turn < WRITER_GATES; started.turn++)
                r = sync_start_frame(&started);
        return r;
}

int sync_started(struct sync *sync, uint32_t turn)
{
        struct started started = { sync, turn };

        return sync_alone(sync, sync_start_frame, &started);
}
