/*
 * bucket_place.h - how an object store is reached, and why it was not
 */
#ifndef TOOL_BUCKET_PLACE_H
#define TOOL_BUCKET_PLACE_H

#include "logstore-remote.h"

/* What the options said. */
struct logstore_remote_options bucket_place(void);

/* A line about a failure of the library, and its status. */
int report_remote(int error, const char *url);

#endif
