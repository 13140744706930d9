/* data.c - record contents: random bytes, so that nothing is saved by them being alike */
#include "bench.h"

uint8_t data_pool[RECORD_BYTES_MAX + (64 << 10)];

void data_init(void)
{
        uint64_t x = 1;

        for (size_t i = 0; i < sizeof(data_pool); i++) {
                x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                data_pool[i] = (uint8_t)(x >> 56);
        }
}
