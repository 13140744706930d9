/*
 * bench.h - what the files of the benchmark share
 *
 * A row of docs/BENCHMARKS.md is a function that describes variants. A variant is one workload,
 * run by three kinds of contenders: ours (the store), limit (what this machine can do at best for
 * that workload, by the simplest code), and every peer that was installed when this was built.
 * The harness runs each contender in a process of its own, interleaved, round after round, and
 * compares the medians. Errors are negative errno.
 */
#ifndef BENCH_H
#define BENCH_H

#include <logstore.h>

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define NS_PER_S UINT64_C(1000000000)

/* ---- options of a run (main.c) ---- */
struct options {
        const char *dir;  /* a directory of ours is made inside, and removed */
        const char *tool; /* the logstore program */
        uint64_t bytes;   /* 0: the row's own, likewise below */
        size_t record_bytes;
        unsigned threads;
        unsigned rounds;
        uint64_t segment_bytes;
        uint32_t sync_policy; /* enum logstore_sync_policy, of rows that do not fix it */
        bool quick;
        bool no_peers;
        bool jsonl;
};

/* ---- one workload (harness.c) ---- */
enum { METRICS_MAX = 6 };

struct peer;

struct work {
        const struct options *options;
        const struct peer *peer; /* set for peers alone */
        const char *dir;         /* this contender's directory */
        const char *ours_dir;    /* the store's, for a limit that reads the same bytes */
        uint64_t records;
        size_t record_bytes;
        unsigned threads;
        uint64_t memory_bytes; /* limit of a memory cgroup around it; 0: none */
        uint64_t takes_bytes;  /* of memory, which is held ready for it; 0: little */
        uint64_t segment_bytes;
        uint64_t ready_bytes; /* made ready before the run begins; 0: while it lasts */
        uint32_t sync_policy;
        bool burst;     /* the store is set up to take everything without waiting for the disk */
        uint32_t flags; /* the row's own */
};

struct sample {
        double value[METRICS_MAX]; /* NAN: not measured */
};

/* One number that a variant yields, and what is asked of it: words of the form WHAT<=FIGURE or
 * WHAT>=FIGURE, WHAT being limit or peer (ratio to it), over (difference to the limit) or ours. */
struct metric {
        const char *name; /* "" for the first, which names the variant */
        const char *unit;
        const char *required;
};

typedef int (*measure)(const struct work *work, struct sample *ret);

struct variant {
        int row;
        char name[80];
        struct work work;
        struct metric metrics[METRICS_MAX]; /* as many as have a unit */
        /* With a prepare the directory is filled once and kept for all rounds; without one each
         * run gets an empty one. */
        measure ours_prepare, ours;
        measure limit;
        measure peer_prepare, peer;
        bool heavy;                        /* no warm-up round, and one round for peers */
        struct sample ret_ours, ret_limit; /* medians, by variant_run() */
};

void variant_run(struct variant *variant);
uint64_t bytes_in_memory(const struct options *options); /* of frames, in rows that need no disk */

struct result {
        int row;
        const char *name, *peer, *unit, *required;
        double ours, limit, best_peer;  /* NAN: none */
        double ratio_limit, ratio_peer; /* ours by theirs, of runs side by side */
        double spread;                  /* (max - min) / median of ours */
};
void result_print(const struct options *options, const struct result *result);

/* Metrics whose name or unit does not say so are better when larger. */
bool metric_less_is_better(const char *unit);

/* ---- rows, one file per group ---- */
void row_append(const struct options *options);
void row_sustained(const struct options *options);
void row_sync_one(const struct options *options);
void row_sync_threads(const struct options *options);
void row_scan_warm(const struct options *options);
void row_get_warm(const struct options *options);
void row_get_cold(const struct options *options);
void row_scan_cold(const struct options *options);
void row_open(const struct options *options);
void row_follow(const struct options *options);
void row_tool(const struct options *options);
void row_threads(const struct options *options);
void row_latency(const struct options *options);

/*
 * ---- the store, as the rows open it (ours.c) ----
 * By default it never lets more than 256 MiB wait for the disk, and never more than one full
 * segment. So a long append goes at the disk's speed. A burst measures what memory can take: it is
 * one segment, and nothing is written while it lasts. The peers are set up likewise.
 */
int ours_open(const struct work *work, uint32_t flags, struct logstore **ret);
int ours_close(struct logstore *store, int r);                 /* the first error of both */
int ours_fill(const struct work *work, struct sample *unused); /* a measure: append, close */
int ours_reader(const struct work *work, uint32_t cursor_flags, struct logstore **ret,
                struct logstore_cursor **ret_cursor);
uint64_t frame_bytes(size_t record_bytes);

/* ---- the bytes of record @i, the same for every contender (data.c) ---- */
enum { RECORD_BYTES_MAX = 1 << 20 };
extern uint8_t data_pool[RECORD_BYTES_MAX + (64 << 10)];
void data_init(void);
static inline const uint8_t *record_data(uint64_t i)
{
        return data_pool + (i & 1023) * 64;
}
/* The @i-th number, 1..records, of a random walk in which each step depends on a @byte of the
 * record before. */
static inline uint64_t random_number(uint64_t i, uint8_t byte, uint64_t records)
{
        uint64_t x = (i * 256 + byte) * UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
        return (uint64_t)(((unsigned __int128)x * records) >> 64) + 1;
}

/* ---- bare frames, for limits (frames.c) ---- */
uint8_t *memory_ready(uint64_t bytes); /* anonymous, every page touched */
uint8_t *frame_put(uint8_t *at, const void *data, size_t size, uint32_t ordinal);
int frames_map(const char *dir, struct iovec **ret_files, size_t *ret_count);
struct frame_sum {
        uint64_t records, bytes, sum;
};
void frames_walk(const struct iovec *file, bool verified, struct frame_sum *sum);

/*
 * ---- memory for a run (memory.c) ----
 * memory_hold() takes that many bytes, or half of what is free if that is less. memory_yield() lets
 * go of some if the run has used what was free, and returns whether there is more. memory_drop()
 * lets go of all.
 */
void memory_hold(uint64_t bytes);
bool memory_yield(void);
void memory_drop(void);

/* ---- the machine (machine.c) ---- */
uint64_t now_ns(void);
void sleep_until(uint64_t time_ns);
void machine_print(const struct options *options, FILE *to);
int cgroup_enter(void);
int cgroup_make(uint64_t memory_bytes); /* -errno where there is none */
void cgroup_drop(void);
int device_written(const char *dir, uint64_t *ret_bytes);
int directory_remove(const char *dir);
int directory_evict(const char *dir); /* files out of the page cache */

/* ---- reads at the speed of the device (device.c) ---- */
int device_random_reads(const char *dir, unsigned depth, double *ret_per_s);
int device_sequential_read(const char *dir, double *ret_bytes_per_s);

#endif
