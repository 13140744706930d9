/*
 * session.h - the store that a verb works on
 */
#ifndef TOOL_SESSION_H
#define TOOL_SESSION_H

#include "logstore.h"

/* Open @dir for reading, beside any writer. A status; on failure its line has been printed. */
int session_read(const char *dir, struct logstore **ret);

/* Open @dir for writing. @options may be NULL. */
int session_write(const char *dir, const struct logstore_options *options, struct logstore **ret);

/* Close and report; returns @status, or what closing met. NULL is fine. */
int session_close(struct logstore *store, const char *dir, int status);

/* Sum of the bytes used in the segments, for progress. */
uint64_t session_bytes(struct logstore *store);

#endif
