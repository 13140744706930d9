/*
 * positions_set.c - setting a named position
 *
 * Order:  find the place; make what is before it durable, or refuse; take the lock; look once more
 *         whether the place is there; store and sync; let go; look again.
 *
 * A trim looks for floors, and publishes the new first number, under the same lock. So either it
 * finds this floor, or the look under the lock finds that the place is gone. A truncation takes no
 * lock: the last look finds it, and every later get does.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "care/positions.h"
#include "read/reader.h"

#define LOCK_WAIT_NS INT64_C(10000000000)

static int check(const char *name, const struct logstore_position *position)
{
        int r = positions_check_name(name);

        if (r < 0)
                return r;
        if (!position || position->struct_bytes != sizeof(*position))
                return detail(-EINVAL, "position is NULL or struct_bytes is not its size");
        if (position->number == 0 || position->number > NUMBER_MAX + 1)
                return detail(-EINVAL, "record numbers start at 1");
        if (position->flags & ~POSITION_FLAGS || position->limit_ns < 0)
                return detail(-EINVAL, "an unknown flag, or a negative limit");
        return 0;
}

/* Nothing before the position may be lost: a log that went on in its place would not be noticed. */
static int make_durable(struct logstore *store, uint64_t number)
{
        uint64_t durable = view_durable(&store->live);

        if (number <= durable)
                return 0;
        if (store->writes)
                return logstore_sync(store, number);
        return detail(-EAGAIN,
                      "record %" PRIu64 " is not durable yet: the writer has synced up to %" PRIu64,
                      number, durable);
}

/* The log begins with the record at the position. */
static int place_first(struct logstore *store, struct position_slot *slot)
{
        struct chain_entry entry = { 0 };
        struct segment_brief brief;
        int r = chain_entry_after(&store->chain, 0, &entry);

        if (r == -ENOENT)
                return 0; /* it has no segment yet */
        if (r == 0)
                r = segment_brief_read(store->directory, store->chain.uuid, entry.id, &brief);
        if (r < 0)
                return r == -ENOENT
                               ? detail(-ESTALE, "record %" PRIu64 " was trimmed", slot->number)
                               : r;
        if (brief.start.first_number != slot->number)
                return detail(-ESTALE, "record %" PRIu64 " was trimmed", slot->number);
        slot->segment_id = brief.id;
        slot->segment_salt = brief.salt;
        slot->offset = FRAMES_OFFSET;
        return 0;
}

/* Find the place by the number alone. */
static int place(struct logstore *store, struct position_slot *slot)
{
        struct place before;
        uint64_t first;
        int r = view_refresh(&store->live);

        if (r < 0)
                return r;
        slot->epoch = chain_newest_epoch(&store->chain); /* before the look: a later cut is told */
        first = view_first(&store->live);
        if (slot->number < first)
                return detail(-ESTALE, "record %" PRIu64 " was trimmed: the first is %" PRIu64,
                              slot->number, first);
        if (slot->number == first)
                return place_first(store, slot);
        r = reader_find(&store->live, slot->number - 1, &before);
        if (r < 0)
                return r;
        slot->segment_id = before.segment->brief.id;
        slot->segment_salt = before.segment->brief.salt;
        slot->offset = before.offset + before.view.frame_bytes;
        chain_unpin(&store->chain, before.segment);
        return make_durable(store, slot->number - 1);
}

/* Do pads alone lead from the place in the slot to @offset, and are they durable? */
static int check_pads(struct logstore *store, const struct position_slot *slot, uint64_t offset)
{
        struct walk walk = walk_from(slot->offset, 1, WALK_CHECK_PADS);
        struct control_slot mark;
        struct segment *segment;
        int r = chain_pin_id(&store->chain, slot->segment_id, &segment), step = WALK_PAD;

        if (r < 0)
                return r;
        while (walk.at.offset < offset && step == WALK_PAD)
                step = walk_next(&walk, &segment_frames, segment);
        chain_unpin(&store->chain, segment);
        if (step != WALK_PAD || walk.at.offset != offset)
                return detail(-EINVAL, "no frame of record %" PRIu64 " ends at that offset",
                              slot->number - 1);
        chain_slot(&store->chain, &mark);
        return slot->segment_id == mark.mark_id && offset > mark.mark_offset
                       ? detail(-EAGAIN, "offset %" PRIu64 " is not durable yet", offset)
                       : 0;
}

/* May the segment begin with the record at the position? */
static int check_begin(struct logstore *store, const struct position_slot *slot)
{
        struct segment_brief brief;
        int r = segment_brief_read(store->directory, store->chain.uuid, slot->segment_id, &brief);

        if (r == 0 && (!brief.started || brief.start.first_number != slot->number ||
                       slot->offset != FRAMES_OFFSET))
                r = detail(-EINVAL, "record %" PRIu64 " does not begin that segment", slot->number);
        return r;
}

static int tell_gone(const struct position_slot *slot, const struct chain_found *found)
{
        return detail(-ESTALE,
                      "the place before record %" PRIu64 " was %s: the log goes on at %" PRIu64,
                      slot->number, found->state == PLACE_CUT ? "truncated away" : "trimmed",
                      found->place.number);
}

/* A floor needs the segment of its place. Another position may stand behind what is trimmed. */
static int check_there(struct logstore *store, const struct position_slot *slot)
{
        struct chain_found found;
        int r = positions_find(store, slot, &found);

        if (r < 0)
                return r;
        if (found.state == PLACE_HERE && (found.present || !slot->flags || slot->segment_id == 0))
                return 0;
        return tell_gone(slot, &found);
}

/* Take the place that the caller gives, if it is still there. */
static int take_given(struct logstore *store, const struct logstore_position *given,
                      struct position_slot *slot)
{
        int r;

        slot->segment_id = given->segment_id;
        slot->segment_salt = given->segment_salt;
        slot->offset = given->offset;
        if (slot->segment_id > ID_MAX || slot->offset < FRAMES_OFFSET ||
            slot->offset > SEGMENT_BYTES_MAX || slot->offset % FRAME_ALIGN != 0)
                return detail(-EINVAL, "impossible segment or offset");
        r = check_there(store, slot);
        return r == -EBADMSG
                       ? detail(-EINVAL, "record %" PRIu64 " is not in that segment", slot->number)
                       : r;
}

/* Is the given place that of the number, as it was @found? */
static int check_given(struct logstore *store, const struct position_slot *given,
                       const struct position_slot *found)
{
        if (given->segment_id != found->segment_id)
                return check_begin(store, given);
        return given->offset == found->offset ? 0 : check_pads(store, found, given->offset);
}

static int store_locked(struct logstore *store, struct position_slot *slot)
{
        int lock, r = position_lock(store->directory, LOCK_WAIT_NS, &lock);

        if (r < 0)
                return r;
        r = check_there(store, slot);
        if (r == 0)
                r = position_write(store->directory, control_file_mode(store->control.page), slot);
        position_unlock(lock);
        return r == 0 ? check_there(store, slot) : r;
}

static int set(struct logstore *store, const char *name, const struct logstore_position *position)
{
        struct position_slot slot = { 0 }, given;
        int r = check(name, position);

        if (r < 0)
                return r;
        slot.flags = position->flags;
        slot.number = position->number;
        slot.limit_bytes = position->limit_bytes;
        slot.limit_ns = position->limit_ns;
        slot.note = position->note;
        slot.set_ns = os_now();
        memcpy(slot.uuid, store->chain.uuid, sizeof(slot.uuid));
        memcpy(slot.name, name, strlen(name));
        given = slot;
        if (position->segment_id != 0)
                r = take_given(store, position, &given);
        if (r == 0)
                r = place(store, &slot);
        if (r == 0 && position->segment_id != 0) {
                r = check_given(store, &given, &slot);
                given.epoch = slot.epoch;
                slot = given;
        }
        return r == 0 ? store_locked(store, &slot) : r;
}

int logstore_position_set(struct logstore *store, const char *name,
                          const struct logstore_position *position)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = set(store, name, position);
        store_leave();
        return r;
}
