/*
 * fetch_private.h - what the files of a fetch share
 */
#ifndef LOGSTORE_FETCH_PRIVATE_H
#define LOGSTORE_FETCH_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "logstore-remote.h"
#include "remote/remote_log.h"

struct fetch {
        struct bucket *bucket;
        const struct logstore_fetch_options *options;
        int directory; /* DIRECTORY.fetch */
        struct remote_log log;
        _Atomic uint64_t bytes, kept_bytes; /* received, and taken from an earlier fetch */
        pthread_mutex_t lock;               /* over the next one */
        uint64_t done_bytes, total_bytes;   /* for progress */
        uint32_t rounds;
};

/* Have the segment's file with all its bytes, synced. A file that is there and right is kept.
 * REMOTE_LOG_CHANGED, or an error. */
int fetch_segment(struct fetch *fetch, const struct remote_segment *segment);

/* Get a segment's object: its bytes, unpacked, go to @sink. Sizes and hashes are what @entry says,
 * or the call fails, maybe behind the last byte. *ret_received is set in any case. */
int fetch_object(struct bucket *bucket, const struct remote_entry *entry,
                 const struct bucket_sink *sink, uint64_t *ret_received);

/* Check every frame of the file, and that the segment before leads to it. */
int fetch_check_segment(struct fetch *fetch, size_t which);

/* Remove files that are of no segment of the log. */
int fetch_remove_others(struct fetch *fetch);

/* Write the control file: durable is what was fetched. */
int fetch_write_control(struct fetch *fetch);

#endif
