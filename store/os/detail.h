/*
 * detail.h - the one-line explanation of this thread's last failure
 */
#ifndef LOGSTORE_DETAIL_H
#define LOGSTORE_DETAIL_H

#include <stdint.h>

/* Damage. Verify, repair, readers and an open for writing all tell it in this form. */
struct fault {
        int error;       /* 0: none; -EBADMSG, -EPROTONOSUPPORT, -EPERM, -EIO */
        char file[32];   /* name inside the store */
        uint64_t offset; /* in that file */
        uint64_t number; /* first record not served because of it; 0: not known yet */
        char what[256];
};

/* Remember the formatted line for logstore_detail() and return @error, which is below 0. So a
 * failure is one statement: return detail(-EBADMSG, "..."). */
int detail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for damage. The line says file, offset, number (if not 0), what is wrong and what to do;
 * fault_last() gives the parts. */
int damaged(int error, const char *file, uint64_t offset, uint64_t number, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

#ifdef LOGSTORE_ANALYSED
/* An analyser that does not know that the result is below 0 follows the path of success after each
 * failure. */
static inline int detail_negative(int error)
{
        if (error >= 0)
                __builtin_unreachable();
        return error;
}
#define detail(...) detail_negative(detail(__VA_ARGS__))
#define damaged(...) detail_negative(damaged(__VA_ARGS__))
#endif

/* Give the parts of this thread's last failure, which was @error. If it did not come from
 * damaged(), only the line is known. */
void fault_last(int error, struct fault *ret);

/* Fail with @fault: make it this thread's last failure and return its error. */
int fault_tell(const struct fault *fault);

/* As detail(), for a line that a follower makes each time it comes to the end: it is formatted only
 * when asked for. The two texts must live for ever. */
int detail_number(int error, const char *before, uint64_t number, const char *behind);

/* Pass on the result of a sync: of @what, or of a directory for the sake of @what. The line tells
 * of an error; 0 leaves it as it was. Returns @error. */
int detail_sync(int error, const char *what);
int detail_sync_directory(int error, const char *what);

/* Put text in front of the line that a lower level left. Returns @error. */
int detail_prefix(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void detail_clear(void);

#endif
