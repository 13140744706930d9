/*
 * known.h - faults of the store that are known and not mended yet
 *
 * A schedule that ends with one of them is counted apart and does not fail. A row goes away with its
 * fault; --known treats them like all others.
 */
#ifndef SCHEDULE_KNOWN_H
#define SCHEDULE_KNOWN_H

#include <stdbool.h>

bool known_fault(const char *verdict);

#endif
