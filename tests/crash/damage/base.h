/*
 * base.h - the healthy stores that are damaged, and what each of their records was
 */
#ifndef CRASH_BASE_H
#define CRASH_BASE_H

#include "tree.h"

#define BASE_RECORDS_MAX 256
#define BASE_USED_BYTES (16u << 10) /* of the first segment; nothing lies behind */

struct base_record {
        bool is_void;
        int64_t time_ns;
        unsigned char *data;
        size_t size;
        char file[TREE_NAME_BYTES]; /* where its frame lies */
        size_t offset, frame_bytes; /* what its check covers, */
        size_t end;                 /* and where the next frame may begin */
        size_t pad_offset;          /* of a pad before it, 0: none */
        bool more;                  /* of a batch that goes on */
};

struct base {
        const char *name;
        struct tree tree;
        uint64_t tail;                                    /* records 1..tail */
        uint64_t durable;                                 /* the mark on disk says so */
        struct base_record records[BASE_RECORDS_MAX + 1]; /* by number */
};

enum base_kind {
        BASE_CRASHED, /* one segment, half of it synced, writer died */
        BASE_CLOSED,  /* the same, closed cleanly */
        BASE_SEALED,  /* a sealed segment with its index, and a second one; writer died */
        BASE_KINDS,
};

/* Make the store in a new directory at @path, take its files, and remove it. Exits on failure. */
void base_make(enum base_kind kind, const char *path, struct base *ret);

#endif
