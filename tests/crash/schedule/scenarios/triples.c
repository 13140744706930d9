/*
 * triples.c - three that share a lock
 */
#include "world.h"

const struct scenario scenarios_triples[] = {
        { .name = "triple-trim-truncate-retention",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(truncate_high), ACTOR(retention) } },
        { .name = "triple-truncate-claim-roll",
          .actors = { ACTOR(truncate_high), ACTOR(claim), ACTOR(roll_unsynced) } },
        { .name = "triple-truncate-batch-sync",
          .actors = { ACTOR(truncate_high), ACTOR(batch), ACTOR(sync_all) } },
        { .name = "triple-roll-trim-look",
          .big_records = 60,
          .actors = { ACTOR(roll_unsynced), ACTOR(trim), ACTOR(look) } },
        { .name = "triple-snapshot-trim-truncate",
          .big_records = 60,
          .actors = { ACTOR(snapshot), ACTOR(trim), ACTOR(truncate_high) } },
        { .name = "triple-async-claim-truncate",
          .actors = { ACTOR(sync_async), ACTOR(claim), ACTOR(truncate_10) } },
        { .name = "triple-cancel-claim-truncate",
          .actors = { ACTOR(cancel_all), ACTOR(claim), ACTOR(truncate_high) } },
        { .name = NULL },
};
