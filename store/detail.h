/*
 * detail.h - the one-line explanation of this thread's last failure
 */
#ifndef LOGSTORE_DETAIL_H
#define LOGSTORE_DETAIL_H

#include <stdint.h>

/* Damage, as every party tells it: verify, repair, a reader, an open for writing. */
struct fault {
        int error;       /* 0: none; -EBADMSG, -EPROTONOSUPPORT, -EPERM, -EIO */
        char file[32];   /* name inside the store */
        uint64_t offset; /* in it */
        uint64_t number; /* of the first record that is not served for it; 0: not known yet */
        char what[256];
};

/* Remember the formatted line for logstore_detail() and return @error, so that a failure is one
 * statement: return detail(-EBADMSG, "..."). */
int detail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for damage: the line says file, offset, number if it is not 0, what it is and what to do, and
 * fault_last() gives the parts. */
int damaged(int error, const char *file, uint64_t offset, uint64_t number, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* The parts of this thread's last failure, which was @error: of damaged(), else its line alone. */
void fault_last(int error, struct fault *ret);

/* Fail with @fault. */
int fault_tell(const struct fault *fault);

/* As detail(), for the line that whoever follows makes each time he comes to the end: formatted only when
 * it is asked for. The two texts must live for ever. */
int detail_number(int error, const char *before, uint64_t number, const char *behind);

/* Add to the front of the line that a lower level left. */
int detail_prefix(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void detail_clear(void);

#endif
