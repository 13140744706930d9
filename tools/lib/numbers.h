/*
 * numbers.h - numbers, sizes and durations as people write and read them
 */
#ifndef TOOL_NUMBERS_H
#define TOOL_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Each returns 0, or -EINVAL and leaves *ret alone. The whole text must be taken. */
int number_parse(const char *text, uint64_t *ret);
int mode_parse(const char *text, uint32_t *ret);    /* octal digits */
int size_parse(const char *text, uint64_t *ret);    /* 4096, 64K, 64k, 64KiB: powers of 1,024 */
int duration_parse(const char *text, int64_t *ret); /* 10ms, 1.5s, 1h30m, 7d; ns, us, min, w */

/* Decimal digits, no zero behind them; returns their end. At most 20. */
char *number_format(char *to, uint64_t number);

/* "1.5 MiB", or the exact number of bytes; UINT64_MAX is "?". Returns @to. */
#define SIZE_TEXT_BYTES 24
const char *size_format(char to[SIZE_TEXT_BYTES], uint64_t bytes, int exact);

#endif
