/*
 * redact.h - cover what a regular expression matches, in place
 */
#ifndef TOOL_REDACT_H
#define TOOL_REDACT_H

#include <regex.h>

#include "logstore.h"

/* Every byte that is matched becomes an x, in @snapshot alone. 1: *record is now the edited one,
 * 0: nothing matched, or as pattern_find() and logstore_snapshot_edit(). */
int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record);

#endif
