/*
 * walk_keep.c - letting go of both ends, reopening, the reader beside the writer
 */
#include <errno.h>
#include <inttypes.h>

#include "walk.h"

#define SEGMENT_BYTES (UINT64_C(64) << 10)

static struct logstore *open_handle(struct walk *walk, uint32_t flags)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *handle = NULL;

        options.flags = flags;
        options.segment_bytes = SEGMENT_BYTES;
        options.mapped_segments = 4;
        walk_expect(walk, logstore_open(walk->path, &options, &handle), 0);
        return handle;
}

void walk_open_writer(struct walk *walk)
{
        walk->writer = open_handle(walk, LOGSTORE_CREATE | walk->flags);
        walk->model.durable = model_tail(&walk->model);
}

/* Whole segments go, never @number or anything behind it. */
static void take_new_first(struct walk *walk, uint64_t first, uint64_t most)
{
        if (first < walk->model.first || (first > walk->model.first && first > most))
                walk_fail(walk, "first is %" PRIu64 ", was %" PRIu64 ", asked for %" PRIu64, first,
                          walk->model.first, most);
        walk->model.first = first;
}

void walk_trim(struct walk *walk)
{
        uint64_t tail = model_tail(&walk->model), first = 0, dry = 0;
        uint64_t number = walk->model.first + walk_below(walk, tail + 2 - walk->model.first);
        uint64_t kept;

        walk_learn_times(walk);
        if (walk_below(walk, 2)) {
                walk_expect(walk, logstore_trim_before(walk->writer, number, &first), 0);
                take_new_first(walk, first, number);
                return;
        }
        kept = 200 + walk_below(walk, 2000);
        walk_expect(walk, logstore_set_retention(walk->writer, 0, kept, 0), 0);
        walk_expect(walk, logstore_apply_retention(walk->writer, 1, &dry), 0);
        walk_expect(walk, logstore_apply_retention(walk->writer, 0, &first), 0);
        if (walk->flags & LOGSTORE_NO_THREAD)
                walk_expect(walk, (int64_t)first, (int64_t)dry);
        else if (first < dry) /* more may be durable by now, and only what is durable counts */
                walk_fail(walk, "first is %" PRIu64 ", a dry run said %" PRIu64, first, dry);
        take_new_first(walk, first, tail);
        walk_expect(walk, logstore_set_retention(walk->writer, 0, 0, 0), 0);
}

static void mark_strange(struct walk *walk, uint64_t number)
{
        for (unsigned i = 0; i < WALK_CURSORS; i++)
                if (walk->cursors[i].position > number + 1 ||
                    walk->cursors[i].position < walk->model.first)
                        walk->cursors[i].strange = true;
}

void walk_truncate(struct walk *walk)
{
        uint64_t tail = model_tail(&walk->model), back = walk_below(walk, 40);
        uint64_t number = tail > back ? tail - back : 0, next = 0;

        for (unsigned i = 0; i < WALK_CLAIMS; i++) {
                if (!walk->claims[i].open)
                        continue;
                walk_expect(walk, logstore_truncate_after(walk->writer, number, 0), -EBUSY);
                return;
        }
        if (walk_below(walk, 50) == 0) {
                walk_expect(walk, logstore_truncate_after(walk->writer, tail + 1, 0), -EAGAIN);
                return;
        }
        if (number + 1 < walk->model.first || walk_below(walk, 30) == 0) {
                number = walk->model.first - 1; /* empties the log */
                next = walk_below(walk, 2) ? tail + 1 + walk_below(walk, 10) : 0;
        }
        walk_learn_times(walk);
        if (number >= walk->model.first && walk->model.entries[number].more) {
                walk_expect(walk, logstore_truncate_after(walk->writer, number, 0), -EINVAL);
                return;
        }
        walk_expect(walk, logstore_truncate_after(walk->writer, number, next), 0);
        model_truncate(&walk->model, number, next);
        walk->times_done = walk->model.timed;
        mark_strange(walk, number);
}

void walk_reader(struct walk *walk)
{
        if (!walk->reader) {
                walk->reader = open_handle(walk, LOGSTORE_READ_ONLY);
                return;
        }
        walk_drop_cursors(walk, walk->reader);
        walk_expect(walk, logstore_close(walk->reader), 0);
        walk->reader = NULL;
}

/* What is open holds the store open; then close, and open anew in another way. */
void walk_reopen(struct walk *walk)
{
        bool busy = walk->snapshot != NULL;

        for (unsigned i = 0; i < WALK_CLAIMS; i++)
                busy |= walk->claims[i].open;
        for (unsigned i = 0; i < WALK_CURSORS; i++)
                busy |= walk->cursors[i].cursor && walk->cursors[i].owner == walk->writer;
        if (busy)
                walk_expect(walk, logstore_close(walk->writer), -EBUSY);
        walk_resolve_claims(walk);
        walk_drop_cursors(walk, walk->writer);
        walk_snapshot_close(walk);
        walk_expect(walk, logstore_close(walk->writer), 0);
        walk->flags = walk_below(walk, 3) ? LOGSTORE_NO_THREAD : 0;
        if (walk_below(walk, 2))
                walk->flags |= LOGSTORE_NO_RING;
        walk_open_writer(walk);
        walk_bounds(walk);
}
