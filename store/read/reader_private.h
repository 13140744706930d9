/*
 * reader_private.h - what the files of the reader share
 */
#ifndef LOGSTORE_READER_PRIVATE_H
#define LOGSTORE_READER_PRIVATE_H

#include "read/follower.h"
#include "read/reader.h"

/* As reader_judge(), whatever the follower says; @durable: what is due there was durable. */
int reader_judge_stop(const struct view *view, struct segment *segment, uint64_t offset,
                      uint64_t number, bool in_batch, bool durable, const char *what);

#endif
