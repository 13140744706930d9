/*
 * append.c - appends beside appends
 */
#include "world.h"

static void each(struct logstore_options *options)
{
        options->sync_policy = LOGSTORE_SYNC_EACH;
}

static void interval(struct logstore_options *options)
{
        options->sync_policy = LOGSTORE_SYNC_INTERVAL;
        options->sync_bytes = 4096;
        options->sync_ms = 1;
}

const struct scenario scenarios_append[] = {
        { .name = "append-append", .actors = { ACTOR(append), ACTOR(append) } },
        { .name = "append-get", .actors = { ACTOR(append), ACTOR(get_tail) } },
        { .name = "append-each",
          .options = each,
          .actors = { ACTOR(append_each), ACTOR(append_each) } },
        { .name = "append-each-truncate",
          .options = each,
          .actors = { ACTOR(append_each), ACTOR(append_each), ACTOR(truncate_10) } },
        { .name = "append-each-roll",
          .options = each,
          .actors = { ACTOR(append_each), ACTOR(roll_unsynced), ACTOR(append_each) } },
        { .name = "append-each-claim",
          .options = each,
          .actors = { ACTOR(append_each), ACTOR(claim) } },
        { .name = "append-interval-truncate",
          .options = interval,
          .actors = { ACTOR(append), ACTOR(truncate_high), ACTOR(cursor), ACTOR(get_tail) } },
        { .name = "append-interval-roll",
          .options = interval,
          .actors = { ACTOR(roll), ACTOR(roll_unsynced) } },
        { .name = NULL },
};
