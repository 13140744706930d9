/*
 * span.h - a stretch of a segment's bytes, out of the bucket
 *
 * The bytes are in an object, as a codec packed them, or in the commit of a tail. Only this module
 * knows which. What it gives are bytes of the segment as they were written; nothing but their
 * number is checked here, except what a codec or a commit checks of itself.
 *
 * Codecs: span_of() says which bytes of the object hold the stretch, by the line's directory.
 *         span_read() reads those and unpacks them. CODEC_PLAIN needs no directory.
 */
#ifndef LOGSTORE_SPAN_H
#define LOGSTORE_SPAN_H

#include "remote/bucket.h"
#include "remote/table.h"

#define SPAN_BLOCKS_MAX 16u /* BLOCK_SPANs that one stretch goes over, if it is of an object */

struct span {
        struct remote_entry entry; /* of the line that has it */
        uint64_t from, to;         /* bytes of the segment */
        /* Where in the object each BLOCK_SPAN of them begins, and behind that the end. */
        uint64_t starts[SPAN_BLOCKS_MAX + 1];
        uint32_t count;
};

/* The stretch from @from to @to of what @entry brought. In an object it begins at a multiple of
 * BLOCK_SPAN; a tail is always read as a whole. -EPROTONOSUPPORT: an unknown codec. -EBADMSG: the
 * directory is missing, or says what cannot be. */
int span_of(const struct remote_entry *entry, const struct remote_block *blocks, uint64_t from,
            uint64_t to, struct span *ret);

/* Give the bytes to @sink, in order. @uuid is that of the store. Errors of bucket_get() and of
 * commit_read(); -EBADMSG: there are fewer, or they are not what the entry says. */
int span_read(struct bucket *bucket, const uint8_t uuid[16], const struct span *span,
              const struct bucket_sink *sink);

/* The name of the object or commit that has what @entry brought. */
void span_name(const struct remote_entry *entry, char ret[BUCKET_NAME_MAX]);

#endif
