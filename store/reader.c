/*
 * reader.c - finding and judging one record, in the writer's process or another
 *
 * In the writer's process a record is there if it is not beyond the tail, and a frame that does not
 * validate is damage. A reading process has only the files: a frame whose commit word is set and
 * whose check holds is there. One that does not validate is damage at or below the durable mark and
 * in sealed segments; beyond it is a tail that a crash tore, which is not part of the log.
 */
#include "reader.h"

#include <errno.h>

#include "salvage.h"
#include "snapshot.h"

uint64_t reader_durable(struct logstore *store)
{
        struct control_slot slot;

        if (store->writer)
                return sync_durable(&store->sync);
        catalog_slot(&store->catalog, &slot);
        return slot.mark_number;
}

uint64_t reader_first(struct logstore *store)
{
        uint64_t first;

        pthread_mutex_lock(&store->catalog.lock);
        first = store->catalog.first_number;
        pthread_mutex_unlock(&store->catalog.lock);
        return first;
}

int reader_judge(struct logstore *store, struct segment *segment, uint64_t offset, uint64_t number,
                 const char *what)
{
        struct control_slot slot;

        catalog_slot(&store->catalog, &slot);
        if (!store->writer && !segment->brief.sealed && !map_faulted(&segment->map) &&
            number > slot.mark_number &&
            (slot.generation != 0 || !salvage_beyond(segment, offset, number)))
                return detail(-EAGAIN, "record %llu: not there: %s (%s, offset %llu)",
                              (unsigned long long)number, what, segment->name,
                              (unsigned long long)offset);
        return segment_damage(segment, offset, number, what);
}

int reader_verify(struct logstore *store, const struct place *place, uint64_t number)
{
        if (record_valid(&place->segment->key, place->segment->map.base, place->offset,
                         &place->view) &&
            !map_faulted(&place->segment->map))
                return 0;
        return reader_judge(store, place->segment, place->offset, number,
                            "the frame's checksum does not hold");
}

/* ---- a reading process's tail ---- */

/* Start behind the durable mark; what is before it needs no look. */
static void follower_restart(struct logstore *store)
{
        struct follower *follower = &store->follower;
        struct control_slot slot;

        catalog_slot(&store->catalog, &slot);
        follower->epoch = slot.epoch;
        follower->number = slot.mark_number;
        follower->segment_id = slot.mark_id;
        follower->offset = slot.mark_offset;
        if (follower->number + 1 < reader_first(store)) {
                follower->number = reader_first(store) - 1;
                follower->segment_id = 0; /* the mark lags behind an emptied log: its first one */
        }
}

/* Step over one frame, or one whole batch. 1: it counts. */
static int follow_frame(struct logstore *store, struct segment *segment)
{
        struct follower *follower = &store->follower;
        struct place place = { segment, follower->offset, { 0 } };
        uint64_t number = follower->number, last;
        uint64_t limit = atomic_load(&segment->last_number); /* as the next segment says */
        int r = segment_peek(segment, place.offset, &place.view);

        if (r < 0)
                return 0;
        if (!record_valid(&segment->key, segment->map.base, place.offset, &place.view))
                return 0;
        if (place.view.kind == FRAME_PAD) {
                follower->offset += place.view.frame_bytes;
                return 1;
        }
        if (segment_number(segment, place.view.ordinal) != number + 1 || number >= limit)
                return 0;
        if (place.view.kind == FRAME_MORE) {
                if (!reader_batch_whole(store, &place, number + 1, &last) || last > limit)
                        return 0;
                while (follower->number < last &&
                       segment_peek(segment, follower->offset, &place.view) == 0) {
                        follower->offset += place.view.frame_bytes;
                        follower->number++;
                }
                return 1;
        }
        follower->offset += place.view.frame_bytes;
        follower->number++;
        return 1;
}

/* What was sealed was durable as a whole: damage in it does not end the log, but is told to whoever
 * reads there. Where the log leaves the segment earlier, its frames lead there. */
static int follow_seal(struct logstore *store, struct segment *segment)
{
        struct follower *follower = &store->follower;
        const struct segment_brief *brief = &segment->brief;

        if (!brief->sealed || follower->number >= brief->seal.last_number)
                return 0;
        catalog_find_end(&store->catalog, segment);
        if (atomic_load(&segment->end) != brief->seal.end)
                return 0;
        follower->number = brief->seal.last_number;
        follower->offset = brief->seal.end;
        return 1;
}

/* At the end of a segment: on to the next, if the log really goes on there. */
static int follow_segment(struct logstore *store, struct segment **segment)
{
        struct follower *follower = &store->follower;
        struct segment *next;

        if (catalog_pin_next(&store->catalog, *segment, &next) < 0)
                return 0;
        catalog_find_end(&store->catalog, *segment);
        if (next->brief.start.previous_id != (*segment)->brief.id ||
            next->brief.start.previous_end != follower->offset ||
            next->brief.start.first_number != follower->number + 1) {
                catalog_unpin(&store->catalog, next);
                return 0;
        }
        catalog_unpin(&store->catalog, *segment);
        *segment = next;
        follower->segment_id = next->brief.id;
        follower->offset = FRAMES_OFFSET;
        return 1;
}

static int follow(struct logstore *store)
{
        struct follower *follower = &store->follower;
        struct segment *segment;
        int r = catalog_refresh(&store->catalog);

        if (r < 0)
                return r;
        if (follower->number == 0 || follower->epoch != store->catalog.epoch ||
            follower->number + 1 < reader_first(store))
                follower_restart(store);
        if (store->catalog.count == 0) { /* the slot may be newer than this look */
                follower->number = 0;
                return r;
        }
        r = catalog_pin_id(&store->catalog, follower->segment_id, &segment);
        if (r == -ESTALE) { /* trimmed, or a store on which nothing was synced: its first segment */
                r = catalog_pin(&store->catalog, follower->number + 1, &segment);
                if (r == 0) {
                        follower->segment_id = segment->brief.id;
                        follower->number = segment->brief.start.first_number - 1;
                        follower->offset = FRAMES_OFFSET;
                }
        }
        if (r < 0)
                return r == -EBADMSG ? 0 : r; /* whoever reads there is told */
        while (follow_seal(store, segment) || follow_frame(store, segment) ||
               follow_segment(store, &segment))
                ;
        catalog_unpin(&store->catalog, segment);
        return 0;
}

int reader_tail(struct logstore *store, uint64_t *ret)
{
        int r = 0;

        if (store->writer) {
                *ret = head_tail_number(&store->head, UINT64_MAX);
                return 0;
        }
        pthread_mutex_lock(&store->follower.lock);
        r = follow(store);
        *ret = store->follower.number;
        pthread_mutex_unlock(&store->follower.lock);
        return r;
}

/* ---- one record ---- */

int reader_batch_whole(struct logstore *store, const struct place *place, uint64_t number,
                       uint64_t *ret_last)
{
        struct place at = *place;

        (void)store;
        while (at.view.kind == FRAME_MORE) {
                at.offset += at.view.frame_bytes;
                if (segment_peek(at.segment, at.offset, &at.view) < 0 ||
                    at.view.kind == FRAME_PAD || at.view.kind == FRAME_VOID ||
                    segment_number(at.segment, at.view.ordinal) != ++number ||
                    !record_valid(&at.segment->key, at.segment->map.base, at.offset, &at.view))
                        return 0;
        }
        *ret_last = number;
        return 1;
}

static int beyond_tail(struct logstore *store, uint64_t number)
{
        int r = store->writer ? 0 : catalog_fault(&store->catalog);

        if (r < 0) /* the chain is broken: that is no mere end */
                return r;
        return detail(-EAGAIN, "record %llu was not appended yet", (unsigned long long)number);
}

static int locate(struct logstore *store, uint64_t number, struct place *place)
{
        uint64_t ordinal = number - place->segment->brief.start.first_number + 1;
        int r;

        place->offset = 0;
        r = ordinal > UINT32_MAX ? -EAGAIN
                                 : segment_locate(place->segment, (uint32_t)ordinal, &place->offset,
                                                  &place->view);

        if (r == -EAGAIN && !place->segment->brief.sealed && !store->writer &&
            number > reader_durable(store))
                return beyond_tail(store, number);
        if (r == -EAGAIN || r == -EBADMSG)
                return reader_judge(store, place->segment, place->offset, number,
                                    "no valid frame leads to the record");
        return r;
}

bool reader_overtaken(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number)
{
        return !snapshot && !store->writer && catalog_refresh(&store->catalog) == 0 &&
               number < reader_first(store);
}

static int find(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number,
                struct place *ret)
{
        struct catalog *catalog = snapshot ? snapshot_catalog(snapshot) : &store->catalog;
        uint64_t tail = UINT64_MAX;
        struct place place;
        int r = 0;

        if (number == 0)
                return detail(-EINVAL, "record numbers start at 1");
        if (snapshot && number > snapshot_bounds(snapshot)->tail)
                return beyond_tail(store, number);
        if (!snapshot && store->writer && head_tail_number(&store->head, number) < number)
                return beyond_tail(store, number);
        if (!snapshot && !store->writer) {
                r = number > reader_durable(store) ? reader_tail(store, &tail)
                                                   : catalog_refresh(catalog);
                if (r == 0 && number > tail)
                        return beyond_tail(store, number);
        }
        if (r == 0)
                r = catalog_pin(catalog, number, &place.segment);
        if (r == -EBADMSG && reader_overtaken(store, snapshot, number))
                return detail(-ESTALE, "record %llu was trimmed", (unsigned long long)number);
        if (r < 0)
                return r;
        r = locate(store, number, &place);
        if (r < 0) {
                catalog_unpin(catalog, place.segment);
                return r;
        }
        *ret = place;
        return 0;
}

/* A truncation between finding the segment and looking into it makes the record seem damaged: what
 * looks so is looked for again, until nothing was cut meanwhile. */
int reader_find(struct logstore *store, struct logstore_snapshot *snapshot, uint64_t number,
                struct place *ret)
{
        int r = find(store, snapshot, number, ret);
        bool cut = true;

        while (__builtin_expect(r == -EBADMSG, 0) && !snapshot && cut) {
                uint64_t epoch = catalog_newest_epoch(&store->catalog);
                r = find(store, NULL, number, ret);
                cut = catalog_newest_epoch(&store->catalog) != epoch;
        }
        return r;
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
        r = ret ? reader_tail(store, &bounds.tail) : detail(-EINVAL, "ret is NULL");
        if (r == 0) {
                bounds.first = reader_first(store);
                if (bounds.tail + 1 < bounds.first)
                        bounds.tail = bounds.first - 1;
                bounds.durable = reader_durable(store);
                if (bounds.durable + 1 < bounds.first) /* what was trimmed counts as safe */
                        bounds.durable = bounds.first - 1;
                bounds.epoch = store->catalog.epoch;
                if (store->writer)
                        bounds.epoch = store->control.epoch;
                *ret = bounds;
        }
        store_leave();
        return r;
}

static int copy_out(struct logstore *store, const struct place *place, uint64_t number,
                    void *buffer, size_t capacity, struct logstore_record *ret)
{
        struct logstore_record record;
        int r;

        if (place->view.kind == FRAME_VOID) {
                r = reader_verify(store, place, number);
                return r < 0 ? r
                             : detail(-ENODATA, "record %llu is void: its claim was aborted",
                                      (unsigned long long)number);
        }
        if (place->view.size > capacity) {
                ret->size = place->view.size;
                return detail(-ENOBUFS, "record %llu has %u bytes, the buffer %zu",
                              (unsigned long long)number, place->view.size, capacity);
        }
        r = reader_verify(store, place, number);
        if (r < 0)
                return r;
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
                                          : reader_find(store, NULL, number, &place);
        if (r == 0) {
                r = copy_out(store, &place, number, buffer, capacity, ret);
                catalog_unpin(&store->catalog, place.segment);
        }
        store_leave();
        return r;
}
