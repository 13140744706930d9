/*
 * append_batch.c - many records in one claim, seen as a whole or not at all
 *
 * The appender fills all frames and commits all but the first. It commits the first one last. It
 * notes where a large batch ends, so that the tail goes over it in one step.
 */
#include "append/append_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Say why a batch is refused: the first entry that cannot be appended, or the size of all
 * together. */
static int refuse_batch(struct logstore *store, const struct logstore_entry *entries, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (!entries[i].data && entries[i].size)
                        return detail(-EINVAL, "the data of entry %zu is NULL", i);
                if (!append_fits(store, record_frame_bytes(entries[i].size), entries[i].size))
                        return append_too_large(store, entries[i].size);
        }
        return detail(-EMSGSIZE,
                      "the batch is larger than a segment, which holds %" PRIu64 " bytes of frames",
                      store->batch_bytes_max);
}

/* The loop has no branch for each entry. The sum cannot wrap unless one size is impossible by
 * itself. */
static int measure_batch(struct logstore *store, const struct logstore_entry *entries, size_t count,
                         uint64_t *ret_bytes)
{
        uint64_t bytes = 0, sizes = 0;
        bool null = false;

        if (!entries || count == 0 || count > UINT32_MAX)
                return detail(-EINVAL, "a batch needs entries");
        for (size_t i = 0; i < count; i++) {
                bytes += record_frame_bytes(entries[i].size);
                sizes |= entries[i].size;
                null |= !entries[i].data & (entries[i].size != 0);
        }
        if (null || sizes > PAYLOAD_BYTES_MAX || bytes > store->batch_bytes_max)
                return refuse_batch(store, entries, count);
        static_assert((PAYLOAD_BYTES_MAX & (PAYLOAD_BYTES_MAX + 1)) == 0, "sizes are bits");
        *ret_bytes = bytes;
        return 0;
}

/*
 * We fill a few frames at a time: first all payloads, then headers and checks. A check right behind
 * its memcpy would wait until those stores have left the store buffer, because a load that spans
 * two of them is not forwarded. We ask for the lines to come early: stores leave in order, so one
 * late line holds up all behind it.
 */
#define FILL_TOGETHER 4
#define FETCH_AHEAD_BYTES 4096
#define LINE_BYTES 64

static void copy_payloads(struct frame *frame, const struct logstore_entry *entries, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (entries[i].size)
                        memcpy(frame->payload, entries[i].data, entries[i].size);
                frame = (struct frame *)((char *)frame + record_frame_bytes(entries[i].size));
        }
}

/* The state of a batch that is being filled. */
struct filling {
        const struct claim *claim;
        uint64_t offset, end;
        uint64_t fetched;       /* lines up to this offset are asked for */
        uint32_t ordinal, last; /* of the next frame, and of the batch's last */
        uint32_t first_word;    /* not stored yet */
        int64_t stamp_ns, greatest_ns;
};

static void fetch_ahead(struct filling *fill)
{
        uint64_t until = fill->offset + FETCH_AHEAD_BYTES;

        for (until = until < fill->end ? until : fill->end; fill->fetched < until;
             fill->fetched += LINE_BYTES)
                __builtin_prefetch(append_frame(fill->claim, fill->fetched), 1);
}

/* The payloads are in place. Complete @count frames, and commit each but the first of the batch. */
static void encode_frames(struct filling *fill, const struct logstore_entry *entries, size_t count)
{
        struct gate *gate = fill->claim->gate;
        struct filling at = *fill;

        for (size_t i = 0; i < count; i++, at.ordinal++) {
                struct frame *frame = append_frame(at.claim, at.offset);
                uint32_t word = record_word(at.ordinal != at.last ? FRAME_MORE : FRAME_RECORD,
                                            (uint32_t)entries[i].size);
                int64_t time_ns = entries[i].time_ns ? entries[i].time_ns : at.stamp_ns;

                if (__builtin_expect(time_ns == LOGSTORE_TIME_ZERO, 0))
                        time_ns = 0;
                record_encode(&gate->segment->key, frame, at.offset, word, at.ordinal, time_ns);
                index_set(gate->index, at.ordinal, at.offset);
                if (time_ns > at.greatest_ns)
                        at.greatest_ns = time_ns;
                if (at.ordinal == at.claim->ordinal)
                        at.first_word = word;
                else /* pairs with the acquire load in record_peek() */
                        atomic_store_explicit(&frame->commit, word, memory_order_release);
                at.offset += record_frame_bytes(entries[i].size);
        }
        *fill = at;
}

/* Fill all frames and commit all but the first. Then commit the first: readers see the batch from
 * now on. That is our last touch, for the segment may be sealed and closed at once. */
static int fill_batch(struct logstore *store, const struct claim *claim, uint64_t bytes,
                      const struct logstore_entry *entries, size_t count)
{
        uint64_t place = batch_place(claim->gate->segment->brief.id, claim->offset);
        struct filling fill = {
                .claim = claim,
                .offset = claim->offset,
                .end = claim->offset + bytes,
                .fetched = claim->offset,
                .ordinal = claim->ordinal,
                .last = claim->ordinal + (uint32_t)count - 1,
                .stamp_ns = append_now(store),
                .greatest_ns = INT64_MIN,
        };
        int r;

        for (size_t i = 0; i < count; i += FILL_TOGETHER) {
                size_t n = count - i < FILL_TOGETHER ? count - i : FILL_TOGETHER;

                fetch_ahead(&fill);
                copy_payloads(append_frame(claim, fill.offset), entries + i, n);
                encode_frames(&fill, entries + i, n);
        }
        r = append_check_fault(store, claim);
        if (r == 0 && count >= BATCH_NOTE_RECORDS)
                batch_note_put(store->writer.batch_notes, place, bytes, (uint32_t)count,
                               fill.greatest_ns);
        writer_publish(&store->writer, append_frame(claim, claim->offset), fill.first_word);
        if (count >= BATCH_NOTE_RECORDS)
                writer_follow(&store->writer, claim->number + count - 1, count);
        return r;
}

int logstore_append_batch(struct logstore *store, const struct logstore_entry *entries,
                          size_t count, uint64_t *ret_first)
{
        struct claim claim;
        uint64_t bytes = 0;
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        r = measure_batch(store, entries, count, &bytes);
        if (r == 0)
                r = append_begin(store, bytes, (uint32_t)count, &claim);
        if (r == 0) {
                r = fill_batch(store, &claim, bytes, entries, count);
                if (r == 0)
                        r = append_done(store, claim.number + count - 1);
                if (r == 0 && ret_first)
                        *ret_first = claim.number;
        }
        store_leave();
        return r;
}
