/*
 * bucket_source.h - reads what is to be put, from memory or from a file
 */
#ifndef LOGSTORE_BUCKET_SOURCE_H
#define LOGSTORE_BUCKET_SOURCE_H

#include "remote/bucket.h"

/* Read @size bytes that begin @at bytes behind the source's start; they are inside of it. -EIO: the
 * file is shorter, or cannot be read. */
int source_read(const struct bucket_source *source, uint64_t at, void *ret, size_t size);

/* The part of @source with @size bytes that begins at @at. */
struct bucket_source source_part(const struct bucket_source *source, uint64_t at, uint64_t size);

#endif
