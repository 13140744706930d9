/*
 * stream_copy.h - the log, record by record, into a new store
 */
#ifndef TOOL_STREAM_COPY_H
#define TOOL_STREAM_COPY_H

#include <regex.h>
#include <stdbool.h>

#include "lib/progress.h"
#include "logstore.h"

struct stream_copy {
        struct logstore *from;
        struct logstore_bounds bounds; /* what is copied of it */
        const regex_t *pattern;        /* of --redact, or NULL */
        struct progress *progress;
        uint64_t redacted;
};

/* Durable on return. 0, or what reading, or what writing met: then *ret_writing is true. */
int stream_copy(struct stream_copy *copy, const char *path, const struct logstore_options *options,
                bool *ret_writing);

#endif
