/*
 * reader_end.c - whether the end that a reading process has found is a mere end, or damage
 *
 * The follower does not walk what a mark or a seal covers, and no reader reads what was trimmed.
 * These are looked at here, once, when a reader asks for what is behind them.
 */
#include <errno.h>

#include "read/reader_private.h"
#include "verify/verdict.h"

/* Nothing is known to have been durable where the follower stopped. Is it damage all the same? */
static int check_end(struct logstore *store)
{
        struct follower *follower = &store->follower;
        uint64_t number = follower->number + 1, offset;
        struct segment *segment;
        struct walk walk;
        int r = chain_pin_id(&store->chain, follower->segment_id, &segment);

        if (r < 0) /* no segment, or a damaged one, of which a read there tells */
                return 0;
        walk = follower_stand(follower, segment);
        walk_whole(&walk, &segment_frames, segment);
        offset = walk.in_batch ? walk.at.offset : follower->offset;
        if (walk.in_batch || offset < atomic_load(&segment->end))
                r = reader_judge_stop(&store->live, segment, offset, number, false, false,
                                      "no valid frame is here, but the log goes on behind");
        if (r == 0 || r == -EAGAIN)
                follower->ended = number;
        chain_unpin(&store->chain, segment);
        return r == -EAGAIN ? 0 : r;
}

/* What is behind @number was looked at: do not look again. */
static void trust_no_more(struct follower *follower, uint64_t number)
{
        pthread_mutex_lock(&follower->lock);
        if (follower->trusted == number)
                follower->trusted = 0;
        pthread_mutex_unlock(&follower->lock);
}

int reader_check_first(struct logstore *store)
{
        struct follower *follower = &store->follower;
        uint64_t first, last;
        bool looked;
        int r;

        /* Before the walk: a trim meanwhile moves the first number, not the end. */
        first = view_first(&store->live);
        pthread_mutex_lock(&follower->lock);
        r = follower_walk(store);
        last = follower->number;
        looked = last >= first || (last + 1 == first && (last == 0 || follower->trusted != last));
        pthread_mutex_unlock(&follower->lock);
        if (r < 0 || chain_is_empty(&store->chain) || looked)
                return r;
        r = verify_first(store); /* no reader reads the frames below it */
        if (r == 0)
                trust_no_more(follower, last);
        return r;
}

int reader_judge_end(struct logstore *store)
{
        struct control_slot slot;
        int r;

        chain_slot(&store->chain, &slot);
        if (slot.generation != 0)
                return 0;
        pthread_mutex_lock(&store->follower.lock);
        r = follower_walk(store);
        if (r == 0 && store->follower.ended != store->follower.number + 1)
                r = check_end(store);
        pthread_mutex_unlock(&store->follower.lock);
        return r;
}

/* Does the last frame, and a batch with it, end where the log leaves the segment, or where the
 * follower stands? The look goes back from there, as the index would be built for it. */
static bool ends_well(struct segment *segment, uint64_t stands, uint64_t number)
{
        bool left = segment->brief.sealed || atomic_load(&segment->last_number) != UINT64_MAX;
        uint64_t end = left ? atomic_load(&segment->end) : stands;
        struct record_view view;

        if (segment->brief.sealed && number < segment->brief.seal.last_number)
                return true; /* it was sealed since, and the log goes on */
        return end > FRAMES_OFFSET && end <= atomic_load(&segment->end) && end % FRAME_ALIGN == 0 &&
               segment_ends_with(segment, end, number - segment->brief.start.first_number + 1,
                                 &view) &&
               view.kind != FRAME_MORE;
}

/* The follower does not walk what a mark or a seal covers. Do the last frames of that lead to where
 * the log ends? */
static int judge_trusted(struct logstore *store, uint64_t number, uint64_t stands)
{
        struct segment *segment;
        struct record_view view;
        uint64_t offset, until;
        int r = 0;

        if (chain_pin(&store->chain, number, &segment) < 0)
                return 0; /* it is trimmed, or a read there tells */
        if (!ends_well(segment, stands, number) &&
            segment_locate(segment, (uint32_t)(number - segment->brief.start.first_number + 1),
                           &offset, &view) == 0) {
                until = segment->brief.sealed ? atomic_load(&segment->end)
                                              : offset + view.frame_bytes;
                r = reader_check_joint(&store->live, segment, offset, number + 1, until,
                                       "no frame leads on from here");
        }
        chain_unpin(&store->chain, segment);
        return r;
}

/* The follower stands at @stands of segment @id, where @number is due. Are so many numbers in the
 * segment as the next one tells? */
static int check_counts(struct logstore *store, uint64_t id, uint64_t stands, uint64_t number)
{
        struct segment *segment;
        uint64_t end, last;
        struct walk walk;
        int step = WALK_PAD, r = 0;

        if (chain_pin_id(&store->chain, id, &segment) < 0)
                return 0; /* it is trimmed, or a read there tells */
        chain_find_end(&store->chain, segment);
        end = atomic_load(&segment->end);
        last = atomic_load(&segment->last_number);
        walk = walk_from(stands, segment_ordinal_from(segment, number), WALK_CHECK_PADS);
        while (step == WALK_PAD && walk.at.offset < end)
                step = walk_next(&walk, &segment_frames, segment);
        if (last == UINT64_MAX)
                r = 0; /* there is no next one */
        else if (number > last && step == WALK_FRAME)
                r = reader_judge_counts(&store->live, segment, walk.offset, number);
        else if (number <= last && step == WALK_PAD && walk.at.offset == end)
                r = reader_judge_counts(&store->live, segment, end, number);
        chain_unpin(&store->chain, segment);
        return r;
}

int reader_tell_end(struct logstore *store, uint64_t number)
{
        struct follower *follower = &store->follower;
        uint64_t id, stands;
        bool trusted;
        int r;

        pthread_mutex_lock(&follower->lock);
        id = follower_told(follower) + 1 == number ? follower->segment_id : 0;
        stands = follower->offset;
        trusted = number > 1 && (follower->trusted == number - 1 || follower->missed == number - 1);
        pthread_mutex_unlock(&follower->lock);
        if (id == 0)
                return 0;
        r = chain_tell_behind(&store->chain, id, number);
        if (r == 0)
                r = check_counts(store, id, stands, number);
        if (r < 0 || !trusted)
                return r;
        r = judge_trusted(store, number - 1, stands);
        if (r < 0)
                return r == -EAGAIN ? 0 : r;
        trust_no_more(follower, number - 1);
        return 0;
}
