/*
 * peer.h - the little that the benchmark asks of another storage library
 *
 * Keys are record numbers, ascending. Each peer is set up as its own documentation advises for a
 * log: no compression, large buffers, appends in the cheapest form it has. Not durable means what
 * it means for ours: the record survives the death of the process, not a power cut; then records
 * may be grouped, PEER_BATCH in one transaction, which is more than we allow ourselves. Durable
 * means that append returns once the record survives a power cut; then any thread may call it.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_BATCH = 1000 };

struct peer {
        const char *name;
        int (*open)(const char *dir, bool durable, void **ret);
        int (*append)(void *db, uint64_t key, const void *data, size_t size);
        int (*sync)(void *db); /* all appended so far survives a power cut */
        int (*scan)(void *db, uint64_t *ret_records, uint64_t *ret_sum); /* sum of first bytes */
        int (*get)(void *db, uint64_t key, void *buffer, size_t capacity);
        int (*close)(void *db); /* ends the batch; NULL is fine */
};

extern const struct peer *const peers[];  /* ends with NULL */
extern const char *const peers_missing[]; /* not installed when this was built */
extern const struct peer peer_lmdb, peer_rocksdb, peer_leveldb, peer_sqlite;

/* Measures that are the same for every peer: fill and close; scan all. */
struct work;
struct sample;
int peer_fill(const struct work *work, struct sample *unused);
int peer_scan(const struct work *work, struct sample *ret);

/* Big-endian, so that byte order is number order. */
static inline void peer_key(uint64_t key, uint8_t ret[8])
{
        uint64_t swapped = __builtin_bswap64(key);

        __builtin_memcpy(ret, &swapped, 8);
}

#endif
