/*
 * scheduler.h - threads that run one at a time, chosen at every point where it can matter
 *
 * A point is an atomic operation, a lock, a wait, a call of the system, a start or end of a thread.
 * Time is virtual: it goes on a little at each point, and to the next deadline when no thread can
 * run. Two verdicts end a schedule: deadlock (no thread can run, and none waits for a time) and
 * livelock (too many points).
 */
#ifndef SCHEDULE_SCHEDULER_H
#define SCHEDULE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

#define THREADS 14

enum point {
        POINT_LOAD,
        POINT_STORE,
        POINT_UPDATE,
        POINT_FENCE,
        POINT_LOCK,
        POINT_UNLOCK,
        POINT_WAIT,
        POINT_TIME,
        POINT_CALL,
        POINT_THREAD,
};

/* ---- for scenarios ---- */
int scheduler_spawn(void *(*run)(void *), void *context, const char *name); /* its number */
void *scheduler_join(int thread);
int64_t scheduler_now_ns(void);
void scheduler_pass(int64_t ns); /* time goes on, also while it is quiet */
void scheduler_sleep(int64_t ns);
void scheduler_pause(void); /* a point of its own */
/* Nobody else is chosen between the two, unless we have to wait for him; they nest. */
void scheduler_quiet(void);
void scheduler_loud(void);

/* ---- for the command ---- */
struct scheduler_figures {
        uint64_t points, switches;
};
void scheduler_begin(const struct plan *plan);
struct scheduler_figures scheduler_end(void);

/* What is wrong; ends the schedule. The program that links this provides it. */
_Noreturn void verdict(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Where each thread stands, with stacks, to @file (FILE *). */
void scheduler_tell(void *file);

/* ---- for the runtime ---- */
extern const struct plan *scheduler_plan; /* NULL: quiet */
extern int scheduler_current;
void scheduler_point(enum point kind, const void *pc);
/* Until @key is woken: 0, or until the virtual time: -ETIMEDOUT. -1: no end. */
int scheduler_block(const volatile void *key, int64_t deadline_ns);
int scheduler_wake(const volatile void *key, int most);
bool scheduler_owns(const void *address); /* the running thread alone sees it */
void scheduler_specific(void *value);     /* of the one pthread_key */
void scheduler_at_exit(void (*destroy)(void *));

#endif
