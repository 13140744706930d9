/*
 * input.h - a store's directory as one short fuzzer input, and back
 *
 * Input: one byte of flags. Then per file: one byte is its name, two bytes its size in units of 512
 * bytes (from 0x8000 on: a file of 64 KiB, of the kind and length that it says; see odd.h), one
 * byte the number of pieces. Per piece: two bytes are its offset and two its length, both in units
 * of 8 bytes; then come its bytes. What no piece covers is zero. Whatever does not parse ends the
 * input.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "../crash/damage/tree.h"

/* What is made true again before the store is opened; else a fuzzer never gets past a checksum. */
enum input_flag {
        INPUT_FIX_CONTROL = 1 << 0,
        INPUT_FIX_HEADERS = 1 << 1,
        INPUT_FIX_FRAMES = 1 << 2,
        INPUT_FIX_SEALS = 1 << 3,
        INPUT_FIX_INDEXES = 1 << 4,
        INPUT_FIX_IDENTITY = 1 << 5, /* store UUID and id of each file */
        INPUT_FIX_ORDINALS = 1 << 6,
        INPUT_FIX_ALL = 0x7f,
        INPUT_FIX_LINKS = 1 << 7, /* each start frame names the salt and the numbers of the segment
                                     whose id it names */
};

#define INPUT_BYTES_MAX (64u << 10)
#define INPUT_SEGMENT_BYTES (64u << 10)

/* Names by their byte in the input. */
extern const char *const input_names[];
extern const unsigned input_name_count;

void input_decode(const unsigned char *data, size_t size, unsigned *ret_flags, struct tree *ret);
size_t input_encode(unsigned flags, const struct tree *tree, unsigned char *data, size_t capacity);

/* Bytes of what looks like a frame at @offset, up to where the next would begin; 0: no frame. */
uint64_t input_frame_bytes(const struct tree_file *file, uint64_t offset);

/* Recompute what @flags asks for. */
void input_fix(struct tree *tree, unsigned flags);

#endif
