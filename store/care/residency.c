/*
 * residency.c - where the store's memory is, and moving it
 *
 * Looking touches no page. cachestat(2) counts a file's pages in the page cache. Where it is
 * missing, mincore(2) is asked on a mapping made for the question, unless it is known to lie. This
 * process's own share is in /proc/self/smaps. What is not known is LOGSTORE_UNKNOWN, never 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/reader.h"

/* ---- the process ---- */

struct sums {
        struct logstore_memory *memory;
        const char *directory;
        size_t directory_length;
};

static int add_mapping(void *context, const struct os_mapping *mapping)
{
        struct sums *sums = context;
        struct logstore_memory *memory = sums->memory;

        if (strncmp(mapping->path, sums->directory, sums->directory_length) != 0 ||
            mapping->path[sums->directory_length] != '/')
                return 0;
        memory->locked += mapping->locked;
        if (mapping->shared) {
                memory->shared_resident += mapping->resident;
                memory->shared_dirty += mapping->dirty;
        } else {
                memory->private_resident += mapping->resident;
                memory->private_copied += mapping->anonymous;
        }
        return 0;
}

static uint64_t anonymous_resident(struct memory *memory)
{
        uint64_t page = os_page_bytes(), resident = 0;
        unsigned char *pages;

        pthread_mutex_lock(&memory->lock);
        if (memory->anonymous_missed > 0)
                resident = LOGSTORE_UNKNOWN;
        for (size_t i = 0; i < memory->anonymous_count && resident != LOGSTORE_UNKNOWN; i++) {
                uint64_t count = (memory->anonymous[i].bytes + page - 1) / page;
                pages = malloc(count);
                if (!pages || os_mincore(memory->anonymous[i].base, count * page, pages) < 0)
                        resident = LOGSTORE_UNKNOWN;
                for (uint64_t at = 0; resident != LOGSTORE_UNKNOWN && at < count; at++)
                        resident += (pages[at] & 1) * page;
                free(pages);
        }
        pthread_mutex_unlock(&memory->lock);
        return resident;
}

static void measure_process(struct logstore *store, struct logstore_memory *memory)
{
        char directory[4096];
        struct sums sums = { .memory = memory, .directory = directory };

        if (os_path_of(store->directory, directory, sizeof(directory)) == 0) {
                sums.directory_length = strlen(directory);
                if (os_mappings(add_mapping, &sums) == 0)
                        return;
        }
        memory->shared_resident = memory->shared_dirty = LOGSTORE_UNKNOWN;
        memory->private_resident = memory->private_copied = LOGSTORE_UNKNOWN;
        memory->locked = LOGSTORE_UNKNOWN;
}

int logstore_memory(struct logstore *store, struct logstore_memory *ret)
{
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        struct memory *counts;
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!ret || ret->struct_bytes != sizeof(memory)) {
                store_leave();
                return detail(-EINVAL, "ret is NULL or ret->struct_bytes is not its size");
        }
        counts = &store->memory;
        measure_process(store, &memory);
        memory.mappings = atomic_load(&counts->mappings);
        memory.shared_mapped = atomic_load(&counts->mapped_bytes[MEMORY_SHARED]);
        memory.private_mapped = atomic_load(&counts->mapped_bytes[MEMORY_PRIVATE]);
        memory.anonymous_mapped = atomic_load(&counts->mapped_bytes[MEMORY_ANONYMOUS]);
        memory.anonymous_resident = anonymous_resident(counts);
        memory.heap = atomic_load(&counts->heap_bytes);
        memory.anonymous_budget = store->options.anonymous_budget_bytes;
        memory.private_budget = store->options.private_budget_bytes;
        r = os_faults(&memory.minor_faults, &memory.major_faults);
        if (r < 0)
                memory.minor_faults = memory.major_faults = LOGSTORE_UNKNOWN;
        *ret = memory;
        store_leave();
        return 0;
}

/* ---- files ---- */

/* mincore reports every page as resident to a caller that neither owns nor may write the file. Ask
 * for a page so far behind the file's end that no part of the cache reaches it: if that is
 * resident, mincore lies. */
static int mincore_honest(int fd, struct memory *memory)
{
        uint64_t page = os_page_bytes(), huge = page * page / 8, beyond;
        struct map map = { 0 };
        unsigned char there = 0;
        struct os_stat st;
        int r = os_stat(fd, &st);

        if (r < 0)
                return r;
        beyond = (st.bytes + huge - 1) / huge * huge;
        r = map_file(memory, fd, OS_SHARED_READ, beyond + page, &map);
        if (r == 0)
                r = os_mincore((char *)map.base + beyond, page, &there);
        map_close(&map);
        return r == 0 && there & 1 ? -EPERM : r;
}

static int ask_mincore(int fd, uint64_t from, uint64_t bytes, struct memory *memory,
                       struct logstore_residency *ret)
{
        uint64_t page = os_page_bytes(), count = (from + bytes + page - 1) / page;
        unsigned char *pages = malloc(count);
        struct map map = { 0 };
        int r = pages ? mincore_honest(fd, memory) : -ENOMEM;

        if (r == 0)
                r = map_file(memory, fd, OS_SHARED_READ, from + bytes, &map);
        if (r == 0)
                r = os_mincore(map.base, from + bytes, pages);
        for (uint64_t at = from / page; r == 0 && at < count; at++)
                ret->resident += (pages[at] & 1) * page;
        map_close(&map);
        free(pages);
        return r;
}

static int measure_range(struct logstore *store, int fd, uint64_t from, uint64_t bytes,
                         struct logstore_residency *ret)
{
        uint64_t page = os_page_bytes();
        struct os_cachestat stat;
        int r = os_cachestat(fd, from, bytes, &stat);

        *ret = (struct logstore_residency){ .file_bytes = bytes };
        if (r == 0) {
                ret->resident = stat.cached * page;
                ret->dirty = stat.dirty * page;
                ret->writeback = stat.writeback * page;
                ret->evicted = stat.evicted * page;
                ret->recently_evicted = stat.recently_evicted * page;
                return 0;
        }
        ret->dirty = ret->writeback = ret->evicted = ret->recently_evicted = LOGSTORE_UNKNOWN;
        r = ask_mincore(fd, from, bytes, &store->memory, ret);
        if (r < 0)
                ret->resident = LOGSTORE_UNKNOWN;
        return 0;
}

static int open_file(struct logstore *store, uint64_t id)
{
        char name[32] = CONTROL_NAME;
        int fd;

        if (id != 0)
                segment_name(id, name);
        fd = os_open(store->directory, name, OS_READ, 0);
        if (fd < 0)
                return detail(fd == -ENOENT ? -ESTALE : fd, "%s: cannot open: %s", name,
                              logstore_error_text(fd));
        return fd;
}

int logstore_residency(struct logstore *store, uint64_t id, struct logstore_residency *ret,
                       size_t cells, struct logstore_residency *ret_cells)
{
        uint64_t page = os_page_bytes(), pages, from = 0;
        struct os_stat st;
        int fd, r = store_enter(store);

        if (r < 0)
                return r;
        fd = ret && (ret_cells || !cells) ? open_file(store, id)
                                          : detail(-EINVAL, "ret or ret_cells is NULL");
        r = fd < 0 ? fd : os_stat(fd, &st);
        if (r == 0) {
                r = measure_range(store, fd, 0, st.bytes, ret);
                pages = (st.bytes + page - 1) / page;
                for (size_t i = 0; r == 0 && i < cells; i++) {
                        uint64_t to = pages * (i + 1) / cells * page;
                        to = to < st.bytes ? to : st.bytes;
                        ret_cells[i] = (struct logstore_residency){ 0 };
                        if (to > from)
                                r = measure_range(store, fd, from, to - from, &ret_cells[i]);
                        from = to;
                }
        }
        if (fd >= 0)
                os_close(fd); /* only read */
        store_leave();
        return r;
}

/* ---- moving ---- */

struct span {
        uint64_t from, to; /* bytes of one file, whole pages */
};

/* The bytes of @from..@to that lie in the pinned @segment. */
static int span_of(struct logstore *store, struct segment *segment, uint64_t from, uint64_t to,
                   struct span *ret)
{
        uint64_t page = os_page_bytes(), last = atomic_load(&segment->last_number);
        struct place place;
        int r = 0;

        *ret = (struct span){ 0, segment->end };
        if (from > segment->brief.start.first_number) {
                r = reader_find(&store->live, from, &place);
                if (r < 0)
                        return r;
                ret->from = place.offset & ~(page - 1);
                chain_unpin(&store->chain, place.segment);
        }
        if (to < last) {
                r = reader_find(&store->live, to, &place);
                if (r < 0)
                        return r;
                ret->to = place.offset + place.view.frame_bytes;
                chain_unpin(&store->chain, place.segment);
        }
        ret->to = (ret->to + page - 1) & ~(page - 1);
        return 0;
}

static int64_t warm_span(struct logstore *store, struct segment *segment, int fd,
                         const struct span *span)
{
        struct logstore_residency now = { 0 };
        int r;

        (void)segment;
        r = os_read_ahead(fd, span->from, span->to - span->from);
        if (r == 0)
                r = measure_range(store, fd, span->from, span->to - span->from, &now);
        return r < 0 ? r : now.resident == LOGSTORE_UNKNOWN ? 0 : (int64_t)now.resident;
}

static int64_t evict_span(struct logstore *store, struct segment *segment, int fd,
                          const struct span *span)
{
        uint64_t bytes = span->to - span->from;
        struct logstore_residency now = { 0 };
        int r = os_write_back(fd, span->from, bytes);

        if (r == 0)
                r = os_zap((char *)segment->map.base + span->from, bytes);
        if (r == 0)
                r = os_drop_cache(fd, span->from, bytes);
        if (r == 0)
                r = measure_range(store, fd, span->from, bytes, &now);
        return r < 0 ? r : now.resident == LOGSTORE_UNKNOWN ? 0 : (int64_t)(bytes - now.resident);
}

static int64_t move_range(struct logstore *store, uint64_t from, uint64_t to,
                          int64_t (*move)(struct logstore *, struct segment *, int fd,
                                          const struct span *))
{
        int64_t total = 0, moved = 0;
        uint64_t tail;
        int r = view_tail(&store->live, &tail);

        if (from < view_first(&store->live))
                from = view_first(&store->live);
        if (to > tail)
                to = tail;
        while (r == 0 && from <= to && moved >= 0) {
                struct segment *segment;
                struct span span;
                uint64_t last;
                int fd;

                r = chain_pin(&store->chain, from, &segment);
                if (r < 0)
                        break;
                last = atomic_load(&segment->last_number);
                r = span_of(store, segment, from, to, &span);
                fd = r < 0 ? r : open_file(store, segment->brief.id);
                if (fd >= 0) {
                        moved = span.to > span.from ? move(store, segment, fd, &span) : 0;
                        total += moved;
                        os_close(fd); /* only read */
                }
                r = fd < 0 ? fd : 0;
                chain_unpin(&store->chain, segment);
                if (last >= to)
                        break;
                from = last + 1;
        }
        if (moved < 0)
                return detail((int)moved, "cannot move pages: %s", logstore_error_text((int)moved));
        return r < 0 ? r : total;
}

int64_t logstore_warm(struct logstore *store, uint64_t from, uint64_t to)
{
        int64_t r = store_enter(store);

        if (r < 0)
                return r;
        r = move_range(store, from, to, warm_span);
        store_leave();
        return r;
}

int64_t logstore_evict(struct logstore *store, uint64_t from, uint64_t to)
{
        int64_t r = store_enter(store);

        if (r < 0)
                return r;
        r = move_range(store, from, to, evict_span);
        store_leave();
        return r;
}
