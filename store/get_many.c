/*
 * get_many.c - many records in any order, their cold pages read side by side
 *
 * One page fault at a time reads 14,000 cold pages a second, a ring at depth 32 105,000. So the
 * pages of all records are first asked for through io_uring, into a small buffer that nobody looks
 * at: what matters is that they are then in the page cache, from where the mapping gives them
 * without waiting. Pages already there are not asked for.
 */
#include <errno.h>
#include <stdlib.h>

#include "reader.h"

#define DEPTH 128
#define AT_ONCE 16 /* the device works on these while the next are looked up */
#define SCRATCH_BYTES 4096u

#define PAGES_MAX 4 /* of one record; larger ones are better read ahead by the kernel */

/* Not worth a ring below this many records. */
#define LEAST 4

struct prefetch {
        struct logstore *store;
        struct ring *ring;
        uint8_t *scratch;      /* each read its own page, so that no two write one */
        unsigned queued, sent; /* of queued ones the kernel has taken so many */
        bool failed;           /* the ring is of no more use: the next call has a new one */
};

static struct ring *get_ring(struct logstore *store)
{
        if (!store->get_ring && !store->no_get_ring &&
            (store->options.flags & LOGSTORE_NO_RING || ring_new(DEPTH, &store->get_ring) < 0))
                store->no_get_ring = true;
        return store->get_ring;
}

static void submit(struct prefetch *prefetch)
{
        int r = ring_submit(prefetch->ring);

        prefetch->failed |= r < 0;
        prefetch->sent += r > 0 ? (unsigned)r : 0;
}

/* Wait for everything queued. A failed read is no matter: the mapping meets it again. */
static void drain(struct prefetch *prefetch)
{
        uint64_t tag;
        int result;

        if (prefetch->sent < prefetch->queued && !prefetch->failed)
                submit(prefetch);
        prefetch->failed |= prefetch->sent < prefetch->queued;
        for (prefetch->queued = 0; prefetch->sent > 0; prefetch->sent--)
                if (ring_reap(prefetch->ring, 1, &tag, &result) != 1) {
                        prefetch->failed = true;
                        return; /* with reads in flight: the scratch pages are theirs for ever */
                }
}

static void queue(struct prefetch *prefetch, int fd, uint64_t offset)
{
        if (prefetch->queued == DEPTH)
                drain(prefetch);
        if (!prefetch->failed &&
            ring_read(prefetch->ring, fd, prefetch->scratch + prefetch->queued * SCRATCH_BYTES,
                      SCRATCH_BYTES, offset & ~(uint64_t)(SCRATCH_BYTES - 1), 0) == 0 &&
            ++prefetch->queued % AT_ONCE == 0)
                submit(prefetch);
}

static bool resident(const struct segment *segment, uint64_t offset)
{
        uint64_t page = os_page_bytes();
        unsigned char there = 0;

        return os_mincore((char *)segment->map.base + (offset & ~(page - 1)), page, &there) < 0 ||
               there & 1;
}

/* Ask for the pages between the places that the index knows on both sides of the record. */
static void prefetch_one(struct prefetch *prefetch, uint64_t number)
{
        struct catalog *catalog = &prefetch->store->catalog;
        struct segment *segment;
        uint64_t offset, end;
        int fd;

        if (catalog_pin(catalog, number, &segment) < 0)
                return; /* the get says why */
        if (segment_hint(segment, number, &offset, &end) == 0) {
                offset &= ~(uint64_t)(SCRATCH_BYTES - 1);
                if (end > offset + PAGES_MAX * SCRATCH_BYTES)
                        end = offset + PAGES_MAX * SCRATCH_BYTES;
                for (; offset < end; offset += SCRATCH_BYTES)
                        if (!resident(segment, offset) && (fd = segment_descriptor(segment)) >= 0)
                                queue(prefetch, fd, offset);
        }
        catalog_unpin(catalog, segment);
}

static void prefetch_all(struct logstore *store, const uint64_t *numbers, size_t count)
{
        struct prefetch prefetch = { .store = store };

        pthread_mutex_lock(&store->ring_lock);
        prefetch.ring = count >= LEAST ? get_ring(store) : NULL;
        if (prefetch.ring)
                prefetch.scratch = memory_new(&store->memory, DEPTH * SCRATCH_BYTES);
        if (prefetch.scratch) {
                for (size_t i = 0; i < count; i++)
                        if (numbers[i] != 0)
                                prefetch_one(&prefetch, numbers[i]);
                drain(&prefetch);
                if (prefetch.failed) { /* nothing that it still holds may be sent later */
                        ring_free(store->get_ring);
                        store->get_ring = NULL;
                }
                if (prefetch.sent == 0)
                        memory_free(&store->memory, prefetch.scratch);
        }
        pthread_mutex_unlock(&store->ring_lock);
}

int logstore_get_many(struct logstore *store, const uint64_t *numbers, size_t count, void *buffer,
                      size_t capacity, struct logstore_record *ret_records)
{
        size_t done = 0, used = 0;
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!numbers || !ret_records || (!buffer && capacity) || count > INT32_MAX) {
                store_leave();
                return detail(-EINVAL, "numbers, buffer or ret_records is NULL");
        }
        prefetch_all(store, numbers, count);
        for (; done < count; done++) {
                struct logstore_record *record = &ret_records[done];
                r = logstore_get(store, numbers[done], (uint8_t *)buffer + used, capacity - used,
                                 record);
                if (r == -ENOBUFS)
                        break;
                if (r < 0)
                        *record = (struct logstore_record){ .number = numbers[done],
                                                            .size = (size_t)r };
                else
                        used += record->size;
        }
        store_leave();
        return done == 0 && count > 0 ? -ENOBUFS : (int)done;
}
