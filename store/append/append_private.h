/*
 * append_private.h - what the files of append share: from a call to its claim
 */
#ifndef LOGSTORE_APPEND_PRIVATE_H
#define LOGSTORE_APPEND_PRIVATE_H

#include "store.h"

/* Returns -EMSGSIZE with a detail. */
int append_too_large(struct logstore *store, uint64_t size);

/* Claim where the fast path could not: make space ready, roll, or say what is in the way. */
int append_claim_slowly(struct logstore *store, uint64_t bytes, uint32_t count, struct claim *ret);

/* A fault during the fill put zeros in the place of the file's page. Fail the store. */
int append_faulted(struct logstore *store);

/* Under LOGSTORE_SYNC_EACH: -EDEADLK if a sync up to @number would wait for a claim of this
 * thread. */
int append_check_own(struct logstore *store, uint64_t number);

static inline bool append_fits(struct logstore *store, uint64_t frame_bytes, uint64_t size)
{
        return size <= PAYLOAD_BYTES_MAX && frame_bytes <= store->batch_bytes_max;
}

static inline int append_claim(struct logstore *store, uint64_t bytes, uint32_t count,
                               struct claim *ret)
{
        int r = writer_claim(&store->writer, bytes, count, ret);

        return __builtin_expect(r == 0, 1) ? 0 : append_claim_slowly(store, bytes, count, ret);
}

/* Claim for a record that this call itself completes. A refusal comes before anything is
 * claimed. */
static inline int append_begin(struct logstore *store, uint64_t bytes, uint32_t count,
                               struct claim *ret)
{
        int r = __builtin_expect(store->options.sync_policy == LOGSTORE_SYNC_EACH, 0)
                        ? append_check_own(store, UINT64_MAX)
                        : 0;

        return r < 0 ? r : append_claim(store, bytes, count, ret);
}

static inline int64_t append_now(const struct logstore *store)
{
        return store->writer.fine_time ? os_now() : os_now_coarse();
}

/* Do what the sync policy demands once the records up to @number are there. */
static inline int append_done(struct logstore *store, uint64_t number)
{
        if (__builtin_expect(store->options.sync_policy == LOGSTORE_SYNC_NONE, 1))
                return 0;
        if (store->options.sync_policy == LOGSTORE_SYNC_EACH)
                return sync_until(&store->sync, number, -1);
        if (!store->keeper.started)
                keeper_sync(&store->keeper);
        return 0;
}

static inline int append_check_fault(struct logstore *store, const struct claim *claim)
{
        return __builtin_expect(map_faulted(&claim->gate->segment->map), 0) ? append_faulted(store)
                                                                            : 0;
}

static inline struct frame *append_frame(const struct claim *claim, uint64_t offset)
{
        return (struct frame *)(claim->gate->base + offset);
}

#endif
