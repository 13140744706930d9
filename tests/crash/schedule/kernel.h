/*
 * kernel.h - what a scenario can set of the system below the store
 */
#ifndef SCHEDULE_KERNEL_H
#define SCHEDULE_KERNEL_H

#include <stdbool.h>

#include "rng.h"

struct kernel {
        struct rng random;   /* that the store gets */
        bool dirty;          /* writeback lies behind, mostly */
        unsigned cachestats; /* asked so far */
};
extern struct kernel kernel;

#endif
