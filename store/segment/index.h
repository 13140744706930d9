/*
 * index.h - from a record's ordinal to its place inside one segment
 */
#ifndef LOGSTORE_INDEX_H
#define LOGSTORE_INDEX_H

#include <stdbool.h>

#include "format.h"
#include "os/memory.h"

#define INDEX_STRIDE 4 /* of an active segment: one byte per record */

void index_name(uint64_t id, char name[32]);

/* There is an entry for each of the ordinals 1, 1 + stride, ...: the frame's offset / 8. The stride
 * is a power of two. An entry counts only for an ordinal that the caller knows to be set. A reader
 * that a truncation has overtaken may load an entry while it is set, so the accesses are
 * relaxed. */
struct index {
        struct map map;
        const _Atomic uint32_t *entries;
        uint64_t count; /* of entries: room in memory, or what the file has */
        uint32_t stride_shift;
        uint64_t populated_bytes; /* of the entries, taken by index_populate() */
};

/* Address space that the index of a segment of @segment_bytes takes. */
uint64_t index_bytes(uint64_t segment_bytes);

/* Make an anonymous index for a segment of @segment_bytes. It takes memory as entries are set. */
int index_new(struct memory *memory, uint64_t segment_bytes, struct index *ret);

/* Map `id.idx`. -ENOENT: it is missing. -EBADMSG: it is garbled or another segment's: rebuild
 * it. */
int index_open(struct memory *memory, int directory, uint64_t id, uint64_t salt, uint64_t records,
               struct index *ret);

/* Write the first @records of @index as `id.idx`. It is never evidence, so nothing is synced. */
int index_write(const struct index *index, int directory, uint32_t mode, uint64_t id, uint64_t salt,
                uint64_t records, uint64_t end);
void index_close(struct index *index);

/* Take memory for the entries of the first @records, so that setting them does not fault. If there
 * is none, it is taken as entries are set. The index is anonymous; one thread at a time. */
void index_populate(struct index *index, uint64_t records);

static inline void index_set(struct index *index, uint32_t ordinal, uint64_t offset)
{
        uint32_t at = ordinal - 1;

        if ((at & ((1u << index->stride_shift) - 1)) == 0)
                atomic_store_explicit((_Atomic uint32_t *)index->map.base +
                                              (at >> index->stride_shift),
                                      (uint32_t)(offset / 8), memory_order_relaxed);
}

/* The nearest frame at or before @ordinal that the index knows. */
static inline uint64_t index_floor(const struct index *index, uint32_t ordinal,
                                   uint32_t *ret_ordinal)
{
        uint32_t entry = (ordinal - 1) >> index->stride_shift;

        if (entry >= index->count) { /* no checked ordinal comes here; stay inside all the same */
                *ret_ordinal = 1;
                return FRAMES_OFFSET;
        }
        *ret_ordinal = (entry << index->stride_shift) + 1;
        return (uint64_t)atomic_load_explicit(&index->entries[entry], memory_order_relaxed) * 8;
}

#endif
