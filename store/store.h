/*
 * store.h - an open store: everything below it, wired together
 */
#ifndef LOGSTORE_STORE_H
#define LOGSTORE_STORE_H

#include <stdbool.h>

#include "chain/chain.h"
#include "chain/wake.h"
#include "logstore.h"
#include "os/detail.h"
#include "os/guard.h"
#include "writer/claims.h"
#include "writer/keeper.h"
#include "writer/retention.h"
#include "writer/sync.h"
#include "writer/writer.h"

/* How far a reading process has found valid frames. */
struct follower {
        pthread_mutex_t lock;
        uint64_t number; /* last good one */
        uint64_t first;  /* the log's first number at the last walk */
        /* A mark that the frames did not lead to; a read up to it is told why. */
        uint64_t missed;
        /* A mark, or the last number of a seal: nobody has looked what is behind. 0: none. */
        uint64_t trusted;
        uint64_t segment_id;
        uint64_t offset; /* behind the frame of @number */
        uint64_t epoch;
        uint64_t ended; /* without a mark: number due at a mere end; 0: none */
};

/* What a caller sees of the log: all of it, as the store's own writer makes it or as its follower
 * finds it; or a snapshot. read/view.h answers what is there. */
struct view {
        struct logstore *store;
        struct logstore_snapshot *snapshot; /* NULL: the log as it grows */
        struct chain *chain;                /* the store's or the snapshot's */
};

struct logstore {
        struct map alive_page; /* reads as 0 in a fork's child */
        volatile uint32_t *alive;
        struct logstore_options options;
        bool writes;
        bool imagines; /* a lost control file is made up, in memory */
        struct memory memory;
        int directory;
        int lock_fd; /* -1: we do not hold the writer's lock */
        char *path;
        struct control control;
        struct wake wake;
        struct chain chain;
        _Atomic uint64_t children; /* open cursors and snapshots */
        struct follower follower;  /* in a reading process */
        struct view live;          /* of all that the store has */
        /* Writer */
        struct writer writer;
        struct claims claims;
        struct sync sync;
        struct retention retention;
        struct keeper keeper;
        uint64_t batch_bytes_max; /* limit of one claim: what fits in a segment */
        uint64_t dropped_records, dropped_bytes;
        struct logstore *next_store; /* in the process-wide list for fork */
        pthread_mutex_t ring_lock;   /* protects get_ring */
        struct ring *get_ring;
        bool no_get_ring;
};

/* Open a new store. -EEXIST: there is something at @path. */
int store_open_new(const char *path, const struct logstore_options *options, struct logstore **ret);

/* Open for reading under the writer's lock. It is taken before the control page and the chain are
 * read, and held until the store is closed, so what was read stays true. -EBUSY: another has it. */
int store_open_locked(const char *path, struct logstore **ret);

/* Open for reading. Without a control file, make one up from what the segments say. */
int store_open_imagined(const char *path, struct logstore **ret);

/* Once the chain is loaded: find or make the active segment, and take appends from then on. */
int store_open_writer(struct logstore *store);

/* A call begins: the handle is usable here, and faults in mappings are ours. Every successful
 * store_enter() needs a store_leave(). */
static inline int store_enter(struct logstore *store)
{
        if (__builtin_expect(!store, 0))
                return detail(-EINVAL, "the store handle is NULL");
        if (__builtin_expect(*store->alive == 0, 0))
                return detail(-ECHILD, "the store was opened by the parent of this process: open "
                                       "it anew here");
        guard_enter();
        return 0;
}

static inline void store_leave(void)
{
        guard_leave();
}

/* store_enter(), and the store is open for writing. */
static inline int store_enter_writer(struct logstore *store)
{
        int r = store_enter(store);

        if (__builtin_expect(r == 0 && !store->writes, 0)) {
                store_leave();
                return detail(-EROFS, "the store was opened read-only");
        }
        return r;
}

/* What an entry must say so that its record has this time. */
static inline int64_t store_entry_time(int64_t time_ns)
{
        return time_ns ? time_ns : LOGSTORE_TIME_ZERO;
}

#endif
