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
        /* Where the log leaves it for the next one, or ends. A cut may have left bytes behind. */
        uint64_t leave_offset, leave_number;
};

struct remote_log {
        struct commit_header head; /* the newest commit */
        struct table table;
        struct table_line *lines;        /* copies of the table's, by segment */
        struct remote_segment *segments; /* oldest first */
        size_t segment_count;
        bool is_part; /* of a checkpoint alone: head has the store, the end's number and seq */
};

/* The object is gone that the list or a table named: newer ones have replaced it. Look anew. */
enum { REMOTE_LOG_CHANGED = COMMIT_CHANGED };

/* The log as of a commit whose table was read. The lines' directories stay the table's. Errors as
 * below. */
int remote_log_of(const struct commit_header *head, const struct table *table,
                  struct remote_log *ret);

/* Look at the newest commit, and at its checkpoint. -ENODATA: there is none. -EBADMSG: damaged, or
 * bytes are missing between two lines. REMOTE_LOG_CHANGED. */
int remote_log_read(struct bucket *bucket, struct remote_log *ret);

/* The same as of commit @seq, which a list has just shown as the newest. */
int remote_log_read_at(struct bucket *bucket, uint64_t seq, struct remote_log *ret);

/* The log as of a checkpoint that the list shows, which need not be what is the log now. */
int remote_log_read_checkpoint(struct bucket *bucket, const struct commit_listed *listed,
                               struct remote_log *ret);

/* Take a log that was read whole on to commit @seq, a newer one that a list shows. Mostly one
 * request. After a failure the log is to be freed. Errors as above; -EMEDIUMTYPE: the log of
 * another store is there now. */
int remote_log_update(struct bucket *bucket, struct remote_log *log, uint64_t seq);

/* The segment that has record @number of the log, as an index; SIZE_MAX: none. */
size_t remote_log_find(const struct remote_log *log, uint64_t number);
void remote_log_free(struct remote_log *log);

#endif
