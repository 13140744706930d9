/*
 * turns.h - two threads that take turns, so that a seed repeats how they meet
 *
 * While a second thread is there exactly one of the two runs. The other gets its turn at a
 * simulated system call, as drawn, and wherever the running one would wait: for a mutex, a
 * condition, a futex or time. What lies between two of these points is not interleaved; only a
 * scheduler with a point at every atomic access could do that.
 *
 * The program is linked with --wrap for the functions of pthread that block (turns_wrap.c).
 */
#ifndef SIM_TURNS_H
#define SIM_TURNS_H

#include <stdbool.h>
#include <stdint.h>

/* Let @run(@context) run beside the caller from now on; it begins when its turn comes. */
void turns_begin(uint64_t seed, void (*run)(void *context), void *context);
/* Wait for its end: the caller has nothing left to do beside it. */
void turns_end(void);

/* Give the turn away, if there is somebody to take it: perhaps; or surely, because of a wait. */
void turns_point(void);
bool turns_yield(void); /* false: the caller is alone */

bool turns_is_alone(void);

#endif
