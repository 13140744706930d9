/*
 * cursor_private.h - what the files of the cursor share
 */
#ifndef LOGSTORE_CURSOR_PRIVATE_H
#define LOGSTORE_CURSOR_PRIVATE_H

#include "read/cursor.h"

/* Forget the place and unpin its segment. */
void cursor_leave(struct logstore_cursor *cursor);

/* Put back where the cursor stood before a call that failed. */
void cursor_put_back(struct logstore_cursor *cursor, const struct stand *was);

/* Give where the cursor stands, for cursor_put_back(). */
struct stand cursor_where(const struct logstore_cursor *cursor);

/* Returns -ESTALE with the detail that says why. */
int cursor_stale(uint64_t number, const char *how);

/* -ESTALE: the log was cut below where the cursor stands, now or earlier. */
int cursor_check_epoch(struct logstore_cursor *cursor);

/* The cursor comes to @segment, with all before @number passed. The control page may not tell of
 * the segment's epoch yet. Note the epoch, so that what was read here does not look cut later.
 * -ESTALE: what was passed was cut. */
int cursor_enter(struct logstore_cursor *cursor, const struct segment *segment, uint64_t number);

/* Say why there is nothing beyond the last number: -EAGAIN, or the damage that hides it. */
int cursor_end_of_log(struct logstore_cursor *cursor);

/* May the record be shown? Verify it and its batch. */
int cursor_check_record(struct logstore_cursor *cursor, struct place *place);

/* Find the place of cursor->at.number by the index. */
int cursor_find_place(struct logstore_cursor *cursor);

/* Stand on the frame of cursor->at.number and peek at it. */
int cursor_stand(struct logstore_cursor *cursor, struct place *ret);

#endif
