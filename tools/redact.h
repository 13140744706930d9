/*
 * redact.h - cover what a regular expression matches, in place
 */
#ifndef TOOL_REDACT_H
#define TOOL_REDACT_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "logstore.h"

/* Compile an extended POSIX expression over bytes. A status; @option is for the line. */
int pattern_compile(regex_t *pattern, const char *text, int flags, const char *option);

/* Records may hold any byte, also 0. */
bool pattern_matches(const regex_t *pattern, const void *data, size_t size);

/* Every byte that is matched becomes an x, in @snapshot alone. 1: *record is now the edited one,
 * 0: nothing matched, or as logstore_snapshot_edit(). */
int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record);

#endif
