/*
 * retention.c - limits that are set, applied and kept
 */
#include "world.h"

static void keep_bytes(struct logstore_options *options)
{
        options->keep_bytes = 200000;
        history.retention = true;
}

const struct scenario scenarios_retention[] = {
        { .name = "retention-roll",
          .big_records = 60,
          .actors = { ACTOR(retention), ACTOR(roll), ACTOR(cursor_long) } },
        { .name = "retention-trim",
          .big_records = 60,
          .actors = { ACTOR(retention), ACTOR(trim), ACTOR(get) } },
        { .name = "retention-kept",
          .options = keep_bytes,
          .big_records = 60,
          .actors = { ACTOR(roll), ACTOR(get), ACTOR(cursor_back) } },
        { .name = "retention-retention",
          .big_records = 60,
          .actors = { ACTOR(retention), ACTOR(retention), ACTOR(append) } },
        { .name = "retention-truncate",
          .big_records = 60,
          .actors = { ACTOR(limit), ACTOR(truncate_25) } },
        { .name = NULL },
};
