/*
 * reader.h - what the library itself asks a log that is read in place
 */
#ifndef LOGSTORE_READER_H
#define LOGSTORE_READER_H

#include "logstore-remote.h"

/* The first record of the oldest segment that is not wholly older than @time_ns. A segment is as
 * old as the start of the one behind it; the last one is young. Costs a request for each older one.
 * Errors of logstore_remote_open(). */
int reader_first_from(struct logstore_remote *remote, int64_t time_ns, uint64_t *ret_number);

#endif
