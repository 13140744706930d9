/*
 * memory.c - mappings and heap, counted by kind
 *
 * The store's mappings and the heap memory that outlives a call come from here. So the counts in
 * struct memory are true, and a test can compare them with /proc/self/smaps. Not counted: the
 * handle itself, an io_uring, and the pages that guard.c puts over a fault.
 */
#include "os/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

void memory_init(struct memory *memory)
{
        pthread_mutex_init(&memory->lock, NULL);
}

static void note_anonymous(struct memory *memory, void *base, size_t bytes)
{
        pthread_mutex_lock(&memory->lock);
        if (memory->anonymous_count < sizeof(memory->anonymous) / sizeof(memory->anonymous[0])) {
                memory->anonymous[memory->anonymous_count].base = base;
                memory->anonymous[memory->anonymous_count++].bytes = bytes;
        } else {
                memory->anonymous_missed++;
        }
        pthread_mutex_unlock(&memory->lock);
}

static void forget_anonymous(struct memory *memory, void *base)
{
        size_t at = 0;

        pthread_mutex_lock(&memory->lock);
        while (at < memory->anonymous_count && memory->anonymous[at].base != base)
                at++;
        if (at < memory->anonymous_count)
                memory->anonymous[at] = memory->anonymous[--memory->anonymous_count];
        else
                memory->anonymous_missed--;
        pthread_mutex_unlock(&memory->lock);
}

/* The kernel maps whole pages. */
static size_t mapped_bytes(size_t bytes)
{
        size_t page = os_page_bytes();

        return (bytes + page - 1) / page * page;
}

static int count_map(struct memory *memory, void *base, size_t bytes, enum memory_kind kind,
                     struct map *ret)
{
        *ret = (struct map){ .base = base, .bytes = bytes, .kind = kind, .memory = memory };
        ret->guard = kind == MEMORY_ANONYMOUS ? -1 : guard_add(base, bytes);
        if (kind == MEMORY_ANONYMOUS)
                note_anonymous(memory, base, bytes);
        atomic_fetch_add(&memory->mapped_bytes[kind], mapped_bytes(bytes));
        atomic_fetch_add(&memory->mappings, 1);
        return 0;
}

int map_file(struct memory *memory, int fd, enum os_map_kind kind, size_t bytes, struct map *ret)
{
        void *base;
        int r = os_map(fd, kind, bytes, &base);

        if (r < 0)
                return r;
        /* A child that ran on would write straight into the parent's files. */
        r = kind == OS_SHARED_WRITE ? os_no_fork(base, bytes) : 0;
        if (r < 0) {
                os_unmap(base, bytes);
                return r;
        }
        return count_map(memory, base, bytes, kind == OS_PRIVATE ? MEMORY_PRIVATE : MEMORY_SHARED,
                         ret);
}

int map_anonymous(struct memory *memory, size_t bytes, struct map *ret)
{
        void *base;
        int r = os_map(-1, OS_ANONYMOUS, bytes, &base);

        return r < 0 ? r : count_map(memory, base, bytes, MEMORY_ANONYMOUS, ret);
}

int map_sync(const struct map *map, size_t bytes)
{
        int r = os_sync_map(map->base, bytes);

        return r == 0 && map_faulted(map) ? -EIO : r;
}

void map_close(struct map *map)
{
        if (!map->base)
                return;
        if (map->guard >= 0)
                guard_remove(map->guard);
        if (map->kind == MEMORY_ANONYMOUS)
                forget_anonymous(map->memory, map->base);
        os_unmap(map->base, map->bytes); /* fails only for arguments that are not a mapping */
        atomic_fetch_sub(&map->memory->mapped_bytes[map->kind], mapped_bytes(map->bytes));
        atomic_fetch_sub(&map->memory->mappings, 1);
        *map = (struct map){ 0 };
}

void *memory_new(struct memory *memory, size_t bytes)
{
        void *pointer = calloc(1, bytes);

        if (pointer)
                atomic_fetch_add(&memory->heap_bytes, malloc_usable_size(pointer));
        return pointer;
}

void *memory_resize(struct memory *memory, void *pointer, size_t bytes)
{
        size_t before = pointer ? malloc_usable_size(pointer) : 0;
        void *resized = realloc(pointer, bytes);

        if (resized) {
                atomic_fetch_sub(&memory->heap_bytes, before);
                atomic_fetch_add(&memory->heap_bytes, malloc_usable_size(resized));
        }
        return resized;
}

void memory_free(struct memory *memory, void *pointer)
{
        if (!pointer)
                return;
        atomic_fetch_sub(&memory->heap_bytes, malloc_usable_size(pointer));
        free(pointer);
}
