/*
 * close.c - the end of a life, and the next one
 */
#include "world.h"

const struct scenario scenarios_close[] = {
        { .name = "close-open", .no_end = true, .actors = { ACTOR(close) } },
        { .name = "close-reader",
          .reader = true,
          .no_end = true,
          .actors = { ACTOR(close), READER(tail), READER(get_tail) } },
        { .name = NULL },
};
