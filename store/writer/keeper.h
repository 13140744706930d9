/*
 * keeper.h - the background threads: work that appends should not wait for
 */
#ifndef LOGSTORE_KEEPER_H
#define LOGSTORE_KEEPER_H

#include <pthread.h>
#include <stdbool.h>

#include "writer/retention.h"

struct keeper {
        struct writer *writer;
        struct sync *sync;
        struct retention *retention;
        pthread_mutex_t lock; /* over the memory of *behind*; callers only try it */
        pthread_t ahead, behind;
        bool started;
        _Atomic bool stop;
        uint64_t writeback_bytes; /* writeback starts behind the tail in such pieces; 0: never */
        uint64_t sync_bytes;      /* of the policy "interval"; 0: off */
        int64_t sync_ns;
        /* The memory of *behind* */
        uint32_t written_turn; /* writeback was started up to here */
        uint64_t written_offset;
        struct tail tail_seen;
        bool busy;        /* much has happened since the last look */
        bool unlinking;   /* files of trimmed segments are left */
        int64_t moved_ns; /* when the tail was last seen to move, or the threads began */
        int64_t idle_ns;  /* for how long it has not moved */
        int64_t last_retention_ns, oldest_unsynced_ns;
        uint64_t touched;   /* durable number at the last touch of the files, */
        int64_t touched_ns; /* and when that was */
        uint64_t retained;  /* the tail at the last look of retention */
};

int keeper_start(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);

/* One round of both threads' work. A store without threads does it in its callers. */
void keeper_round(struct keeper *keeper);

/* Set the times of the active segment and the control file, if something became durable since that
 * was done, at most once a second. Backups believe these times, and stores through a mapping do not
 * move them. A full segment is touched when it is sealed. */
void keeper_touch(struct keeper *keeper);

/* The same at once. Nothing runs beside it. */
void keeper_touch_now(struct keeper *keeper);

/* Sync if the policy "interval" asks for it now. */
void keeper_sync(struct keeper *keeper);

#endif
