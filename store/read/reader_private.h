/*
 * reader_private.h - the follower, shared by the files of reader
 */
#ifndef LOGSTORE_READER_PRIVATE_H
#define LOGSTORE_READER_PRIVATE_H

#include "read/reader.h"

/* Walk on to where the log ends now. Under follower.lock. */
int reader_follow(struct logstore *store);

/* The tail of a follower that is locked. */
uint64_t reader_told_tail(const struct follower *follower);

#endif
