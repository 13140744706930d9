/*
 * follower.h - where the log ends for a reading process, which has only the files
 */
#ifndef LOGSTORE_FOLLOWER_H
#define LOGSTORE_FOLLOWER_H

#include "store.h"

/* Walk on to where the log ends now. Under follower.lock. */
int follower_walk(struct logstore *store);

/* The walk on from where a locked follower stands, in @segment. What was trimmed need only lead
 * on. */
static inline struct walk follower_stand(const struct follower *follower,
                                         const struct segment *segment)
{
        return walk_from(follower->offset, segment_ordinal_from(segment, follower->number + 1),
                         segment_ordinal_from(segment, follower->first));
}

/* The last number that a locked follower has found, or that a mark says is there. */
uint64_t follower_told(const struct follower *follower);

/* Walk on, and give that number. */
int follower_find_tail(struct logstore *store, uint64_t *ret);

/* The number up to which the follower found the batches of @segment whole. */
uint64_t follower_whole_until(struct logstore *store, const struct segment *segment);

/* Was @number durable by the mark, though the follower did not reach it? */
bool follower_missed(struct logstore *store, uint64_t number);

#endif
