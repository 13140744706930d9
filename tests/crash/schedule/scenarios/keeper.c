/*
 * keeper.c - the store's own threads, and writeback that lies behind
 */
#include "world.h"

#include "kernel.h"

static void dirty(struct logstore_options *options)
{
        kernel.dirty = true;
        options->dirty_hard_bytes = 100000;
        options->dirty_soft_bytes = 8192;
}

static void dirty_refused(struct logstore_options *options)
{
        dirty(options);
        options->flags |= LOGSTORE_DIRTY_EAGAIN;
}

const struct scenario scenarios_keeper[] = {
        { .name = "keeper-dirty",
          .options = dirty,
          .actors = { ACTOR(truncate_high), ACTOR(roll), ACTOR(roll_unsynced) } },
        { .name = "keeper-dirty-refused",
          .options = dirty_refused,
          .actors = { ACTOR(truncate_high), ACTOR(roll), ACTOR(roll_unsynced) } },
        { .name = "keeper-truncate-roll",
          .actors = { ACTOR(truncate_10), ACTOR(roll_unsynced), ACTOR(get_tail) } },
        { .name = NULL },
};
