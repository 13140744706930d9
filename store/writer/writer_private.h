/*
 * writer_private.h - what writer.c, writer_ready.c and writer_roll.c share
 */
#ifndef LOGSTORE_WRITER_PRIVATE_H
#define LOGSTORE_WRITER_PRIVATE_H

#include "writer/writer.h"

static inline struct gate *writer_gate(struct writer *writer, uint32_t turn)
{
        return &writer->gates[turn % WRITER_GATES];
}

/* Where the claims of a word end, in bytes. */
static inline uint64_t word_end(uint64_t word)
{
        return (word & (GATE_CLOSED - 1)) * 8;
}

static inline uint32_t word_records(const struct gate *gate, uint64_t word)
{
        return (uint32_t)(word >> 32) - gate->first_count;
}

/* How a piece of space is made ready: its blocks reserved, its pages in memory. In each way a full
 * disk is an errno here and never a signal later. */
enum ready {
        /* Populate page by page; the blocks are allocated later. For a small store. */
        READY_PAGES,
        /* Write zeros in large pieces, which become large folios, then map them. Folios are made
         * four times as fast, but one store dirties a whole folio. For bulk. */
        READY_BULK,
        /* The same in larger pieces, for long appends. */
        READY_LONG,
        /* Write zeros around the page cache, then populate pages. The blocks are then allocated and
         * written, so a sync of a few records is a plain overwrite without a journal commit. For
         * frequent syncs, which folios and fresh blocks would slow. */
        READY_OVERWRITE,
};

/* Make @segment ready up to @wanted at least, and @ahead further if the disk has space. */
int ready_segment(struct segment *segment, uint64_t *ready, uint64_t wanted, uint64_t ahead,
                  enum ready how);

/* Let claims go as far as the gate is ready, and set where they poke. Under writer->lock. */
void ready_raise_limit(struct writer *writer, struct gate *gate);

/* Wait until another thread's work has ended. Under writer->lock, which is let go of meanwhile. */
void writer_wait_changed(struct writer *writer);

#endif
