/*
 * sync.c - syncs in every form beside each other
 */
#include "world.h"

const struct scenario scenarios_sync[] = {
        { .name = "sync-sync", .actors = { ACTOR(append_timed), ACTOR(sync_all), ACTOR(append) } },
        { .name = "sync-truncate",
          .actors = { ACTOR(append_timed), ACTOR(truncate_high), ACTOR(append) } },
        { .name = "sync-async-truncate", .actors = { ACTOR(sync_async), ACTOR(truncate_10) } },
        { .name = "sync-async-roll",
          .actors = { ACTOR(sync_async), ACTOR(roll), ACTOR(append_timed) } },
        { .name = "sync-async-sync", .actors = { ACTOR(sync_async), ACTOR(sync_all) } },
        { .name = "sync-trim", .big_records = 60, .actors = { ACTOR(append), ACTOR(trim) } },
        { .name = NULL },
};
