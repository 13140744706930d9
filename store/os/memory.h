/*
 * memory.h - mappings and heap, counted by kind
 */
#ifndef LOGSTORE_MEMORY_H
#define LOGSTORE_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "os/guard.h"
#include "os/os.h"

enum memory_kind { MEMORY_SHARED, MEMORY_PRIVATE, MEMORY_ANONYMOUS, MEMORY_KINDS };

/* One per store. The atomics are only counters: they pair with nothing. */
struct memory {
        _Atomic uint64_t mapped_bytes[MEMORY_KINDS];
        _Atomic uint64_t copied_bytes; /* pages that snapshots copied */
        _Atomic uint64_t heap_bytes;
        _Atomic uint32_t mappings;
        uint64_t anonymous_budget_bytes; /* limit of indexes rebuilt to read */
        /* Where the anonymous mappings are, so that their residency can be asked for. */
        pthread_mutex_t lock;
        struct {
                void *base;
                size_t bytes;
        } anonymous[64];
        size_t anonymous_count, anonymous_missed; /* missed: had no place, only counted */
};

void memory_init(struct memory *memory);

/* A mapping, and the account that counts it. All zero: not mapped. */
struct map {
        void *base;
        size_t bytes;
        enum memory_kind kind;
        struct memory *memory;
        int guard; /* slot of the SIGBUS guard, -1: none */
};

/* Map @bytes of @fd from offset 0. A forked child does not inherit a writable shared mapping. */
int map_file(struct memory *memory, int fd, enum os_map_kind kind, size_t bytes, struct map *ret);
int map_anonymous(struct memory *memory, size_t bytes, struct map *ret);
void map_close(struct map *map);

/* msync(MS_SYNC) of the first @bytes. Also -EIO if a page was lost: stores to it reach no disk. */
int map_sync(const struct map *map, size_t bytes);

/* Did a SIGBUS inside this mapping put zeros in place of a page? Then nothing read from it
 * counts. */
static inline bool map_faulted(const struct map *map)
{
        return map->guard >= 0 && guard_faulted(map->guard);
}

/* Zeroed, counted memory from the heap. NULL: none is left. */
void *memory_new(struct memory *memory, size_t bytes);
void *memory_resize(struct memory *memory, void *pointer,
                    size_t bytes); /* what it adds is not zeroed */
void memory_free(struct memory *memory, void *pointer);

#endif
