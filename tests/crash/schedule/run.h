/*
 * run.h - one schedule in a process of its own
 *
 * A stage is a process in which a scenario's store is made; each schedule is a fork of it. So every
 * schedule begins with the same memory.
 */
#ifndef SCHEDULE_RUN_H
#define SCHEDULE_RUN_H

#include <stdio.h>

#include "plan.h"
#include "scheduler.h"
#include "world.h"

#define RUN_MOST_POINTS 400000u
#define RUN_VERDICT_BYTES 600u

struct outcome {
        bool failed;
        char verdict[RUN_VERDICT_BYTES];
        struct scheduler_figures figures;
        double seconds;
};

/* In this process from now on; once. */
void run_make_stage(const struct scenario *scenario, bool threads);
/* @list: what was decided goes there; @trail: stacks and history of a failure; both may be NULL. */
struct outcome run_schedule(const struct plan *plan, FILE *list, FILE *trail);

/* ---- what is run ---- */
struct task {
        const struct scenario *scenario;
        bool threads;         /* the store has its own */
        const char *strategy; /* "pct", "walk", "weak" */
        char name[80];        /* of the scenario; "+threads" behind it */
};
/* The plan of one seed; @points: how long a schedule is. */
struct plan run_plan(const char *strategy, uint64_t seed, uint64_t points);
uint64_t run_length(void); /* points of one schedule */

#endif
