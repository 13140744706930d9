/*
 * remote_trim.h - trim of a log in a bucket
 */
#ifndef TOOL_REMOTE_TRIM_H
#define TOOL_REMOTE_TRIM_H

#include "records/keep.h"

/* A status. @before 0: not asked for. */
int remote_trim(const char *url, uint64_t before, const struct keep *keep, bool dry_run);

#endif
