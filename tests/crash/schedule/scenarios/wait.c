/*
 * wait.c - whoever waits is woken
 */
#include "world.h"

#include <errno.h>

static void wait_and_read(struct logstore *store, struct logstore_cursor *cursor)
{
        struct logstore_record record;

        logstore_cursor_wait(cursor, 1);
        do_append(50, NULL);
        while (logstore_cursor_next(cursor, &record) == 0)
                ;
        (void)store;
}

/* Somebody has waited before, so that each append has to look for sleepers. */
static void watched(void)
{
        struct logstore_cursor *cursor;

        if (logstore_cursor_open(world.store, 0, &cursor) < 0)
                verdict("cursor_open: %s", logstore_detail());
        for (int i = 0; i < 3; i++)
                wait_and_read(world.store, cursor);
        logstore_cursor_close(cursor);
}

const struct scenario scenarios_wait[] = {
        /* Nobody has ever waited, and no second append makes up for the one. */
        { .name = "wait-first", .actors = { ACTOR(wait_once), ACTOR(append_once) } },
        { .name = "wait-append", .actors = { ACTOR(wait), ACTOR(append_few) } },
        { .name = "wait-append-watched",
          .prepare = watched,
          .actors = { ACTOR(wait), ACTOR(append_few) } },
        { .name = "wait-three",
          .actors = { ACTOR(wait), ACTOR(wait), ACTOR(wait_short), ACTOR(append_few) } },
        { .name = "wait-truncate",
          .actors = { ACTOR(wait_short), ACTOR(append_few), ACTOR(truncate_high) } },
        { .name = "wait-fd", .actors = { ACTOR(fd), ACTOR(append_few) } },
        { .name = "wait-fd-truncate",
          .actors = { ACTOR(fd), ACTOR(append_few), ACTOR(truncate_10) } },
        { .name = "wait-tail-roll", .actors = { ACTOR(tail), ACTOR(roll) } },
        { .name = "wait-tail-truncate",
          .actors = { ACTOR(tail), ACTOR(append), ACTOR(truncate_high) } },
        { .name = NULL },
};
