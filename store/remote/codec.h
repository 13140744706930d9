/*
 * codec.h - a segment as a row of packed frames, and back
 *
 * Object:  independent zstd frames with content size and checksum, each with the next
 *          REMOTE_BLOCK_BYTES of the segment. Behind them a skippable frame with the seek table of
 *          zstd's seekable format. So `zstd -d` makes the segment's file of it, and any part of the
 *          segment can be had without what is before it.
 * Trust:   an object may come from an enemy. A frame must say the very size that is due, and fit
 *          into what a frame of that size can take; the seek table must be what the frames say.
 *          Else -EBADMSG, with the offset in the object. Nothing is allocated by what bytes say.
 * Memory:  a packer takes 2 MiB at the usual level, 6 MiB at the highest; an unpacker less than 1.
 * Threads: any number may use these calls at once, each for its own object.
 */
#ifndef LOGSTORE_CODEC_H
#define LOGSTORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "remote/bucket.h"
#include "remote/remote_format.h"

#define CODEC_LEVEL_MAX 22 /* of zstd's levels, which begin at 1 */

/* What was packed: the fields of an entry. */
struct codec_packed {
        uint64_t object_bytes, object_check;
        uint64_t bytes_check; /* of what was read, so that no other read need be the same */
};

/*
 * Write an object to file @to from its start on: the first @bytes bytes of the segment file @from,
 * packed with @level, 1 to CODEC_LEVEL_MAX; 0: as they are. The sector that a seal is written to
 * later is packed as zeros if @unsealed. Each of @blocks, the directory's lines, gets its
 * object_offset. @name is of the segment, for messages. -ENOMEM; errors of read and write.
 */
int codec_pack(int from, const char *name, uint64_t bytes, bool unsealed, int level, int to,
               struct remote_block *blocks, uint32_t block_count, struct codec_packed *ret);

/* ---- unpack all, as it comes ---- */

struct codec_stream;

/* @bytes: of the segment; entry.to. They go to @sink, which stays the caller's. @name is the
 * object's, and stays valid. -ENOMEM. */
int codec_stream_new(const char *name, uint64_t bytes, const struct bucket_sink *sink,
                     struct codec_stream **ret);
void codec_stream_free(struct codec_stream *stream); /* NULL is fine */

/* The object's next bytes: the write of a bucket_sink. -EBADMSG; what the sink returns. */
int codec_stream_write(void *stream, const void *bytes, size_t size);

/* No more come. -EBADMSG: the object is not complete. */
int codec_stream_end(const struct codec_stream *stream);

/* ---- unpack a part ---- */

/*
 * Unpack the segment's bytes from @from to @to into @ret. @from is a multiple of
 * REMOTE_BLOCK_BYTES, and so is @to, unless it is entry.to. The @size @bytes of the object begin
 * with the frame of @from: at remote_block.object_offset, or by codec_read_spans(). More may follow
 * behind what is needed. -EBADMSG: they are not such frames, or too few.
 */
int codec_unpack_part(const char *name, const void *bytes, size_t size, uint64_t from, uint64_t to,
                      void *ret);

/* Read from the seek table where the spans of BLOCK_SPAN begin in object @name, of an entry whose
 * directory no checkpoint has: *ret_offsets, to be freed, gets *ret_count offsets, and behind them
 * the end of the last span. -EBADMSG: no such table; errors of bucket_get(). */
int codec_read_spans(struct bucket *bucket, const char *name, const struct remote_entry *entry,
                     uint64_t **ret_offsets, uint32_t *ret_count);

#endif
