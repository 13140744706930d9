/*
 * redact.h - cover what a regular expression matches
 */
#ifndef TOOL_REDACT_H
#define TOOL_REDACT_H

#include <regex.h>

#include "logstore.h"

/* Every byte that is matched becomes an x, in @snapshot alone. 1: *record is now the edited one,
 * 0: nothing matched, or as pattern_find() and logstore_snapshot_edit(). */
int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record);

/* A copy of one record, to be covered where there is no snapshot. Zero is a good start. */
struct redact_copy {
        char *bytes;
        size_t capacity;
};

void redact_copy_free(struct redact_copy *copy);

/* The same in @copy: *record is valid until its next use. */
int redact_in_copy(struct redact_copy *copy, const regex_t *pattern,
                   struct logstore_record *record);

#endif
