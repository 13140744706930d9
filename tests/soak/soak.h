/*
 * soak.h - what the soak's threads share among themselves and with the driver
 *
 * struct shared lies in a file that the driver maps too: it reads the counters and histograms
 * while they grow and sets `stop`. Each histogram and counter has one writing thread, but
 * `wrong` and `failed`. Its layout is repeated in figures.py.
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdatomic.h>
#include <stdint.h>

#include <logstore.h>

#include "../../bench/hist.h"

enum stop {
        STOP_APPENDING = 1, /* and read everything once more */
        STOP_NOW = 2,
};

struct shared {
        _Atomic uint64_t stop;   /* set by the driver, enum stop */
        _Atomic uint64_t wrong;  /* records, numbers or counts that were not as they must be */
        _Atomic uint64_t failed; /* errors that must not happen */
        uint64_t appended_bytes, appended, got, scanned, scanned_bytes, followed;
        uint64_t snapshots, edits, refused_edits, reopens;
        uint64_t kept_records, final_records; /* in the end: by the bounds, by reading all */
        uint64_t library_anonymous, library_heap, library_copied, library_mapped, library_resident;
        uint64_t anonymous_peak, heap_peak, copied_peak; /* of the three first ones above */
        struct hist append, sync, get, reopen;
};

/* One opening of the store and the threads at work on it. */
struct round {
        struct logstore *store;
        struct shared *shared;
        uint64_t next;        /* number that the next append gets */
        uint64_t until_bytes; /* appended_bytes at which the round ends */
        _Atomic int over;     /* the threads return */
};

uint64_t now_ns(void);
int must_stop(struct round *round);  /* no more appends */
int must_leave(struct round *round); /* not even the last reading */

/* Say what was wrong, the first few times, and count it. */
void wrong(struct round *round, const char *what, uint64_t number, int error);
void failed(struct round *round, const char *what, int error);

/* Threads; the argument is the round. They read and check, but for append. */
void append_until(struct round *round); /* in the calling thread */
void *sync_often(void *round);
void *get_anywhere(void *round);
void *scan_again(void *round);
void *follow_tail(void *round);
void *snapshot_and_edit(void *round);
void *watch_memory(void *round);

/* Read the whole store in order. */
void scan_once(struct round *round, uint32_t cursor_flags);

#endif
