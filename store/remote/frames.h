/*
 * frames.h - the frames of a segment file, walked and checked by reads
 *
 * Before bytes are shipped and after they were fetched every frame is checked, by the law of
 * segment/walk.h. Nothing is mapped: a file that somebody cuts is an error, not a signal. Memory is
 * one window, whatever the size of a record.
 */
#ifndef LOGSTORE_FRAMES_H
#define LOGSTORE_FRAMES_H

#include <stdbool.h>

#include "remote/remote_format.h"
#include "segment/brief.h"
#include "segment/walk.h"

/* Where the walk stands: between two records or batches. */
struct frames_at {
        uint64_t offset;
        uint64_t number; /* of the record that is due there */
};

/* Gets the lines of a directory, one for each BLOCK_SPAN of the bytes. */
struct frames_directory {
        struct remote_block *blocks;
        uint32_t count, room;
};

/* A walk stands at a frame, and has @reached that byte: add the lines that begin up to there. */
int frames_note_place(struct frames_directory *directory, uint64_t reached,
                      const struct walk_place *at);

/* Read and check the first page of @fd, segment @id of store @uuid. -EBADMSG and -EPROTONOSUPPORT
 * with what is wrong; errors of read(2). @name is for messages, here and below. */
int frames_brief(int fd, const char *name, const uint8_t uuid[16], uint64_t id,
                 struct segment_brief *ret);

/* The beginning of the walk. */
struct frames_at frames_begin(const struct segment_brief *brief);

/*
 * Walk from *at on, to @end or as far as @most bytes reach, over whole batches. *at is then behind
 * the last one. @directory may be NULL; else the walk is from the beginning.
 *
 * -EBADMSG: a frame is damaged, or the frames do not lead to @end (detail: offset, number).
 * -E2BIG: not even the first batch fits into @most bytes.
 */
int frames_walk(int fd, const char *name, const struct segment_brief *brief, uint64_t end,
                uint64_t most, struct frames_at *at, struct frames_directory *directory);

/* XXH3-64 with @seed of the bytes from @from to @to. The second sector, which a seal is written to
 * later, counts as zeros if @unsealed. */
int frames_hash(int fd, const char *name, uint64_t from, uint64_t to, uint64_t seed, bool unsealed,
                uint64_t *ret);

/* Zero what of the second sector is among the @size bytes from @offset. */
void frames_blank_seal(void *bytes, size_t size, uint64_t offset);

/* Read all of @size bytes. -EBADMSG: the file ends before. */
int frames_read(int fd, const char *name, void *bytes, size_t size, uint64_t offset);

#endif
