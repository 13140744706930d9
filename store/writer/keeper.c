/*
 * keeper.c - the background threads: work that appends should not wait for
 *
 * Ahead:  makes space ready in front of the claims. A claim that passes gate->poke wakes it.
 * Behind: prepares the next segment, starts writeback behind the tail, syncs by policy, seals full
 *         segments, touches files for backups, applies retention, and wakes readers whose turn a
 *         killed one did not pass on. It is a thread of its own because it may wait for the disk at
 *         each of these. It looks every millisecond where much happens, else every ten. If nothing
 *         moves, it sleeps until an append or a round wakes it. When the log moves again after a
 *         long rest, it unmaps the ready pages.
 *
 * Errors: none is lost. A failed sync is sticky in the writer. If anything else fails here (no
 *         space, no descriptors), the append that needs it fails in the same way and reports it.
 */
#include "writer/keeper.h"

#include <errno.h>

#include "os/thread.h"

/* A look takes time from a thread that syncs its records one by one, so look seldom. */
#define TICK_NS INT64_C(10000000)
#define BUSY_TICK_NS INT64_C(1000000)
#define BUSY_BYTES (UINT64_C(256) << 10) /* appended in one tick: busy */
#define IDLE_NS INT64_C(100000000)       /* without movement, then *behind* sleeps for good */
#define RETENTION_NS INT64_C(1000000000)
#define TOUCH_NS INT64_C(1000000000)   /* between touches: each costs a journal commit */
#define WRITTEN_NS INT64_C(5000000000) /* dirty_writeback_centisecs: how often the kernel writes */

/* How far to start writeback. Whole folios only (writer_ready.c): a folio that is still being
 * filled would be written twice. A caller that asks for smaller pieces gets them. */
static uint64_t write_end(const struct keeper *keeper, uint64_t filled)
{
        uint64_t unit =
                keeper->writeback_bytes < LONG_FOLIO_BYTES ? os_page_bytes() : LONG_FOLIO_BYTES;

        return filled & ~(unit - 1);
}

/*
 * Drop the page table entries of finished pages, then start their writeback. Writeback would
 * write-protect each entry that is in place, with a TLB shootdown, and go several times slower.
 */
static void write_piece(struct segment *segment, uint64_t from, uint64_t to)
{
        os_zap((char *)segment->map.base + from, to - from);
        os_start_writeback(segment->fd, from, to - from); /* the sync reports errors */
}

static void write_behind(struct keeper *keeper, const struct tail *tail)
{
        struct writer *writer = keeper->writer;
        uint64_t page = os_page_bytes(), claimed_end, to;
        struct segment *segment;

        if (keeper->writeback_bytes == 0)
                return;
        for (;;) {
                bool last = keeper->written_turn == tail->turn;

                if (writer_pin(writer, keeper->written_turn, &segment, &claimed_end) < 0) {
                        keeper->written_turn = writer->oldest; /* sealed meanwhile */
                        keeper->written_offset = 0;
                        if ((int32_t)(keeper->written_turn - tail->turn) > 0)
                                return;
                        continue;
                }
                to = last ? write_end(keeper, tail->offset) : claimed_end & ~(page - 1);
                if (to >= keeper->written_offset + (last ? keeper->writeback_bytes : page)) {
                        write_piece(segment, keeper->written_offset, to);
                        keeper->written_offset = to;
                }
                chain_unpin(writer->chain, segment);
                if (last)
                        return;
                keeper->written_turn++;
                keeper->written_offset = 0;
        }
}

static void sync_by_policy(struct keeper *keeper, const struct tail *tail)
{
        int64_t now = os_monotonic();
        uint64_t durable = atomic_load(&keeper->sync->durable);

        if (keeper->sync_bytes == 0)
                return;
        if (tail->number <= durable) {
                keeper->oldest_unsynced_ns = 0;
                return;
        }
        if (keeper->oldest_unsynced_ns == 0)
                keeper->oldest_unsynced_ns = now;
        if (now - keeper->oldest_unsynced_ns >= keeper->sync_ns ||
            sync_behind(keeper->sync, tail) >= keeper->sync_bytes) {
                sync_until(keeper->sync, tail->number, -1); /* its failure is sticky */
                keeper->oldest_unsynced_ns = 0;
        }
}

void keeper_sync(struct keeper *keeper)
{
        struct tail tail;

        if (pthread_mutex_trylock(&keeper->lock) != 0)
                return; /* another caller is at it */
        writer_tail(keeper->writer, &tail);
        sync_by_policy(keeper, &tail);
        pthread_mutex_unlock(&keeper->lock);
}

/* A touch fails only if the disk has failed, and then the next sync says so. */
void keeper_touch_now(struct keeper *keeper)
{
        uint64_t durable = atomic_load(&keeper->sync->durable), claimed_end;
        struct writer *writer = keeper->writer;
        struct segment *segment;

        if (writer_pin(writer, atomic_load(&writer->newest), &segment, &claimed_end) == 0) {
                (void)os_touch(segment->fd);
                chain_unpin(writer->chain, segment);
        }
        (void)os_touch(writer->control->fd);
        keeper->touched = durable;
        keeper->touched_ns = os_monotonic();
}

static void touch(struct keeper *keeper)
{
        if (atomic_load(&keeper->sync->durable) != keeper->touched &&
            os_monotonic() - keeper->touched_ns >= TOUCH_NS)
                keeper_touch_now(keeper);
}

void keeper_touch(struct keeper *keeper)
{
        if (pthread_mutex_trylock(&keeper->lock) != 0)
                return; /* another caller is at it */
        touch(keeper);
        pthread_mutex_unlock(&keeper->lock);
}

static void prepare_next(struct keeper *keeper, const struct tail *tail)
{
        uint64_t bytes = keeper->writer->control->page->fixed.segment_bytes;

        if (tail->offset > bytes / 2)
                writer_prepare(keeper->writer);
}

/* Returns whether the log has moved again after a rest. */
static bool round_behind(struct keeper *keeper)
{
        bool rested = false;
        struct tail tail;
        int64_t now = os_monotonic();

        writer_tail(keeper->writer, &tail);
        prepare_next(keeper, &tail);
        write_behind(keeper, &tail);
        sync_by_policy(keeper, &tail);
        while (sync_seal(keeper->sync) == 0)
                ;
        touch(keeper);
        if (now - keeper->last_retention_ns >= RETENTION_NS) {
                retention_apply_some(keeper->retention);
                keeper->last_retention_ns = now;
                keeper->retained = tail.number;
        }
        keeper->unlinking = retention_unlink_some(keeper->retention) == LEFTOVERS_REMAIN;
        keeper->busy = keeper->sync_bytes != 0 || tail.turn != keeper->tail_seen.turn ||
                       tail.offset - keeper->tail_seen.offset >= BUSY_BYTES;
        if (tail.number != keeper->tail_seen.number) {
                wake_tick(keeper->writer->wake);
                rested = now - keeper->moved_ns > WRITTEN_NS;
                keeper->moved_ns = os_monotonic(); /* this round may have waited for the disk */
        }
        keeper->tail_seen = tail;
        return rested;
}

void keeper_round(struct keeper *keeper)
{
        if (pthread_mutex_trylock(&keeper->lock) != 0)
                return; /* another caller is at it */
        writer_ready_ahead(keeper->writer);
        round_behind(keeper);
        pthread_mutex_unlock(&keeper->lock);
}

/* Is something due at its time, though nothing moves? */
static bool rests_early(const struct keeper *keeper)
{
        return keeper->retention->keep_ns || keeper->retained != keeper->tail_seen.number ||
               keeper->touched != atomic_load(&keeper->sync->durable);
}

/* Sleep until poked, for a tick at most. When idle, sleep longer: until something is due. */
static void rest(struct keeper *keeper, uint32_t poked)
{
        struct writer *writer = keeper->writer;
        int64_t tick_ns = keeper->busy ? BUSY_TICK_NS : TICK_NS, longest_ns;
        bool moved = writer_tail_number(writer, UINT64_MAX) != keeper->tail_seen.number;

        keeper->idle_ns = moved || keeper->oldest_unsynced_ns || keeper->unlinking
                                  ? 0
                                  : keeper->idle_ns + tick_ns;
        if (keeper->idle_ns < IDLE_NS) {
                os_futex_wait(&writer->poked, poked, tick_ns, false);
                return;
        }
        /* Pairs with writer_publish() and sync_conclude(), which look at it after their store.
         * Either they see this store, or we see theirs. */
        atomic_store(&writer->asleep, 1);
        longest_ns = os_fence_all() < 0 ? IDLE_NS : rests_early(keeper) ? RETENTION_NS : -1;
        if (writer_tail_number(writer, UINT64_MAX) == keeper->tail_seen.number &&
            !atomic_load(&keeper->stop))
                os_futex_wait(&writer->poked, poked, longest_ns, false);
        atomic_store(&writer->asleep, 0);
        keeper->idle_ns = 0;
}

static void run_ahead(void *context)
{
        struct keeper *keeper = context;
        struct writer *writer = keeper->writer;

        while (!atomic_load(&keeper->stop)) {
                uint32_t poked = atomic_load(&writer->poked);
                writer_ready_ahead(writer);
                if (!atomic_load(&keeper->stop))
                        os_futex_wait(&writer->poked, poked, -1, false);
        }
}

static void run_behind(void *context)
{
        struct keeper *keeper = context;

        while (!atomic_load(&keeper->stop)) {
                uint32_t poked = atomic_load(&keeper->writer->poked);
                pthread_mutex_lock(&keeper->lock);
                if (round_behind(keeper))
                        writer_unmap_ready(keeper->writer);
                pthread_mutex_unlock(&keeper->lock);
                if (!atomic_load(&keeper->stop))
                        rest(keeper, poked);
        }
}

static void stop(struct keeper *keeper)
{
        atomic_store(&keeper->stop, true);
        writer_poke(keeper->writer);
}

int keeper_start(struct keeper *keeper)
{
        int r;

        keeper->writer->threaded = true;
        keeper->moved_ns = os_monotonic();
        r = thread_start(&keeper->ahead, run_ahead, keeper);
        if (r == 0) {
                r = thread_start(&keeper->behind, run_behind, keeper);
                if (r < 0) {
                        stop(keeper);
                        pthread_join(keeper->ahead, NULL);
                }
        }
        keeper->started = r == 0;
        keeper->writer->threaded = r == 0;
        keeper->writer->wake->ticked = r == 0;
        return r;
}

void keeper_stop(struct keeper *keeper)
{
        if (!keeper->started)
                return;
        stop(keeper);
        pthread_join(keeper->ahead, NULL);
        pthread_join(keeper->behind, NULL);
        keeper->started = false;
        keeper->writer->threaded = false;
}
