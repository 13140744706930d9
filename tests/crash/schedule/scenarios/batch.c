/*
 * batch.c - batches stay whole
 */
#include "world.h"

const struct scenario scenarios_batch[] = {
        { .name = "batch-append", .actors = { ACTOR(batch), ACTOR(append) } },
        { .name = "batch-truncate", .actors = { ACTOR(batch), ACTOR(truncate_10) } },
        { .name = "batch-truncate-inside",
          .actors = { ACTOR(batch), ACTOR(truncate_batch), ACTOR(cursor) } },
        { .name = "batch-roll",
          .actors = { ACTOR(batch_roll), ACTOR(batch_roll), ACTOR(cursor_long) } },
        { .name = "batch-claim", .actors = { ACTOR(batch), ACTOR(claim) } },
        { .name = "batch-trim",
          .big_records = 60,
          .actors = { ACTOR(batch_roll), ACTOR(trim), ACTOR(get) } },
        { .name = "batch-snapshot", .actors = { ACTOR(batch), ACTOR(snapshot) } },
        { .name = NULL },
};
