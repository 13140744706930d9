/*
 * mem_gather.c - the page cache's share of each segment, by the library
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verbs/mem.h"

uint64_t mem_add(uint64_t a, uint64_t b)
{
        uint64_t sum;

        if (a == LOGSTORE_UNKNOWN || b == LOGSTORE_UNKNOWN || __builtin_add_overflow(a, b, &sum))
                return LOGSTORE_UNKNOWN;
        return sum;
}

static void add_total(struct logstore_residency *total, const struct logstore_residency *part)
{
        total->file_bytes = mem_add(total->file_bytes, part->file_bytes);
        total->resident = mem_add(total->resident, part->resident);
        total->dirty = mem_add(total->dirty, part->dirty);
        total->writeback = mem_add(total->writeback, part->writeback);
        total->evicted = mem_add(total->evicted, part->evicted);
        total->recently_evicted = mem_add(total->recently_evicted, part->recently_evicted);
}

struct gathering {
        struct mem_view *view;
        struct logstore *store;
};

/* There is room for it in view->segments. */
static int add_file(struct gathering *g, uint64_t id, const char *name)
{
        size_t count = g->view->cell_count;
        struct mem_segment segment = { .cells = calloc(count ? count : 1, sizeof(*segment.cells)) };
        int r = -ENOMEM;

        if (segment.cells)
                r = logstore_residency(g->store, id, &segment.all, count, segment.cells);
        if (r < 0) {
                free(segment.cells);
                return r == -ESTALE ? 0 : r; /* trimmed since it was listed */
        }
        strncpy(segment.name, name, sizeof(segment.name) - 1);
        add_total(&g->view->total, &segment.all);
        g->view->segments[g->view->segment_count++] = segment;
        return 0;
}

static int is_segment(const struct dirent *entry)
{
        const char *name = entry->d_name;
        size_t digits = strspn(name, "0123456789");

        return digits >= 10 && digits < 20 && strcmp(name + digits, ".log") == 0;
}

/* Shorter names first: ids have ten digits at least. */
static int by_id(const struct dirent **a, const struct dirent **b)
{
        size_t x = strlen((*a)->d_name), y = strlen((*b)->d_name);

        return x != y ? (x > y) - (x < y) : strcmp((*a)->d_name, (*b)->d_name);
}

/* The control file, and the segments by their names alone: to say what is in a segment the library
 * would have to look into it. */
int mem_gather(struct mem_view *view, struct logstore *store, const char *dir, size_t cells)
{
        struct gathering g = { view, store };
        struct dirent **entries;
        int count = scandir(dir, &entries, is_segment, by_id), r;

        *view = (struct mem_view){ .dir = dir, .cell_count = cells };
        if (count < 0)
                return -errno;
        view->segments = calloc((size_t)count + 1, sizeof(*view->segments));
        r = view->segments ? add_file(&g, 0, "control") : -ENOMEM;
        for (int i = 0; i < count; i++) {
                if (r == 0)
                        r = add_file(&g, strtoull(entries[i]->d_name, NULL, 10),
                                     entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        return r;
}

void mem_free(struct mem_view *view)
{
        for (size_t i = 0; i < view->segment_count; i++)
                free(view->segments[i].cells);
        free(view->segments);
        free(view->processes);
        *view = (struct mem_view){ .dir = NULL };
}

uint64_t mem_evictable(const struct mem_kind *kind)
{
        uint64_t kept = mem_add(kind->copied, kind->locked);

        if (kind->resident == LOGSTORE_UNKNOWN || kept == LOGSTORE_UNKNOWN)
                return LOGSTORE_UNKNOWN;
        return kept < kind->resident ? kind->resident - kept : 0;
}
