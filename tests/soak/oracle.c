/* oracle.c - see oracle.h */
#include "oracle.h"

#include <string.h>

uint64_t oracle_mix(uint64_t x)
{
        x += UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

int oracle_is_void(uint64_t number)
{
        return oracle_mix(~number) % 4096 == 0;
}

uint64_t oracle_from(uint64_t number)
{
        while (oracle_is_void(number))
                number++;
        return number;
}

size_t oracle_size(uint64_t number)
{
        uint64_t r = oracle_mix(number);

        if (r % 32 == 0)
                return (size_t)((r >> 8) % (ORACLE_BYTES_MAX + 1));
        return (size_t)((r >> 8) % 512);
}

static uint64_t word(uint64_t number, size_t index)
{
        return oracle_mix(number * UINT64_C(0xd1342543de82ef95) + index);
}

void oracle_fill(uint64_t number, void *to)
{
        size_t size = oracle_size(number);
        char *at = to;
        size_t i;

        for (i = 0; i < size / 8; i++)
                memcpy(at + i * 8, &(uint64_t){ word(number, i) }, 8);
        memcpy(at + i * 8, &(uint64_t){ word(number, i) }, size % 8);
}

int oracle_is_right(uint64_t number, const void *data, size_t size, uint8_t flip)
{
        const char *at = data;
        uint64_t flips = flip * UINT64_C(0x0101010101010101);
        uint64_t found = 0, wrong = 0, want;
        size_t i;

        if (size != oracle_size(number))
                return 0;
        for (i = 0; i < size / 8; i++) {
                memcpy(&found, at + i * 8, 8);
                wrong |= found ^ word(number, i) ^ flips;
        }
        want = word(number, i) ^ flips;
        return wrong == 0 && memcmp(at + i * 8, &want, size % 8) == 0;
}
