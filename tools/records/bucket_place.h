/*
 * bucket_place.h - the options that say how an object store is reached
 */
#ifndef TOOL_BUCKET_PLACE_H
#define TOOL_BUCKET_PLACE_H

#include <popt.h>

#include "logstore-remote.h"

/* For the option table of a verb that takes a URL. Keys are no options: they would show. */
extern struct poptOption bucket_place_options[];
#define BUCKET_PLACE_OPTIONS                                                                    \
        {                                                                                       \
                NULL, 0, POPT_ARG_INCLUDE_TABLE, bucket_place_options, 0, "Object store:", NULL \
        }

/* What they said. */
struct logstore_remote_options bucket_place(void);

/* A line about a failure of the library, and its status. */
int report_remote(int error, const char *url);

#endif
