/*
 * retention.h - letting go of old segments
 */
#ifndef LOGSTORE_RETENTION_H
#define LOGSTORE_RETENTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "writer/sync.h"

struct retention {
        pthread_mutex_t lock; /* one trim or truncation at a time */
        struct sync *sync;
        struct chain *chain;
        struct control *control;
        _Atomic uint64_t keep_bytes, keep_records;
        _Atomic int64_t keep_ns;
        _Atomic uint64_t floor; /* no trim goes beyond this number; UINT64_MAX: none */
};

void retention_init(struct retention *retention, struct sync *sync, struct chain *chain,
                    struct control *control);

/* The first number that the limits would leave, without the floor. It may read the segments that a
 * limit by records keeps, if they were not counted since the store was opened. */
uint64_t retention_target(struct retention *retention);

/* How many of the first @numbers of the segment of @entry, all durable, are records? It may walk as
 * many segments as *walks says, and counts that down. -EBUSY: it had to walk one more. A number
 * that cannot be read does not count. */
int retention_records(struct chain *chain, const struct chain_entry *entry, uint64_t numbers,
                      size_t *walks, uint64_t *ret);

/* Say what applying the limits would leave. */
int retention_plan(struct retention *retention, uint64_t *ret_first);

/* Delete whole segments before @number and the floor. Syncs wait until the first number is durable,
 * and not until the files are unlinked. -EBUSY: a named position forbids it; nothing is deleted. */
int retention_trim(struct retention *retention, uint64_t number, uint64_t *ret_first);

/* Apply the limits, if there are any, as far as named positions let them. */
int retention_apply(struct retention *retention, uint64_t *ret_first);

/* The same, but count only a few segments, and leave the files to retention_unlink_some(). Does
 * nothing if another thread trims. */
int retention_apply_some(struct retention *retention);

/* Unlink some files of trimmed segments. Returns 0, LEFTOVERS_REMAIN or an error. */
int retention_unlink_some(struct retention *retention);
int retention_unlink_all(struct retention *retention);

#endif
