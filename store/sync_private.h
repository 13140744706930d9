/*
 * sync_private.h - what sync.c and sync_async.c share
 */
#ifndef LOGSTORE_SYNC_PRIVATE_H
#define LOGSTORE_SYNC_PRIVATE_H

#include "sync.h"

/* Call @each with every piece of a segment between what is synced and @to. */
int sync_for_each_piece(struct sync *sync, const struct tail *to,
                        int (*each)(struct sync *, struct slot *, uint64_t from, uint64_t end));

/* The result of a round, into the sticky state and then the mark. */
int sync_conclude(struct sync *sync, const struct tail *to, int error);

/* Take in what a ring round has completed, unless another thread is about to; under sync->lock. */
void sync_reap_ring(struct sync *sync);

/* Sleep until more of the ring round has completed, and take it in; -1: no deadline. Under sync->lock,
 * which is let go of meanwhile. */
int sync_wait_ring(struct sync *sync, int64_t deadline_ns);

/* Let those who wait look again. */
void sync_wake(struct sync *sync);

/* A round of any form ended: the next may begin. Under sync->lock. */
void sync_end_round(struct sync *sync);

/* A round of any form ended: tell the eventfd if that is what was asked for, else go on with it. Under
 * sync->lock. */
void sync_continue(struct sync *sync);

int sync_check_number(struct sync *sync, uint64_t number);

#endif
