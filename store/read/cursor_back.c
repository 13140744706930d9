/*
 * cursor_back.c - walking the log backward, by the index
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "read/cursor_private.h"

#define STEPS_BACK 64

static bool leads_to(struct logstore_cursor *cursor, uint64_t number)
{
        struct place place;
        int r = reader_find(&cursor->view, number, &place);

        if (r == 0)
                chain_unpin(cursor->view.chain, place.segment);
        return r == 0;
}

/* Before the damage, going backward: find where to stand so that the number before leads somewhere.
 * A segment can claim far more numbers than it holds, so we soon stop trying number by number. */
static uint64_t find_before(struct logstore_cursor *cursor, uint64_t number)
{
        uint64_t first = view_first(&cursor->view), low = 0, last;

        for (unsigned tries = 0; tries < STEPS_BACK; tries++, number--)
                if (number <= first || leads_to(cursor, number - 1))
                        return number;
        last = chain_last_before(cursor->view.chain, number, &low);
        if (last < first)
                return first;
        if (last < number - 1)
                return last + 1;
        while (low < number) { /* all below low lead somewhere, none from number on */
                uint64_t middle = low + (number - low) / 2;

                if (leads_to(cursor, middle))
                        low = middle + 1;
                else
                        number = middle;
        }
        return number;
}

/* What lay before the cursor is beyond the tail now: a cut came after the look at the epoch. */
static int cut_before(struct logstore_cursor *cursor)
{
        int r = cursor_check_epoch(cursor);

        cursor->at.cut = true; /* also if the new epoch is not announced yet */
        return r < 0 ? r : cursor_stale(cursor->at.number, "truncated away");
}

static int nothing_before(struct logstore_cursor *cursor)
{
        if (cursor->at.number < view_first_now(&cursor->view))
                return cursor_stale(cursor->at.number, "trimmed");
        return detail(-EAGAIN, "no record before %" PRIu64, cursor->at.number);
}

/* Was it told what is wrong between the number before and @number? If damage is to be skipped, the
 * second call at that number goes on. */
static bool was_told(const struct logstore_cursor *cursor, uint64_t number)
{
        return cursor->told_end == number && cursor->flags & LOGSTORE_SKIP_DAMAGE;
}

/* Is the chain broken between the number before and this one? */
static int check_break(struct logstore_cursor *cursor)
{
        struct place place;
        uint64_t tail;
        int r;

        if (view_is_own(&cursor->view) || was_told(cursor, cursor->at.number) ||
            (cursor->segment && cursor->at.number != cursor->segment->brief.start.first_number))
                return 0;
        r = view_tail(&cursor->view, &tail);
        if (r < 0)
                return r;
        if (cursor->at.number <= tail) {
                r = chain_tell_at(cursor->view.chain, cursor->at.number, true);
        } else { /* tell what a cursor that comes to the end is told */
                r = reader_find(&cursor->view, cursor->at.number, &place);
                if (r == 0) {
                        r = reader_verify(&cursor->view, &place, cursor->at.number);
                        chain_unpin(cursor->view.chain, place.segment);
                }
                if (r == -EAGAIN || r == -ESTALE)
                        r = 0;
        }
        if (r < 0)
                cursor->told_end = cursor->at.number;
        return r;
}

/* We come to a segment from behind its last number. Do only pads lead to where the log leaves
 * it? */
static int check_rest(struct logstore_cursor *cursor, uint64_t number)
{
        struct segment *segment = cursor->segment;
        struct place place = { segment, cursor->offset, { 0 } };

        if (number <= atomic_load(&segment->last_number) || /* the end may also be unknown */
            segment_peek(segment, place.offset, &place.view) < 0)
                return 0;
        if (reader_verify(&cursor->view, &place, number - 1) == 0)
                cursor->offset = place.offset; /* an index may have led elsewhere */
        return reader_check_joint(&cursor->view, segment, cursor->offset, number,
                                  atomic_load(&segment->end),
                                  "the next segment says that the log leaves it later");
}

/* Check the way back from segment @from; 0: the place was not known. */
static int check_hop(struct logstore_cursor *cursor, uint64_t number, uint64_t from)
{
        struct segment *segment = cursor->segment;
        uint64_t tail = 0;
        int r = 0;

        if (view_is_own(&cursor->view) || (from == 0 && view_is_fixed(&cursor->view)))
                return 0;
        if (from == 0 && number <= atomic_load(&segment->last_number))
                r = view_tail(&cursor->view, &tail);
        if (r < 0 || number <= tail)
                return r;
        r = chain_tell_behind(cursor->view.chain, segment->brief.id, number);
        return r == 0 ? check_rest(cursor, number) : r;
}

/* Tell what is wrong between the number before and @number. */
static int tell_between(struct logstore_cursor *cursor, uint64_t number, int r)
{
        if (r == 0 || r == -EAGAIN)
                return 0;
        cursor_leave(cursor);
        cursor->at.number = cursor->told_end = number;
        return r;
}

/* Go to the number before, in the segment that has it. *ret_same: the cursor stood in that segment.
 * Behind a broken link numbers need not rise, so the one before may lie in a segment that goes on
 * beyond it. */
static int come_from(struct logstore_cursor *cursor, bool *ret_same)
{
        uint64_t number = cursor->at.number--,
                 from = cursor->segment ? cursor->segment->brief.id : 0;
        int r = cursor_find_place(cursor);

        if (r < 0)
                return r;
        *ret_same = from == cursor->segment->brief.id;
        if (*ret_same || was_told(cursor, number))
                return 0;
        return tell_between(cursor, number, check_hop(cursor, number, from));
}

/* Did a truncation cut what the cursor had passed, on its way from @was to the number before? */
static int check_way(struct logstore_cursor *cursor, const struct stand *was)
{
        if (view_is_fixed(&cursor->view) || cursor->at.epoch == was->epoch ||
            was->number <= chain_rewound(cursor->view.chain, was->known_epoch, was->passed_id))
                return 0;
        cursor->at.cut = true;
        return cursor_stale(was->number, "truncated away");
}

/* Go to the record or void before. */
static int come_to(struct logstore_cursor *cursor, struct place *place)
{
        const struct stand was = cursor_where(cursor);
        uint64_t number = was.number, offset = cursor->offset, id = 0;
        bool same = false;
        int r = come_from(cursor, &same);

        if (r == 0) {
                id = cursor->segment->brief.id;
                r = cursor_enter(cursor, cursor->segment, number);
        }
        if (r == 0)
                r = cursor_stand(cursor, place);
        if (r == 0)
                r = check_way(cursor, &was);
        if (r == 0)
                r = cursor_check_record(cursor, place);
        same = same && r == 0 && cursor->segment->brief.id == id; /* else it was found anew */
        if (same && !was_told(cursor, number))
                r = tell_between(cursor, number,
                                 reader_check_joint(&cursor->view, cursor->segment, cursor->offset,
                                                    number, offset, "no frame leads on from here"));
        return r;
}

/* Go back over voids to a record. */
static int step_back(struct logstore_cursor *cursor, struct place *place)
{
        int r = cursor_check_epoch(cursor);

        while (r == 0) {
                r = check_break(cursor);
                if (r < 0)
                        return r;
                if (cursor->at.number <= view_first(&cursor->view))
                        return nothing_before(cursor);
                r = come_to(cursor, place);
                if (r == 0 && place->view.kind != FRAME_VOID)
                        break;
                if (r == -EAGAIN)
                        r = cut_before(cursor);
        }
        return r;
}

int logstore_cursor_prev(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        struct stand was;
        struct place place;
        char what[256];
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        was = cursor_where(cursor);
        r = ret ? step_back(cursor, &place) : detail(-EINVAL, "ret is NULL");
        if (r == 0) {
                reader_describe(&place, cursor->at.number, ret);
        } else if (chain_is_damage(r) && cursor->flags & LOGSTORE_SKIP_DAMAGE) {
                snprintf(what, sizeof(what), "%s", logstore_detail());
                cursor_leave(cursor); /* the place is not that of the new number */
                cursor->at.number = find_before(cursor, cursor->at.number);
                r = detail(-EBADMSG, "%s", what);
        } else {
                bool cut = cursor->at.cut;
                cursor_put_back(cursor, &was);
                if (r == -ESTALE && !cut) /* trimmed since the look at the first number */
                        r = nothing_before(cursor);
        }
        store_leave();
        return r;
}
