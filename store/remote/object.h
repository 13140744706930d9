/*
 * object.h - an object, or a part of it, in memory
 */
#ifndef LOGSTORE_OBJECT_H
#define LOGSTORE_OBJECT_H

#include "remote/bucket.h"

/* Read @size bytes (UINT64_MAX: to the end) from @offset on into malloc'ed *ret_bytes. -EBADMSG:
 * more than @most come. Other errors are those of bucket_get(); -ENOMEM. */
int object_read(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                size_t most, uint8_t **ret_bytes, size_t *ret_size, struct bucket_reply *ret_reply);

#endif
