/*
 * append.c - claim, fill, commit: one record
 *
 * Path: append_claim -> memcpy -> record_encode -> writer_publish. It takes no lock, allocates
 *       nothing and makes no system call. append_claim_slowly() does what is rare: growing,
 *       rolling, a full disk, a failed store.
 */
#include "append/append_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int append_too_large(struct logstore *store, uint64_t size)
{
        return detail(-EMSGSIZE,
                      "%" PRIu64 " bytes are more than a record of this store can have: %" PRId64,
                      size, logstore_max_record(store));
}

/* No gate is left. If another thread is inside an append, wait for it, at most @waits times 1 ms.
 * An open claim may stay for ever, so refuse at once. */
static int stalled(struct logstore *store, int *waits)
{
        uint64_t count;
        int64_t age_ns = 0;
        int thread = 0;
        uint64_t number = claims_oldest(&store->claims, &count, &age_ns, &thread);
        struct tail tail;

        writer_tail(&store->writer, &tail);
        if (number != tail.number + 1 && (*waits)-- > 0) {
                os_sleep(1000000);
                return 0;
        }
        if (number != tail.number + 1)
                return detail(-EAGAIN,
                              "%d full segments wait for record %" PRIu64
                              ", which another thread is appending",
                              WRITER_GATES - 1, tail.number + 1);
        return detail(-EAGAIN,
                      "%d full segments wait for the claim of record %" PRIu64 ", open for %" PRId64
                      " ms in thread %d: commit or abort it",
                      WRITER_GATES - 1, number, age_ns / 1000000, thread);
}

/* Seal the full segments before the next one begins; that bounds what a recovery reads. A segment
 * behind a stalled claim cannot be sealed: the log then goes on as long as there are gates. */
static int roll(struct logstore *store, uint32_t turn, int *waits)
{
        int r = 0;

        while (r == 0 && store->writer.oldest != turn)
                r = sync_seal(&store->sync);
        if (r == -EAGAIN) /* no round has come this far, and the chain must not lose a link */
                r = sync_started(&store->sync, turn);
        if (r == 0)
                r = writer_roll(&store->writer, turn);
        return r == -EAGAIN ? stalled(store, waits) : r;
}

int append_claim_slowly(struct logstore *store, uint64_t bytes, uint32_t count, struct claim *ret)
{
        int r, cancel, claimed = -EAGAIN, waits = 1000;
        uint32_t turn;

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        do {
                if (!store->keeper.started)
                        keeper_round(&store->keeper);
                r = writer_extend(&store->writer, bytes, &turn);
                if (r == WRITER_FULL)
                        r = roll(store, turn, &waits);
                if (r == 0)
                        claimed = writer_claim(&store->writer, bytes, count, ret);
        } while (r == 0 && claimed < 0); /* other threads took what was made ready: try again */
        pthread_setcancelstate(cancel, NULL);
        return r;
}

int append_check_own(struct logstore *store, uint64_t number)
{
        if (store->options.sync_policy != LOGSTORE_SYNC_EACH ||
            atomic_load(&store->writer.failed) || /* the failure is told instead; nothing waits */
            !claims_mine(&store->claims, number))
                return 0;
        return detail(-EDEADLK, "each record is synced, which would wait for a claim that this "
                                "thread has open: commit or abort it first");
}

int append_faulted(struct logstore *store)
{
        return writer_give_up(&store->writer,
                              "the disk, or the file's length, failed under an append");
}

int64_t logstore_max_record(const struct logstore *store)
{
        uint64_t most;

        if (!store)
                return detail(-EINVAL, "the store handle is NULL");
        if (*store->alive == 0) /* the mapped control page belongs to the parent */
                return detail(-ECHILD, "the store was opened by the parent of this process");
        guard_enter();
        most = SEGMENT_RECORD_MAX(store->control.page->fixed.segment_bytes);
        guard_leave();
        if (map_faulted(&store->control.map))
                return detail(-EIO, CONTROL_NAME ": the file was cut: its page is gone");
        return (int64_t)(most < PAYLOAD_BYTES_MAX ? most : PAYLOAD_BYTES_MAX);
}

/* The payload is in place. Complete the frame, commit it and do what the sync policy demands. */
static inline int publish_one(struct logstore *store, const struct claim *claim, uint64_t size,
                              uint64_t *ret_number)
{
        uint32_t word = record_word(FRAME_RECORD, (uint32_t)size);
        struct frame *frame = append_frame(claim, claim->offset);
        int r;

        record_encode(&claim->gate->segment->key, frame, claim->offset, word, claim->ordinal,
                      append_now(store));
        index_set(claim->gate->index, claim->ordinal, claim->offset);
        r = append_check_fault(store, claim);
        writer_publish(&store->writer, frame, word);
        if (r == 0)
                r = append_done(store, claim->number);
        if (r == 0 && ret_number)
                *ret_number = claim->number;
        return r;
}

int logstore_append(struct logstore *store, const void *data, size_t size, uint64_t *ret_number)
{
        struct claim claim;
        int r = store_enter_writer(store);

        if (__builtin_expect(r < 0, 0))
                return r;
        if (__builtin_expect(!append_fits(store, record_frame_bytes(size), size), 0))
                r = append_too_large(store, size);
        else if (__builtin_expect(!data && size, 0))
                r = detail(-EINVAL, "data is NULL");
        else
                r = append_begin(store, record_frame_bytes(size), 1, &claim);
        if (__builtin_expect(r == 0, 1)) {
                if (size)
                        /* cppcheck-suppress uninitStructMember ; append_begin() gave 0 */
                        memcpy(append_frame(&claim, claim.offset)->payload, data, size);
                r = publish_one(store, &claim, size, ret_number);
        }
        store_leave();
        return r;
}

int logstore_appendv(struct logstore *store, const struct iovec *pieces, int count,
                     uint64_t *ret_number)
{
        struct claim claim;
        uint64_t size = 0;
        uint8_t *to;
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (count < 0 || (count > 0 && !pieces))
                r = detail(-EINVAL, "pieces is NULL or their count negative");
        for (int i = 0; r == 0 && i < count; i++)
                if (__builtin_add_overflow(size, pieces[i].iov_len, &size) ||
                    (!pieces[i].iov_base && pieces[i].iov_len))
                        r = detail(-EINVAL, "piece %d is NULL or the sizes overflow", i);
        if (r == 0 &&
            (size > PAYLOAD_BYTES_MAX || !append_fits(store, record_frame_bytes(size), size)))
                r = append_too_large(store, size);
        if (r == 0)
                r = append_begin(store, record_frame_bytes(size), 1, &claim);
        if (r == 0) {
                to = append_frame(&claim, claim.offset)->payload;
                for (int i = 0; i < count; i++) {
                        if (pieces[i].iov_len)
                                memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
                        to += pieces[i].iov_len;
                }
                r = publish_one(store, &claim, size, ret_number);
        }
        store_leave();
        return r;
}
