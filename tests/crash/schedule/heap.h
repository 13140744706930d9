/*
 * heap.h - malloc that never gives the same memory twice
 *
 * So addresses follow from the schedule, and what is used after free or beyond its block is seen.
 */
#ifndef SCHEDULE_HEAP_H
#define SCHEDULE_HEAP_H

#include <stddef.h>

/* A verdict if @at is in the heap and not in a block in use. */
void heap_check(const volatile void *at, size_t bytes, const void *pc);

#endif
