/*
 * extents.c - what of each segment's file is durable and never changes
 *
 * One segment is looked at at a time, so that @each may take long. In the writer's process no
 * truncation and no trim comes in between a look at the mark and one at the chain. A reading
 * process looks again if the control page tells a newer epoch than its chain.
 */
#include <errno.h>
#include <inttypes.h>

#include "read/reader.h"

#define EXTENT_TRIES 100 /* beside a writer that truncates each time */
#define DAMAGE_LOADS 2   /* before damage is believed: a recovery cuts before it tells */

/* Does the frame of the mark end at @extent->end? The control page may be an old copy, put back. */
static bool ends_at_mark(const struct chain_extent *extent, struct segment *segment)
{
        uint64_t numbers = extent->last_number + 1 - extent->brief.start.first_number;
        struct record_view view;

        if (extent->end < FRAMES_OFFSET || extent->end > atomic_load(&segment->end) ||
            extent->end % FRAME_ALIGN != 0 ||
            numbers > (extent->end - FRAMES_OFFSET) / FRAME_HEADER_BYTES)
                return false;
        if (segment_peek(segment, extent->end, &view) == 0 && view.kind != FRAME_PAD)
                return view.ordinal == numbers + 1;
        if (numbers == 0)
                return extent->end == FRAMES_OFFSET;
        return segment_ends_with(segment, extent->end, numbers, &view);
}

/* Find the frame of the mark by its number. */
static int find_end(struct logstore *store, struct chain_extent *extent)
{
        struct place place;
        int r;

        extent->end = FRAMES_OFFSET;
        if (extent->last_number < extent->brief.start.first_number)
                return 0;
        r = reader_find(&store->live, extent->last_number, &place);
        if (r < 0)
                return r == -ESTALE || r == -EAGAIN ? CHAIN_MOVED
                                                    : r; /* trimmed or cut meanwhile */
        if (place.segment->brief.id == extent->brief.id)
                extent->end = place.offset + place.view.frame_bytes;
        else
                r = CHAIN_MOVED;
        chain_unpin(&store->chain, place.segment);
        return r;
}

/* In a reading process: hold what the control page says against the frames. */
static int check_mark(struct logstore *store, struct chain_extent *extent)
{
        struct segment *segment;
        bool stands;
        int r = chain_pin_id(&store->chain, extent->brief.id, &segment);

        if (r < 0)
                return r == -ESTALE ? CHAIN_MOVED : r;
        stands = ends_at_mark(extent, segment);
        chain_unpin(&store->chain, segment);
        return stands ? 0 : find_end(store, extent);
}

static int look(struct logstore *store, uint64_t after, uint64_t number, struct chain_extent *ret)
{
        bool follows = view_follows(&store->live);
        int r;

        if (!follows) {
                pthread_mutex_lock(&store->retention.lock);
                r = chain_extent_after(&store->chain, false, after, number, ret);
                pthread_mutex_unlock(&store->retention.lock);
                return r;
        }
        r = view_refresh(&store->live);
        if (r == 0)
                r = chain_extent_after(&store->chain, true, after, number, ret);
        return r == 0 && ret->marked ? check_mark(store, ret) : r;
}

static int look_until_settled(struct logstore *store, uint64_t after, uint64_t number,
                              struct chain_extent *ret)
{
        int r = CHAIN_MOVED, loads = 0;

        for (int i = 0; r == CHAIN_MOVED && i < EXTENT_TRIES; i++) {
                r = look(store, after, number, ret);
                if (r == -EBADMSG && view_follows(&store->live) && loads++ < DAMAGE_LOADS) {
                        r = chain_load(&store->chain);
                        r = r == 0 ? CHAIN_MOVED : r;
                }
        }
        return r == CHAIN_MOVED ? detail(-EAGAIN, "the log is truncated again and again") : r;
}

static void describe(const struct chain_extent *extent, struct logstore_extent *ret)
{
        const struct segment_brief *brief = &extent->brief;

        *ret = (struct logstore_extent){
                .struct_bytes = sizeof(*ret),
                .sealed = extent->sealed,
                .id = brief->id,
                .salt = brief->salt,
                .first_number = brief->start.first_number,
                .last_number = extent->last_number,
                .end = extent->end,
                .previous_id = brief->start.previous_id,
                .previous_salt = brief->start.previous_salt,
                .previous_end = brief->start.previous_end,
                .previous_records = brief->start.previous_records,
                .epoch = brief->start.epoch,
                .created_ns = brief->created_ns,
                .greatest_ns = extent->sealed ? brief->seal.greatest_ns : 0,
                .segment_bytes = brief->bytes,
        };
        segment_name(brief->id, ret->name);
}

int logstore_extents(struct logstore *store, uint64_t from_id,
                     int (*each)(void *context, const struct logstore_extent *), void *context)
{
        uint64_t after = from_id ? from_id - 1 : 0, number;
        struct chain_extent extent;
        struct logstore_extent told;
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = each ? 0 : detail(-EINVAL, "each is NULL");
        number = view_first(&store->live);
        while (r == 0 && after < ID_MAX) {
                r = look_until_settled(store, after, number, &extent);
                if (r == -ENOENT) {
                        r = 0;
                        break;
                }
                if (r < 0)
                        break;
                describe(&extent, &told);
                after = told.id;
                number = told.last_number + 1;
                r = each(context, &told);
        }
        store_leave();
        return r;
}
