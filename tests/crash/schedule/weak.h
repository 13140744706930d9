/*
 * weak.h - stores that others see late
 *
 * A relaxed or release store waits in its thread's buffer; the scheduler lets one out now and then.
 * Those to one place keep their order; a release store leaves behind all before it. Locks, waits,
 * updates, sequentially consistent stores and calls of the system empty the buffer first.
 */
#ifndef SCHEDULE_WEAK_H
#define SCHEDULE_WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void weak_store(volatile void *at, unsigned bytes, uint64_t value, bool release);
/* The running thread's own store, not yet out; false: none. */
bool weak_load(const volatile void *at, unsigned bytes, uint64_t *ret);
/* Plain accesses to what waits: it leaves first. */
void weak_touch(const void *at, size_t bytes);

unsigned weak_waiting(int thread);
void weak_drain(int thread, unsigned which); /* the oldest, if that one may not overtake */
void weak_drain_all_of(int thread);
void weak_drain_all(void);

#endif
