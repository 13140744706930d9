/*
 * race.h - plain accesses that nothing orders, by the clocks of one schedule
 */
#ifndef SCHEDULE_RACE_H
#define SCHEDULE_RACE_H

#include <stdbool.h>
#include <stddef.h>

/* The running thread reads or writes. Two accesses race if one writes and one is not atomic. */
void race_access(const volatile void *at, size_t bytes, bool write, bool atomic, const void *pc);
/* Memory that is somebody else's from now on. */
void race_forget(const void *at, size_t bytes);

#endif
