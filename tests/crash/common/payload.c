/*
 * payload.c - record contents that anyone can recompute from (seed, number, size)
 */
#include "payload.h"

#include <string.h>

uint64_t random_next(uint64_t *state)
{
        uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

uint64_t random_below(uint64_t *state, uint64_t limit)
{
        return random_next(state) % limit;
}

static uint64_t stream_start(uint64_t seed, uint64_t number, size_t size)
{
        uint64_t state = seed;

        state = random_next(&state) ^ number;
        state = random_next(&state) ^ size;
        return random_next(&state);
}

void payload_fill(void *data, size_t size, uint64_t seed, uint64_t number,
                  struct payload_place place)
{
        uint64_t state = stream_start(seed, number, size);
        uint8_t *to = data;

        if (size >= PAYLOAD_PLACE_BYTES) {
                memcpy(to, &place, PAYLOAD_PLACE_BYTES);
                to += PAYLOAD_PLACE_BYTES;
                size -= PAYLOAD_PLACE_BYTES;
        }
        while (size > 0) {
                uint64_t word = random_next(&state);
                size_t piece = size < sizeof(word) ? size : sizeof(word);

                memcpy(to, &word, piece);
                to += piece;
                size -= piece;
        }
}

bool payload_check(const void *data, size_t size, uint64_t seed, uint64_t number,
                   struct payload_place *ret)
{
        uint64_t state = stream_start(seed, number, size);
        struct payload_place place = { .index = 0, .count = 1 };
        const uint8_t *from = data;

        if (size >= PAYLOAD_PLACE_BYTES) {
                memcpy(&place, from, PAYLOAD_PLACE_BYTES);
                from += PAYLOAD_PLACE_BYTES;
                size -= PAYLOAD_PLACE_BYTES;
        }
        while (size > 0) {
                uint64_t word = random_next(&state);
                size_t piece = size < sizeof(word) ? size : sizeof(word);

                if (memcmp(from, &word, piece) != 0)
                        return false;
                from += piece;
                size -= piece;
        }
        *ret = place;
        return place.index < place.count;
}

bool payload_may_be_void(uint64_t seed, uint64_t number)
{
        return stream_start(seed, number, SIZE_MAX) % 8 == 0;
}
