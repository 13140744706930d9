/*
 * follow.h - the store that a directory's name means, while it is followed
 *
 * As tail -F does with a file: what is not there is waited for, and what was replaced is left.
 */
#ifndef TOOL_FOLLOW_H
#define TOOL_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "logstore.h"

struct follow {
        const char *dir;
        struct stat control; /* of the control file that the name meant at the last look */
        bool waiting;        /* there is none, and that was said */
        int64_t doubt_ns;    /* since when there is something that does not open; 0: there is not */
};

/* Open for reading; waits for a store that is not there yet, or until nobody reads standard output:
 * then *ret is NULL. A status. */
int follow_open(struct follow *follow, const char *dir, struct logstore **ret);

/* Nothing comes behind @tail in @store, and the name may mean another store by now. *ret is that
 * store, or another opening of the same one; the caller then closes @store. NULL: there is nothing
 * to go on in for now. *ret_other says if it is another store, which is also printed. A status. */
int follow_look(struct follow *follow, struct logstore *store, uint64_t tail, struct logstore **ret,
                bool *ret_other);

/* After a failure: does the name mean what @store is no more? */
bool follow_left(const struct follow *follow);

/* Nobody reads standard output any more. */
bool follow_output_closed(void);

#endif
