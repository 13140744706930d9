/*
 * get_many.c - many records in any order, read side by side
 *
 * Page faults read cold pages one at a time, which is slow. If a segment is sealed, its index says
 * between which places a record lies. We read those bytes for many records at once, through
 * io_uring and the page cache. Then we check each record in the buffer and copy it from there:
 * mapping its page as well would take as long as the read. Any record that cannot be read in this
 * way is left to logstore_get(), which says why.
 */
#include <errno.h>
#include <stdlib.h>

#include "read/reader.h"

#define DEPTH 128u
#define ARENA_BYTES (512u << 10)
#define SPAN_BYTES_MAX (64u << 10) /* the kernel reads ahead better what is longer */

/* Fewer records are not worth a ring. */
#define LEAST 4

/* The frames among which one record lies. */
struct wanted {
        struct segment *segment; /* pinned; NULL: logstore_get() reads it */
        struct segment_span span;
        uint8_t *bytes; /* of the span, in the arena */
        bool there;
};

struct many {
        struct logstore *store;
        struct ring *ring; /* NULL: there is none, or it has failed */
        uint8_t *arena;
        uint32_t used;
        unsigned queued;
        unsigned pinned; /* different segments in this group */
        bool plain;      /* use no ring for this call any more */
        bool lost;       /* unreaped reads may still write into the arena */
        struct wanted wanted[DEPTH];
};

static struct ring *get_ring(struct logstore *store)
{
        if (!store->get_ring && !store->no_get_ring &&
            (store->options.flags & LOGSTORE_NO_RING || ring_new(DEPTH, &store->get_ring) < 0))
                store->no_get_ring = true;
        return store->get_ring;
}

static bool pinned_before(const struct many *many, unsigned at, const struct segment *segment)
{
        while (at > 0)
                if (many->wanted[--at].segment == segment)
                        return true;
        return false;
}

/* Queue the read of the frames among which @number lies, if that is possible. False: the group is
 * full. */
static bool want(struct many *many, uint64_t number, unsigned at)
{
        struct chain *chain = &many->store->chain;
        struct wanted *wanted = &many->wanted[at];
        struct segment *segment;
        bool room = true;
        uint64_t bytes;
        int fd;

        if (number == 0 || chain_pin(chain, number, &segment) < 0)
                return true;
        if (segment_span(segment, number, &wanted->span) == 0 &&
            (bytes = wanted->span.end - wanted->span.offset) <= SPAN_BYTES_MAX &&
            (fd = segment_descriptor(segment)) >= 0) {
                bool more = !pinned_before(many, at, segment);

                wanted->bytes = many->arena + many->used;
                room = record_align(bytes) <= ARENA_BYTES - many->used &&
                       (!more || many->pinned < chain->mapped_limit);
                if (room &&
                    ring_read(many->ring, fd, wanted->bytes, bytes, wanted->span.offset, at) == 0) {
                        wanted->segment = segment;
                        many->used += (uint32_t)record_align(bytes);
                        many->queued++;
                        many->pinned += more;
                        return true;
                }
        }
        chain_unpin(chain, segment);
        return room;
}

/* A failed read does not matter, for logstore_get() meets it again. A ring that fails is given up,
 * so that nothing that it still holds is sent later. */
static void read_queued(struct many *many)
{
        unsigned sent = 0, reaped = 0;
        uint64_t tag;
        int r = 0, result;

        while (sent < many->queued && (r = ring_submit(many->ring)) > 0)
                sent += (unsigned)r;
        for (; reaped < sent && ring_reap(many->ring, 1, &tag, &result) == RING_TAKEN; reaped++) {
                struct wanted *wanted = &many->wanted[tag];
                wanted->there =
                        result >= 0 && (uint64_t)result == wanted->span.end - wanted->span.offset;
        }
        if (sent < many->queued || reaped < sent) {
                many->plain = true;
                many->lost = reaped < sent;
                ring_free(many->store->get_ring);
                many->store->get_ring = many->ring = NULL;
        }
}

/* Read for as many of @numbers as there is room for. Returns how many those are. */
static unsigned read_group(struct many *many, const uint64_t *numbers, size_t count)
{
        unsigned at = 0;

        pthread_mutex_lock(&many->store->ring_lock);
        many->ring = count >= LEAST && !many->plain ? get_ring(many->store) : NULL;
        if (many->ring && !many->arena)
                many->arena = memory_new(&many->store->memory, ARENA_BYTES);
        if (!many->arena)
                many->ring = NULL;
        many->used = many->queued = many->pinned = 0;
        for (; at < DEPTH && at < count; at++) {
                many->wanted[at] = (struct wanted){ 0 };
                if (many->ring && !want(many, numbers[at], at))
                        break;
        }
        if (many->queued)
                read_queued(many);
        pthread_mutex_unlock(&many->store->ring_lock);
        return at;
}

/* The frames that were read, to be walked; @from is a struct wanted. The checks use offsets in the
 * segment, so move the base. */
static const char *base_of(const struct wanted *wanted)
{
        return (const char *)wanted->bytes - wanted->span.offset;
}

static int wanted_peek(void *from, uint64_t offset, struct record_view *ret)
{
        const struct wanted *wanted = from;

        return record_peek(base_of(wanted), offset, wanted->span.end, ret);
}

static int wanted_check(void *from, uint64_t offset, const struct record_view *view)
{
        const struct wanted *wanted = from;

        return record_valid(&wanted->segment->key, base_of(wanted), offset, view);
}

static const struct frame_source wanted_frames = { wanted_peek, wanted_check };

/* Copy a record from what was read. False: it is not simply there. */
static bool take(struct wanted *wanted, uint64_t number, uint8_t *buffer, size_t capacity,
                 struct logstore_record *ret)
{
        uint32_t ordinal = segment_ordinal_from(wanted->segment, number);
        struct walk walk = walk_from(wanted->span.offset, wanted->span.ordinal, ordinal);
        const struct record_view *view = &walk.view;
        const struct frame *frame;
        int step = WALK_PAD;

        while (step == WALK_PAD || (step == WALK_FRAME && view->ordinal != ordinal))
                step = walk_next(&walk, &wanted_frames, wanted);
        if (step != WALK_FRAME || view->kind == FRAME_VOID || view->size > capacity)
                return false;
        frame = (const struct frame *)(base_of(wanted) + walk.offset);
        if (view->size)
                memcpy(buffer, frame->payload, view->size);
        *ret = (struct logstore_record){
                .number = number,
                .time_ns = frame->time_ns,
                .data = buffer,
                .size = view->size,
        };
        return true;
}

static int deliver(struct logstore *store, struct wanted *wanted, uint64_t number, uint8_t *buffer,
                   size_t capacity, struct logstore_record *ret)
{
        int r;

        if (wanted->there && take(wanted, number, buffer, capacity, ret))
                return 0;
        r = logstore_get(store, number, buffer, capacity, ret);
        if (r == 0 || r == -ENOBUFS)
                return r;
        *ret = (struct logstore_record){ .number = number, .size = (size_t)r };
        return 0;
}

int logstore_get_many(struct logstore *store, const uint64_t *numbers, size_t count, void *buffer,
                      size_t capacity, struct logstore_record *ret_records)
{
        struct many many = { .store = store };
        size_t done = 0, used = 0;
        int r = store_enter(store);

        if (r < 0)
                return r;
        if (!numbers || !ret_records || (!buffer && capacity) || count > INT32_MAX) {
                store_leave();
                return detail(-EINVAL, "numbers, buffer or ret_records is NULL");
        }
        /* If the look at what the writer changed fails, logstore_get() tells why. */
        many.plain = view_refresh(&store->live) < 0;
        while (r == 0 && done < count) {
                unsigned group = read_group(&many, numbers + done, count - done);

                for (unsigned at = 0; at < group; at++) {
                        struct wanted *wanted = &many.wanted[at];
                        struct logstore_record *record = &ret_records[done];

                        if (r == 0)
                                r = deliver(store, wanted, numbers[done], (uint8_t *)buffer + used,
                                            capacity - used, record);
                        if (r == 0) {
                                used += record->data ? record->size : 0;
                                done++;
                        }
                        if (wanted->segment)
                                chain_unpin(&store->chain, wanted->segment);
                }
        }
        if (!many.lost)
                memory_free(&store->memory, many.arena);
        store_leave();
        return done == 0 && count > 0 ? -ENOBUFS : (int)done;
}
