/*
 * location.h - the values that an atomic variable had, and who may still see which
 *
 * A load may give any value that is not older than one the thread has seen there, nor than one that
 * was stored before something the thread knows of, nor before a sequentially consistent store that
 * came before its last such fence. An acquire learns what the storing thread knew when it released
 * that value. Where weakness is off a load gives the newest.
 */
#ifndef SCHEDULE_LOCATION_H
#define SCHEDULE_LOCATION_H

#include "clock.h"

enum { LOCATION_ACQUIRE = 1, LOCATION_NEWEST = 2 };

uint64_t location_load(const volatile void *at, unsigned bytes, int how);
/* @released NULL: relaxed. @when: the storing thread's clock at the store. Writes memory. */
void location_store(volatile void *at, unsigned bytes, uint64_t value, int thread, uint32_t when,
                    const struct clock *released);
/* The same after a load of the newest, by the same thread: the release before it still counts. */
void location_update(volatile void *at, unsigned bytes, uint64_t value, bool release);

/* The store before was sequentially consistent: after a fence that is so too, nobody sees less. */
void location_consistent(const volatile void *at, unsigned bytes);
void location_fence(int thread);

uint64_t location_memory(const volatile void *at, unsigned bytes);
void location_put(volatile void *at, unsigned bytes, uint64_t value);

#endif
