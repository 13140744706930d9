/*
 * fuzz.h - between libFuzzer and the targets
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <logstore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A target works on the store at @path; anything it finds wrong ends in abort(). */
void fuzz_target(const char *path);

/* Make the directory of the input anew, as it was, at @path; with what is no plain file if @odd. */
void fuzz_put(const char *path, bool odd);

/* Fail with a line that says what is wrong. */
void fuzz_wrong(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Open with options that suit a fuzzer: no thread, no ring. */
int fuzz_open(const char *path, uint32_t flags, struct logstore **ret);

/* A result of the API: 0 or more, or one of the errors of logstore.h with a detail. */
int64_t fuzz_result(int64_t r);

/* Read from the first record on; what was read, as a sum to compare, and the last number. */
struct fuzz_sum {
        uint64_t records, last, sum;
};
struct fuzz_sum fuzz_read(struct logstore *store, uint32_t cursor_flags, uint64_t up_to);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

#endif
