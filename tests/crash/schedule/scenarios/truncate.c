/*
 * truncate.c - truncation beside everything that appends and reads
 */
#include "world.h"

const struct scenario scenarios_truncate[] = {
        { .name = "truncate-append", .actors = { ACTOR(truncate_10), ACTOR(append) } },
        { .name = "truncate-truncate",
          .actors = { ACTOR(truncate_10), ACTOR(truncate_15), ACTOR(append) } },
        { .name = "truncate-empty",
          .actors = { ACTOR(truncate_all), ACTOR(truncate_15), ACTOR(append) } },
        { .name = "truncate-empty-get", .actors = { ACTOR(truncate_all), ACTOR(get) } },
        { .name = "truncate-roll",
          .actors = { ACTOR(truncate_high), ACTOR(roll), ACTOR(roll_unsynced) } },
        { .name = "truncate-trim",
          .big_records = 60,
          .actors = { ACTOR(truncate_15), ACTOR(trim), ACTOR(get_tail) } },
        { .name = "truncate-trim-roll",
          .big_records = 60,
          .actors = { ACTOR(truncate_high), ACTOR(trim), ACTOR(roll) } },
        { .name = "truncate-retention",
          .big_records = 60,
          .actors = { ACTOR(truncate_high), ACTOR(retention), ACTOR(append) } },
        { .name = "truncate-bounds",
          .actors = { ACTOR(truncate_high), ACTOR(bounds), ACTOR(append) } },
        { .name = NULL },
};
