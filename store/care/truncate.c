/*
 * truncate.c - letting go of the newest end of the log
 *
 * A truncation is a roll that says otherwise: the start frame of a new segment ends the log before
 * it at the wanted record. What lies behind is dead from then on, and whole segments of it are
 * unlinked.
 *
 * Order:  everything synced and sealed; new segment synced; epoch and mark durable; the segment at
 *         the cut sealed; leftovers unlinked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "read/reader.h"

struct truncation {
        struct logstore *store;
        uint64_t number, next;
        const struct start_payload *start; /* of the new head, once known */
};

/* Describe in *start where the log is to end. */
static int describe_end(struct truncation *truncation, struct start_payload *start)
{
        struct logstore *store = truncation->store;
        struct place place;
        int r;

        if (truncation->number < view_first(&store->live)) { /* all of it */
                start->first_number = truncation->next;
                return 0;
        }
        r = reader_find(&store->live, truncation->number, &place);
        if (r < 0)
                return r;
        start->previous_id = place.segment->brief.id;
        start->previous_salt = place.segment->brief.salt;
        start->previous_end = place.offset + place.view.frame_bytes;
        start->previous_records = place.view.ordinal;
        r = chain_greatest_until(&store->chain, place.segment, start->previous_end,
                                 &start->greatest_ns);
        chain_unpin(&store->chain, place.segment);
        if (r == 0 && place.view.kind == FRAME_MORE)
                return detail(-EINVAL, "record %" PRIu64 " is inside a batch", truncation->number);
        return r;
}

static int fail_sync(struct logstore *store, const char *what, int error)
{
        detail_sync(error, what);
        return writer_give_up(&store->writer, logstore_detail());
}

/* Once the new head is sealed, or lost, what was cut would be taken for the log. So fail; the next
 * open tries again. */
static int fail_left_behind(struct logstore *store)
{
        char why[384];

        snprintf(why, sizeof(why), "a truncation cannot remove what it cut: %s", logstore_detail());
        return writer_give_up(&store->writer, why);
}

/* Seal the segment in which the log now ends, so that nothing that was cut comes back if the new
 * head is ever damaged. That segment is the one that was active, or the active one is a
 * leftover. */
static int retire_active(struct logstore *store, const struct start_payload *start)
{
        struct writer *writer = &store->writer;
        struct segment *segment = writer->gates[writer->oldest % WRITER_GATES].segment;
        int r = 0;

        if (segment->brief.id == start->previous_id) {
                segment_seal(segment, start->previous_records, start->previous_end,
                             start->greatest_ns);
                r = map_sync(&segment->map, HEADER_BYTES);
                if (r < 0)
                        return fail_sync(store, segment->name, r);
        } else if (start->previous_id != 0 &&
                   chain_seal(&store->chain, start->previous_id, start->previous_records,
                              start->previous_end, start->greatest_ns, false) < 0) {
                return fail_left_behind(store);
        }
        writer_retire(writer, writer->oldest);
        return r;
}

/* Sync the new head, then what the control page says of it. Nobody can append meanwhile. */
static int make_durable(void *context, struct segment *next, const struct tail *tail)
{
        struct truncation *truncation = context;
        struct logstore *store = truncation->store;
        const struct start_payload *start = truncation->start;
        int r;

        r = map_sync(&next->map, FRAMES_OFFSET);
        if (r < 0)
                return fail_sync(store, next->name, r);
        /* Store epoch and mark in one slot: half of that on disk would be a mark beyond its log. */
        control_set_head(&store->control, start->epoch,
                         start->previous_id ? store->control.first_number : start->first_number,
                         tail->number, tail->segment_id, tail->offset);
        r = control_sync(&store->control);
        if (r < 0)
                return writer_give_up(&store->writer, logstore_detail());
        /* Not before, because the durable number may rise here, and until here what is cut counts.
         * It falls before the tail does, and before a claim is let in. */
        sync_begin(&store->sync, tail);
        return 0;
}

/* Check what is asked for. Under retention.lock, so that the first number stays as it is here. */
static int check_truncation(struct truncation *truncation)
{
        struct logstore *store = truncation->store;
        uint64_t first = view_first(&store->live), number = truncation->number;
        uint64_t tail = writer_tail_number(&store->writer, UINT64_MAX);

        if (number > tail)
                return detail(-EAGAIN, "record %" PRIu64 " was not appended yet", number);
        if (truncation->next > FIRST_NUMBER_MAX && truncation->next > tail + 1)
                return detail(-EINVAL, "the next number must not be above %" PRIu64,
                              FIRST_NUMBER_MAX);
        if (truncation->next == 0)
                truncation->next = number + 1 < first ? first : number + 1;
        if (truncation->next != number + 1 && number >= first)
                return detail(-EINVAL,
                              "the next number must be %" PRIu64
                              ": only an emptied log may go on elsewhere",
                              number + 1);
        if (truncation->next < first && number < first)
                return detail(-EINVAL, "the next number must not be below the first, %" PRIu64,
                              first);
        return 0;
}

static int truncate_alone(void *context)
{
        struct truncation *truncation = context;
        struct logstore *store = truncation->store;
        struct writer *writer = &store->writer;
        struct start_payload start = { .first_number = truncation->number + 1 };
        struct tail tail;
        int r = check_truncation(truncation);

        if (r < 0)
                return r;
        writer_tail(writer, &tail);
        if (tail.number != writer_claimed(writer))
                return detail(-EBUSY, "record %" PRIu64 ": a claim is open", tail.number + 1);
        do /* so that only the active segment is left to judge */
                r = sync_seal_alone(&store->sync);
        while (r == 0);
        if (r != -EAGAIN)
                return r;
        r = describe_end(truncation, &start);
        if (r < 0)
                return r;
        if (atomic_load(&store->sync.durable) < truncation->number)
                return detail(-EAGAIN, "record %" PRIu64 " is not durable yet", truncation->number);
        if (start.previous_id != 0 &&
            (r = segment_check_writable(store->directory, start.previous_id)) < 0)
                return r; /* it is to be sealed anew */
        start.epoch = store->control.epoch + 1;
        truncation->start = &start;
        r = writer_fork(writer, &start, tail.number, make_durable, truncation);
        if (r < 0)
                return r;
        r = retire_active(store, &start);
        if (r == 0 && chain_drop_leftovers(&store->chain) < 0)
                r = fail_left_behind(store);
        return r;
}

int logstore_truncate_after(struct logstore *store, uint64_t number, uint64_t next)
{
        struct truncation truncation = { .store = store, .number = number, .next = next };
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (writer_tail_number(&store->writer, UINT64_MAX) != writer_claimed(&store->writer))
                r = detail(-EBUSY, "a claim is open: commit, abort or cancel it");
        if (r == 0)
                r = sync_until(&store->sync, writer_claimed(&store->writer), -1);
        if (r == 0) {
                pthread_mutex_lock(&store->retention.lock);
                r = sync_alone(&store->sync, truncate_alone, &truncation);
                pthread_mutex_unlock(&store->retention.lock);
        }
        store_leave();
        return r;
}
