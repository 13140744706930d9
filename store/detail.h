/*
 * detail.h - the one-line explanation of this thread's last failure
 */
#ifndef LOGSTORE_DETAIL_H
#define LOGSTORE_DETAIL_H

#include <stdint.h>

/* Remember the formatted line for logstore_detail() and return @error, so that a failure is one
 * statement: return detail(-EBADMSG, "..."). */
int detail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As detail(), for the line that whoever follows makes each time he comes to the end: formatted only when
 * it is asked for. The two texts must live for ever. */
int detail_number(int error, const char *before, uint64_t number, const char *behind);

/* Add to the front of the line that a lower level left. */
int detail_prefix(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void detail_clear(void);

#endif
