/*
 * reader.c - finding and judging one record, in the writer's process or another
 *
 * In the writer's process a record is there if it is not beyond the tail, and a frame that does not
 * validate is damage. A reading process has only the files. To it a frame is there if its commit
 * word is set and its check holds. A frame that does not validate is damage in a sealed segment and
 * up to the mark. Beyond the mark it is a tail that a crash tore, which is not part of the log.
 */
#include <errno.h>
#include <inttypes.h>

#include "read/reader_private.h"
#include "segment/salvage.h"
#include "verify/verdict.h"

int reader_judge_stop(const struct view *view, struct segment *segment, uint64_t offset,
                      uint64_t number, bool in_batch, bool durable, const char *what)
{
        struct control_slot slot;
        struct judge_facts facts;
        enum judgement judgement;
        int broken = 0; /* asked once: another thread may load the chain anew meanwhile */

        chain_slot(&view->store->chain, &slot);
        if (!view_is_own(view))
                broken = chain_tell_behind(view->chain, segment->brief.id, number);
        facts = judge_stop(&segment->brief, &slot, offset, number, number - in_batch, broken < 0);
        /* What a writer gave to a reader of its own process was there. */
        facts.durable |= durable || view_is_own(view) || map_faulted(&segment->map);
        facts.successor = atomic_load(&segment->last_number) != UINT64_MAX;
        judgement = judge_place(&facts);
        if (judgement == JUDGE_LOOK) {
                facts.more = judge_look(segment, offset, number - in_batch);
                judgement = judge_place(&facts);
        }
        if (judgement == JUDGE_D4_D5_LINK)
                return broken;
        if (judgement != JUDGE_TORN)
                return segment_damage(segment, offset, number, what);
        /* The tail is torn, but a newer segment may be damaged all the same. */
        broken = chain_tell_at(view->chain, number, false);
        return broken < 0 ? broken
                          : detail(-EAGAIN,
                                   "record %" PRIu64 ": not there: %s (%s, offset %" PRIu64 ")",
                                   number, what, segment->name, offset);
}

int reader_judge(const struct view *view, struct segment *segment, uint64_t offset, uint64_t number,
                 bool in_batch, const char *what)
{
        return reader_judge_stop(view, segment, offset, number, in_batch,
                                 !view_is_own(view) && follower_missed(view->store, number), what);
}

int reader_judge_counts(const struct view *view, struct segment *segment, uint64_t offset,
                        uint64_t number)
{
        int broken = chain_tell_behind(view->chain, segment->brief.id, number);
        const struct judge_facts facts = {
                .stops = true,
                .miscounted = true,
                .broken = broken < 0,
        };

        if (judge_place(&facts) == JUDGE_D4_D5_LINK)
                return broken;
        return segment_damage(segment, offset, number,
                              "the next segment tells another number of records");
}

static bool is_valid(const struct place *place)
{
        return record_valid(&place->segment->key, place->segment->map.base, place->offset,
                            &place->view) &&
               !map_faulted(&place->segment->map);
}

int reader_verify(const struct view *view, struct place *place, uint64_t number)
{
        struct place again = *place;
        uint64_t ordinal = number - place->segment->brief.start.first_number + 1;

        if (__builtin_expect(is_valid(place), 1))
                return 0;
        if (segment_relocate(place->segment, (uint32_t)ordinal, &again.offset, &again.view) == 0 &&
            is_valid(&again)) {
                *place = again;
                return 0;
        }
        return reader_judge(view, place->segment, place->offset, number, false,
                            "the frame's checksum does not hold");
}

int reader_check_batch(const struct view *view, const struct place *place, uint64_t number,
                       uint64_t *whole_until)
{
        struct walk walk = walk_from(place->offset, place->view.ordinal, WALK_CHECK_ALL);
        uint64_t tail;

        if (place->view.kind != FRAME_MORE || number <= *whole_until ||
            place->segment->brief.sealed || view_has(view, number))
                return 0; /* what was durable was whole */
        walk_pass(&walk, &place->view);
        /* Judge it where it is torn: its own good frames prove nothing. */
        if (walk_whole(&walk, &segment_frames, place->segment) != WALK_FRAME) {
                if (view_tail(view, &tail) == 0 &&
                    number <= follower_whole_until(view->store, place->segment))
                        return 0; /* a mark is inside it */
                return reader_judge(view, place->segment, walk.at.offset, number, false,
                                    "its batch is not complete");
        }
        *whole_until = segment_number(place->segment, walk.at.due - 1);
        return 0;
}

int reader_check_joint(const struct view *view, struct segment *segment, uint64_t offset,
                       uint64_t number, uint64_t until, const char *what)
{
        struct place place = { segment, offset, { 0 } };
        struct walk walk, next;
        int step = WALK_PAD;

        if (segment_peek(segment, offset, &place.view) < 0)
                return 0; /* a read of the number before tells of it */
        walk = next = walk_from(offset, place.view.ordinal, WALK_CHECK_PADS);
        walk_pass(&next, &place.view);
        while (step == WALK_PAD) {
                walk = next;
                if (walk.at.offset >= until || walk.in_batch)
                        break;
                step = walk_next(&next, &segment_frames, segment);
                if (step == WALK_BAD && next.view.kind == FRAME_PAD) {
                        place = (struct place){ segment, next.offset, next.view };
                        return reader_verify(view, &place, number);
                }
        }
        if (walk.at.offset == until && walk.in_batch && until < atomic_load(&segment->end))
                walk.in_batch = walk_next(&next, &segment_frames, segment) != WALK_FRAME;
        if (walk.at.offset == until && !walk.in_batch)
                return 0;
        return reader_judge(view, segment, walk.at.offset, number, walk.in_batch, what);
}

int reader_beyond_tail(const struct view *view, uint64_t number)
{
        int r = 0;

        if (view_follows(view)) { /* numbers need not rise over a broken link */
                if (number <= view_first(view))
                        r = reader_check_first(view->store);
                if (r == 0)
                        r = reader_tell_end(view->store, number);
                if (r == 0)
                        r = reader_judge_end(view->store);
        }
        if (r == 0 && !view_is_own(view)) /* a broken chain is more than an end */
                r = chain_tell_at(view->chain, number, false);
        if (r < 0)
                return r;
        return detail_number(-EAGAIN, "record ", number, " was not appended yet");
}

static int locate(const struct view *view, uint64_t number, bool seen, struct place *place)
{
        uint64_t ordinal = number - place->segment->brief.start.first_number + 1;
        int r;

        place->offset = 0;
        if (ordinal > UINT32_MAX) /* no segment has so many: look where its frames stop */
                ordinal = UINT32_MAX;
        r = segment_locate(place->segment, (uint32_t)ordinal, &place->offset, &place->view);
        if (r < 0)
                r = salvage_from_first(place->segment, view_first(view), number, r, &place->offset,
                                       &place->view);

        /* The follower reached the record from the mark. So frames before the mark do not lead to
         * it. */
        if ((r == -EAGAIN || r == -EBADMSG) && seen)
                return segment_damage(place->segment, place->offset, number,
                                      "no valid frame leads to the record");
        if (r == -EAGAIN && !place->segment->brief.sealed && !view_is_own(view) &&
            number > view_durable(view))
                return reader_beyond_tail(view, number);
        if (r == -EAGAIN || r == -EBADMSG)
                return reader_judge(view, place->segment, place->offset, number, false,
                                    "no valid frame leads to the record");
        return r;
}

bool reader_overtaken(const struct view *view, uint64_t number)
{
        struct fault told;
        bool overtaken;

        fault_last(-EBADMSG, &told);
        overtaken = view_follows(view) && view_refresh(view) == 0 && number < view_first(view);
        if (!overtaken) /* the look has left its own detail */
                fault_tell(&told);
        return overtaken;
}

/* @number cannot be read. If the log begins with it, tell what is wrong before it. */
static int tell_first(const struct view *view, uint64_t number)
{
        return view_follows(view) && number == view_first(view)
                       ? verify_tell_first(view->store, -EBADMSG)
                       : -EBADMSG;
}

static int find(const struct view *view, uint64_t number, struct place *ret)
{
        uint64_t tail = UINT64_MAX;
        struct place place;
        int r = 0;

        if (number == 0)
                return detail(-EINVAL, "record numbers start at 1");
        if (number > view_last(view, number))
                return reader_beyond_tail(view, number);
        if (view_follows(view)) {
                r = number > view_durable(view) ? view_tail(view, &tail) : view_refresh(view);
                if (r == 0 && number > tail)
                        return reader_beyond_tail(view, number);
        }
        if (r == 0)
                r = chain_pin(view->chain, number, &place.segment);
        if (r == -EBADMSG && reader_overtaken(view, number))
                return detail(-ESTALE, "record %" PRIu64 " was trimmed", number);
        if (r < 0)
                return r;
        r = locate(view, number, tail != UINT64_MAX && number <= tail, &place);
        if (r < 0) {
                chain_unpin(view->chain, place.segment);
                return r;
        }
        *ret = place;
        return 0;
}

/* A truncation between finding the segment and looking into it makes a record seem damaged. So look
 * again for what seems damaged, until nothing was cut meanwhile. */
int reader_find(const struct view *view, uint64_t number, struct place *ret)
{
        int r = find(view, number, ret);
        bool cut = true;

        while (__builtin_expect(r == -EBADMSG, 0) && !view_is_fixed(view) && cut) {
                uint64_t epoch = chain_newest_epoch(view->chain);
                r = find(view, number, ret);
                cut = chain_newest_epoch(view->chain) != epoch;
        }
        return __builtin_expect(r == -EBADMSG, 0) ? tell_first(view, number) : r;
}

void reader_describe(const struct place *place, uint64_t number, struct logstore_record *ret)
{
        const struct frame *frame = segment_frame(place->segment, place->offset);

        *ret = (struct logstore_record){
                .number = number,
                .time_ns = frame->time_ns,
                .data = frame->payload,
                .size = place->view.size,
        };
}

int logstore_bounds(struct logstore *store, struct logstore_bounds *ret)
{
        struct logstore_bounds bounds;
        int r = store_enter(store);

        if (r < 0)
                return r;
        bounds.durable = view_durable(&store->live); /* before the tail, never below it */
        r = ret ? view_tail(&store->live, &bounds.tail) : detail(-EINVAL, "ret is NULL");
        if (r == 0) {
                if (bounds.durable > bounds.tail) /* the log was cut in between */
                        bounds.durable = bounds.tail;
                bounds.first = view_first(&store->live);
                if (bounds.tail + 1 < bounds.first)
                        bounds.tail = bounds.first - 1;
                if (bounds.durable + 1 < bounds.first) /* what was trimmed counts as safe */
                        bounds.durable = bounds.first - 1;
                bounds.epoch =
                        view_is_own(&store->live) ? store->control.epoch : store->chain.epoch;
                *ret = bounds;
        }
        store_leave();
        return r;
}

static int copy_out(const struct view *view, struct place *place, uint64_t number, void *buffer,
                    size_t capacity, struct logstore_record *ret)
{
        struct logstore_record record;
        uint64_t whole_until;
        int r;

        whole_until =
                view_is_own(view) ? number : follower_whole_until(view->store, place->segment);
        r = reader_verify(view, place, number); /* before anything that it says is believed */
        if (r == 0)
                r = reader_check_batch(view, place, number, &whole_until);
        if (r < 0)
                return r;
        if (place->view.kind == FRAME_VOID)
                return detail(-ENODATA, "record %" PRIu64 " is void: its claim was aborted",
                              number);
        if (place->view.size > capacity) {
                ret->size = place->view.size;
                return detail(-ENOBUFS, "record %" PRIu64 " has %u bytes, the buffer %zu", number,
                              place->view.size, capacity);
        }
        reader_describe(place, number, &record);
        if (record.size)
                memcpy(buffer, record.data, record.size);
        if (map_faulted(&place->segment->map))
                return segment_damage(place->segment, place->offset, number, "");
        record.data = buffer;
        *ret = record;
        return 0;
}

int logstore_get(struct logstore *store, uint64_t number, void *buffer, size_t capacity,
                 struct logstore_record *ret)
{
        struct place place;
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = !ret || (!buffer && capacity) ? detail(-EINVAL, "buffer or ret is NULL")
                                          : reader_find(&store->live, number, &place);
        if (r == 0) {
                r = copy_out(&store->live, &place, number, buffer, capacity, ret);
                chain_unpin(&store->chain, place.segment);
        }
        store_leave();
        return r;
}
