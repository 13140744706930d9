/*
 * span_unpack.c - a stretch that is packed, one BLOCK_SPAN after the other
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/codec.h"
#include "remote/remote_detail.h"
#include "remote/span_private.h"

int span_unpack_begin(struct span_unpack *unpack, const char *name, const struct span *span,
                      const struct bucket_sink *sink)
{
        *unpack = (struct span_unpack){ .name = name, .span = span, .sink = sink };
        unpack->packed = malloc(SPAN_PACKED_MAX);
        unpack->plain = malloc(BLOCK_SPAN);
        return unpack->packed && unpack->plain
                       ? 0
                       : remote_detail(-ENOMEM, "no memory to unpack %s", name);
}

void span_unpack_free(struct span_unpack *unpack)
{
        free(unpack->packed);
        free(unpack->plain);
}

/* All frames of the one that is due are there. */
static int unpack_due(struct span_unpack *unpack)
{
        const struct span *span = unpack->span;
        uint64_t from = span->from + unpack->at * BLOCK_SPAN, to = from + BLOCK_SPAN, whole;
        int r;

        if (to > span->to)
                to = span->to;
        whole = (to + REMOTE_BLOCK_BYTES - 1) / REMOTE_BLOCK_BYTES * REMOTE_BLOCK_BYTES;
        if (whole > span->entry.to)
                whole = span->entry.to;
        r = codec_unpack_part(unpack->name, unpack->packed, unpack->size, from, whole,
                              unpack->plain);
        if (r < 0)
                return remote_detail_within(r, "segment %" PRIu64 ", bytes from %" PRIu64,
                                            span->entry.id, from);
        unpack->at++;
        unpack->size = 0;
        return unpack->sink->write(unpack->sink->context, unpack->plain, to - from);
}

int span_unpack_write(void *context, const void *bytes, size_t size)
{
        struct span_unpack *unpack = context;
        const struct span *span = unpack->span;
        const uint8_t *from = bytes;
        int r = 0;

        while (r == 0 && size > 0 && unpack->at < span->count) {
                uint64_t due = span->starts[unpack->at + 1] - span->starts[unpack->at];
                size_t part = due - unpack->size < size ? due - unpack->size : size;

                memcpy(unpack->packed + unpack->size, from, part);
                unpack->size += part;
                from += part;
                size -= part;
                if (unpack->size == due)
                        r = unpack_due(unpack);
        }
        return r;
}
