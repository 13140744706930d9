/*
 * verify.h - how faults and progress of a check are shown, for verify and repair
 */
#ifndef TOOL_VERIFY_H
#define TOOL_VERIFY_H

#include <stdbool.h>

#include "lib/progress.h"
#include "logstore.h"

struct verify_hooks {
        struct progress progress;
        bool json;      /* faults as JSON lines */
        uint64_t fatal; /* how many were told that are no mere notes */
};

/* For struct logstore_verify_hooks, with a struct verify_hooks as context. */
void verify_fault(void *context, const struct logstore_fault *fault);
void verify_progress(void *context, uint64_t done_bytes, uint64_t total_bytes);

#endif
