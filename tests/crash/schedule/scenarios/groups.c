/*
 * groups.c - all scenarios
 */
#include "world.h"

const struct scenario *const scenario_groups[] = {
        scenarios_itself, scenarios_append,   scenarios_batch,   scenarios_claim,
        scenarios_sync,   scenarios_truncate, scenarios_trim,    scenarios_retention,
        scenarios_roll,   scenarios_keeper,   scenarios_read,    scenarios_cursor,
        scenarios_wait,   scenarios_snapshot, scenarios_close,   scenarios_process,
        scenarios_power,  scenarios_pairs,    scenarios_triples, NULL,
};
