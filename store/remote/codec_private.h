/*
 * codec_private.h - the seek table, as packing and unpacking see it
 */
#ifndef LOGSTORE_CODEC_PRIVATE_H
#define LOGSTORE_CODEC_PRIVATE_H

#include <zstd.h>

#include "remote/codec.h"

#define FRAME_BYTES_MAX ZSTD_COMPRESSBOUND(REMOTE_BLOCK_BYTES)

/* A skippable frame: its magic number and size; a line for each frame; the footer. */
#define SEEK_SKIPPABLE_MAGIC 0x184D2A5Eu
#define SEEK_FOOTER_MAGIC 0x8F92EAB1u
#define SEEK_HEADER_BYTES 8u
#define SEEK_FOOTER_BYTES 9u

struct seek_line {
        uint32_t packed_bytes, bytes; /* of one frame, and of what is in it */
};

/* The lines of the table to be; those of frames that have come. */
struct seek_table {
        struct seek_line *lines;
        uint32_t count, room;
};

/* Room for all frames of @bytes bytes. -ENOMEM. */
int seek_table_init(uint64_t bytes, struct seek_table *ret);
void seek_table_free(struct seek_table *table);

/* How many frames @bytes bytes of a segment take, and how many of them the one at @offset holds. */
uint32_t seek_frame_count(uint64_t bytes);
uint64_t seek_frame_bytes(uint64_t bytes, uint64_t offset);

/* The table as bytes of the object. */
size_t seek_table_bytes(uint32_t count);
void seek_table_write(const struct seek_table *table, uint8_t *ret);

/* Is it the table of @table->room frames with @bytes bytes in all? It is read into @table. */
bool seek_table_read(struct seek_table *table, uint64_t bytes, const uint8_t *from);

#endif
