/*
 * numbers.h - numbers, sizes, durations and times as people write and read them
 */
#ifndef TOOL_NUMBERS_H
#define TOOL_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Each returns 0, or -EINVAL and leaves *ret alone. The whole text must be taken. */
int number_parse(const char *text, uint64_t *ret);
int size_parse(const char *text, uint64_t *ret);    /* 4096, 64K, 64KiB, 1G: powers of 1,024 */
int duration_parse(const char *text, int64_t *ret); /* 10ms, 1.5s, 2h, 7d; ns, us, min, w */

/* RFC 3339 (UTC if no zone is said), a date, @SECONDS[.FRACTION], now, or -DURATION before now. */
int time_parse(const char *text, int64_t *ret_ns);

#define TIME_TEXT_BYTES 31 /* "2026-11-21T13:33:11.123456789Z" and the zero */

/* Writes RFC 3339 in UTC with nine digits; returns the 30 characters' end. */
char *time_format(char *to, int64_t time_ns);

/* Decimal digits, no zero behind them; returns their end. At most 20. */
char *number_format(char *to, uint64_t number);

/* "1.5 MiB", or the exact number of bytes; UINT64_MAX is "?". Returns @to. */
#define SIZE_TEXT_BYTES 24
const char *size_format(char to[SIZE_TEXT_BYTES], uint64_t bytes, int exact);

#endif
