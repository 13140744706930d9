/*
 * sync_private.h - what sync.c and sync_async.c share
 */
#ifndef LOGSTORE_SYNC_PRIVATE_H
#define LOGSTORE_SYNC_PRIVATE_H

#include "sync.h"

/* Call @each with every piece of a segment between what is synced and @to. */
int sync_for_each_piece(struct sync *sync, const struct tail *to,
                        int (*each)(struct sync *, struct slot *, uint64_t from, uint64_t end));

/* A blocking round, for whoever has sync->running. */
int sync_round(struct sync *sync);

/* The result of a round, into the sticky state and then the mark; @why: the detail of @error. */
int sync_conclude(struct sync *sync, const struct tail *to, int error, const char *why);

/* Was a page of the piece lost? Then a sync of its file says nothing about what was stored there. */
int sync_check_piece(struct sync *sync, struct slot *slot, uint64_t from, uint64_t end);

/* Have the helper, and let it look. Under sync->lock. */
int sync_wake_helper(struct sync *sync);

/* Take in what a ring round has completed, unless another thread is about to; under sync->lock. */
void sync_reap_ring(struct sync *sync);

/* Sleep until more of the ring round has completed, and take it in; -1: no deadline. Under sync->lock,
 * which is let go of meanwhile. */
int sync_wait_ring(struct sync *sync, int64_t deadline_ns);

/* May a round begin: has everybody come back whom the last one released, or had the time to? Under
 * sync->lock. */
bool sync_gathered(struct sync *sync);

/* Run a blocking round for all who wait. Under sync->lock, which is let go of. */
int sync_lead_unlock(struct sync *sync);

/* Until a round has ended, or some of one in the ring was taken in; -1: no deadline. Under sync->lock,
 * which is let go of. */
int sync_wait_unlock(struct sync *sync, int64_t deadline_ns);

/* Let those who wait look again. */
void sync_wake(struct sync *sync);

/* A round of any form ended: the next may begin. Under sync->lock. */
void sync_end_round(struct sync *sync);

/* A round of any form ended: tell the eventfd if that is what was asked for, else go on with it. Under
 * sync->lock. */
void sync_continue(struct sync *sync);

int sync_check_number(struct sync *sync, uint64_t number);

/* Does the file reach as far as was claimed in the segment of the tail? Where somebody cut it within a page,
 * frames that were there are zeros, and the tail waits for them. -EIO, sticky. */
int sync_check_length(struct sync *sync);

#endif
