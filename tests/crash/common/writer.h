/*
 * writer.h - the little writing and judging that the methods with faults of their own need
 *
 * For one appender at a time: a record's number must be known before its bytes are made.
 */
#ifndef CRASH_WRITER_H
#define CRASH_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "logstore.h"
#include "oracle.h"

/* Append the recomputable record that comes next. Errors as logstore_append(), and -EPROTO if the
 * number given is not the next, or *ret_number was touched on failure. */
int writer_append(struct logstore *store, uint64_t seed, size_t bytes, uint64_t *ret_number);

/* Open with @flags; for writing with @segment_bytes, creating if need be. */
int writer_open(const char *path, uint64_t segment_bytes, uint32_t flags, struct logstore **ret);

/* Compare with the oracle; complaints to stderr under @when. 0 or the count of what is wrong. */
uint64_t writer_judge(struct logstore *store, const struct oracle *oracle, const char *when);

/* An oracle for a store that is written in one life with @seed. */
struct oracle writer_oracle(uint64_t seed);

/* Count a failed expectation, with the store's own words, on stderr. Returns whether it held. */
int expect(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern uint64_t expectations_failed;

#endif
