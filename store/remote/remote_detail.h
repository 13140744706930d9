/*
 * remote_detail.h - one line about the last failure in this thread
 */
#ifndef LOGSTORE_REMOTE_DETAIL_H
#define LOGSTORE_REMOTE_DETAIL_H

#include <stdarg.h>

/* Keep the line and return @error. */
__attribute__((format(printf, 2, 3))) int remote_detail(int error, const char *format, ...);

/* Put "PREFIX: " before the line that is there. Returns @error. */
__attribute__((format(printf, 2, 3))) int remote_detail_within(int error, const char *format, ...);

/* The line; "" if there was no failure. Valid until the thread's next call. */
const char *remote_detail_line(void);

#endif
