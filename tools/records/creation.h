/*
 * creation.h - what a store is made with: size of its segments, mode and group of its files
 */
#ifndef TOOL_CREATION_H
#define TOOL_CREATION_H

#include "logstore.h"

struct creation {
        const char *segment_text, *mode_text, *group_text; /* as given, or NULL */
};

/* Into @options, a status; group and mode say each other's defaults. */
int creation_parse(const struct creation *creation, struct logstore_options *options);

/* Before the open: make the directory for that group, if there is no store yet. A status. */
int creation_prepare(const struct creation *creation, const char *dir,
                     const struct logstore_options *options);

/* Behind it: say what was not used because the store was there already. */
void creation_note(const struct creation *creation, const char *dir,
                   const struct logstore_options *options, struct logstore *store);

#endif
