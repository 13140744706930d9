/*
 * keeper.h - the background threads: work that appends should not wait for
 */
#ifndef LOGSTORE_KEEPER_H
#define LOGSTORE_KEEPER_H

#include <pthread.h>
#include <stdbool.h>

#include "retention.h"

struct keeper {
        struct head *head;
        struct sync *sync;
        struct retention *retention;
        pthread_mutex_t lock; /* without the threads, callers take turns */
        pthread_t ahead, behind;
        bool started;
        _Atomic bool stop;
        uint64_t writeback_bytes; /* start writeback behind the tail in pieces of this; 0: never */
        uint64_t sync_bytes;      /* policy "interval": 0: off */
        int64_t sync_ns;
        /* Its own memory */
        uint32_t written_turn; /* writeback was started up to here */
        uint64_t written_offset;
        struct tail tail_seen;
        bool busy;        /* much has happened since the last look */
        bool unlinking;   /* files of trimmed segments are left */
        int64_t moved_ns; /* when the tail was last seen to move, or the threads began */
        int64_t idle_ns;  /* how long it has not moved, in ticks */
        int64_t last_retention_ns, oldest_unsynced_ns;
        uint64_t touched;   /* durable number when the files were touched last, */
        int64_t touched_ns; /* and when that was */
        uint64_t retained;  /* the tail when retention was applied last */
};

int keeper_start(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);

/* One round of its work; what a store without the thread does in the way of its callers. */
void keeper_round(struct keeper *keeper);

/* Have the times of the active segment and the control file say that they changed, if something
 * became durable since that was done, and that is a second ago: backups believe these times, and
 * stores through a mapping do not move them. A segment that is full is touched when it is sealed. */
void keeper_touch(struct keeper *keeper);

/* The same at once; nothing runs beside it. */
void keeper_touch_now(struct keeper *keeper);

/* Sync if the policy "interval" asks for it now. */
void keeper_sync(struct keeper *keeper);

#endif
