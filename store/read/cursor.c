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
#include <stdio.h>

#include "read/cursor_private.h"
#include "snapshot/snapshot.h"

#define DROP_BYTES (UINT64_C(4) << 20)

int cursor_new(struct logstore *store, struct logstore_snapshot *snapshot, uint32_t flags,
               struct logstore_cursor **ret)
{
        struct logstore_cursor *cursor = memory_new(&store->memory, sizeof(*cursor));

        if (!cursor)
                return detail(-ENOMEM, "no memory for a cursor");
        cursor->store = store;
        cursor->snapshot = snapshot;
        cursor->chain = snapshot ? snapshot_chain(snapshot) : &store->chain;
        cursor->flags = flags;
        cursor->eventfd = -1;
        cursor->waited_ns = INT64_MAX;
        cursor->at.epoch = atomic_load(&store->control.page->writer_epoch);
        cursor->at.known_epoch = cursor_known_epoch(store);
        cursor->at.number = cursor_first(cursor);
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
        if (r == 0 && !store->writes)
                r = chain_refresh(&store->chain);
        if (r == 0)
                r = cursor_new(store, NULL, flags, ret);
        store_leave();
        return r;
}

void logstore_cursor_close(struct logstore_cursor *cursor)
{
        struct logstore *store;

        if (!cursor)
                return;
        store = cursor->store;
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
        struct logstore *store = cursor->store;
        int r = 0;

        if (cursor->snapshot && snapshot_is_edited(cursor->snapshot, cursor->at.number))
                return 0; /* it stays as the caller left it */
        if (!(cursor->flags & LOGSTORE_UNVERIFIED) || cursor->at.number > reader_durable(store))
                r = reader_verify(store, place, cursor->at.number);
        else if (map_faulted(&place->segment->map))
                r = segment_damage(place->segment, place->offset, cursor->at.number, "");
        if (r == -EAGAIN && cursor->in_batch)
                r = reader_judge(store, place->segment, place->offset, cursor->at.number, true,
                                 "its batch is not complete");
        cursor->offset = place->offset;
        if (r < 0 || cursor->snapshot) /* its batches are whole; edited ones would fail */
                return r;
        return reader_check_batch(store, place, cursor->at.number, &cursor->whole_until);
}

/* A long scan drops the pages behind it, so that it displaces nothing. */
static void drop_behind(struct logstore_cursor *cursor)
{
        uint64_t page = os_page_bytes();
        uint64_t to = cursor->offset & ~(page - 1);

        if (to < cursor->dropped_offset + DROP_BYTES || cursor->snapshot)
                return;
        segment_drop(cursor->segment, cursor->dropped_offset, to);
        cursor->dropped_offset = to;
}

int cursor_find_tail(struct logstore_cursor *cursor, uint64_t *ret)
{
        if (!cursor->snapshot)
                return reader_tail(cursor->store, ret);
        *ret = snapshot_bounds(cursor->snapshot)->tail;
        return 0;
}

/* Is the number found in another segment than @not_in? */
static bool leads_to(struct logstore_cursor *cursor, uint64_t number, uint64_t not_in)
{
        struct place place;
        bool other;

        if (reader_find(cursor->store, cursor->snapshot, number, &place) < 0)
                return false;
        other = place.segment->brief.id != not_in;
        chain_unpin(cursor->chain, place.segment);
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
        first = chain_first_after(cursor->chain, number);
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
        r = cursor_find_tail(cursor, &tail);
        if (r < 0 && !reader_is_damage(r))
                return r;
        if (r == 0 && cursor->at.number <= tail)
                cursor->at.number = find_behind(cursor, cursor->at.number, tail, id);
        else if (cursor->told_end != cursor->at.number)
                cursor->told_end = cursor->at.number;
        else
                return detail(-EAGAIN, "nothing follows the damage at record %llu",
                              (unsigned long long)cursor->at.number);
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
            atomic_load_explicit(&cursor->store->control.page->writer_epoch,
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
        struct logstore *store = cursor->store;
        uint64_t end = atomic_load(&cursor->segment->end);
        uint64_t bytes = atomic_load(&cursor->segment->file_bytes);
        bool marked = cursor->flags & LOGSTORE_UNVERIFIED || !store->writes;

        cursor->fast_until = atomic_load(&cursor->segment->last_number);
        if (cursor->snapshot || cursor->flags & LOGSTORE_DROP_BEHIND)
                cursor->fast_until = 0;
        else if (store->writes && atomic_load(&store->writer.tail_number) < cursor->fast_until)
                cursor->fast_until = atomic_load(&store->writer.tail_number);
        if (cursor->fast_until && marked && reader_durable(store) < cursor->fast_until)
                cursor->fast_until = reader_durable(store);
        cursor->fast_end = end < bytes ? end : bytes;
}

/* Stand behind the record at @place. */
static void pass(struct logstore_cursor *cursor, const struct place *place)
{
        cursor->at.number++;
        cursor->offset += place->view.frame_bytes;
        cursor->in_batch = place->view.kind == FRAME_MORE;
}

int logstore_cursor_next(struct logstore_cursor *cursor, struct logstore_record *ret)
{
        struct place place;
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        if (!ret)
                r = detail(-EINVAL, "ret is NULL");
        else if (step_fast(cursor, ret)) {
                store_leave();
                return 0;
        }
        while (r == 0) {
                r = cursor_stand(cursor, &place);
                if (r == 0)
                        r = cursor_check_record(cursor, &place);
                if (r < 0)
                        break;
                if (place.view.kind != FRAME_VOID)
                        reader_describe(&place, cursor->at.number, ret);
                if (cursor->flags & LOGSTORE_DROP_BEHIND)
                        drop_behind(cursor);
                pass(cursor, &place);
                learn_bounds(cursor);
                if (place.view.kind != FRAME_VOID)
                        break;
        }
        if (reader_is_damage(r) && cursor->flags & LOGSTORE_SKIP_DAMAGE)
                r = skip_damage(cursor);
        store_leave();
        return r;
}

static int seek(struct logstore_cursor *cursor, uint64_t number)
{
        struct logstore *store = cursor->store;
        struct stand to = { .epoch = atomic_load(&store->control.page->writer_epoch) };
        uint64_t tail, first;
        int r;

        do { /* until the tail is of the known epoch */
                to.known_epoch = cursor_known_epoch(store);
                r = cursor_find_tail(cursor, &tail);
        } while (r == 0 && to.known_epoch != cursor_known_epoch(store));
        if (r < 0)
                return r;
        first = cursor_first(cursor);
        if (tail + 1 < first)
                tail = first - 1;
        to.number = number == 0 ? first : number == UINT64_MAX ? tail + 1 : number;
        if (to.number < first)
                return detail(-ESTALE, "record %llu was trimmed: the first is %llu",
                              (unsigned long long)to.number, (unsigned long long)first);
        if (to.number > tail + 1)
                return detail(-EAGAIN, "record %llu was not appended yet: the last is %llu",
                              (unsigned long long)to.number, (unsigned long long)tail);
        if (to.number > first && !cursor->snapshot) {
                to.passed_id = chain_id_of(cursor->chain, to.number - 1);
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
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        r = seek(cursor, number);
        store_leave();
        return r;
}

/* Is @number known to be in the log without a look at the tail? */
static bool is_bounded(struct logstore_cursor *cursor, uint64_t number)
{
        return cursor->snapshot || cursor->store->writes || number <= reader_durable(cursor->store);
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
            number <= atomic_load(&segment->last_number) && number <= cursor_last(cursor) &&
            atomic_load(&segment->last_number) != UINT64_MAX && is_bounded(cursor, number) &&
            segment_locate(segment, (uint32_t)(number - segment->brief.start.first_number + 1),
                           &cursor->offset, &ret->view) == 0) {
                ret->segment = segment;
                ret->offset = cursor->offset;
                return 0;
        }
        cursor_leave(cursor);
        cursor->at.passed_id = 0; /* that segment belongs to another number */
        r = number > cursor_last(cursor) ? cursor_end_of_log(cursor) : cursor_find_place(cursor);
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
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        was = cursor_where(cursor);
        if (!ret || number == 0)
                r = detail(-EINVAL, ret ? "record numbers start at 1" : "ret is NULL");
        else if (cursor->snapshot && number < cursor_first(cursor))
                r = cursor_stale(number, "trimmed before the snapshot");
        else
                r = go_to(cursor, number, &place);
        if (r == 0)
                r = cursor_check_record(cursor, &place);
        if (r == 0 && place.view.kind == FRAME_VOID)
                r = detail(-ENODATA, "record %llu is void: its claim was aborted",
                           (unsigned long long)number);
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
        return cursor && *cursor->store->alive ? cursor->at.number : 0;
}
