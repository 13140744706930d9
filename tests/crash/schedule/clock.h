/*
 * clock.h - happens-before: what each thread knows of the others, as vector clocks
 *
 * An acquire joins what a release left at the same place. location.h has the places of atomics and
 * keeps a clock for each value. Those here are of locks, of fences and of the judges' own order.
 */
#ifndef SCHEDULE_CLOCK_H
#define SCHEDULE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "scheduler.h"

struct clock {
        uint32_t of[THREADS];
};

extern bool clock_on;
void clock_begin(bool on);
void clock_spawn(int parent, int child);
void clock_join(int thread, int ended);

const struct clock *clock_now(void); /* of the running thread */
uint32_t clock_mine(void);
void clock_learn(const struct clock *other);
void clock_tick(void); /* behind each release */

void clock_acquire(const volatile void *place);
void clock_release(const volatile void *place);
/* A fence, or something that has returned and is known to everybody who asks from now on. */
void clock_meet(void);
void clock_everybody(void); /* a fence in all threads */

#endif
