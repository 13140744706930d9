/*
 * read.c - reading by number beside a log that loses its end
 */
#include "world.h"

const struct scenario scenarios_read[] = {
        { .name = "read-truncate",
          .actors = { ACTOR(truncate_high), ACTOR(append), ACTOR(cursor), ACTOR(get_tail) } },
        { .name = "read-many-truncate",
          .big_records = 30,
          .actors = { ACTOR(truncate_high), ACTOR(roll_unsynced), ACTOR(get_many) } },
        { .name = "read-look-truncate",
          .big_records = 30,
          .actors = { ACTOR(truncate_high), ACTOR(look), ACTOR(roll_unsynced) } },
        { .name = NULL },
};
