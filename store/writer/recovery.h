/*
 * recovery.h - where the log ends, and going on from there
 */
#ifndef LOGSTORE_RECOVERY_H
#define LOGSTORE_RECOVERY_H

#include "chain/chain.h"
#include "writer/writer.h"

struct unsealed {
        uint64_t id, end, records;
        int64_t greatest_ns; /* greatest time in the log up to its end */
};

struct recovery {
        /* What the log is found to be */
        struct tail tail; /* its end; .turn is not used */
        uint64_t records; /* numbers in the segment that the tail is in */
        /* What does not count any more */
        uint64_t dropped_records; /* valid frames behind the end, */
        uint64_t dropped_bytes;
        int damage; /* -EBADMSG: the end is no torn tail; the detail says why */
        uint64_t damage_offset;
        const char *why; /* why it ends there; NULL: nothing is committed there */
        /* Segments that were scanned, oldest first */
        struct unsealed *unsealed;
        size_t unsealed_count, unsealed_room;
};

/* Fsync the unsealed segments, then read them as the disk has them; with @ahead io_uring reads
 * ahead. Nothing is changed. -EIO and the like: the disk failed, which is no torn tail. The caller
 * frees *ret by recovery_free(). */
int recovery_scan(struct chain *chain, const struct control_slot *slot, bool ahead,
                  struct recovery *ret);
void recovery_free(struct chain *chain, struct recovery *recovery);

/* Start a new head behind the end that was found, durably; unlink leftovers, seal what was read and
 * raise the epoch. *ret is the new head, pinned. @recovery NULL: there was no segment. */
int recovery_start(struct chain *chain, struct control *control, const struct recovery *recovery,
                   struct segment **ret, struct tail *ret_tail);

/* May the head go on where @recovery found the end, without a new segment, for which a full disk
 * has no room? Only if nothing at all is behind the end. *ret is then the slot that
 * recovery_resume() needs. */
bool recovery_in_place(struct chain *chain, const struct control_slot *slot,
                       const struct recovery *recovery, struct control_slot *ret);

/* After a clean close: go on in the head at @slot's mark, and rebuild its index. Returns
 * RESUME_NOT_THE_END if the log does not end there: frames follow the mark, or do not lead to it.
 * The caller then looks for the end, and whether it is damage. -EBUSY, without detail: a writer
 * whose control file was replaced still has the segment. It may store behind the end at any time,
 * so the log must go on in another segment. */
enum { RESUME_NOT_THE_END = 1 };
int recovery_resume(struct chain *chain, const struct control_slot *slot, struct segment **ret,
                    struct tail *ret_tail, uint32_t *ret_records);

#endif
