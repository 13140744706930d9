/*
 * pieces.h - bytes of segments as they come out of the bucket: a cache that reads ahead
 *
 * A piece is one BLOCK_SPAN of an object, or a tail as a whole. Objects and commits never change,
 * so a piece stays right as long as it is kept. It may hold its first bytes alone, where more was
 * not needed: a record then costs one request, also if its last bytes are in the next piece.
 *
 * Budget:  what is kept is at most so many bytes. The pieces used least lately go first. Those that
 *          are pinned stay, and what is asked for is loaded whatever the budget.
 * Ahead:   what will be wanted is loaded by threads of the cache, several pieces with one request
 *          and several requests at once. They start with the first call of pieces_ahead(). Where
 *          none can be started all works, only slower.
 * Fails:   a piece that cannot be loaded is asked for again by the one who needs it, and the answer
 *          is told there. Nothing of a failed load is kept.
 * Threads: any may use the cache; a pinned piece does not change.
 */
#ifndef LOGSTORE_PIECES_H
#define LOGSTORE_PIECES_H

#include "remote/span.h"

struct pieces;

struct pieces_options {
        uint64_t budget_bytes;
        unsigned threads;    /* that read ahead */
        int64_t patience_ns; /* how long a request without answer is sent again */
};

struct piece {
        const uint8_t *bytes; /* of the segment, from @from on */
        uint64_t from, have;  /* it holds them up to @have, */
        uint64_t to;          /* and could up to here */
};

int pieces_new(struct bucket *bucket, const struct pieces_options *options, struct pieces **ret);
void pieces_free(struct pieces *pieces); /* NULL is fine; nothing is pinned */

/* Of the store whose log is read: tails of another are refused. */
void pieces_set_store(struct pieces *pieces, const uint8_t uuid[16]);

/*
 * Have the piece with the byte at @offset of what @entry brought, at least up to @until (or to its
 * own end). It is pinned until pieces_release(). If it has to be loaded, the pieces behind it up to
 * @until come with the same request. @blocks is the line's directory, or NULL.
 *
 * Errors of span_read(). -EAGAIN: no answer for the patience.
 */
int pieces_get(struct pieces *pieces, const struct remote_entry *entry,
               const struct remote_block *blocks, uint64_t offset, uint64_t until,
               const struct piece **ret);
void pieces_release(struct pieces *pieces, const struct piece *piece); /* NULL is fine */

/* Load the bytes from @from to @to of what @entry brought, when there is time and room. false:
 * there is no room at present for more. */
bool pieces_ahead(struct pieces *pieces, const struct remote_entry *entry,
                  const struct remote_block *blocks, uint64_t from, uint64_t to);

/* How many bytes it pays to read ahead. */
uint64_t pieces_ahead_bytes(const struct pieces *pieces);

/* Bytes that are kept now; for tests. */
uint64_t pieces_kept_bytes(struct pieces *pieces);

#endif
