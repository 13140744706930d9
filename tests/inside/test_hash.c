/*
 * test_hash.c - the key of a segment gives XXH3-64 with its seed, as the format document says
 */
#include "segment/hash.h"
#include "test_public_support.h"

static uint8_t data[5000];

static void fill(void)
{
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * 131 + (i >> 8));
}

static const uint64_t seeds[] = { 0, 1, 99, UINT64_C(0x8000000000000000), UINT64_MAX };

START_TEST(the_kept_secret_gives_what_the_seed_gives)
{
        struct hash_key key;

        fill();
        hash_key_init(&key, seeds[_i]);
        for (size_t bytes = 0; bytes <= sizeof(data); bytes += bytes < 600 ? 1 : 97)
                ck_assert_msg(hash_bytes(&key, data, bytes) ==
                                      XXH3_64bits_withSeed(data, bytes, seeds[_i]),
                              "%zu bytes", bytes);
}
END_TEST

START_TEST(an_unaligned_input_hashes_as_an_aligned_one)
{
        static const size_t lengths[] = { 1, 100, 240, 241, 1024, 4000 };
        struct hash_key key;

        fill();
        hash_key_init(&key, 7);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
                uint64_t want = hash_bytes(&key, data, lengths[i]);

                for (size_t shift = 1; shift < 9; shift++) {
                        static uint8_t moved[5000];
                        memcpy(moved + shift, data, lengths[i]);
                        ck_assert_uint_eq(hash_bytes(&key, moved + shift, lengths[i]), want);
                }
        }
}
END_TEST

START_TEST(different_seeds_give_different_hashes)
{
        static const size_t lengths[] = { 8, 100, 240, 241, 4000 };
        struct hash_key one, other;

        fill();
        hash_key_init(&one, 1);
        hash_key_init(&other, 2);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
                ck_assert_uint_ne(hash_bytes(&one, data, lengths[i]),
                                  hash_bytes(&other, data, lengths[i]));
}
END_TEST

/* So that a change of library, version or processor that alters the format is seen. */
START_TEST(known_inputs_have_known_hashes)
{
        ck_assert_uint_eq(hash_seeded(0, "", 0), UINT64_C(0x2d06800538d394c2));
        ck_assert_uint_ne(hash_seeded(1, "", 0), UINT64_C(0x2d06800538d394c2));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { the_kept_secret_gives_what_the_seed_gives, sizeof(seeds) / sizeof(seeds[0]) },
                { an_unaligned_input_hashes_as_an_aligned_one, 0 },
                { different_seeds_give_different_hashes, 0 },
                { known_inputs_have_known_hashes, 0 },
        };

        return RUN_TESTS("hash", tests);
}
