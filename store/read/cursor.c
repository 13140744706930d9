/*
 * cursor.c - walking the log
 *
 * A cursor stands before a number. Once it has moved, it knows the place of that number's frame, in
 * a segment that it pins. Forward, the next place is behind the last frame. At a segment's end the
 * cursor hops to the successor, whose start frame says where that end is. Backward and by number
 * the index leads. After a truncation or a recovery by another process the epoch in the control
 * page differs. The cursor then looks up its place anew; it is stale if the log was cut below it.
 */
#include "read/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "read/cursor_private.h"

#define DROP_BYTES (UINT64_C(4) << 20)

int cursor_new(const struct view *view, uint32_t flags, struct logstore_cursor **ret)
{
        struct logstore *store = view->store;
        struct logstore_cursor *cursor = memory_new(&store->memory, sizeof(*cursor));

        if (!cursor)
                return detail(-ENOMEM, "no memory for a cursor");
        cursor->view = *view;
        cursor->flags = flags;
        cursor->eventfd = -1;
        cursor->waited_ns = INT64_MAX;
        cursor->at.epoch = atomic_load(&store->control.page->writer_epoch);
        cursor->at.known_epoch = view_epoch(view);
        cursor->at.number = view_first(view);
        atomic_fetch_add(&store->children, 1);
        *ret = cursor;
        return 0;
}

int logstore_cursor_open(struct logstore *store, uint32_t flags, struct logstore_cursor **ret)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!ret ||
            flags & ~(uint32_t)(LOGSTORE_UNVERIFIED | LOGSTORE_DROP_BEHIND | LOGSTORE_SKIP_DAMAGE))
                r = detail(-EINVAL, "ret is NULL or a flag is unknown");
        if (r == 0)
                r = view_refresh(&store->live);
        if (r == 0)
                r = cursor_new(&store->live, flags, ret);
        store_leave();
        return r;
}

void logstore_cursor_close(struct logstore_cursor *cursor)
{
        struct logstore *store;

        if (!cursor)
                return;
        store = cursor->view.store;
        if (*store->alive == 0) /* in a fork's child the pins are the parent's */
                return;
        guard_enter(); /* we wake the watcher through a mapping */
        cursor_stop_watching(cursor);
        cursor_leave(cursor);
        guard_leave();
        atomic_fetch_sub(&store->children, 1);
        memory_free(&store->memory, cursor);
}

int cursor_check_record(struct logstore_cursor *cursor, struct place *place)
{
        const struct view *view = &cursor->view;
        uint64_t number = cursor->at.number;
        int r = 0;

        if (view_is_edited(view, number))
                return 0; /* it stays as the caller left it */
        if (!(cursor->flags & LOGSTORE_UNVERIFIED) || number > view_durable(view))
                r = reader_verify(view, place, number);
        else if (map_faulted(&place->segment->map))
                r = segment_damage(place->segment, place->offset, number, "");
        if (r == -EAGAIN && cursor->in_batch)
                r = reader_judge(view, place->segment, place->offset, number, true,
                                 "its batch is not complete");
        cursor->offset = place->offset;
        return r < 0 ? r : reader_check_batch(view, place, number, &cursor->whole_until);
}

/* A long scan drops the pages behind it, so that it displaces nothing. */
static void drop_behind(struct logstore_cursor *cursor)
{
        uint64_t page = os_page_bytes();
        uint64_t to = cursor->offset & ~(page - 1);

        if (to < cursor->dropped_offset + DROP_BYTES || view_is_fixed(&cursor->view))
                return;
        segment_drop(cursor->segment, cursor->dropped_offset, to);
        cursor->dropped_offset = to;
}

/* Is the number found in another segment than @not_in? */
static bool leads_to(struct logstore_cursor *cursor, uint64_t number, uint64_t not_in)
{
        struct place place;
        bool other;

        if (reader_find(&cursor->view, number, &place) < 0)
                return false;
        other = place.segment->brief.id != not_in;
        chain_unpin(cursor->view.chain, place.segment);
        return other;
}

/* Behind the damage in segment @id: find the next number that leads somewhere, at the latest the
 * next segment's first. If the damage is behind all that segment @id has, that is the same
 * number. */
static uint64_t find_behind(struct logstore_cursor *cursor, uint64_t number, uint64_t tail,
                            uint64_t id)
{
        uint64_t first;

        if (id != 0 && leads_to(cursor, number, id))
                return number;
        if (++number > tail || leads_to(cursor, number, 0))
                return number;
        first = chain_first_after(cursor->view.chain, number);
        return first <= tail ? first : tail + 1; /* a torn tail may have a segment behind it */
}

/* Damage that ends the log, such as a missing segment, is told once. After that it is a mere
 * end. */
static int skip_damage(struct logstore_cursor *cursor)
{
        uint64_t id = cursor->segment ? cursor->segment->brief.id : 0, tail;
        char what[256];
        int r;

        snprintf(what, sizeof(what), "%s", logstore_detail());
        cursor_leave(cursor);
        r = view_tail(&cursor->view, &tail);
        if (r < 0 && !chain_is_damage(r))
                return r;
        if (r == 0 && cursor->at.number <= tail)
                cursor->at.number = find_behind(cursor, cursor->at.number, tail, id);
        else if (cursor->told_end != cursor->at.number)
                cursor->told_end = cursor->at.number;
        else
                return detail(-EAGAIN, "nothing follows the damage at record %" PRIu64,
                              cursor->at.number);
        return detail(-EBADMSG, "%s", what);
}

/*
 * Nearly every step goes this way. The place is known, the record is inside bounds that were looked
 * up before, and its frame is valid. Anything else is left to the slow way, which finds out why.
 */
static inline bool step_fast(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        struct segment *segment = cursor->segment;
        const struct frame *frame;
        struct record_view view;

        if (!segment || cursor->at.number > cursor->fast_until ||
            cursor->offset + FRAME_HEADER_BYTES > cursor->fast_end ||
            atomic_load_explicit(&cursor->view.store->control.page->writer_epoch,
                                 memory_order_acquire) != cursor->at.epoch)
                return false;
        if (record_peek(segment->map.base, cursor->offset, cursor->fast_end, &view) < 0 ||
            (view.kind != FRAME_RECORD && view.kind != FRAME_MORE) ||
            segment_number(segment, view.ordinal) != cursor->at.number)
                return false;
        frame = segment_frame(segment, cursor->offset);
        __builtin_prefetch((const char *)frame + view.frame_bytes + 64);
        if (!(cursor->flags & LOGSTORE_UNVERIFIED) &&
            !record_valid(&segment->key, segment->map.base, cursor->offset, &view))
                return false;
        if (__builtin_expect(map_faulted(&segment->map), 0))
                return false;
        *ret = (struct logstore_record){ cursor->at.number, frame->time_ns, frame->payload,
                                         view.size };
        cursor->at.number++;
        cursor->offset += view.frame_bytes;
        cursor->in_batch = view.kind == FRAME_MORE;
        return true;
}

/* After a slow step: how far may the fast way go? Behind the mark a reading process must look
 * whether a batch is whole. Edited records of a snapshot do not validate. */
static void learn_bounds(struct logstore_cursor *cursor)
{
        const struct view *view = &cursor->view;
        uint64_t end = atomic_load(&cursor->segment->end);
        uint64_t bytes = atomic_load(&cursor->segment->file_bytes);
        uint64_t until = atomic_load(&cursor->segment->last_number);
        uint64_t last = view_last(view, 0);
        bool marked = cursor->flags & LOGSTORE_UNVERIFIED || view_follows(view);

        if (view_is_fixed(view) || cursor->flags & LOGSTORE_DROP_BEHIND)
                last = 0;
        if (last < until)
                until = last;
        if (until && marked) {
                uint64_t durable = view_durable(view);

                if (durable < until)
                        until = durable;
        }
        cursor->fast_until = until;
        cursor->fast_end = end < bytes ? end : bytes;
}

/* Stand behind the record at @place. */
static void pass(struct logstore_cursor *cursor, const struct place *place)
{
        cursor->at.number++;
        cursor->offset += place->view.frame_bytes;
        cursor->in_batch = place->view.kind == FRAME_MORE;
}

/* Step to the next record, over voids. */
static int step(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        struct place place;

        do {
                int r = cursor_stand(cursor, &place);

                if (r == 0)
                        r = cursor_check_record(cursor, &place);
                if (r < 0)
                        return r;
                if (place.view.kind != FRAME_VOID)
                        reader_describe(&place, cursor->at.number, ret);
                if (cursor->flags & LOGSTORE_DROP_BEHIND)
                        drop_behind(cursor);
                pass(cursor, &place);
                learn_bounds(cursor);
        } while (place.view.kind == FRAME_VOID);
        return 0;
}

/* Step from where the call began. If only voids were passed before the log was cut, nothing was
 * given that the cut took: begin again. */
static int step_slow(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        const struct stand was = cursor_where(cursor);
        int r = step(cursor, ret);

        while (r == -ESTALE && cursor->at.number != was.number) {
                cursor_put_back(cursor, &was);
                r = step(cursor, ret);
        }
        return r;
}

int logstore_cursor_next(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        if (!ret)
                r = detail(-EINVAL, "ret is NULL");
        else if (!step_fast(cursor, ret))
                r = step_slow(cursor, ret);
        if (chain_is_damage(r) && cursor->flags & LOGSTORE_SKIP_DAMAGE)
                r = skip_damage(cursor);
        store_leave();
        return r;
}

static int seek(struct logstore_cursor *cursor, uint64_t number)
{
        const struct view *view = &cursor->view;
        struct stand to = { .epoch = atomic_load(&view->store->control.page->writer_epoch) };
        uint64_t tail, first;
        int r;

        do { /* until the tail is of the known epoch */
                to.known_epoch = view_epoch(view);
                r = view_tail(view, &tail);
        } while (r == 0 && to.known_epoch != view_epoch(view));
        if (r < 0)
                return r;
        first = view_first(view);
        if (tail + 1 < first)
                tail = first - 1;
        to.number = number == 0 ? first : number == UINT64_MAX ? tail + 1 : number;
        if (to.number < first)
                return detail(-ESTALE, "record %" PRIu64 " was trimmed: the first is %" PRIu64,
                              to.number, first);
        if (to.number > tail + 1)
                return detail(-EAGAIN,
                              "record %" PRIu64 " was not appended yet: the last is %" PRIu64,
                              to.number, tail);
        if (to.number > first && !view_is_fixed(view)) {
                to.passed_id = chain_id_of(cursor->view.chain, to.number - 1);
                to.passed_number = to.number;
        }
        if (to.number != cursor->at.number || cursor->at.cut || to.epoch != cursor->at.epoch)
                cursor_leave(cursor);
        if (to.epoch != cursor->at.epoch)
                cursor->whole_until = 0;
        cursor->at = to;
        return 0;
}

int logstore_cursor_seek(struct logstore_cursor *cursor, uint64_t number)
{
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        r = seek(cursor, number);
        store_leave();
        return r;
}

/* Stand on @number. The pinned segment's index leads there, if it is the right segment. */
static int go_to(struct logstore_cursor *cursor, uint64_t number, struct place *ret)
{
        struct segment *segment;
        int r = cursor_check_epoch(cursor);

        if (r < 0 && r != -ESTALE) /* -ESTALE is about the old place, which we leave */
                return r;
        cursor->at.number = number;
        cursor->at.cut = false;
        cursor->in_batch = false;
        segment = cursor->segment;
        if (segment && number >= segment->brief.start.first_number &&
            number <= atomic_load(&segment->last_number) &&
            number <= view_last(&cursor->view, number) &&
            atomic_load(&segment->last_number) != UINT64_MAX && view_has(&cursor->view, number) &&
            segment_locate(segment, (uint32_t)(number - segment->brief.start.first_number + 1),
                           &cursor->offset, &ret->view) == 0) {
                ret->segment = segment;
                ret->offset = cursor->offset;
                return 0;
        }
        cursor_leave(cursor);
        cursor->at.passed_id = 0; /* that segment belongs to another number */
        r = number > view_last(&cursor->view, number) ? cursor_end_of_log(cursor)
                                                      : cursor_find_place(cursor);
        if (r < 0)
                return r;
        if (cursor->at.known_epoch < cursor->segment->brief.start.epoch)
                cursor->at.known_epoch =
                        cursor->segment->brief.start.epoch; /* nothing was passed */
        return cursor_stand(cursor, ret);
}

int logstore_cursor_get(struct logstore_cursor *cursor, uint64_t number,
                        struct logstore_record *ret)
{
        struct stand was;
        struct place place;
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        was = cursor_where(cursor);
        if (!ret || number == 0)
                r = detail(-EINVAL, ret ? "record numbers start at 1" : "ret is NULL");
        else if (view_is_fixed(&cursor->view) && number < view_first(&cursor->view))
                r = cursor_stale(number, "trimmed before the snapshot");
        else
                r = go_to(cursor, number, &place);
        if (r == 0)
                r = cursor_check_record(cursor, &place);
        if (r == 0 && place.view.kind == FRAME_VOID)
                r = detail(-ENODATA, "record %" PRIu64 " is void: its claim was aborted", number);
        if (r == 0) {
                reader_describe(&place, cursor->at.number, ret);
                pass(cursor, &place);
        } else {
                cursor_put_back(cursor, &was);
        }
        store_leave();
        return r;
}

uint64_t logstore_cursor_position(const struct logstore_cursor *cursor)
{
        return cursor && *cursor->view.store->alive ? cursor->at.number : 0;
}
