/*
 * sync_private.h - what the files of sync share
 */
#ifndef LOGSTORE_SYNC_PRIVATE_H
#define LOGSTORE_SYNC_PRIVATE_H

#include "writer/sync.h"

/* Call @each with every piece of a segment between the synced place and @to. */
int sync_for_each_piece(struct sync *sync, const struct tail *to,
                        int (*each)(struct sync *, struct gate *, uint64_t from, uint64_t end));

/* Run a blocking round. The caller has sync->running. */
int sync_round(struct sync *sync);

/* Put the result of a round into the sticky state, then the mark. @why: the detail of @error. */
int sync_conclude(struct sync *sync, const struct tail *to, int error, const char *why);

/* Was a page of the piece, or its file, lost? Then a sync says nothing of what was stored there. */
int sync_check_piece(struct sync *sync, struct gate *gate, uint64_t from, uint64_t end);

/* Start the helper, if there is none yet, and let it look. Under sync->lock. */
int sync_wake_helper(struct sync *sync);

/* Take in what a ring round has completed, unless another thread is about to. Under sync->lock. */
void sync_reap_ring(struct sync *sync);

/* Sleep until more of the ring round has completed, and take it in. Deadline -1: none. Under
 * sync->lock, which is let go of meanwhile. */
int sync_wait_ring(struct sync *sync, int64_t deadline_ns);

/* May a round begin? That is, have all come back that the last one released, or had the time to?
 * Under sync->lock. */
bool sync_gathered(struct sync *sync);

/* Run a blocking round for all that wait. Under sync->lock, which is let go of. */
int sync_lead_unlock(struct sync *sync);

/* Wait until a round has ended, or part of one in the ring was taken in. Deadline -1: none. Under
 * sync->lock, which is let go of. */
int sync_wait_unlock(struct sync *sync, int64_t deadline_ns);

/* Let those that wait look again. */
void sync_wake(struct sync *sync);

/* A round of any form has ended: let the next begin. Under sync->lock. */
void sync_end_round(struct sync *sync);

/* A round of any form has ended. If what was started is done, tell the eventfd; else go on with it.
 * Under sync->lock. */
void sync_continue(struct sync *sync);

int sync_check_number(struct sync *sync, uint64_t number);

/* Does the file reach as far as claims do in the segment of the tail? If somebody cut it within a
 * page, frames that were there are zeros, and the tail waits for them. -EIO, sticky. */
int sync_check_length(struct sync *sync);

#endif
