/*
 * index.h - from a record's ordinal to its place inside one segment
 */
#ifndef LOGSTORE_INDEX_H
#define LOGSTORE_INDEX_H

#include <stdbool.h>

#include "format.h"
#include "memory.h"

#define INDEX_STRIDE 4 /* of an active segment: one byte per record */

/* An entry for the ordinals 1, 1 + stride, ...: offset / 8 of the frame. The stride is a power of
 * two. An entry says something only for ordinals that its owner knows to be set; a reader that a
 * truncation has overtaken may look at one which is just being set, hence the relaxed accesses. */
struct index {
        struct map map;
        const _Atomic uint32_t *entries;
        uint64_t count; /* entries that there is room for, or that are there */
        uint32_t stride_shift;
        uint64_t populated_bytes; /* of the entries, in memory before they are set */
};

/* Address space that one for a segment of @segment_bytes takes. */
uint64_t index_bytes(uint64_t segment_bytes);

/* Anonymous, for a segment of @segment_bytes. Memory is taken as entries are set. */
int index_new(struct memory *memory, uint64_t segment_bytes, struct index *ret);

/* Map `id.idx`. -ENOENT; -EBADMSG: not that of this segment, or garbled: rebuild it. */
int index_open(struct memory *memory, int directory, uint64_t id, uint64_t salt, uint64_t records,
               struct index *ret);

/* Write the first @records of @index as `id.idx`. Nothing is synced: it is never evidence. */
int index_write(const struct index *index, int directory, uint32_t mode, uint64_t id, uint64_t salt,
                uint64_t records, uint64_t end);
void index_close(struct index *index);

/* Take memory for the first @records, so that setting their entries does not fault. What there is none for
 * is taken as entries are set. Anonymous; one thread at a time. */
void index_populate(struct index *index, uint64_t records);

static inline void index_set(struct index *index, uint32_t ordinal, uint64_t offset)
{
        uint32_t at = ordinal - 1;

        if ((at & ((1u << index->stride_shift) - 1)) == 0)
                atomic_store_explicit((_Atomic uint32_t *)index->map.base +
                                              (at >> index->stride_shift),
                                      (uint32_t)(offset / 8), memory_order_relaxed);
}

/* The nearest place at or before @ordinal that the index knows. */
static inline uint64_t index_floor(const struct index *index, uint32_t ordinal,
                                   uint32_t *ret_ordinal)
{
        uint32_t entry = (ordinal - 1) >> index->stride_shift;

        if (entry >= index->count) { /* cannot be for a checked ordinal; stay inside all the same */
                *ret_ordinal = 1;
                return FRAMES_OFFSET;
        }
        *ret_ordinal = (entry << index->stride_shift) + 1;
        return (uint64_t)atomic_load_explicit(&index->entries[entry], memory_order_relaxed) * 8;
}

#endif
