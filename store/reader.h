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

/* In a reading process: what ended the log before @number, if that is due where it ends: a broken chain, or
 * frames that do not lead on from what a mark or a seal covers; 0: a mere end. */
int reader_tell_end(struct logstore *store, uint64_t number);

/* The same, if the control page has no mark: -EBADMSG if good frames lie behind the tail. */
int reader_judge_end(struct logstore *store);

/* The same: -EBADMSG: the log ends before its first number. No trim does that, it leaves the head. */
int reader_check_first(struct logstore *store);

/* There is no @number yet: -EAGAIN, or what ended the log before it. */
int reader_beyond_tail(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number);

/* Is what looks missing merely trimmed since by the writer? */
bool reader_overtaken(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number);

/* Find the frame of @number, of whatever kind, not verified; its segment is pinned in the catalog
 * that was looked in: the store's, or that of @snapshot. -EINVAL, -EAGAIN, -ESTALE, -EBADMSG, -EIO. */
int reader_find(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number,
                struct place *ret);

/*
 * Judge the frame at a place, whose number must be @number: 0 if its check holds; an index file that led
 * astray is passed over, and the place is the right one then. Otherwise it is damage (-EBADMSG or -EIO), or, in a reading process and beyond the durable mark, a tail that was
 * torn or is still being written (-EAGAIN).
 */
int reader_verify(struct logstore *store, struct place *place, uint64_t number);

/* Is it a verdict about what lies on the disk, and not about the call? Also a segment that is no regular
 * file. */
static inline bool reader_is_damage(int error)
{
        return error == -EBADMSG || error == -EPERM;
}

/* Is the place one where something sealed should be? Elsewhere what is missing behind is what is wrong. */
bool reader_is_sealed(const struct segment *segment, uint64_t offset, uint64_t number);

/* What a failure to find or validate @number means: as reader_verify(). @in_batch: the number before is of
 * the same batch, which was durable as a whole if that was. */
int reader_judge(struct logstore *store, struct segment *segment, uint64_t offset, uint64_t number,
                 bool in_batch, const char *what);

/* Does the frame at @offset lead over nothing but pads to @until, where @number is due? A batch goes on at
 * once, with one more of its frames. As reader_verify(). */
int reader_check_joint(struct logstore *store, struct segment *segment, uint64_t offset,
                       uint64_t number, uint64_t until, const char *what);

/* Judge the batch that goes on behind @place: beyond the mark a crash may have torn it, and it counts
 * only as a whole. *whole_until is up to where that is known, and is moved. As reader_verify(). */
int reader_check_batch(struct logstore *store, const struct place *place, uint64_t number,
                       uint64_t *whole_until);

/* Up to where in @segment the batches were found whole on the way to the tail. */
uint64_t reader_followed(struct logstore *store, const struct segment *segment);

void reader_describe(const struct place *place, uint64_t number, struct logstore_record *ret);

#endif
