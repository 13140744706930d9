/*
 * copy.h - records of a log, copied one by one to a new store
 *
 * A record keeps its number and time. The numbers between two records become voids.
 */
#ifndef LOGSTORE_COPY_H
#define LOGSTORE_COPY_H

#include "store.h"

struct copy {
        struct logstore *to; /* NULL: not opened */
        uint64_t next;       /* the number that is due there */
};

/* Make the store at @path. It begins with options->first_number. The caller closes copy->to. */
int copy_begin(struct copy *copy, const char *path, const struct logstore_options *options);

/* Append voids up to before number @until. */
int copy_voids(struct copy *copy, uint64_t until);

/* Append a record with number @number, which is not below copy->next. */
int copy_record(struct copy *copy, uint64_t number, int64_t time_ns, const void *data, size_t size);

#endif
