/*
 * trim.c - segments go while others read, append and look
 */
#include "world.h"

static void one_mapped(struct logstore_options *options)
{
        options->mapped_segments = 1;
}

const struct scenario scenarios_trim[] = {
        { .name = "trim-get",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(get), ACTOR(get_tail) } },
        { .name = "trim-cursor",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(cursor_long), ACTOR(cursor_back) } },
        { .name = "trim-get-many",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(get_many), ACTOR(roll_unsynced) } },
        { .name = "trim-roll",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(roll), ACTOR(trim) } },
        { .name = "trim-floor",
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(floor), ACTOR(get) } },
        { .name = "trim-look", .big_records = 60, .actors = { ACTOR(trim), ACTOR(look) } },
        { .name = "trim-get-one",
          .options = one_mapped,
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(get), ACTOR(get_tail) } },
        { .name = "trim-cursor-one",
          .options = one_mapped,
          .big_records = 60,
          .actors = { ACTOR(trim), ACTOR(cursor_long), ACTOR(cursor_back) } },
        { .name = NULL },
};
