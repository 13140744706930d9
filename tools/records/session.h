/*
 * session.h - the store that a verb works on
 */
#ifndef TOOL_SESSION_H
#define TOOL_SESSION_H

#include <popt.h>

#include "logstore.h"

/* Which stores are opened at all: of every verb that opens one by the functions below. */
extern struct poptOption session_options[];

/* One of them that was given, with its dashes; NULL: none was. */
const char *session_option_given(void);

/* What these options allow, as flags of a store that is opened or made. */
uint32_t session_flags(void);

/* --segment-size of a store that is made; @text may be NULL. A status, its line printed. */
int session_segment_size(const char *text, struct logstore_options *options);

/* Open @dir for reading, beside any writer. A status; on failure its line has been printed. */
int session_read(const char *dir, struct logstore **ret);

/* Open @dir for writing. */
int session_write(const char *dir, const struct logstore_options *options, struct logstore **ret);

/* The same, but while another process has the lock try again until @wait_ns have passed (negative:
 * for ever) or a held signal comes, which the caller asks for. */
int session_write_waiting(const char *dir, const struct logstore_options *options, int64_t wait_ns,
                          struct logstore **ret);

/* Close and report; returns @status, or what closing met. NULL is fine. */
int session_close(struct logstore *store, const char *dir, int status);

/* Sum of the bytes used in the segments, for progress. */
uint64_t session_bytes(struct logstore *store);

#endif
