/*
 * recovery_start.c - going on where the log ends
 *
 * After a clean close the log goes on in the head, at the mark. After a crash it goes on in a new
 * segment, which says where the log before it ended. No committed frame is changed, zeroed or cut
 * off. On a full disk the log goes on in the head, if nothing was torn.
 *
 * Order:  new segment synced; leftovers unlinked and the directory synced; then seals. The next
 *         open finds leftovers by the links, whether a segment is sealed or not.
 */
#include "writer/recovery.h"

#include <errno.h>
#include <inttypes.h>

#include "chain/directory.h"
#include "os/detail.h"

/* Seal what was scanned to its end and has a durable successor, so that the next open need not read
 * it. If @start continues an older segment, seal that anew: a truncation may have ended before it
 * did so. */
static int seal_before(struct chain *chain, const struct recovery *recovery,
                       const struct start_payload *start)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < recovery->unsealed_count; i++) {
                const struct unsealed *unsealed = &recovery->unsealed[i];

                if (unsealed->records > 0) /* an empty one is replaced */
                        r = chain_seal(chain, unsealed->id, unsealed->records, unsealed->end,
                                       unsealed->greatest_ns, true);
        }
        if (r == 0 && recovery->records == 0)
                r = chain_seal(chain, start->previous_id, start->previous_records,
                               start->previous_end, start->greatest_ns, false);
        return r;
}

/* Is the segment on the chain? If not, it is trimmed, or not the one that was meant. */
static bool is_on_chain(struct chain *chain, uint64_t id)
{
        struct chain_entry entry;

        return chain_entry_before(chain, id + 1, &entry) != -ENOENT && entry.id == id;
}

/* Find out before anything is written: else each try would leave one more segment behind. */
static int check_seals(struct chain *chain, const struct recovery *recovery,
                       const struct start_payload *start)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < recovery->unsealed_count; i++)
                if (recovery->unsealed[i].records > 0)
                        r = segment_check_writable(chain->directory, recovery->unsealed[i].id);
        if (r == 0 && recovery->records == 0 && is_on_chain(chain, start->previous_id))
                r = segment_check_writable(chain->directory, start->previous_id);
        return r == -ENOENT ? 0 : r; /* trimmed */
}

/* Find this out before anything is written, too. */
static int check_number(uint64_t number)
{
        if (number <= NUMBER_LAST)
                return 0;
        return detail(-EOVERFLOW,
                      "the log ends with record %" PRIu64
                      ", numbers are used up: copy the records to a new store",
                      number);
}

static int describe_start(struct chain *chain, const struct control_slot *slot,
                          const struct recovery *recovery, struct start_payload *start)
{
        struct segment_brief brief;
        int r = segment_brief_read(chain->directory, chain->uuid, recovery->tail.segment_id,
                                   &brief);

        if (r < 0)
                return r;
        *start = brief.start;
        start->epoch = slot->epoch + 1;
        /* A link to a later segment is nonsense, possible where all before is trimmed. Do not pass
         * it on. */
        if (start->previous_id >= brief.id) {
                start->previous_id = start->previous_salt = 0;
                start->previous_end = start->previous_records = 0;
        }
        if (recovery->tail.greatest_ns > start->greatest_ns) /* of claims resolved after the roll */
                start->greatest_ns = recovery->tail.greatest_ns;
        if (recovery->records == 0)
                return 0; /* it is empty: the new one takes its place */
        start->first_number = recovery->tail.number + 1;
        start->previous_id = brief.id;
        start->previous_salt = brief.salt;
        start->previous_end = recovery->tail.offset;
        start->previous_records = recovery->records;
        return 0;
}

int recovery_start(struct chain *chain, struct control *control, const struct recovery *recovery,
                   struct segment **ret, struct tail *ret_tail)
{
        const struct control_static *fixed = &control->page->fixed;
        struct start_payload start = {
                .first_number = control->first_number,
                .epoch = control->epoch + 1,
        };
        struct segment *segment = NULL;
        int r = 0;

        if (recovery)
                r = describe_start(chain, &control->current, recovery, &start);
        if (r == 0 && recovery)
                r = check_seals(chain, recovery, &start);
        if (r == 0)
                r = check_number(start.first_number - 1);
        if (r == 0) /* the first change */
                r = directory_clean(chain->directory);
        if (r == 0)
                r = writer_make(chain, fixed->segment_bytes, control_file_mode(control->page),
                                &start, &segment);
        if (r < 0)
                return r;
        r = segment_sync_start(segment, FRAMES_OFFSET);
        if (r == 0) /* the start frame that leaves them out is durable */
                r = chain_drop_leftovers(chain);
        if (r == 0 && recovery)
                r = seal_before(chain, recovery, &start);
        if (r < 0) {
                chain_forget(chain, segment);
                chain_unpin(chain, segment);
                return r;
        }
        *ret_tail = (struct tail){
                .number = start.first_number - 1,
                .segment_id = segment->brief.id,
                .offset = FRAMES_OFFSET,
                .greatest_ns = start.greatest_ns,
        };
        control_set_head(control, start.epoch,
                         chain->first_number > control->first_number
                                 ? chain->first_number /* the log was being emptied */
                                 : control->first_number,
                         ret_tail->number, ret_tail->segment_id, ret_tail->offset);
        *ret = segment;
        return 0;
}

/* Check the frames of the head up to the mark, and enter them into the index. Returns
 * RESUME_NOT_THE_END if they do not lead there, or the mark is of something else. Whether that is
 * damage, the caller's look for the end tells. */
static int rebuild(struct segment *segment, const struct control_slot *slot, struct tail *tail,
                   uint32_t *ret_records)
{
        struct walk walk =
                walk_from(FRAMES_OFFSET, 1, segment_ordinal_from(segment, slot->first_number));

        while (walk.at.offset < slot->mark_offset) {
                int step = walk_next(&walk, &segment_frames, segment);

                if (step < 0)
                        return step;
                if (step == WALK_FRAME) {
                        const struct frame *frame = segment_frame(segment, walk.offset);

                        index_set(&segment->index, walk.view.ordinal, walk.offset);
                        if (walk.view.kind != FRAME_VOID && frame->time_ns > tail->greatest_ns)
                                tail->greatest_ns = frame->time_ns;
                } else if (step != WALK_PAD) {
                        if (map_faulted(&segment->map))
                                return segment_damage(segment, walk.offset, 0, "");
                        return RESUME_NOT_THE_END;
                }
        }
        if (walk.in_batch || walk.at.offset != slot->mark_offset ||
            segment_number(segment, walk.at.due) - 1 != slot->mark_number)
                return RESUME_NOT_THE_END;
        *ret_records = walk.at.due - 1;
        return 0;
}

int recovery_resume(struct chain *chain, const struct control_slot *slot, struct segment **ret,
                    struct tail *ret_tail, uint32_t *ret_records)
{
        struct tail tail = { .number = slot->mark_number,
                             .segment_id = slot->mark_id,
                             .offset = slot->mark_offset };
        struct record_view view;
        struct segment *segment;
        int r = segment_open(chain->memory, chain->directory, chain->uuid, slot->mark_id,
                             OS_SHARED_WRITE, &segment);

        if (r < 0)
                return r;
        r = os_lock(segment->fd);
        if (r == -EAGAIN)
                r = -EBUSY;
        if (r == 0)
                r = index_new(chain->memory, segment->brief.bytes, &segment->index);
        segment->index_shared = r == 0;
        tail.greatest_ns = chain_greatest_before(chain, segment);
        if (r == 0)
                r = rebuild(segment, slot, &tail, ret_records);
        if (r == 0 && segment_peek(segment, slot->mark_offset, &view) != -EAGAIN)
                r = RESUME_NOT_THE_END; /* the slot is older than the log: another was lost */
        if (r == 0)
                r = check_number(tail.number);
        if (r == 0)
                r = chain_adopt(chain, segment);
        if (r != 0) {
                segment_close(segment);
                return r;
        }
        *ret = segment;
        *ret_tail = tail;
        return 0;
}

/* Are there only zeros from @offset on? read(2) looks, because a load from a hole of a full tmpfs
 * would be a SIGBUS. */
static bool zeros_from(struct segment *segment, uint64_t offset)
{
        uint8_t piece[4096];
        size_t got = sizeof(piece);

        while (got == sizeof(piece)) {
                if (os_read(segment->fd, piece, sizeof(piece), offset, &got) < 0)
                        return false;
                for (size_t i = 0; i < got; i++)
                        if (piece[i] != 0)
                                return false;
                offset += got;
        }
        return true;
}

bool recovery_in_place(struct chain *chain, const struct control_slot *slot,
                       const struct recovery *recovery, struct control_slot *ret)
{
        struct segment *segment;
        bool empty;

        if (recovery->why || chain->entries[chain->count - 1].id != recovery->tail.segment_id ||
            chain_pin_id(chain, recovery->tail.segment_id, &segment) < 0)
                return false;
        empty = !segment->brief.sealed && zeros_from(segment, recovery->tail.offset);
        chain_unpin(chain, segment);
        *ret = *slot;
        control_slot_set_mark(ret, recovery->tail.number, recovery->tail.segment_id,
                              recovery->tail.offset);
        return empty;
}
