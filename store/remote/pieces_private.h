/*
 * pieces_private.h - what the files of the cache share
 */
#ifndef LOGSTORE_PIECES_PRIVATE_H
#define LOGSTORE_PIECES_PRIVATE_H

#include <pthread.h>

#include "remote/pieces.h"

#define TABLE_SLOTS 4096u
#define RUN_MAX SPAN_BLOCKS_MAX /* pieces that one request brings */
#define QUEUE_MAX 64u           /* requests that wait for a thread */
#define THREADS_MAX 16u

/* One piece. All but its bytes is under the lock; those belong to who loads it until it is not
 * loading any more. */
struct kept {
        struct piece piece;
        uint64_t seq;   /* of the commit that brought it, */
        uint32_t index; /* and which of its pieces it is */
        unsigned pins;
        bool loading;
        bool used;                  /* else it was read ahead, and nobody came for it as yet */
        bool dropped;               /* out of the table: freed with the last pin */
        struct kept *next;          /* in its slot of the table */
        struct kept *older, *newer; /* by their last use */
        uint8_t *bytes;
};

/* One request, and the pieces that it fills one after the other. */
struct load {
        struct pieces *pieces;
        struct span span;
        struct kept *run[RUN_MAX];
        uint64_t until[RUN_MAX]; /* each is filled up to here */
        unsigned count, done;
        uint64_t skip;        /* bytes that come again */
        uint64_t extra_bytes; /* memory that it takes meanwhile: a tail's commit as a whole */
        struct load *next;    /* in the queue */
};

struct pieces {
        struct bucket *bucket;
        struct pieces_options options;
        uint8_t uuid[16];

        pthread_mutex_t lock; /* over all that follows */
        pthread_cond_t loaded, work;
        struct kept *slots[TABLE_SLOTS];
        struct kept *oldest, *newest;
        uint64_t kept_bytes;
        struct spare *spare;       /* memory of pieces that went, */
        uint64_t spare_bytes;      /* so many */
        struct load *first, *last; /* queue of what is read ahead */
        unsigned queued, idle, started;
        bool stopping;
        pthread_t threads[THREADS_MAX];
};

/* All under the lock. */
struct kept *pieces_find(const struct pieces *pieces, uint64_t seq, uint32_t index);
void pieces_touch(struct pieces *pieces, struct kept *kept);
void pieces_drop(struct pieces *pieces, struct kept *kept);

/* Take the pieces of @entry that are missing from the one at @from on, up to @to, into a load; its
 * count is 0 if the first one is there. @must: whatever the budget. -ENOMEM, or as span_of(). */
int pieces_take_run(struct pieces *pieces, const struct remote_entry *entry,
                    const struct remote_block *blocks, uint64_t from, uint64_t to, bool must,
                    struct load *ret);

/* Let go of all but @most bytes that are kept for pieces to come. */
void pieces_free_spare(struct pieces *pieces, uint64_t most);

/* Send the request, and fill its pieces. What was not filled is dropped. Not under the lock. */
int pieces_load(struct load *load, int64_t patience_ns);

/* Which piece of @entry has the byte at @offset, and where it begins and ends. */
uint32_t pieces_index(const struct remote_entry *entry, uint64_t offset, uint64_t *ret_from,
                      uint64_t *ret_to);

#endif
