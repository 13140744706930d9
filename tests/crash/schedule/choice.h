/*
 * choice.h - every decision of a schedule: by priority, by lot or by a list
 *
 * A list is text, one decision a line, and says where by what the thread does, not by counting the
 * steps of all, so it survives changes of the code and lines can be taken out:
 *
 *     THREAD FUNCTION KIND N VERB VALUE
 *
 * At the N-th point of that kind in that function in that thread:
 *     run OTHER     the thread is preempted by another
 *     then OTHER    the thread had to wait there, or ended, and the other went on
 *     wake OTHER    of those who wait for the same, this one first
 *     drain OTHER:I the I-th oldest store that the other has buffered reaches memory
 *     stale I       the load gives what was there I stores ago
 * A line whose point is not met, or whose thread cannot run, is passed over.
 */
#ifndef SCHEDULE_CHOICE_H
#define SCHEDULE_CHOICE_H

#include <stdio.h>

#include "scheduler.h"

struct candidates {
        bool runnable[THREADS];
        const char *names[THREADS];
        unsigned count; /* of threads, runnable or not */
};

void choice_begin(const struct plan *plan);
void choice_spawned(int thread); /* it gets a priority */

/* The running thread comes to a point; what follows happens there. */
void choice_place(int thread, const char *name, enum point kind, const void *pc);

/* Who goes on: the running thread, if it can (@stays), or another; one at least is runnable. */
int choice_run(int current, bool stays, const struct candidates *all);
/* Which of those marked goes first. */
int choice_wake(const struct candidates *waiting);
/* Does a store leave its buffer here: 0 no, 1 + I. @count stores wait, @early: any may go. */
unsigned choice_drain(const char *name, int thread, unsigned count, bool early);
/* How many stores ago, 0..@most. */
unsigned choice_stale(unsigned most);

/* ---- lists ---- */
#define CHOICES 60000u
void choice_write(FILE *to);                          /* what this schedule decided */
void choice_read(char *const *lines, unsigned count); /* what the next one shall decide */

#endif
