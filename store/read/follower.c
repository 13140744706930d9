/*
 * follower.c - where the log ends for a reading process
 *
 * It has only the files. From the mark on it steps over frame after frame, and over a batch only as
 * a whole, until nothing more is committed.
 */
#include "read/follower.h"

#include <errno.h>

/* Start behind the mark; what lies before it needs no look. */
static void follower_restart(struct logstore *store, uint64_t epoch)
{
        struct follower *follower = &store->follower;
        struct control_slot slot;

        chain_slot(&store->chain, &slot);
        follower->epoch = epoch;
        follower->number = follower->trusted = slot.mark_number;
        follower->missed = 0;
        follower->segment_id = slot.mark_id;
        follower->offset = slot.mark_offset;
        if (follower->number + 1 < follower->first) {
                follower->number = follower->first - 1;
                follower->segment_id = 0; /* the mark lags behind an emptied log */
        }
}

/* Step over one frame, or one whole batch, if it counts. */
static bool follow_frame(struct logstore *store, struct segment *segment)
{
        struct follower *follower = &store->follower;
        struct walk walk = follower_stand(follower, segment);
        uint64_t limit = atomic_load(&segment->last_number); /* as the next segment's link says */
        int step;

        if (follower->number + 1 < segment->brief.start.first_number)
                return false;
        /* In a sealed segment a batch is whole, but its seal may tell a wrong end. */
        step = segment->brief.sealed ? walk_next(&walk, &segment_frames, segment)
                                     : walk_whole(&walk, &segment_frames, segment);
        if (step != WALK_FRAME && step != WALK_PAD)
                return false;
        if (step == WALK_FRAME && segment_number(segment, walk.at.due - 1) > limit)
                return false;
        follower->offset = walk.at.offset;
        follower->number = segment_number(segment, walk.at.due) - 1;
        return true;
}

/* Step over all that a seal covers: it was durable as a whole. Damage in it does not end the log; a
 * read there tells of it. If the log leaves the segment elsewhere than the seal says, walk the
 * frames. */
static bool follow_seal(struct logstore *store, struct segment *segment)
{
        struct follower *follower = &store->follower;
        const struct segment_brief *brief = &segment->brief;

        if (!brief->sealed || follower->number >= brief->seal.last_number)
                return false;
        if (atomic_load(&segment->end) != brief->seal.end)
                return false;
        follower->number = follower->trusted = brief->seal.last_number;
        follower->offset = brief->seal.end;
        return true;
}

/* At the end of a segment: go on to the next, if the log really goes on there. */
static bool follow_segment(struct logstore *store, struct segment **segment)
{
        struct follower *follower = &store->follower;
        struct segment *next;

        if (chain_pin_next(&store->chain, *segment, &next) < 0)
                return false;
        if (chain_fault_before(&store->chain, next->brief.id, NULL) ||
            next->brief.start.previous_id != (*segment)->brief.id ||
            next->brief.start.previous_end != follower->offset ||
            next->brief.start.first_number != follower->number + 1) {
                chain_unpin(&store->chain, next);
                return false;
        }
        chain_unpin(&store->chain, *segment);
        *segment = next;
        chain_find_end(&store->chain, next);
        follower->segment_id = next->brief.id;
        follower->offset = FRAMES_OFFSET;
        return true;
}

/* Do the frames of the segment before lead to this one? If that is sealed, a read there tells. */
static bool is_led_to(struct logstore *store, const struct segment *segment)
{
        const struct start_payload *start = &segment->brief.start;
        struct segment *previous;
        struct record_view view;
        bool leads;

        if (start->previous_records == 0 || start->first_number <= store->follower.first ||
            chain_pin_id(&store->chain, start->previous_id, &previous) < 0)
                return true;
        leads = previous->brief.sealed ||
                segment_ends_with(previous, start->previous_end, start->previous_records, &view);
        chain_unpin(&store->chain, previous);
        return leads;
}

/* Can the mark's record end where the control page says? The page may be an old copy, put back. */
static bool is_mark(struct logstore *store, struct segment *segment)
{
        const struct follower *follower = &store->follower;
        uint64_t numbers = follower->number + 1 - segment->brief.start.first_number;
        struct record_view view;

        if (follower->number + 1 < segment->brief.start.first_number ||
            follower->number > atomic_load(&segment->last_number) ||
            follower->offset < FRAMES_OFFSET || follower->offset > segment->end ||
            numbers > (follower->offset - FRAMES_OFFSET) / FRAME_HEADER_BYTES)
                return false;
        if (numbers == 0)
                return follower->offset == FRAMES_OFFSET && is_led_to(store, segment);
        if (segment_peek(segment, follower->offset, &view) == 0 && view.kind != FRAME_PAD)
                return view.ordinal == numbers + 1;
        return segment_ends_with(segment, follower->offset, numbers, &view);
}

/* Is the frame before the follower's place one that more of its batch follows? */
static bool is_in_batch(struct segment *segment, uint64_t offset, uint32_t due)
{
        struct record_view view;

        return due > 1 &&
               (segment_ends_with(segment, offset, due - 1, &view) ||
                segment_locate(segment, due - 1, &offset, &view) == 0) &&
               view.kind == FRAME_MORE;
}

/* No writer leaves its mark inside a batch. Because that batch was durable as a whole, its frames
 * count one by one, and where they stop is damage. So it is where the follower stops before a batch
 * whose first number is at or below @mark. Returns the number that is missing there, or 0. */
static uint64_t follow_durable_batch(struct logstore *store, struct segment *segment, uint64_t mark)
{
        struct follower *follower = &store->follower;
        struct walk walk = follower_stand(follower, segment);
        uint32_t due = walk.at.due;
        struct record_view view;
        int step = WALK_FRAME;

        if (segment->brief.sealed || segment_peek(segment, follower->offset, &view) < 0)
                return 0; /* an end without a torn frame is looked at when a read asks for more */
        if (follower->number == mark) {
                walk.in_batch = is_in_batch(segment, follower->offset, due);
                if (!walk.in_batch)
                        return 0;
        }
        while (step == WALK_FRAME && (walk.in_batch || walk.at.due == due) &&
               walk.at.offset < atomic_load(&segment->end) &&
               segment_number(segment, walk.at.due) <= atomic_load(&segment->last_number))
                step = walk_next(&walk, &segment_frames, segment);
        if (!walk.in_batch)
                return 0;
        follower->offset = walk.at.offset;
        follower->number = segment_number(segment, walk.at.due) - 1;
        return follower->number + 1;
}

/* Is the mark off the chain: in a segment that other links have left out, or behind damage? Where
 * the slot is merely newer than this look at the chain, the chain is whole and the mark's segment
 * comes behind it. */
static bool is_beside(struct logstore *store, uint64_t mark_id)
{
        struct chain_entry newest = { 0 };

        chain_entry_before(&store->chain, UINT64_MAX, &newest);
        /* A mark in no segment, below the first number: nothing was synced, or all of it is
         * trimmed. */
        return (mark_id != 0 || store->follower.number >= store->follower.first) &&
               (mark_id < newest.id || chain_fault_before(&store->chain, UINT64_MAX, NULL));
}

/* What was sealed was durable: begin behind the newest seal, or else where the log begins. */
static int follow_from_seal(struct logstore *store, struct segment **ret)
{
        struct follower *follower = &store->follower;
        struct control_slot sealed;
        int r;

        chain_sealed(&store->chain, &sealed);
        r = sealed.mark_id ? chain_pin_id(&store->chain, sealed.mark_id, ret) : -ESTALE;
        if (r == 0) {
                follower->number = follower->trusted = sealed.mark_number;
                follower->segment_id = sealed.mark_id;
                follower->offset = sealed.mark_offset;
                return 0;
        }
        if (r == -ESTALE)
                r = chain_pin(&store->chain, follower->first, ret);
        if (r < 0)
                return r;
        follower->segment_id = (*ret)->brief.id;
        follower->number = (*ret)->brief.start.first_number - 1;
        follower->offset = FRAMES_OFFSET;
        return 0;
}

/* Walk on in the chain as it is, whose newest epoch is @epoch. */
static int walk_chain(struct logstore *store, uint64_t epoch)
{
        struct follower *follower = &store->follower;
        struct segment *segment;
        bool restarted = false;
        uint64_t mark = 0, missed = 0, missing;
        int r;

        follower->first = chain_first(&store->chain);
        if (follower->number == 0 || follower->epoch != epoch ||
            follower->number + 1 < follower->first) {
                follower_restart(store, epoch);
                restarted = true;
        }
        if (chain_is_empty(&store->chain)) { /* the slot may be newer than this look */
                follower->number = follower->missed = 0;
                return 0;
        }
        r = chain_pin_id(&store->chain, follower->segment_id, &segment);
        if (r == 0 && restarted && is_mark(store, segment)) {
                mark = follower->number;
        } else if (r == 0 && restarted) {
                mark = missed = follower->number;
                chain_unpin(&store->chain, segment);
                r = -ESTALE;
        } else if (r == -ESTALE && restarted && is_beside(store, follower->segment_id)) {
                mark = missed = follower->number;
        }
        if (r == -ESTALE) /* no such mark, trimmed, off the chain, or nothing was ever synced */
                r = follow_from_seal(store, &segment);
        if (r < 0)
                return chain_is_damage(r) ? 0 : r; /* a read there tells */
        chain_find_end(&store->chain, segment);    /* no step beyond where the log leaves it */
        while (follow_seal(store, segment) || follow_frame(store, segment) ||
               follow_segment(store, &segment))
                ;
        missing = mark && follower->number <= mark ? follow_durable_batch(store, segment, mark) : 0;
        chain_unpin(&store->chain, segment);
        if (restarted)
                follower->missed = missing > missed ? missing : missed;
        return 0;
}

/* The epoch is that of the chain that is walked. A slot may be newer or, cut short, older. If
 * another thread learns of a cut meanwhile, the mark was looked for in what the cut left. If a
 * segment is trimmed meanwhile, the walk ended before it. Then walk again. */
int follower_walk(struct logstore *store)
{
        uint64_t epoch;
        int r;

        do {
                r = chain_refresh(&store->chain);
                if (r < 0)
                        return r;
                epoch = chain_newest_epoch(&store->chain);
                r = walk_chain(store, epoch);
        } while (chain_newest_epoch(&store->chain) != epoch || chain_is_outdated(&store->chain));
        return r;
}

uint64_t follower_told(const struct follower *follower)
{
        return follower->number > follower->missed ? follower->number : follower->missed;
}

/* What was cut since the walk is not missed. */
static bool is_of_now(struct logstore *store)
{
        return store->follower.epoch == chain_newest_epoch(&store->chain);
}

bool follower_missed(struct logstore *store, uint64_t number)
{
        bool missed;

        pthread_mutex_lock(&store->follower.lock);
        missed = is_of_now(store) && number > store->follower.number &&
                 number <= store->follower.missed;
        pthread_mutex_unlock(&store->follower.lock);
        return missed;
}

uint64_t follower_whole_until(struct logstore *store, const struct segment *segment)
{
        struct follower *follower = &store->follower;
        uint64_t until;

        pthread_mutex_lock(&follower->lock);
        until = follower->segment_id == segment->brief.id ? follower->number : 0;
        pthread_mutex_unlock(&follower->lock);
        return until;
}

int follower_find_tail(struct logstore *store, uint64_t *ret)
{
        int r;

        pthread_mutex_lock(&store->follower.lock);
        r = follower_walk(store);
        *ret = follower_told(&store->follower);
        pthread_mutex_unlock(&store->follower.lock);
        return r;
}
