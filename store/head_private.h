/*
 * head_private.h - what head.c, head_ready.c and head_roll.c share
 */
#ifndef LOGSTORE_HEAD_PRIVATE_H
#define LOGSTORE_HEAD_PRIVATE_H

#include "head.h"

static inline struct slot *head_slot(struct head *head, uint32_t turn)
{
        return &head->slots[turn % HEAD_SLOTS];
}

/* Where the claims of a word end, in bytes. */
static inline uint64_t word_end(uint64_t word)
{
        return (word & (HEAD_CLOSED - 1)) * 8;
}

static inline uint32_t word_records(const struct slot *slot, uint64_t word)
{
        return (uint32_t)(word >> 32) - slot->first_count;
}

/* How the space of a piece is reserved and its pages made ready. Whichever: a full disk is an errno
 * here and never a signal later. */
enum ready {
        /* Pages populated one by one, blocks still to be allocated: for a small store. */
        READY_PAGES,
        /* Zeros written in large pieces: large folios, made four times as fast, then mapped. For bulk:
         * one store dirties a whole folio. */
        READY_BULK,
        /* The same in larger pieces, for long appends. */
        READY_LONG,
        /* Zeros written around the page cache, then pages populated: blocks are there and written, so
         * a sync of a few records is a plain overwrite without a journal commit. For frequent
         * syncs, which folios and fresh blocks would make slow. */
        READY_OVERWRITE,
};

/* Make @segment ready up to @wanted at least, and @ahead further if there is space for it. */
int ready_segment(struct segment *segment, uint64_t *ready, uint64_t wanted, uint64_t ahead,
                  enum ready how);

/* Let claims go as far as the slot is ready. Under head->lock. */
void ready_raise_limit(struct head *head, struct slot *slot);

/* Under head->lock, which is let go of meanwhile: until somebody else's work on it has ended. */
void head_wait_changed(struct head *head);

#endif
