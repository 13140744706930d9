/*
 * open_writer.c - from a chain of segments to a head that takes appends
 *
 * Go on where a clean close ended, or recover. Then take the clean flag off, durably, before the
 * first claim. Then start the background threads. An open that is refused for what lies in the
 * directory has written nothing and removed nothing.
 */
#include <errno.h>

#include "chain/directory.h"
#include "store.h"
#include "verify/verdict.h"
#include "writer/recovery.h"

static int refuse_fault(struct logstore *store)
{
        struct fault fault = { 0 };
        size_t count = store->chain.fault_count;

        if (count == 0)
                return 0;
        fault = store->chain.faults[count - 1].fault; /* the oldest */
        fault.error = store->chain.fault;
        return fault_tell(&fault);
}

/* There is no space for a new segment. Go on in the segment in which the log ends, if nothing torn
 * has to be skipped, and if no sync failed in the life before. The flag that says so is lost if the
 * sync of the control page fails, too. Then the cache alone may have the start frame; with a record
 * behind it, which was read from the disk, it is there. */
static int recover_in_place(struct logstore *store, const struct control_slot *slot,
                            struct recovery *recovery, int full, struct segment **ret,
                            struct tail *ret_tail, uint32_t *ret_records)
{
        uint64_t first = store->control.first_number;
        struct control_slot in_place;
        int r;

        if (slot->flags & CONTROL_FAILED || store->chain.copied_back ||
            !recovery_in_place(&store->chain, slot, recovery, &in_place))
                return full;
        r = recovery_resume(&store->chain, &in_place, ret, ret_tail, ret_records);
        if (r == -EBUSY)
                return full;
        if (r == RESUME_NOT_THE_END)
                return detail(-EBADMSG, "the log ends elsewhere than was just read");
        if (r == 0 && *ret_records == 0)
                r = segment_store_start(*ret);
        if (r < 0)
                return r;
        ret_tail->greatest_ns = recovery->tail.greatest_ns;
        if (first < store->chain.first_number)
                first = store->chain.first_number;
        control_set_head(&store->control, slot->epoch, first, ret_tail->number,
                         ret_tail->segment_id, ret_tail->offset);
        return control_sync(&store->control);
}

static int recover(struct logstore *store, const struct control_slot *slot, struct segment **ret,
                   struct tail *ret_tail, uint32_t *ret_records)
{
        struct recovery recovery = { 0 };
        int r = recovery_scan(&store->chain, slot, !(store->options.flags & LOGSTORE_NO_RING),
                              &recovery);

        if (r == 0 && recovery.damage)
                r = recovery.damage;
        else if (r == 0)
                r = judge_begin(store->chain.first_number, recovery.tail.number + 1);
        if (r == 0)
                r = recovery_start(&store->chain, &store->control, &recovery, ret, ret_tail);
        if (r == 0) {
                store->dropped_records = recovery.dropped_records;
                store->dropped_bytes = recovery.dropped_bytes;
        } else if (os_is_full(r)) {
                r = recover_in_place(store, slot, &recovery, r, ret, ret_tail, ret_records);
        }
        recovery_free(&store->chain, &recovery);
        return r;
}

static int find_active(struct logstore *store, const struct control_slot *slot,
                       struct segment **ret, struct tail *ret_tail, uint32_t *ret_records)
{
        struct chain *chain = &store->chain;
        int r = RESUME_NOT_THE_END;

        *ret_records = 0;
        if (chain->count == 0) {
                /* Sync the names of the control file and of the directory: the process that made
                 * them may have died before it did. Once there is a segment, they are durable. */
                r = os_sync_directory(store->directory);
                if (r < 0)
                        return detail_sync_directory(r, store->path);
                r = directory_sync_parent(store->path);
                return r < 0 ? r : recovery_start(chain, &store->control, NULL, ret, ret_tail);
        }
        if (chain_closed_cleanly(chain, slot) && slot->mark_number + 1 >= chain->first_number)
                r = recovery_resume(chain, slot, ret, ret_tail, ret_records);
        if (r == 0)
                r = directory_clean(chain->directory);
        if (r == RESUME_NOT_THE_END || r == -EBUSY) {
                *ret_records = 0;
                r = recover(store, slot, ret, ret_tail, ret_records);
        }
        if (r == 0)
                r = chain_drop_leftovers(chain);
        if (r == 0)
                r = chain_seal_copies(chain);
        if (r == 0)
                chain_drop_indexes(chain);
        return r;
}

static int begin_head(struct logstore *store, const struct control_slot *slot)
{
        struct segment *segment = NULL;
        uint32_t records;
        struct tail tail;
        int r = find_active(store, slot, &segment, &tail, &records);

        if (r == 0)
                r = writer_begin(&store->writer, segment, &tail, records);
        if (r < 0) {
                if (segment) {
                        chain_forget(&store->chain, segment);
                        chain_unpin(&store->chain, segment);
                }
                return r;
        }
        sync_begin(&store->sync, &store->writer.tail);
        return 0;
}

static int start_keeper(struct logstore *store)
{
        struct keeper *keeper = &store->keeper;
        const struct logstore_options *options = &store->options;
        int r = 0;

        *keeper = (struct keeper){
                .writer = &store->writer,
                .sync = &store->sync,
                .retention = &store->retention,
                .writeback_bytes = options->dirty_soft_bytes,
                .sync_bytes =
                        options->sync_policy == LOGSTORE_SYNC_INTERVAL ? options->sync_bytes : 0,
                .sync_ns = options->sync_ms * INT64_C(1000000),
                .written_turn = 1,
                .touched = atomic_load(&store->sync.durable),
        };
        pthread_mutex_init(&keeper->lock, NULL);
        if (!(options->flags & LOGSTORE_NO_THREAD))
                r = keeper_start(keeper);
        return r < 0 ? detail(r, "cannot start the background thread") : 0;
}

/* There is a head: tell other processes that this one is the writer. */
static int announce(struct logstore *store)
{
        control_set_writer(&store->control);
        return wake_open(&store->memory, store->directory, true,
                         control_file_mode(store->control.page), &store->wake);
}

int store_open_writer(struct logstore *store)
{
        struct control_slot slot;
        int r = refuse_fault(store);

        if (r == 0 && store->chain.unsealed) /* a copy put back, or a recovery on a full disk */
                r = verify_unsealed(store);
        if (r < 0)
                return r;
        chain_slot(&store->chain, &slot);
        /* After a crash the chain may have an epoch whose slot was never stored. */
        if (slot.epoch < chain_newest_epoch(&store->chain))
                slot.epoch = chain_newest_epoch(&store->chain);
        r = control_check_counts(&slot);
        if (r < 0)
                return r;
        control_adopt(&store->control, &slot);
        writer_init(&store->writer, &store->chain, &store->control, &store->wake);
        store->writer.dirty_hard_bytes = store->options.dirty_hard_bytes;
        writer_keep_ready(&store->writer, store->options.ready_bytes);
        store->writer.dirty_refuses = store->options.flags & LOGSTORE_DIRTY_EAGAIN;
        store->writer.fine_time = store->options.flags & LOGSTORE_FINE_TIME;
        sync_init(&store->sync, &store->writer, &store->claims,
                  store->options.flags & LOGSTORE_NO_RING);
        retention_init(&store->retention, &store->sync, &store->chain, &store->control);
        store->retention.keep_bytes = store->options.keep_bytes;
        store->retention.keep_records = store->options.keep_records;
        store->retention.keep_ns = store->options.keep_ns;
        r = claims_init(&store->claims, &store->writer);
        if (r == 0)
                r = begin_head(store, &slot);
        if (r == 0)
                r = announce(store);
        if (r == 0) {
                control_set_flags(&store->control, 0, CONTROL_CLEAN | CONTROL_FAILED);
                r = control_sync(&store->control);
        }
        if (r == 0) {
                atomic_store(&store->control.page->writer_epoch, store->control.epoch);
                store->batch_bytes_max = store->control.page->fixed.segment_bytes - FRAMES_OFFSET;
                r = start_keeper(store);
        }
        return r;
}
