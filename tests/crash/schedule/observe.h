/*
 * observe.h - every access of the store to memory comes through here
 */
#ifndef SCHEDULE_OBSERVE_H
#define SCHEDULE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>

void observe(const volatile void *at, size_t bytes, bool write, const void *pc);

#endif
