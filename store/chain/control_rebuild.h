/*
 * control_rebuild.h - a control file from what the segments say
 */
#ifndef LOGSTORE_CONTROL_REBUILD_H
#define LOGSTORE_CONTROL_REBUILD_H

#include "chain/control.h"

/* Make a control page in memory alone, to look at what is there. -ENOENT: no segment has a valid
 * header. -EPROTONOSUPPORT: all that have one are of another version. */
int control_imagine(struct memory *memory, int directory, struct control *ret);

/* Write a control file, durably, where there is none any more. -ENOENT, -EPROTONOSUPPORT as above.
 * -EEXIST: another process wrote one meanwhile. */
int control_rebuild(struct memory *memory, int directory);

#endif
