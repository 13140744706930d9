/*
 * cursor.c - walks both ways beside a log that loses its end
 */
#include "world.h"

const struct scenario scenarios_cursor[] = {
        { .name = "cursor-truncate",
          .actors = { ACTOR(truncate_10), ACTOR(roll_unsynced), ACTOR(cursor) } },
        { .name = "cursor-back-truncate",
          .big_records = 30,
          .actors = { ACTOR(truncate_high), ACTOR(roll_unsynced), ACTOR(cursor_back) } },
        { .name = "cursor-new-truncate",
          .actors = { ACTOR(truncate_10), ACTOR(append), ACTOR(cursor), ACTOR(cursor) } },
        { .name = NULL },
};
