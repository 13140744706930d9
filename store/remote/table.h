/*
 * table.h - all that a bucket holds of a log, in order
 *
 * A line is what one commit brought. A WHOLE takes the place of lines of the same segment that it
 * covers. Lines of segments that a truncation cut off the log fall away when the log goes on.
 */
#ifndef LOGSTORE_TABLE_H
#define LOGSTORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "remote/commit.h"

struct table_line {
        struct remote_entry entry;
        struct remote_block *blocks; /* entry.blocks of them; NULL: none */
};

struct table {
        struct table_line *lines; /* by seq */
        size_t count, room;
};

void table_free(struct table *table);

/* Add a newer line. Takes over the malloc'ed @blocks, also on failure. -ENOMEM. */
int table_add(struct table *table, const struct remote_entry *entry, struct remote_block *blocks,
              uint32_t block_count);

/* The same where no older line is of its segment, or it replaces none. */
int table_push(struct table *table, const struct remote_entry *entry, struct remote_block *blocks,
               uint32_t block_count);

/* Add what a commit says that commits behind @checkpoint_seq brought. */
int table_add_commit(struct table *table, const struct commit *commit, uint64_t checkpoint_seq);

/* Drop the lines of segments that are not on the log, which ends at @end and goes back from there
 * by the links, to the segment with record @first_number. */
void table_drop_dead(struct table *table, const struct remote_place *end, uint64_t first_number);

/* The line with the bytes of segment @id and @salt from the beginning, as many as any has; NULL. */
const struct table_line *table_whole(const struct table *table, uint64_t id, uint64_t salt);

/* The line that has record @number, or NULL. */
const struct table_line *table_find(const struct table *table, uint64_t number);

/* Read the directory of an object that has none here from its commit, if that is still there. */
int table_read_directory(struct bucket *bucket, struct table_line *line);

/* The oldest commit whose own payload the table needs; 0: none. */
uint64_t table_base(const struct table *table);

/* ---- checkpoints ---- */

/* Make the object of a checkpoint; the caller frees *ret_bytes. */
int table_pack(const struct table *table, const uint8_t uuid[16], uint64_t seq,
               uint64_t last_number, uint8_t **ret_bytes, size_t *ret_size);

/* The table as of the newest commit: checkpoint @seq (0: none), and what the commit has behind it.
 * -EBADMSG also where the checkpoint is missing. COMMIT_CHANGED: there is a newer commit. */
int table_read_as_of(struct bucket *bucket, const struct commit *newest, uint64_t seq,
                     uint64_t number, struct table *ret);

/* Read checkpoint @seq into an empty table. -ENOENT; -EBADMSG: damaged, or another store's. */
int table_read(struct bucket *bucket, const uint8_t uuid[16], uint64_t seq, uint64_t number,
               struct table *ret);

/* The same where the store is not known yet. */
int table_read_any(struct bucket *bucket, uint64_t seq, uint64_t number, uint8_t ret_uuid[16],
                   struct table *ret);

#endif
