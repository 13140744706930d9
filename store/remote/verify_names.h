/*
 * verify_names.h - are the objects there that a table names, with their sizes?
 *
 * It costs two lists, whose pages have 1,000 names each, and nothing of an object is read.
 */
#ifndef LOGSTORE_VERIFY_NAMES_H
#define LOGSTORE_VERIFY_NAMES_H

#include "remote/table.h"

/* Call @each for each line whose object or commit is missing or has another size, until it returns
 * non-zero; that is then returned. Errors of bucket_list(); -ENOMEM. */
int verify_names(struct bucket *bucket, const struct table *table,
                 int (*each)(void *context, const struct table_line *line, const char *what),
                 void *context);

#endif
