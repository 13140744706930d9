/*
 * memory.h - every byte the store holds, counted under its kind
 */
#ifndef LOGSTORE_MEMORY_H
#define LOGSTORE_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"
#include "os.h"

enum memory_kind { MEMORY_SHARED, MEMORY_PRIVATE, MEMORY_ANONYMOUS, MEMORY_KINDS };

/* One per store. Counters only: relaxed, pair with nothing. */
struct memory {
        _Atomic uint64_t mapped_bytes[MEMORY_KINDS];
        _Atomic uint64_t copied_bytes; /* pages that snapshots copied */
        _Atomic uint64_t heap_bytes;
        _Atomic uint32_t mappings;
        uint64_t anonymous_budget_bytes; /* for indexes that are rebuilt to read */
        /* Where the anonymous ones are, so that their residency can be asked for. */
        pthread_mutex_t lock;
        struct {
                void *base;
                size_t bytes;
        } anonymous[64];
        size_t anonymous_count, anonymous_missed; /* of more than fit only how many they are */
};

void memory_init(struct memory *memory);

/* A mapping and its owner's account. Zero-initialised means not mapped. */
struct map {
        void *base;
        size_t bytes;
        enum memory_kind kind;
        struct memory *memory;
        int guard; /* slot of the SIGBUS guard, -1: none */
};

/* Map @bytes of @fd from offset 0; ignored by a fork's child. */
int map_file(struct memory *memory, int fd, enum os_map_kind kind, size_t bytes, struct map *ret);
int map_anonymous(struct memory *memory, size_t bytes, struct map *ret);
void map_close(struct map *map);

/* msync(MS_SYNC) of the first @bytes. -EIO also if a page was lost: what was stored there since went
 * nowhere. */
int map_sync(const struct map *map, size_t bytes);

/* Did a SIGBUS inside this mapping get turned into zeros? Then nothing read from it counts. */
static inline bool map_faulted(const struct map *map)
{
        return map->guard >= 0 && guard_faulted(map->guard);
}

/* Zeroed memory from the heap, counted; NULL: none left. */
void *memory_new(struct memory *memory, size_t bytes);
void *memory_resize(struct memory *memory, void *pointer,
                    size_t bytes); /* the rest is not zeroed */
void memory_free(struct memory *memory, void *pointer);

#endif
