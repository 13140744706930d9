/*
 * plan.h - which schedule is run
 */
#ifndef SCHEDULE_PLAN_H
#define SCHEDULE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum strategy {
        STRATEGY_PCT,    /* fixed priorities that change at depth - 1 random points */
        STRATEGY_WALK,   /* somebody else at one point in so many */
        STRATEGY_REPLAY, /* what a list says, else go on */
};

struct plan {
        enum strategy how;
        uint64_t seed;
        unsigned depth;       /* PCT */
        uint64_t points;      /* PCT: the length that is expected */
        unsigned one_in;      /* walk */
        bool weak;            /* stores are late and loads are stale where the orders allow it */
        bool races;           /* plain accesses that nothing orders are a verdict */
        bool record;          /* keep the choices */
        uint64_t most_points; /* more are a livelock */
};

#endif
