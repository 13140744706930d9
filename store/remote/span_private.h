/*
 * span_private.h - a stretch that is packed
 */
#ifndef LOGSTORE_SPAN_PRIVATE_H
#define LOGSTORE_SPAN_PRIVATE_H

#include <zstd.h>

#include "remote/span.h"

#define SPAN_FRAME_MAX ZSTD_COMPRESSBOUND(REMOTE_BLOCK_BYTES)
/* The frames of one BLOCK_SPAN, and the seek table behind the last. */
#define SPAN_PACKED_MAX (BLOCK_SPAN / REMOTE_BLOCK_BYTES * SPAN_FRAME_MAX + (UINT64_C(1) << 18))

/* Unpacks one BLOCK_SPAN after the other, as their frames are complete. */
struct span_unpack {
        const char *name;
        const struct span *span;
        const struct bucket_sink *sink;
        uint32_t at; /* which of them is due */
        uint8_t *packed, *plain;
        size_t size; /* of what is there of its frames */
};

int span_unpack_begin(struct span_unpack *unpack, const char *name, const struct span *span,
                      const struct bucket_sink *sink);
void span_unpack_free(struct span_unpack *unpack);

/* The object's next bytes: the write of a bucket_sink. */
int span_unpack_write(void *unpack, const void *bytes, size_t size);

#endif
