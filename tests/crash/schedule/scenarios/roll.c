/*
 * roll.c - segments fill, seal and follow each other
 */
#include "world.h"

const struct scenario scenarios_roll[] = {
        { .name = "roll-roll", .actors = { ACTOR(roll), ACTOR(roll_unsynced) } },
        { .name = "roll-append", .actors = { ACTOR(roll), ACTOR(append), ACTOR(append_few) } },
        { .name = "roll-cursor", .actors = { ACTOR(roll), ACTOR(cursor_long) } },
        { .name = "roll-get", .actors = { ACTOR(roll), ACTOR(get), ACTOR(get_tail) } },
        { .name = "roll-look", .actors = { ACTOR(roll_unsynced), ACTOR(look) } },
        { .name = "roll-trim-reserve",
          .big_records = 105,
          .actors = { ACTOR(trim), ACTOR(roll_unsynced) } },
        { .name = NULL },
};
