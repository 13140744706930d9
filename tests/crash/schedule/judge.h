/*
 * judge.h - is what the store says true?
 *
 * Each function ends the schedule with a verdict if not. @begin is history_now() before the judged
 * call; @how names the call.
 */
#ifndef SCHEDULE_JUDGE_H
#define SCHEDULE_JUDGE_H

#include <logstore.h>

#include "history.h"

struct disk;

/* Judge a record that was read, and return the append that wrote it if its payload tells; judge an
 * error in its place; judge the bounds. */
struct op *judge_record(const char *how, const struct logstore_record *record, uint64_t begin);
void judge_missing(const char *how, int error, uint64_t number, uint64_t begin);
void judge_bounds(struct logstore *store, const char *how);
/* A cursor before @number, last moved at @since, said -ESTALE. */
void judge_stale(const char *how, uint64_t number, uint64_t since);
/* A call with these results alone; ends with 0. */
int judge_result(const char *how, int result, const int *allowed);

/* All of the log, as it was at @now by the history. Marks what it saw with what it returns. */
uint64_t judge_log(struct logstore *store, const char *how, uint64_t now);
/* The power is cut now: does the store open, with all that was acknowledged, and is it sound? */
void judge_power_cut(const char *when);
/* Record @number was acknowledged just now: its bytes are on the disk. */
void judge_on_disk(uint64_t number, uint64_t since);
/* No file is left that nothing will ever remove. */
void judge_leftovers(void);

#endif
