/*
 * control_rebuild.h - a control file from what the segments say
 */
#ifndef LOGSTORE_CONTROL_REBUILD_H
#define LOGSTORE_CONTROL_REBUILD_H

#include "control.h"

/* One in memory alone, to look at what is there. -ENOENT: no segment has a valid header.
 * -EPROTONOSUPPORT: those that have one are all of another version. */
int control_imagine(struct memory *memory, int directory, struct control *ret);

/* Write one, durable; none is there any more. -ENOENT as above; -EEXIST: another was written meanwhile. */
int control_rebuild(struct memory *memory, int directory);

#endif
