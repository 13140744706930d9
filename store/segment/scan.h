/*
 * scan.h - read one segment file from its first frame on and check every frame
 */
#ifndef LOGSTORE_SCAN_H
#define LOGSTORE_SCAN_H

#include <stdbool.h>

#include "os/memory.h"
#include "segment/walk.h"

struct scan_frame {
        uint64_t offset;
        uint64_t number; /* 0: a pad */
        int64_t time_ns;
        const struct record_view *view;
};

struct scan_place {
        uint64_t offset;
        uint32_t ordinal;
};

struct scan {
        /* What to scan */
        struct memory *memory;
        int fd;
        const struct hash_key *key;
        uint64_t first_number;  /* of the segment */
        uint64_t limit;         /* frames end here at the latest */
        uint64_t next_number;   /* the first of the next segment; 0: there is none */
        uint64_t begin;         /* the log's first number: frames before it need only lead on */
        struct scan_place from; /* where to begin; offset 0: at the first frame */
        bool direct;            /* the descriptor is OS_DIRECT */
        bool ahead;             /* read the next window by io_uring while one is checked */
        uint64_t mark_number, mark_offset; /* the mark, if it is in here; offset 0: it is not */
        int (*each)(void *context, const struct scan_frame *frame); /* may be NULL */
        void *context;

        /* What was found */
        uint64_t end;        /* behind the last frame of the last whole batch */
        uint64_t records;    /* numbers up to there */
        int64_t greatest_ns; /* in: of the log before; out: up to there */
        uint64_t stop;       /* where the first frame is that does not count, */
        uint64_t due;        /* with which number, */
        const char *why;     /* and why; NULL: the limit was reached */
        bool uncommitted;    /* there is no frame: its commit word is 0 */
        bool miscounted;     /* its number is the next segment's */
        bool misplaced;      /* the mark is not behind the frame of its number */
};

/* Did the scan stop before the limit? */
static inline bool scan_stopped(const struct scan *scan)
{
        return scan->why || scan->end < scan->limit || scan->miscounted;
}

/* Scan until the first frame that is invalid, uncommitted or beyond the limit. A failure of the
 * disk is an error. Returns 0, -EIO, -ENOMEM, or what @each returned. */
int scan_segment(struct scan *scan);

#endif
