/*
 * oracle.h - what the record with a given number must be, from the number alone
 *
 * Sizes are 0..ORACLE_BYTES_MAX, a few hundred bytes on average, one in 32 larger. About one
 * number in 4,096 is void: claimed and aborted. Nothing is stored anywhere to check against.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>
#include <stdint.h>

#define ORACLE_BYTES_MAX 8192u

uint64_t oracle_mix(uint64_t x);
int oracle_is_void(uint64_t number);
size_t oracle_size(uint64_t number);

/* The first number from @number on that is not void. */
uint64_t oracle_from(uint64_t number);

/* Write the payload of @number, oracle_size() bytes, to @to. */
void oracle_fill(uint64_t number, void *to);

/* Is this the payload of @number, each byte exclusive-ored with @flip? */
int oracle_is_right(uint64_t number, const void *data, size_t size, uint8_t flip);

#endif
