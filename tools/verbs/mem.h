/*
 * mem.h - what is known about the memory of a store, gathered once and shown in several ways
 */
#ifndef TOOL_MEM_H
#define TOOL_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/text.h"
#include "logstore.h"

/* All sizes are in bytes, LOGSTORE_UNKNOWN where the kernel would not say. */

struct mem_segment {
        char name[32];
        struct logstore_residency all;
        struct logstore_residency *cells; /* as many as the view has */
};

/* One kind of mapping in one process. */
struct mem_kind {
        uint64_t mappings, mapped, resident;
        uint64_t dirty;  /* of the file's pages; the kernel must write them before it evicts them */
        uint64_t copied; /* pages with no file behind them any more */
        uint64_t locked;
};

struct mem_process {
        pid_t pid;
        char command[TEXT_VISIBLE_BYTES(31)]; /* as a terminal may be shown it */
        struct mem_kind shared, private;      /* mappings of the store's files */
        struct mem_kind anonymous, heap;      /* of the whole process, whoever uses them */
        uint64_t minor_faults, major_faults;
};

struct mem_view {
        const char *dir;
        size_t cell_count;
        struct mem_segment *segments;
        size_t segment_count;
        struct logstore_residency total;
        struct mem_process *processes;
        size_t process_count;
        size_t hidden_processes; /* that we may not look at */
};

/* Residency of every file of @store, in @cells parts each. 0 or -errno. Faults nothing in. */
int mem_gather(struct mem_view *view, struct logstore *store, const char *dir, size_t cells);
void mem_free(struct mem_view *view);

/* Add process @pid, whether it maps the store or not. -errno: it cannot be looked at. */
int mem_add_process(struct mem_view *view, pid_t pid);

/* Add every process that maps files of the store. */
int mem_add_all(struct mem_view *view);

/* Bytes of @kind that the kernel may take away without swap. */
uint64_t mem_evictable(const struct mem_kind *kind);

/* Sum that knows the unknown. */
uint64_t mem_add(uint64_t a, uint64_t b);

/* A map of cells for a terminal of so many columns, at most @rows segments (0: all). The cells of a
 * row are gathered first, as many as fit. */
size_t mem_map_cells(size_t columns);
void mem_draw_map(const struct mem_view *view, size_t columns, size_t rows);
void mem_draw_svg(const struct mem_view *view);

#endif
