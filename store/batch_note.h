/*
 * batch_note.h - where large batches end, so that the tail goes over them in one step
 *
 * A batch's first frame is committed last: who sees it may go to the batch's end, if he knows where
 * that is. The appender notes it here before that commit. A small table by place, of hints only: a
 * note that was displaced costs the walk over the frames (5 ns each, a sixth of two threads' time).
 * The segment's id is part of the place, so a note is never of another segment.
 */
#ifndef LOGSTORE_BATCH_NOTE_H
#define LOGSTORE_BATCH_NOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BATCH_NOTES_LOG2 10
#define BATCH_NOTES (1 << BATCH_NOTES_LOG2)
#define BATCH_NOTES_BEHIND 64 /* of the tail at most: then 3 % are displaced */
#define BATCH_NOTE_RECORDS 16 /* fewer are walked as fast */
#define BATCH_NOTE_BUSY 1     /* no place: an offset is beyond the header */

struct batch_note {
        _Atomic uint64_t place;  /* segment id mod 2^32 << 32 | offset / 8; 0: none */
        _Atomic uint64_t extent; /* records << 32 | bytes / 8 */
        _Atomic int64_t greatest_ns;
};

static inline uint64_t batch_place(uint64_t segment_id, uint64_t offset)
{
        return segment_id << 32 | offset / 8;
}

/* Places of equal batches lie evenly, and a product alone would put those of some sizes on few slots (69 % of
 * the notes displaced, of batches of 32 KiB): so twice. */
static inline struct batch_note *batch_note_of(struct batch_note *batch_notes, uint64_t place)
{
        uint64_t mixed = place * UINT64_C(0x9e3779b97f4a7c15);

        mixed = (mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15);
        return &batch_notes[mixed >> (64 - BATCH_NOTES_LOG2)];
}

/* Each store is a release and each load an acquire: who reads a part of a later note finds its place
 * changed. */
static inline void batch_note_put(struct batch_note *batch_notes, uint64_t place, uint64_t bytes,
                                  uint32_t records, int64_t greatest_ns)
{
        struct batch_note *note = batch_note_of(batch_notes, place);
        uint64_t was = atomic_load_explicit(&note->place, memory_order_relaxed);

        if (was == BATCH_NOTE_BUSY ||
            !atomic_compare_exchange_strong(&note->place, &was, (uint64_t)BATCH_NOTE_BUSY))
                return; /* another thread is at it */
        atomic_store_explicit(&note->extent, (uint64_t)records << 32 | bytes / 8,
                              memory_order_release);
        atomic_store_explicit(&note->greatest_ns, greatest_ns, memory_order_release);
        atomic_store_explicit(&note->place, place, memory_order_release);
}

static inline bool batch_note_find(struct batch_note *batch_notes, uint64_t place,
                                   uint64_t *ret_bytes, uint32_t *ret_records,
                                   int64_t *ret_greatest_ns)
{
        struct batch_note *note = batch_note_of(batch_notes, place);
        uint64_t extent;

        if (atomic_load_explicit(&note->place, memory_order_acquire) != place)
                return false;
        extent = atomic_load_explicit(&note->extent, memory_order_acquire);
        *ret_greatest_ns = atomic_load_explicit(&note->greatest_ns, memory_order_acquire);
        *ret_bytes = (extent & UINT32_MAX) * 8;
        *ret_records = (uint32_t)(extent >> 32);
        return atomic_load_explicit(&note->place, memory_order_relaxed) == place;
}

#endif
