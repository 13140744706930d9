/*
 * claims.c - the open claims that callers hold, so that they can be named and ended
 *
 * Resolve: commit and abort both take the claim off the list under the lock. The later one does not
 *          find it, so a frame's commit word is stored once. The thread that took it off frees it;
 *          no other looks into it after the lock is released.
 * Thread:  when a thread ends, the claims that it holds are aborted. A key's destructor does so,
 *          along the process-wide list of stores. Without it a lost claim would hold up the tail
 *          for ever.
 */
#include "writer/claims.h"

#include <errno.h>
#include <inttypes.h>

#include "os/detail.h"
#include "os/guard.h"

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct claims *stores;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;
static int thread_end_error;

static void unlink_open(struct claims *claims, struct open_claim *open)
{
        *(open->previous ? &open->previous->next : &claims->first) = open->next;
        *(open->next ? &open->next->previous : &claims->last) = open->previous;
        claims->count--;
}

/* Store one pad, or two if one cannot express the length. The later comes first. */
static void pad_range(struct gate *gate, uint64_t from, uint64_t to)
{
        const uint64_t most = PAYLOAD_BYTES_MAX & ~(uint64_t)(FRAME_ALIGN - 1);

        if (to - from > most)
                pad_range(gate, from + most, to);
        record_pad(&gate->segment->key, gate->base, from, to - from > most ? most : to - from);
}

/* -EIO: a fault has put zeros in the place of the file's page. */
static int publish(struct claims *claims, struct open_claim *open, int64_t size, int64_t time_ns)
{
        const struct claim *claim = &open->claim;
        struct gate *gate = claim->gate;
        struct frame *frame = (struct frame *)(gate->base + claim->offset);
        uint32_t word = size < 0 ? record_word(FRAME_VOID, open->size)
                                 : record_word(FRAME_RECORD, (uint32_t)size);
        uint64_t claimed = record_frame_bytes(open->size);
        uint64_t used = size < 0 ? claimed : record_frame_bytes((uint64_t)size);
        bool faulted;

        /* The pad comes first: a thread that sees this frame may go on to the pad at once. */
        if (used < claimed)
                pad_range(gate, claim->offset + used, claim->offset + claimed);
        record_encode(&gate->segment->key, frame, claim->offset, word, claim->ordinal, time_ns);
        index_set(gate->index, claim->ordinal, claim->offset);
        faulted = map_faulted(&gate->segment->map);
        writer_publish(claims->writer, frame, word); /* the segment may be gone from here on */
        if (!faulted)
                return 0;
        return writer_give_up(claims->writer,
                              "the disk, or the file's length, failed under a claim");
}

static int cancel(struct claims *claims, int64_t age_ns, const pthread_t *thread)
{
        int64_t now = os_monotonic();
        int cancelled = 0;

        pthread_mutex_lock(&claims->lock);
        for (struct open_claim *open = claims->first, *next; open; open = next) {
                next = open->next;
                if (now - open->since_ns < age_ns ||
                    (thread && !pthread_equal(open->thread, *thread)))
                        continue;
                unlink_open(claims, open);
                publish(claims, open, -1, os_now_coarse()); /* its failure is sticky */
                memory_free(claims->writer->memory, open);
                cancelled++;
        }
        pthread_mutex_unlock(&claims->lock);
        return cancelled;
}

static void on_thread_end(void *unused)
{
        pthread_t self = pthread_self();

        (void)unused;
        guard_enter(); /* no call of the library surrounds this */
        pthread_mutex_lock(&stores_lock);
        for (struct claims *claims = stores; claims; claims = claims->next_store)
                cancel(claims, 0, &self);
        pthread_mutex_unlock(&stores_lock);
        guard_leave();
}

void claims_lock_stores(void)
{
        pthread_mutex_lock(&stores_lock);
}

void claims_unlock_stores(bool forget)
{
        if (forget)
                stores = NULL;
        pthread_mutex_unlock(&stores_lock);
}

static void make_key(void)
{
        thread_end_error = pthread_key_create(&thread_end, on_thread_end);
}

int claims_init(struct claims *claims, struct writer *writer)
{
        pthread_once(&thread_end_once, make_key);
        if (thread_end_error)
                return detail(-thread_end_error, "no thread-specific key left");
        *claims = (struct claims){ .writer = writer };
        pthread_mutex_init(&claims->lock, NULL);
        pthread_mutex_lock(&stores_lock);
        claims->next_store = stores;
        stores = claims;
        pthread_mutex_unlock(&stores_lock);
        return 0;
}

void claims_free(struct claims *claims)
{
        pthread_mutex_lock(&stores_lock);
        for (struct claims **at = &stores; *at; at = &(*at)->next_store)
                if (*at == claims) {
                        *at = claims->next_store;
                        break;
                }
        pthread_mutex_unlock(&stores_lock);
        for (struct open_claim *open = claims->first, *next; open; open = next) {
                next = open->next;
                memory_free(claims->writer->memory, open);
        }
        pthread_mutex_destroy(&claims->lock);
}

uint64_t claims_add(struct claims *claims, struct open_claim *open, const struct claim *claim,
                    uint32_t size)
{
        uint64_t serial;

        pthread_setspecific(thread_end, claims); /* not NULL, so that the destructor runs */
        open->claim = *claim;
        open->size = size;
        open->thread = pthread_self();
        open->thread_id = os_thread_id();
        open->since_ns = os_monotonic();
        pthread_mutex_lock(&claims->lock);
        serial = open->serial = ++claims->added;
        open->previous = claims->last;
        *(claims->last ? &claims->last->next : &claims->first) = open;
        claims->last = open;
        claims->count++;
        pthread_mutex_unlock(&claims->lock);
        return serial;
}

/* The serial tells a claim from a later one at the same address. The number cannot: a truncation
 * takes numbers back. */
static struct open_claim *find(struct claims *claims, const struct open_claim *wanted,
                               uint64_t serial)
{
        struct open_claim *open = claims->last;

        while (open && (open != wanted || open->serial != serial))
                open = open->previous;
        return open;
}

int claims_resolve(struct claims *claims, const struct open_claim *wanted, uint64_t serial,
                   uint64_t number, int64_t size, int64_t time_ns)
{
        struct open_claim *open;
        int r = 0;

        pthread_mutex_lock(&claims->lock);
        open = find(claims, wanted, serial);
        if (!open)
                r = detail(-ECANCELED, "record %" PRIu64 ": the claim was already resolved",
                           number);
        else if (size > (int64_t)open->size)
                r = detail(-EMSGSIZE, "record %" PRIu64 ": %" PRId64 " bytes to commit, %u claimed",
                           number, size, open->size);
        else
                unlink_open(claims, open);
        pthread_mutex_unlock(&claims->lock);
        if (r < 0)
                return r;
        r = publish(claims, open, size, time_ns);
        memory_free(claims->writer->memory, open);
        return r;
}

int claims_cancel(struct claims *claims, int64_t age_ns)
{
        return cancel(claims, age_ns, NULL);
}

bool claims_mine(struct claims *claims, uint64_t number)
{
        pthread_t self = pthread_self();
        struct open_claim *open;

        pthread_mutex_lock(&claims->lock);
        for (open = claims->first; open; open = open->next)
                if (open->claim.number <= number && pthread_equal(open->thread, self))
                        break;
        pthread_mutex_unlock(&claims->lock);
        return open != NULL;
}

uint64_t claims_oldest(struct claims *claims, uint64_t *ret_count, int64_t *ret_age_ns,
                       int *ret_thread_id)
{
        struct open_claim *oldest = NULL;
        uint64_t number = 0;

        pthread_mutex_lock(&claims->lock);
        *ret_count = claims->count;
        for (struct open_claim *open = claims->first; open; open = open->next)
                if (!oldest || open->claim.number < oldest->claim.number)
                        oldest = open;
        if (oldest) {
                number = oldest->claim.number;
                *ret_age_ns = os_monotonic() - oldest->since_ns;
                *ret_thread_id = oldest->thread_id;
        }
        pthread_mutex_unlock(&claims->lock);
        return number;
}
