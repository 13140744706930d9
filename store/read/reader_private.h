/*
 * reader_private.h - the follower, shared by the files of reader
 */
#ifndef LOGSTORE_READER_PRIVATE_H
#define LOGSTORE_READER_PRIVATE_H

#include "read/reader.h"

/* Walk on to where the log ends now. Under follower.lock. */
int reader_follow(struct logstore *store);

/* As reader_judge(), whatever the follower says; @durable: what is due there was durable. */
int reader_judge_stop(struct logstore *store, struct segment *segment, uint64_t offset,
                      uint64_t number, bool in_batch, bool durable, const char *what);

/* The tail of a follower that is locked. */
uint64_t reader_told_tail(const struct follower *follower);

#endif
