/*
 * snapshot.c - snapshots, edits and exports beside a log that changes
 */
#include "world.h"

const struct scenario scenarios_snapshot[] = {
        { .name = "snapshot-append", .actors = { ACTOR(snapshot), ACTOR(append) } },
        { .name = "snapshot-trim",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(snapshot), ACTOR(roll_unsynced) } },
        { .name = "snapshot-truncate",
          .actors = { ACTOR(truncate_10), ACTOR(snapshot), ACTOR(append) } },
        { .name = "snapshot-truncate-roll",
          .big_records = 30,
          .actors = { ACTOR(truncate_high), ACTOR(snapshot), ACTOR(roll) } },
        { .name = "snapshot-export",
          .big_records = 30,
          .actors = { ACTOR(export), ACTOR(truncate_high), ACTOR(roll_unsynced) } },
        { .name = "snapshot-snapshot",
          .actors = { ACTOR(snapshot), ACTOR(snapshot), ACTOR(append) } },
        { .name = NULL },
};
