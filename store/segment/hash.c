/*
 * hash.c - XXH3-64 of long inputs
 */
#include "segment/hash.h"

/* libxxhash has this function on x86: it chooses SSE2, AVX2 or AVX-512 at run time. Elsewhere the
 * symbol is NULL and we use the inline form, whose vector unit is fixed at compile time. */
extern XXH64_hash_t XXH3_64bits_withSecret_dispatch(const void *data, size_t bytes,
                                                    const void *secret, size_t secret_bytes)
        __attribute__((weak));

void hash_key_init(struct hash_key *key, uint64_t seed)
{
        key->seed = seed;
        XXH3_generateSecret_fromSeed(key->secret, seed);
}

uint64_t hash_long(const struct hash_key *key, const void *data, size_t bytes)
{
        if (XXH3_64bits_withSecret_dispatch)
                return XXH3_64bits_withSecret_dispatch(data, bytes, key->secret,
                                                       sizeof(key->secret));
        return XXH3_64bits_withSecretandSeed(data, bytes, key->secret, sizeof(key->secret),
                                             key->seed);
}
