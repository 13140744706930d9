/*
 * append.c - claim, fill, commit: the public ways to append
 *
 * Path: claim_space -> memcpy -> record_encode -> head_publish. No lock, no allocation, no system
 *       call; whatever is rare (growing, rolling, a full disk, a failed store) is claim_slowly().
 */
#include <errno.h>

#include "store.h"

static int too_large(struct logstore *store, uint64_t size)
{
        return detail(-EMSGSIZE, "%llu bytes are more than a record of this store can have: %lld",
                      (unsigned long long)size, (long long)logstore_max_record(store));
}

static int stalled(struct logstore *store)
{
        uint64_t count;
        int64_t age_ns = 0;
        int thread = 0;
        uint64_t number = claims_oldest(&store->claims, &count, &age_ns, &thread);

        return detail(-EAGAIN,
                      "%d full segments wait for the claim of record %llu, open for %lld ms "
                      "in thread %d: commit or abort it",
                      HEAD_SLOTS - 1, (unsigned long long)number, (long long)(age_ns / 1000000),
                      thread);
}

/* Full segments are sealed before there is a further one, which bounds recovery. One that waits for
 * a stalled claim cannot be; then the log goes on as long as there are slots. */
static int roll(struct logstore *store, uint32_t turn)
{
        int r = 0;

        while (r == 0 && store->head.oldest != turn)
                r = sync_seal(&store->sync);
        if (r == -EAGAIN) /* no round has come this far, and a chain must not lose a link */
                r = sync_started(&store->sync, turn);
        if (r == 0)
                r = head_roll(&store->head, turn);
        return r == -EAGAIN ? stalled(store) : r;
}

static __attribute__((noinline)) int claim_slowly(struct logstore *store, uint64_t bytes,
                                                  uint32_t count, struct claim *ret)
{
        int r, cancel, claimed = -EAGAIN;
        uint32_t turn;

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        do {
                if (!store->keeper.started)
                        keeper_round(&store->keeper);
                r = head_extend(&store->head, bytes, &turn);
                if (r == 1)
                        r = roll(store, turn);
                if (r == 0)
                        claimed = head_claim(&store->head, bytes, count, ret);
        } while (r == 0 && claimed < 0); /* others took what was made ready: again */
        pthread_setcancelstate(cancel, NULL);
        return r;
}

static inline int claim_space(struct logstore *store, uint64_t bytes, uint32_t count,
                              struct claim *ret)
{
        int r = head_claim(&store->head, bytes, count, ret);

        return __builtin_expect(r == 0, 1) ? 0 : claim_slowly(store, bytes, count, ret);
}

static inline int64_t now(const struct logstore *store)
{
        return store->head.fine_time ? os_now() : os_now_coarse();
}

/* What a policy demands once records up to @number are there. */
static inline int after_append(struct logstore *store, uint64_t number)
{
        if (__builtin_expect(store->options.sync_policy == LOGSTORE_SYNC_NONE, 1))
                return 0;
        if (store->options.sync_policy == LOGSTORE_SYNC_EACH)
                return sync_until(&store->sync, number, -1);
        if (!store->keeper.started)
                keeper_sync(&store->keeper);
        return 0;
}

static inline struct frame *frame_at(const struct claim *claim, uint64_t offset)
{
        return (struct frame *)(claim->slot->base + offset);
}

/* A fault while filling put zeros in the place of the file's page. */
static int check_fault(struct logstore *store, const struct claim *claim)
{
        if (__builtin_expect(!map_faulted(&claim->slot->segment->map), 1))
                return 0;
        head_fail(&store->head, "the disk, or the file's length, failed under an append");
        return head_failure(&store->head);
}

int64_t logstore_max_record(const struct logstore *store)
{
        uint64_t most;

        if (!store)
                return detail(-EINVAL, "the store handle is NULL");
        if (*store->alive == 0) /* the page behind control is the parent's */
                return detail(-ECHILD, "the store was opened by the parent of this process");
        most = SEGMENT_RECORD_MAX(store->control.page->fixed.segment_bytes);
        return (int64_t)(most < PAYLOAD_BYTES_MAX ? most : PAYLOAD_BYTES_MAX);
}

static inline bool fits(struct logstore *store, uint64_t frame_bytes, uint64_t size)
{
        return size <= PAYLOAD_BYTES_MAX && frame_bytes <= store->batch_bytes_max;
}

/* The payload of a claim for one record is in place: the rest of its frame, and what follows. */
static inline int publish_one(struct logstore *store, const struct claim *claim, uint64_t size,
                              uint64_t *ret_number)
{
        uint32_t word = record_word(FRAME_RECORD, (uint32_t)size);
        struct frame *frame = frame_at(claim, claim->offset);
        int r;

        record_encode(&claim->slot->segment->key, frame, claim->offset, word, claim->ordinal,
                      now(store));
        index_set(claim->slot->index, claim->ordinal, claim->offset);
        r = check_fault(store, claim);
        head_publish(&store->head, frame, word);
        if (r == 0)
                r = after_append(store, claim->number);
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
        if (__builtin_expect(!fits(store, record_frame_bytes(size), size), 0))
                r = too_large(store, size);
        else if (__builtin_expect(!data && size, 0))
                r = detail(-EINVAL, "data is NULL");
        else
                r = claim_space(store, record_frame_bytes(size), 1, &claim);
        if (__builtin_expect(r == 0, 1)) {
                if (size)
                        memcpy(frame_at(&claim, claim.offset)->payload, data, size);
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
        if (r == 0 && (size > PAYLOAD_BYTES_MAX || !fits(store, record_frame_bytes(size), size)))
                r = too_large(store, size);
        if (r == 0)
                r = claim_space(store, record_frame_bytes(size), 1, &claim);
        if (r == 0) {
                to = frame_at(&claim, claim.offset)->payload;
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

/* ---- batch ---- */

/* Why a batch is refused: the first entry that cannot be, or all of them together. */
static int refuse_batch(struct logstore *store, const struct logstore_entry *entries, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (!entries[i].data && entries[i].size)
                        return detail(-EINVAL, "the data of entry %zu is NULL", i);
                if (!fits(store, record_frame_bytes(entries[i].size), entries[i].size))
                        return too_large(store, entries[i].size);
        }
        return detail(-EMSGSIZE,
                      "the batch is larger than a segment, which holds %llu bytes of frames",
                      (unsigned long long)store->batch_bytes_max);
}

/* Without a branch per entry. The sum cannot wrap unless a size is impossible by itself. */
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

/* Copy all, commit all but the first; then the first, which makes the batch visible and is the last
 * touch: the segment may be sealed and closed from then on. */
static int fill_batch(struct logstore *store, const struct claim *claim, uint64_t bytes,
                      const struct logstore_entry *entries, size_t count)
{
        const struct hash_key *key = &claim->slot->segment->key;
        uint64_t place = batch_place(claim->slot->segment->brief.id, claim->offset);
        struct frame *const first = frame_at(claim, claim->offset), *frame = first;
        struct index *index = claim->slot->index;
        int64_t stamp = now(store), greatest_ns = INT64_MIN;
        uint64_t offset = claim->offset;
        uint32_t first_word = 0;
        int r;

        for (size_t i = 0; i < count; i++) {
                const struct logstore_entry *entry = &entries[i];
                uint32_t ordinal = claim->ordinal + (uint32_t)i;
                uint32_t word = record_word(i + 1 < count ? FRAME_MORE : FRAME_RECORD,
                                            (uint32_t)entry->size);
                int64_t time_ns = entry->time_ns ? entry->time_ns : stamp;
                uint64_t frame_bytes = record_frame_bytes(entry->size);

                if (entry->size)
                        memcpy(frame->payload, entry->data, entry->size);
                record_encode(key, frame, offset, word, ordinal, time_ns);
                index_set(index, ordinal, offset);
                if (time_ns > greatest_ns)
                        greatest_ns = time_ns;
                if (i == 0)
                        first_word = word;
                else /* pairs with the acquire load in record_peek() */
                        atomic_store_explicit(&frame->commit, word, memory_order_release);
                offset += frame_bytes;
                frame = (struct frame *)((char *)frame + frame_bytes);
        }
        r = check_fault(store, claim);
        if (r == 0 && count >= BATCH_NOTE_RECORDS)
                batch_note_put(store->head.batch_notes, place, bytes, (uint32_t)count, greatest_ns);
        head_publish(&store->head, first, first_word);
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
                r = claim_space(store, bytes, (uint32_t)count, &claim);
        if (r == 0) {
                r = fill_batch(store, &claim, bytes, entries, count);
                if (r == 0)
                        r = after_append(store, claim.number + count - 1);
                if (r == 0 && ret_first)
                        *ret_first = claim.number;
        }
        store_leave();
        return r;
}

/* ---- claims that callers hold ---- */

int logstore_claim(struct logstore *store, size_t size, struct logstore_claim *ret)
{
        struct open_claim *open = NULL;
        struct claim claim;
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (!ret)
                r = detail(-EINVAL, "ret is NULL");
        else if (size > PAYLOAD_BYTES_MAX || !fits(store, record_frame_bytes(size), size))
                r = too_large(store, size);
        if (r == 0 && !(open = memory_new(&store->memory, sizeof(*open))))
                r = detail(-ENOMEM, "no memory for a claim");
        if (r == 0)
                r = claim_space(store, record_frame_bytes(size), 1, &claim);
        if (r == 0) {
                claims_add(&store->claims, open, &claim, (uint32_t)size);
                *ret = (struct logstore_claim){
                        .number = claim.number,
                        .data = frame_at(&claim, claim.offset)->payload,
                        .size = size,
                        .opaque = { (uintptr_t)open },
                };
        } else {
                memory_free(&store->memory, open);
        }
        store_leave();
        return r;
}

static int resolve(struct logstore *store, struct logstore_claim *claim, int64_t size)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (!claim)
                r = detail(-EINVAL, "claim is NULL");
        else
                r = claims_resolve(&store->claims, (struct open_claim *)(uintptr_t)claim->opaque[0],
                                   claim->number, size, now(store));
        if (r == 0 && size >= 0)
                r = after_append(store, claim->number);
        store_leave();
        return r;
}

int logstore_commit(struct logstore *store, struct logstore_claim *claim, size_t size)
{
        if (size > PAYLOAD_BYTES_MAX)
                return detail(-EMSGSIZE, "more bytes than were claimed");
        return resolve(store, claim, (int64_t)size);
}

int logstore_abort(struct logstore *store, struct logstore_claim *claim)
{
        return resolve(store, claim, -1);
}

int logstore_cancel_claims(struct logstore *store, uint32_t age_ms)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        r = claims_cancel(&store->claims, age_ms * INT64_C(1000000));
        store_leave();
        return r;
}
