/*
 * reader.h - finding and judging one record, in the writer's process or another
 */
#ifndef LOGSTORE_READER_H
#define LOGSTORE_READER_H

#include "read/view.h"

/* A found frame; its segment is pinned. */
struct place {
        struct segment *segment;
        uint64_t offset;
        struct record_view view;
};

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
int reader_beyond_tail(const struct view *view, uint64_t number);

/* Has the writer merely trimmed what looks missing? */
bool reader_overtaken(const struct view *view, uint64_t number);

/* Find the frame of @number, of whatever kind; it is not verified. Its segment is pinned in the
 * view's chain. -EINVAL, -EAGAIN, -ESTALE, -EBADMSG, -EIO. */
int reader_find(const struct view *view, uint64_t number, struct place *ret);

/*
 * Judge the frame at a place, whose number must be @number. Returns 0 if its check holds. If an
 * index file led astray, it is passed over, and *place is then the right place. Else the frame is
 * damage (-EBADMSG or -EIO). In a reading process and beyond the mark it is a tail that was torn or
 * is still being written (-EAGAIN).
 */
int reader_verify(const struct view *view, struct place *place, uint64_t number);

/* Say what a failure to find or validate @number means: an error as of reader_verify(), never 0.
 * @in_batch: the number before is of the same batch; if that was durable, the whole batch was. */
int reader_judge(const struct view *view, struct segment *segment, uint64_t offset, uint64_t number,
                 bool in_batch, const char *what);

/* The same where frames, or their end, are not what the segment behind counts. */
int reader_judge_counts(const struct view *view, struct segment *segment, uint64_t offset,
                        uint64_t number);

/* Does the frame at @offset lead over nothing but pads to @until, where @number is due? Inside a
 * batch the next frame must follow at once. As reader_verify(). */
int reader_check_joint(const struct view *view, struct segment *segment, uint64_t offset,
                       uint64_t number, uint64_t until, const char *what);

/* Judge the batch that goes on behind @place. Beyond the mark a crash may have torn it, and it
 * counts only as a whole. *whole_until is the number up to which that is known; it is moved on. As
 * reader_verify(). */
int reader_check_batch(const struct view *view, const struct place *place, uint64_t number,
                       uint64_t *whole_until);

void reader_describe(const struct place *place, uint64_t number, struct logstore_record *ret);

#endif
