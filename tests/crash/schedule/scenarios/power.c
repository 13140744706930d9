/*
 * power.c - the power is cut at any time, not only where something was acknowledged
 */
#include "world.h"

const struct scenario scenarios_power[] = {
        { .name = "power-truncate",
          .actors = { ACTOR(truncate_15), ACTOR(truncate_all), ACTOR(power_cuts) } },
        { .name = "power-truncate-trim",
          .big_records = 60,
          .actors = { ACTOR(truncate_15), ACTOR(trim), ACTOR(power_cuts), ACTOR(power_cuts) } },
        { .name = "power-truncate-roll",
          .actors = { ACTOR(truncate_high), ACTOR(roll), ACTOR(power_cuts), ACTOR(batch_roll) } },
        { .name = "power-trim-roll",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(roll), ACTOR(power_cuts) } },
        { .name = "power-claim",
          .actors = { ACTOR(claim_left), ACTOR(roll_unsynced), ACTOR(power_cuts),
                      ACTOR(append_timed) } },
        { .name = "power-retention",
          .big_records = 60,
          .actors = { ACTOR(retention), ACTOR(roll), ACTOR(power_cuts) } },
        { .name = "power-async", .actors = { ACTOR(sync_async), ACTOR(roll), ACTOR(power_cuts) } },
        { .name = NULL },
};
