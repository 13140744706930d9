/*
 * recovery.h - where the log ends, and going on from there
 */
#ifndef LOGSTORE_RECOVERY_H
#define LOGSTORE_RECOVERY_H

#include "catalog.h"
#include "head.h"

struct unsealed {
        uint64_t id, end, records;
        int64_t greatest_ns; /* time in the log up to its end */
};

struct recovery {
        /* What the log is found to be */
        struct tail tail; /* its end; .turn is not used */
        uint64_t records; /* numbers in the segment that the tail is in */
        /* What is not counted any more */
        uint64_t dropped_records; /* valid frames behind the end, */
        uint64_t dropped_bytes;
        int damage; /* -EBADMSG: the end is before the durable mark; detail says so */
        uint64_t damage_offset;
        const char *why; /* why it ends there; NULL: nothing is behind */
        /* Segments that were scanned, oldest first */
        struct unsealed *unsealed;
        size_t unsealed_count, unsealed_room;
};

/* fsync the unsealed segments, then read them as the disk has them, ahead by io_uring if @ahead. Changes
 * nothing. -EIO and the like: the disk failed, which is no torn tail. What it found is to be freed. */
int recovery_scan(struct catalog *catalog, const struct control_slot *slot, bool ahead,
                  struct recovery *ret);
void recovery_free(struct catalog *catalog, struct recovery *recovery);

/* Start a new head behind the end that was found, durable, drop what is off the chain, and bump the
 * epoch. *ret is the new head, pinned. */
int recovery_start(struct catalog *catalog, struct control *control,
                   const struct recovery *recovery, struct segment **ret, struct tail *ret_tail);

/* May the head go on where @recovery found the end, without a new segment, which a full disk has no
 * room for? Only if nothing at all is behind it. *ret is then what recovery_resume() needs. */
bool recovery_in_place(struct catalog *catalog, const struct control_slot *slot,
                       const struct recovery *recovery, struct control_slot *ret);

/* After a clean close: the head goes on at @slot's mark; its index is rebuilt. 1: there is more behind
 * the mark, or a pad before it is spoilt: all records are there, but the end is to be looked for.
 * -EBUSY, without detail: a writer whose control file was replaced still has the segment, and may store
 * into it behind the end at any time, so that the log must go on in another one. */
int recovery_resume(struct catalog *catalog, const struct control_slot *slot, struct segment **ret,
                    struct tail *ret_tail, uint32_t *ret_records);

#endif
