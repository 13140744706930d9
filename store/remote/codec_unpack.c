/*
 * codec_unpack.c - the segment's bytes again: all of them as the object comes, or a part
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd_errors.h>

#include "remote/codec_private.h"
#include "remote/remote_detail.h"

#define CHECKSUM_FLAG 0x04 /* in the byte behind the magic number */

static int damaged(const char *name, uint64_t offset, const char *what)
{
        return remote_detail(-EBADMSG, "%s: offset %" PRIu64 ": %s", name, offset, what);
}

/* How long is the frame that begins here? 0: that cannot be said before more comes. */
static int measure(const char *name, uint64_t offset, const uint8_t *bytes, size_t size,
                   size_t *ret)
{
        size_t packed = ZSTD_findFrameCompressedSize(bytes, size);

        *ret = 0;
        if (!ZSTD_isError(packed))
                *ret = packed;
        else if (ZSTD_getErrorCode(packed) != ZSTD_error_srcSize_wrong || size >= FRAME_BYTES_MAX)
                return damaged(name, offset, "no packed frame begins here");
        return *ret > FRAME_BYTES_MAX ? damaged(name, offset, "a frame is too long") : 0;
}

/* Unpack the frame of @packed bytes that must hold @bytes of the segment. */
static int unpack_frame(ZSTD_DCtx *context, const char *name, uint64_t offset,
                        const uint8_t *packed, size_t packed_bytes, uint8_t *ret, size_t bytes)
{
        static const uint8_t magic[] = { 0x28, 0xB5, 0x2F, 0xFD };
        size_t got;

        if (packed_bytes < sizeof(magic) + 1 || memcmp(packed, magic, sizeof(magic)) != 0 ||
            !(packed[sizeof(magic)] & CHECKSUM_FLAG))
                return damaged(name, offset, "this is no frame with a checksum");
        if (ZSTD_getFrameContentSize(packed, packed_bytes) != bytes)
                return damaged(name, offset, "a frame has another size than is due");
        got = ZSTD_decompressDCtx(context, ret, bytes, packed, packed_bytes);
        if (ZSTD_isError(got))
                return damaged(name, offset, ZSTD_getErrorName(got));
        return got == bytes ? 0 : damaged(name, offset, "a frame has fewer bytes than it says");
}

/* ---- all ---- */

static_assert(SEEK_HEADER_BYTES + SEGMENT_BYTES_MAX / REMOTE_BLOCK_BYTES * 8 + SEEK_FOOTER_BYTES <
                      FRAME_BYTES_MAX,
              "the table fits where a frame does");

struct codec_stream {
        const char *name;
        uint64_t bytes, done; /* of the segment */
        const struct bucket_sink *sink;
        ZSTD_DCtx *context;
        uint8_t *packed, *plain; /* a frame that is not complete yet; or of the table */
        size_t have;
        uint64_t offset; /* of it in the object */
        struct seek_table table;
        bool complete;
};

int codec_stream_new(const char *name, uint64_t bytes, const struct bucket_sink *sink,
                     struct codec_stream **ret)
{
        struct codec_stream *stream = calloc(1, sizeof(*stream));
        int r = stream ? seek_table_init(bytes, &stream->table) : -ENOMEM;

        if (r == 0) {
                stream->name = name;
                stream->bytes = bytes;
                stream->sink = sink;
                stream->context = ZSTD_createDCtx();
                stream->packed = malloc(FRAME_BYTES_MAX);
                stream->plain = malloc(REMOTE_BLOCK_BYTES);
        }
        if (r < 0 || !stream->context || !stream->packed || !stream->plain) {
                codec_stream_free(stream);
                return remote_detail(-ENOMEM, "no memory to unpack %s", name);
        }
        *ret = stream;
        return 0;
}

void codec_stream_free(struct codec_stream *stream)
{
        if (!stream)
                return;
        seek_table_free(&stream->table);
        ZSTD_freeDCtx(stream->context);
        free(stream->packed);
        free(stream->plain);
        free(stream);
}

static void forget(struct codec_stream *stream, size_t size)
{
        memmove(stream->packed, stream->packed + size, stream->have - size);
        stream->have -= size;
        stream->offset += size;
}

/* One frame, if it is complete: then *ret_more says that another may be. */
static int take_frame(struct codec_stream *stream, bool *ret_more)
{
        size_t bytes = seek_frame_bytes(stream->bytes, stream->done), packed;
        int r = measure(stream->name, stream->offset, stream->packed, stream->have, &packed);

        *ret_more = r == 0 && packed != 0;
        if (!*ret_more)
                return r;
        r = unpack_frame(stream->context, stream->name, stream->offset, stream->packed, packed,
                         stream->plain, bytes);
        if (r < 0)
                return r;
        stream->table.lines[stream->table.count++] =
                (struct seek_line){ (uint32_t)packed, (uint32_t)bytes };
        stream->done += bytes;
        forget(stream, packed);
        return stream->sink->write(stream->sink->context, stream->plain, bytes);
}

/* Behind the last frame: the table must say what came. */
static int take_table(struct codec_stream *stream)
{
        size_t want = seek_table_bytes(stream->table.count);
        uint8_t *own;
        bool same;

        if (stream->have > want || stream->complete)
                return damaged(stream->name, stream->offset + want, "more comes than is due");
        if (stream->have < want)
                return 0;
        own = malloc(want);
        if (!own)
                return remote_detail(-ENOMEM, "no memory to unpack %s", stream->name);
        seek_table_write(&stream->table, own);
        same = memcmp(own, stream->packed, want) == 0;
        free(own);
        if (!same)
                return damaged(stream->name, stream->offset, "its seek table is damaged");
        stream->complete = true;
        return 0;
}

static int take(struct codec_stream *stream)
{
        bool more = true;
        int r = 0;

        while (r == 0 && more && stream->done < stream->bytes)
                r = take_frame(stream, &more);
        if (r == 0 && stream->done == stream->bytes)
                r = take_table(stream);
        return r;
}

int codec_stream_write(void *context, const void *bytes, size_t size)
{
        struct codec_stream *stream = context;
        const uint8_t *from = bytes;
        int r = 0;

        while (r == 0 && size > 0) {
                size_t piece = FRAME_BYTES_MAX - stream->have;

                if (piece > size)
                        piece = size;
                if (piece == 0 || stream->complete)
                        return damaged(stream->name, stream->offset + stream->have,
                                       "more comes than is due");
                memcpy(stream->packed + stream->have, from, piece);
                stream->have += piece;
                from += piece;
                size -= piece;
                r = take(stream);
        }
        return r;
}

int codec_stream_end(const struct codec_stream *stream)
{
        return stream->complete ? 0
                                : damaged(stream->name, stream->offset + stream->have,
                                          "the object ends too early");
}

/* ---- a part ---- */

int codec_unpack_part(const char *name, const void *bytes, size_t size, uint64_t from, uint64_t to,
                      void *ret)
{
        ZSTD_DCtx *context = ZSTD_createDCtx();
        const uint8_t *at = bytes;
        uint8_t *out = ret;
        int r = context ? 0 : remote_detail(-ENOMEM, "no memory to unpack %s", name);

        while (r == 0 && from < to) {
                size_t plain = seek_frame_bytes(to, from), packed;
                uint64_t offset = (uint64_t)(at - (const uint8_t *)bytes);

                r = measure(name, offset, at, size, &packed);
                if (r == 0 && packed == 0)
                        r = damaged(name, offset, "a frame is not complete");
                if (r == 0)
                        r = unpack_frame(context, name, offset, at, packed, out, plain);
                if (r < 0)
                        break;
                at += packed;
                size -= packed;
                out += plain;
                from += plain;
        }
        ZSTD_freeDCtx(context);
        return r < 0 ? remote_detail_within(r, "from byte %" PRIu64 " of the segment on", from) : r;
}
