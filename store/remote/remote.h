/*
 * remote.h - open the bucket of a public call
 */
#ifndef LOGSTORE_REMOTE_OPEN_H
#define LOGSTORE_REMOTE_OPEN_H

#include "logstore-remote.h"
#include "remote/bucket.h"

/* @options may be NULL. -EINVAL: wrong struct_bytes, or as bucket_open(). */
int remote_open(const char *url, const struct logstore_remote_options *options,
                struct bucket **ret);

#endif
