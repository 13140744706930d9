/*
 * reader.h - finding and judging one record, in the writer's process or another
 */
#ifndef LOGSTORE_READER_H
#define LOGSTORE_READER_H

#include "store.h"

/* A found frame; its segment is pinned. */
struct place {
        struct segment *segment;
        uint64_t offset;
        struct record_view view;
};

/* Number of the last durable record, as the writer last published it. */
uint64_t reader_durable(struct logstore *store);

/* Number of the first record kept, and of the last one that readers see. */
uint64_t reader_first(struct logstore *store);
int reader_tail(struct logstore *store, uint64_t *ret);

/* In a reading process: say what ended the log, if @number is due at its end. That is a broken
 * chain, or frames that do not lead on from what a mark or a seal covers. 0: nothing but the
 * end. */
int reader_tell_end(struct logstore *store, uint64_t number);

/* In a reading process, where no control slot is valid: -EBADMSG if good frames lie behind the
 * tail. */
int reader_judge_end(struct logstore *store);

/* In a reading process: -EBADMSG if the log ends before its first number. No trim does that,
 * because a trim leaves the head. */
int reader_check_first(struct logstore *store);

/* Say that there is no @number yet: -EAGAIN, or what ended the log before it. */
int reader_beyond_tail(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number);

/* Has the writer merely trimmed what looks missing? */
bool reader_overtaken(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number);

/* Find the frame of @number, of whatever kind; it is not verified. Its segment is pinned in the
 * chain that was searched: the store's, or that of @snapshot. -EINVAL, -EAGAIN, -ESTALE,
 * -EBADMSG, -EIO. */
int reader_find(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number,
                struct place *ret);

/*
 * Judge the frame at a place, whose number must be @number. Returns 0 if its check holds. If an
 * index file led astray, it is passed over, and *place is then the right place. Else the frame is
 * damage (-EBADMSG or -EIO). In a reading process and beyond the mark it is a tail that was torn or
 * is still being written (-EAGAIN).
 */
int reader_verify(struct logstore *store, struct place *place, uint64_t number);

/* Is the error about what lies on the disk, and not about the call? So is a segment that is no
 * regular file. */
static inline bool reader_is_damage(int error)
{
        return error == -EBADMSG || error == -EPERM;
}

/* Say what a failure to find or validate @number means, as reader_verify() does. @in_batch: the
 * number before is of the same batch; if that was durable, the whole batch was. */
int reader_judge(struct logstore *store, struct segment *segment, uint64_t offset, uint64_t number,
                 bool in_batch, const char *what);

/* The same where frames, or their end, are not what the segment behind on @chain counts. */
int reader_judge_counts(struct chain *chain, struct segment *segment, uint64_t offset,
                        uint64_t number);

/* Does the frame at @offset lead over nothing but pads to @until, where @number is due? Inside a
 * batch the next frame must follow at once. As reader_verify(). */
int reader_check_joint(struct logstore *store, struct segment *segment, uint64_t offset,
                       uint64_t number, uint64_t until, const char *what);

/* Judge the batch that goes on behind @place. Beyond the mark a crash may have torn it, and it
 * counts only as a whole. *whole_until is the number up to which that is known; it is moved on. As
 * reader_verify(). */
int reader_check_batch(struct logstore *store, const struct place *place, uint64_t number,
                       uint64_t *whole_until);

/* The number up to which the follower found the batches of @segment whole. */
uint64_t reader_followed(struct logstore *store, const struct segment *segment);

/* Was @number durable by the mark, though the follower did not reach it? */
bool reader_is_missed(struct logstore *store, uint64_t number);

void reader_describe(const struct place *place, uint64_t number, struct logstore_record *ret);

#endif
