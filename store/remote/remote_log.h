/*
 * remote_log.h - the log that a bucket holds, as of one commit
 */
#ifndef LOGSTORE_REMOTE_LOG_H
#define LOGSTORE_REMOTE_LOG_H

#include "remote/table.h"

/* One segment: the lines that have its bytes, first to last. */
struct remote_segment {
        const struct table_line *lines;
        size_t line_count;
        uint64_t id, salt;
        uint64_t end; /* bytes that are there */
        uint64_t first_number, last_number;
};

struct remote_log {
        struct commit_header head; /* the newest commit */
        struct table table;
        struct table_line *lines;        /* copies of the table's, by segment */
        struct remote_segment *segments; /* oldest first */
        size_t segment_count;
};

/* The object is gone that the list or a table named: newer ones have replaced it. Look anew. */
enum { REMOTE_LOG_CHANGED = COMMIT_CHANGED };

/* Look at the newest commit, and at its checkpoint. -ENODATA: there is none. -EBADMSG: damaged, or
 * bytes are missing between two lines. REMOTE_LOG_CHANGED. */
int remote_log_read(struct bucket *bucket, struct remote_log *ret);
void remote_log_free(struct remote_log *log);

#endif
