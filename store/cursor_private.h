/*
 * cursor_private.h - what the files of the cursor share
 */
#ifndef LOGSTORE_CURSOR_PRIVATE_H
#define LOGSTORE_CURSOR_PRIVATE_H

#include "cursor.h"

/* Forget the place, and let go of its segment. */
void cursor_leave(struct logstore_cursor *cursor);

/* Back to where the cursor stood before a call that failed. */
void cursor_put_back(struct logstore_cursor *cursor, const struct stand *was);

/* Where it stands, to be put back. */
struct stand cursor_where(const struct logstore_cursor *cursor);

/* Epoch of the chain as this process knows it. */
uint64_t cursor_known_epoch(struct logstore *store);

/* -ESTALE, and why. */
int cursor_stale(uint64_t number, const char *how);

/* -ESTALE: the log was cut below where the cursor stands, now or earlier. */
int cursor_check_epoch(struct logstore_cursor *cursor);

/* @segment is come to, with all before @number passed. It may be of an epoch of which the control page
 * does not tell yet; once it does, what was read here must not look cut. -ESTALE: what was passed is. */
int cursor_enter(struct logstore_cursor *cursor, const struct segment *segment, uint64_t number);

/* Numbers that the cursor may show: from the first, and in a writer or a snapshot to the last. */
uint64_t cursor_first(struct logstore_cursor *cursor);
uint64_t cursor_last(struct logstore_cursor *cursor);

/* The first number now, as the writer has published it. */
uint64_t cursor_first_now(struct logstore_cursor *cursor);

/* What is said of a number beyond the last: -EAGAIN, or the damage that hides it. */
int cursor_end_of_log(struct logstore_cursor *cursor);

/* The last number that the cursor could come to by now. */
int cursor_find_tail(struct logstore_cursor *cursor, uint64_t *ret);

/* May the record be shown? */
int cursor_check_record(struct logstore_cursor *cursor, struct place *place);

/* Find the place of cursor->number by index. */
int cursor_find_place(struct logstore_cursor *cursor);

/* Stand on the numbered frame of cursor->number and peek at it. */
int cursor_stand(struct logstore_cursor *cursor, struct place *ret);

#endif
