/*
 * commit.h - one commit: made, named, and checked when it comes back
 */
#ifndef LOGSTORE_COMMIT_H
#define LOGSTORE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "remote/bucket.h"
#include "remote/remote_format.h"

#define COMMIT_PREFIX "c/"
#define SEGMENT_OBJECT_PREFIX "seg/"
#define COMMIT_NAME_BYTES 48

/* A commit as one object in memory. All pointers lead into bytes. */
struct commit {
        uint8_t *bytes;
        size_t size;
        struct commit_header *header;
        struct remote_entry *entries;
        const uint8_t *payload;
};
void commit_free(struct commit *commit);

/* Names of a commit, of a checkpoint, and of a segment's object. */
void commit_name(char name[COMMIT_NAME_BYTES], uint64_t seq);
void checkpoint_name(char name[COMMIT_NAME_BYTES], uint64_t seq, uint64_t number);
void segment_object_name(char name[BUCKET_NAME_MAX], const struct remote_entry *entry);

/* Which commit has this name, or is this checkpoint's? false: neither. */
bool commit_name_read(const char *name, uint64_t *ret_seq, bool *ret_checkpoint,
                      uint64_t *ret_number);

/* Is it an entry that a shipper may write? */
bool remote_entry_valid(const struct remote_entry *entry);

/* Make the object. @header says all but magic, version, counts and checks. -ENOMEM. */
int commit_make(const struct commit_header *header, const struct remote_entry *entries,
                uint32_t entry_count, const void *payload, uint64_t payload_bytes,
                struct commit *ret);

/* Take over @size malloc'ed @bytes that were read under the name of commit @seq. -EBADMSG: they are
 * no commit, or not that one, or say what none may say; they are freed then. -EPROTONOSUPPORT: of
 * another version. */
int commit_take(uint8_t *bytes, size_t size, uint64_t seq, struct commit *ret);

/* Read commit @seq. -ENOENT; errors of bucket_get() and commit_take(). */
int commit_read(struct bucket *bucket, uint64_t seq, struct commit *ret,
                struct bucket_reply *ret_reply);

/* What one list of commits shows. */
struct commit_listed {
        uint64_t seq;                           /* the newest commit; 0: there is none */
        uint64_t checkpoint, checkpoint_number; /* the newest checkpoint; 0: it shows none */
        bool cut; /* behind that checkpoint the log was cut: what it has may be off the log */
};
int commit_list_newest(struct bucket *bucket, struct commit_listed *ret,
                       struct bucket_reply *ret_reply);

/* The newest commit alone, by a list of one name. *ret_seq is 0 if there is none. */
int commit_list_one(struct bucket *bucket, uint64_t *ret_seq);

/* An object is gone that the newest commit, @seq, names as its @what; or it is that commit. If it
 * is still the newest one, the object is missing: -EBADMSG. Else newer ones have replaced it:
 * COMMIT_CHANGED, look anew. Errors of bucket_list(). */
enum { COMMIT_CHANGED = 1 };
int commit_judge_missing(struct bucket *bucket, uint64_t seq, const char *what);

/* The newest commit there is, and the newest checkpoint that its list shows. Without a commit
 * *ret_seq is 0, without a checkpoint *ret_checkpoint. */
int commit_find_newest(struct bucket *bucket, uint64_t *ret_seq, uint64_t *ret_checkpoint,
                       uint64_t *ret_checkpoint_number, struct bucket_reply *ret_reply);

#endif
