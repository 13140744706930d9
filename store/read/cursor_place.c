/*
 * cursor_place.c - where a cursor stands: find the frame of its number, or say why there is none
 */
#include <errno.h>
#include <inttypes.h>

#include "read/cursor_private.h"
#include "read/follower.h"

/* Before the first record of a segment only what lies before the segment was passed. A recovery may
 * drop the segment if it stays empty. */
struct stand cursor_where(const struct logstore_cursor *cursor)
{
        const struct segment_brief *brief = cursor->segment ? &cursor->segment->brief : NULL;
        struct stand at = cursor->at;

        if (brief && at.number >= brief->start.first_number) {
                at.passed_id = at.number > brief->start.first_number ? brief->id
                                                                     : brief->start.previous_id;
                at.passed_number = at.number;
        } else if (at.passed_number != at.number) {
                at.passed_id = 0;
        }
        return at;
}

void cursor_leave(struct logstore_cursor *cursor)
{
        cursor->at = cursor_where(cursor);
        if (cursor->segment)
                chain_unpin(cursor->view.chain, cursor->segment);
        cursor->segment = NULL;
        cursor->in_batch = false;
        cursor->fast_until = 0; /* the bounds belong to this segment */
        cursor->dropped_offset = 0;
}

void cursor_put_back(struct logstore_cursor *cursor, const struct stand *was)
{
        if (cursor->at.number != was->number)
                cursor_leave(cursor);
        cursor->at = *was;
}

/* Up to which number nothing was cut since the cursor's last look. */
static uint64_t rewound_to(const struct logstore_cursor *cursor)
{
        return chain_rewound(cursor->view.chain, cursor->at.known_epoch,
                             cursor_where(cursor).passed_id);
}

int cursor_stale(uint64_t number, const char *how)
{
        return detail(-ESTALE, "record %" PRIu64 " was %s: seek again", number, how);
}

/* Was the log cut since the last look? */
int cursor_check_epoch(struct logstore_cursor *cursor)
{
        const struct view *view = &cursor->view;
        uint64_t now = atomic_load_explicit(&view->store->control.page->writer_epoch,
                                            memory_order_acquire);
        uint64_t known, rewound;
        int r;

        if (__builtin_expect(now == cursor->at.epoch || view_is_fixed(view), 1))
                return cursor->at.cut ? cursor_stale(cursor->at.number, "truncated away") : 0;
        cursor_leave(cursor);
        r = view_refresh(view);
        if (r < 0)
                return r;
        known = view_epoch(view); /* first, so that a cut meanwhile is looked at again */
        rewound = rewound_to(cursor);
        cursor->at.epoch = now;
        if (cursor->at.known_epoch < known)
                cursor->at.known_epoch = known;
        cursor->whole_until = 0;
        cursor->at.cut |= cursor->at.number > rewound;
        return cursor->at.cut ? cursor_stale(cursor->at.number, "truncated away") : 0;
}

int cursor_enter(struct logstore_cursor *cursor, const struct segment *segment, uint64_t number)
{
        uint64_t epoch = segment->brief.start.epoch;

        if (__builtin_expect(epoch <= cursor->at.known_epoch || view_is_fixed(&cursor->view), 1))
                return 0;
        if (number < view_first(&cursor->view)) /* another thread has looked since it was found */
                return cursor_stale(number, "trimmed");
        if (number > rewound_to(cursor)) {
                cursor->at.cut = true;
                return cursor_stale(number, "truncated away");
        }
        cursor->at.known_epoch = epoch;
        return 0;
}

int cursor_end_of_log(struct logstore_cursor *cursor)
{
        return reader_beyond_tail(&cursor->view, cursor->at.number);
}

/* Find the place of cursor->at.number by the index. */
int cursor_find_place(struct logstore_cursor *cursor)
{
        struct place place;
        int r = reader_find(&cursor->view, cursor->at.number, &place);

        if (r < 0)
                return r;
        cursor_leave(cursor);
        cursor->segment = place.segment;
        cursor->offset = place.offset;
        return 0;
}

/* The old segment counts as passed until the new one is entered. A cursor that may not enter stays
 * without a segment, so that its next step asks again. */
static int find_and_enter(struct logstore_cursor *cursor)
{
        struct place place;
        int r = reader_find(&cursor->view, cursor->at.number, &place);

        if (r < 0)
                return r;
        cursor_leave(cursor);
        r = cursor_enter(cursor, place.segment, cursor->at.number);
        if (r < 0) {
                chain_unpin(cursor->view.chain, place.segment);
                return r;
        }
        cursor->segment = place.segment;
        cursor->offset = place.offset;
        return 0;
}

/* Is the number behind the tail, although a segment begins with it? A crash may leave such a
 * segment, to which its predecessor's frames do not lead. */
static int beyond_tail(const struct view *view, uint64_t number, bool *ret)
{
        uint64_t tail;
        int r;

        *ret = false;
        if (view_has(view, number))
                return 0;
        r = view_tail(view, &tail);
        *ret = r == 0 && number > tail;
        return r;
}

/* Does the log go on in the segment @next? A broken link is judged first, since numbers need not
 * rise behind it. */
static int check_next(struct logstore_cursor *cursor, const struct segment *next)
{
        const struct segment *segment = cursor->segment;
        bool broken = chain_fault_before(cursor->view.chain, next->brief.id, NULL);
        bool beyond = false;
        int r = broken ? 0 : beyond_tail(&cursor->view, cursor->at.number, &beyond);

        if (r < 0)
                return r;
        if (beyond)
                return cursor_end_of_log(cursor);
        if (!broken && next->brief.start.first_number == cursor->at.number &&
            next->brief.start.previous_id == segment->brief.id)
                return 0;
        if (cursor->at.number < view_first_now(&cursor->view))
                return cursor_stale(cursor->at.number, "trimmed");
        if (!broken && next->brief.start.previous_id == segment->brief.id)
                return reader_judge_counts(&cursor->view, cursor->segment, cursor->offset,
                                           cursor->at.number);
        r = chain_tell_before(cursor->view.chain, next->brief.id, cursor->at.number);
        return r < 0 ? r : cursor_end_of_log(cursor);
}

/* Does the segment hold nothing more? The log leaves it at an offset, too: behind the last number
 * only pads lead there. */
static bool is_left(const struct logstore_cursor *cursor)
{
        const struct segment *segment = cursor->segment;

        return cursor->at.number >
                       atomic_load_explicit(&segment->last_number, memory_order_acquire) &&
               cursor->offset >= atomic_load(&segment->end);
}

/* The last frame passed is part of a batch that does not go on here. */
static int batch_ends(struct logstore_cursor *cursor)
{
        return reader_judge(&cursor->view, cursor->segment, cursor->offset, cursor->at.number,
                            cursor->in_batch, "its batch is not complete");
}

/* The segment holds nothing more. Stand at the start of the next one. */
static int hop(struct logstore_cursor *cursor)
{
        struct chain *chain = cursor->view.chain;
        struct segment *next;
        int r = cursor->in_batch ? batch_ends(cursor) : 0;

        if (r == 0)
                r = chain_pin_next(chain, cursor->segment, &next);
        if (r == -ENOENT)
                return cursor_end_of_log(cursor);
        if (r == -EBADMSG && reader_overtaken(&cursor->view, cursor->at.number))
                return cursor_stale(cursor->at.number, "trimmed");
        if (r < 0)
                return r;
        r = check_next(cursor, next);
        if (r < 0) {
                chain_unpin(chain, next);
                return r;
        }
        r = cursor_enter(cursor, next, cursor->at.number);
        if (r < 0) {
                chain_unpin(chain, next);
                return r;
        }
        cursor_leave(cursor);
        cursor->segment = next;
        cursor->offset = FRAMES_OFFSET;
        return 0;
}

/* The log went on and was trimmed since the caller looked. Is the record here, and was nothing
 * cut? */
static bool came_meanwhile(const struct logstore_cursor *cursor)
{
        struct record_view peeked;

        return segment_peek(cursor->segment, cursor->offset, &peeked) != -EAGAIN &&
               atomic_load(&cursor->view.store->control.page->writer_epoch) == cursor->at.epoch;
}

/* No frame is committed where the next one would be. */
static int at_gap(struct logstore_cursor *cursor)
{
        const struct view *view = &cursor->view;
        const struct segment_brief *brief = &cursor->segment->brief;
        struct record_view peeked;
        /* Before the look at the chain: whatever is durable by now has a segment in it. */
        uint64_t durable = view_is_own(view) ? 0 : view_durable(view);
        uint64_t last;
        bool known;
        int r = view_refresh(view);

        if (r < 0)
                return r;
        known = chain_find_end(cursor->view.chain, cursor->segment);
        last = atomic_load(&cursor->segment->last_number);
        if (is_left(cursor))
                return hop(cursor);
        if (cursor->at.number < view_first_now(&cursor->view))
                return came_meanwhile(cursor) ? 0 : cursor_stale(cursor->at.number, "trimmed");
        if (last != UINT64_MAX && cursor->offset >= atomic_load(&cursor->segment->end))
                return reader_judge_counts(&cursor->view, cursor->segment, cursor->offset,
                                           cursor->at.number);
        if (!known) /* trimmed, or an empty head that a recovery dropped; its end is not known */
                return find_and_enter(cursor);
        if (view_is_own(view) || cursor->at.number - cursor->in_batch <= durable ||
            follower_missed(view->store, cursor->at.number) ||
            (brief->sealed && cursor->offset < brief->seal.end) ||
            chain_tell_behind(cursor->view.chain, brief->id, cursor->at.number) < 0) {
                /* The frame may have been committed, and synced or sealed, since the caller
                 * looked. */
                if (segment_peek(cursor->segment, cursor->offset, &peeked) != -EAGAIN)
                        return 0;
                return reader_judge(view, cursor->segment, cursor->offset, cursor->at.number,
                                    cursor->in_batch, "no frame is committed here");
        }
        return cursor_end_of_log(cursor);
}

/* Is what looks damaged merely cut or trimmed? The chain is cut before the control page says so. A
 * segment that was unlinked between two looks cannot be seen to grow. 0: look again where the index
 * now leads. -ESTALE. */
static int cut_meanwhile(struct logstore_cursor *cursor)
{
        uint64_t rewound, first;

        if (view_is_fixed(&cursor->view) || view_refresh(&cursor->view) < 0)
                return 0;
        rewound = rewound_to(cursor);
        first = view_first_now(&cursor->view);
        if (rewound == UINT64_MAX && cursor->segment &&
            (first <= cursor->segment->brief.start.first_number ||
             chain_find_end(cursor->view.chain, cursor->segment)))
                return 0; /* neither: the damage is there */
        cursor_leave(cursor);
        cursor->at.cut |= cursor->at.number > rewound;
        if (cursor->at.cut)
                return cursor_stale(cursor->at.number, "truncated away");
        return cursor->at.number < first ? cursor_stale(cursor->at.number, "trimmed") : 0;
}

/* Does the segment have the number, by its successor or, before a broken link, by its seal? */
static int check_number(const struct logstore_cursor *cursor, const struct place *place)
{
        if (__builtin_expect(cursor->at.number <= atomic_load(&place->segment->last_number), 1))
                return 0;
        return reader_judge_counts(&cursor->view, place->segment, place->offset, cursor->at.number);
}

/* No frame is here that may follow. An index that led astray is passed over: *ret is then the right
 * place. */
static int at_wrong_frame(struct logstore_cursor *cursor, int step, const struct walk *walk,
                          struct place *ret)
{
        if (step == WALK_BAD && walk->in_batch &&
            (walk->view.kind == FRAME_PAD || walk->view.kind == FRAME_VOID))
                return batch_ends(cursor);
        if (step == WALK_BAD && walk->view.kind == FRAME_PAD)
                return reader_verify(&cursor->view, ret, cursor->at.number);
        return reader_judge(&cursor->view, cursor->segment, cursor->offset, cursor->at.number,
                            cursor->in_batch, "the frame's header is impossible");
}

/* One step from where the cursor is, in its segment. */
static int step_on(struct logstore_cursor *cursor, struct walk *walk)
{
        uint64_t ordinal = cursor->at.number - cursor->segment->brief.start.first_number + 1;

        *walk = walk_from(cursor->offset, (uint32_t)ordinal, WALK_CHECK_PADS);
        walk->in_batch = cursor->in_batch;
        return ordinal == 0 || ordinal > UINT32_MAX
                       ? WALK_BAD /* behind a broken link numbers need not rise */
                       : walk_next(walk, &segment_frames, cursor->segment);
}

static int stand(struct logstore_cursor *cursor, struct place *ret)
{
        int r = cursor_check_epoch(cursor);
        struct walk walk;

        if (r < 0)
                return r;
        if (cursor->at.number > view_last(&cursor->view, cursor->at.number))
                return cursor_end_of_log(cursor);
        if (!cursor->segment && (r = find_and_enter(cursor)) < 0)
                return r;
        while (r >= 0) {
                if (is_left(cursor)) {
                        r = hop(cursor);
                        if (r < 0)
                                return r;
                }
                r = step_on(cursor, &walk);
                *ret = (struct place){ cursor->segment, cursor->offset, walk.view };
                if (r == WALK_FRAME)
                        return check_number(cursor, ret);
                if (r == WALK_PAD) {
                        cursor->offset = walk.at.offset;
                } else if (r == WALK_END) {
                        r = at_gap(cursor);
                } else if (r >= 0) {
                        r = at_wrong_frame(cursor, r, &walk, ret);
                        cursor->offset = ret->offset;
                }
        }
        return r;
}

int cursor_stand(struct logstore_cursor *cursor, struct place *ret)
{
        int r = stand(cursor, ret);

        if (__builtin_expect(r != -EBADMSG, 1))
                return r;
        r = cut_meanwhile(cursor);
        return r < 0 ? r : stand(cursor, ret); /* the same error, or the right place */
}
