/*
 * batch_note.h - where large batches end, so that the tail goes over them in one step
 *
 * The first frame of a batch is committed last. So the tail may hop from that frame to the end of
 * the batch, if it knows where that is. The appender notes the end here before that commit.
 *
 * The notes are a small table by place, and hints only. Where a note was displaced, the tail walks
 * over the frames. The place contains the segment's id, so a note never means another segment.
 */
#ifndef LOGSTORE_BATCH_NOTE_H
#define LOGSTORE_BATCH_NOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BATCH_NOTES_LOG2 10
#define BATCH_NOTES (1 << BATCH_NOTES_LOG2)
#define BATCH_NOTES_BEHIND 64 /* batches ahead of the tail, at most: then 3 % are displaced */
#define BATCH_NOTE_RECORDS 16 /* the tail walks over fewer as fast */
#define BATCH_NOTE_BUSY 1     /* no place is 1: each offset is beyond the header */

struct batch_note {
        _Atomic uint64_t place;  /* segment id mod 2^32 << 32 | offset / 8; 0: none */
        _Atomic uint64_t extent; /* records << 32 | bytes / 8 */
        _Atomic int64_t greatest_ns;
};

static inline uint64_t batch_place(uint64_t segment_id, uint64_t offset)
{
        return segment_id << 32 | offset / 8;
}

/* Places of equal batches are evenly spaced. One product alone would put those of some sizes on few
 * slots (of batches of 32 KiB, 69 % of the notes were displaced), so we mix twice. */
static inline struct batch_note *batch_note_of(struct batch_note *batch_notes, uint64_t place)
{
        uint64_t mixed = place * UINT64_C(0x9e3779b97f4a7c15);

        mixed = (mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15);
        return &batch_notes[mixed >> (64 - BATCH_NOTES_LOG2)];
}

/* Each store is a release and each load an acquire. A reader that sees a part of a later note finds
 * the place changed. */
static inline void batch_note_put(struct batch_note *batch_notes, uint64_t place, uint64_t bytes,
                                  uint32_t records, int64_t greatest_ns)
{
        struct batch_note *note = batch_note_of(batch_notes, place);
        uint64_t was = atomic_load_explicit(&note->place, memory_order_relaxed);

        if (was == BATCH_NOTE_BUSY ||
            !atomic_compare_exchange_strong(&note->place, &was, (uint64_t)BATCH_NOTE_BUSY))
                return; /* another thread writes this note */
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
