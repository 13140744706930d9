/*
 * sync.c - rounds of syncing, one at a time; the sticky state; group commit
 *
 * Round:  one at a time in a store, over every form (blocking, ring, helper thread, seal). The
 *         kernel reports a writeback error once, to the sync that comes first. So with two in
 *         flight, one of them could call lost data safe. The result goes into the sticky state
 *         before anybody is told anything.
 * Order:  take the tail. Sync its bytes. Only then raise the durable number. Then store the mark in
 *         the control page: it is a lower bound, and the kernel writes it when it likes.
 * Group:  a lone caller leads at once. Callers that arrive during a round join the next one. It
 *         starts once as many wait as the last round woke, or GATHER_ROUNDS times its length has
 *         passed; the last to arrive leads. Without that, two halves of the callers would take
 *         turns, each with a round of its own.
 */
#include "writer/sync.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/sync_private.h"

/* A round waits for the callers that the last one released, at most so many times as long as that
 * took. (32 threads on two cores take some 500 us to come back, a round 200 or more.) */
#define GATHER_ROUNDS 4
#define GATHER_MOST_NS 4000000

int sync_init(struct sync *sync, struct writer *writer, struct claims *claims, bool no_ring)
{
        pthread_condattr_t attributes;

        *sync = (struct sync){
                .writer = writer, .claims = claims, .no_ring = no_ring, .eventfd = -1
        };
        pthread_mutex_init(&sync->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&sync->helper_wake, &attributes);
        pthread_condattr_destroy(&attributes);
        return 0;
}

static void set_synced(struct sync *sync, const struct tail *to)
{
        sync->synced = *to;
        atomic_store(&sync->synced_place, (uint64_t)to->turn << 32 | to->offset / 8);
        atomic_store_explicit(&sync->durable, to->number, memory_order_release);
}

void sync_begin(struct sync *sync, const struct tail *tail)
{
        set_synced(sync, tail);
}

uint64_t sync_behind(struct sync *sync, const struct tail *tail)
{
        uint64_t place = atomic_load(&sync->synced_place);
        uint64_t synced = (place & UINT32_MAX) * 8;

        if (place >> 32 != tail->turn)
                return UINT64_MAX;
        return tail->offset > synced ? tail->offset - synced : 0;
}

/* ---- one round ---- */

/* Call @each with every piece of a segment between the synced place and @to. */
int sync_for_each_piece(struct sync *sync, const struct tail *to,
                        int (*each)(struct sync *, struct gate *, uint64_t from, uint64_t end))
{
        uint64_t page = os_page_bytes();
        int r = 0;

        for (uint32_t turn = sync->synced.turn; r == 0 && turn != to->turn + 1; turn++) {
                struct gate *gate = &sync->writer->gates[turn % WRITER_GATES];
                uint64_t from = turn == sync->synced.turn ? sync->synced.offset : FRAMES_OFFSET;
                uint64_t end = turn == to->turn
                                       ? to->offset
                                       : (atomic_load(&gate->word) & (GATE_CLOSED - 1)) * 8;

                /* Begin at the page of the first new frame; in a fresh segment at the start
                 * frame's. */
                from = from <= FRAMES_OFFSET ? HEADER_BYTES : from;
                from = from & ~(page - 1);
                if (end > from)
                        r = each(sync, gate, from, end);
        }
        return r;
}

static int sync_piece(struct sync *sync, struct gate *gate, uint64_t from, uint64_t end)
{
        int r = os_sync_map(gate->base + from, end - from);

        if (r < 0)
                return detail(r, "%s: offset %" PRIu64 ": a sync of %" PRIu64 " bytes failed: %s",
                              gate->segment->name, from, end - from, logstore_error_text(r));
        return sync_check_piece(sync, gate, from, end);
}

/* Is the segment on the chain? It leaves the chain before its file goes. */
static bool is_on_chain(struct sync *sync, uint64_t id)
{
        struct chain_entry entry;

        return chain_entry_after(sync->writer->chain, id - 1, &entry) != -ENOENT && entry.id == id;
}

int sync_check_piece(struct sync *sync, struct gate *gate, uint64_t from, uint64_t end)
{
        const struct segment *segment = gate->segment;
        struct os_stat st;
        int r;

        if (map_faulted(&segment->map))
                return segment_damage(segment, from, 0, "");
        r = os_stat(segment->fd, &st);
        if (r == -ESTALE) /* some file systems forget a file without a name */
                st = (struct os_stat){ .bytes = end };
        else if (r < 0)
                return detail(r, "%s: cannot stat: %s", segment->name, logstore_error_text(r));
        if (st.bytes < end) /* what lay there was dropped, and its msync succeeds */
                return detail(-EIO,
                              "%s: the file was cut to %" PRIu64
                              " bytes while this process writes to it",
                              segment->name, st.bytes);
        if (st.links > 0 || !is_on_chain(sync, segment->brief.id)) /* else it was trimmed */
                return 0;
        r = control_held(sync->writer->control); /* it says more, if all is gone */
        return r < 0 ? r
                     : detail(-ENOENT, "%s: the file was removed while this process writes to it",
                              segment->name);
}

/* Put the result of a round into the sticky state, then into the mark. Nobody was told yet. */
int sync_conclude(struct sync *sync, const struct tail *to, int error, const char *why)
{
        /* If another writer got in, it has found only what was synced before: fail. */
        if (error == 0 && (error = control_held(sync->writer->control)) < 0)
                why = logstore_detail();
        if (error < 0)
                return writer_give_up(sync->writer, why);
        atomic_store(&sync->writer->last_sync_bytes,
                     to->turn != sync->synced.turn ? UINT64_MAX : to->offset - sync->synced.offset);
        set_synced(sync, to);
        atomic_fetch_add(&sync->rounds, 1);
        control_set_mark(sync->writer->control, to->number, to->segment_id, to->offset);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with rest() of the keeper */
        if (atomic_load(&sync->writer->asleep))
                writer_poke(sync->writer); /* so that it touches the files */
        return 0;
}

int sync_round(struct sync *sync)
{
        struct tail to;
        int64_t begin_ns = os_monotonic(), end_ns, longest;
        int r = writer_failure(sync->writer);

        if (r < 0)
                return r;
        sync->released = atomic_load(&sync->waiting);
        writer_tail(sync->writer, &to);
        r = sync_for_each_piece(sync, &to, sync_piece);
        end_ns = os_monotonic();
        longest = GATHER_ROUNDS * (end_ns - begin_ns);
        sync->arrived_before = atomic_load(&sync->arrived);
        sync->gather_until_ns = end_ns + (longest < GATHER_MOST_NS ? longest : GATHER_MOST_NS);
        return sync_conclude(sync, &to, r, logstore_detail());
}

/* ---- taking turns ---- */

void sync_wake(struct sync *sync)
{
        os_futex_wake(&sync->ended, INT_MAX, false);
}

void sync_end_round(struct sync *sync)
{
        sync->running = SYNC_IDLE;
        atomic_fetch_add(&sync->ended, 1);
        sync_continue(sync);
}

/* Sleep until a round has ended. Under sync->lock, which is let go of and not taken again: that
 * round may be all that the caller wants. */
static int sleep_unlock(struct sync *sync, int64_t deadline_ns)
{
        uint32_t ended = atomic_load(&sync->ended);
        int64_t left_ns = -1;

        pthread_mutex_unlock(&sync->lock);
        if (deadline_ns >= 0 && (left_ns = deadline_ns - os_monotonic()) <= 0)
                return -ETIMEDOUT;
        return os_futex_wait(&sync->ended, ended, left_ns, false) == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

int sync_wait_unlock(struct sync *sync, int64_t deadline_ns)
{
        int r;

        if (sync->running != SYNC_RING || sync->reaping)
                return sleep_unlock(sync, deadline_ns);
        r = sync_wait_ring(sync, deadline_ns);
        pthread_mutex_unlock(&sync->lock);
        return r == 0 || r == -ETIMEDOUT
                       ? r
                       : detail(r, "cannot wait for a sync: %s", logstore_error_text(r));
}

/* Wait until no sync runs, and keep others out. */
static void begin_alone(struct sync *sync)
{
        pthread_mutex_lock(&sync->lock);
        while (sync->running != SYNC_IDLE) {
                sync_wait_unlock(sync, -1);
                pthread_mutex_lock(&sync->lock);
        }
        sync->running = SYNC_BLOCKING;
        pthread_mutex_unlock(&sync->lock);
}

static void end_alone(struct sync *sync)
{
        pthread_mutex_lock(&sync->lock);
        sync_end_round(sync);
        pthread_mutex_unlock(&sync->lock);
        sync_wake(sync);
}

bool sync_gathered(struct sync *sync)
{
        return atomic_load(&sync->arrived) - sync->arrived_before >= sync->released ||
               os_monotonic() >= sync->gather_until_ns;
}

/* Sleep until a round that the helper leads has ended. Under sync->lock, which is let go of. */
static int ask_unlock(struct sync *sync, uint64_t number, int64_t deadline_ns)
{
        int r;

        if (number > sync->asked)
                sync->asked = number;
        r = sync_wake_helper(sync);
        if (r == 0)
                return sleep_unlock(sync, deadline_ns);
        pthread_mutex_unlock(&sync->lock);
        return r;
}

int sync_lead_unlock(struct sync *sync)
{
        int r;

        sync->running = SYNC_BLOCKING;
        pthread_mutex_unlock(&sync->lock);
        r = sync_round(sync);
        end_alone(sync);
        return r;
}

int sync_check_number(struct sync *sync, uint64_t number)
{
        int r = writer_failure(sync->writer);

        if (r == 0 && number > writer_claimed(sync->writer))
                r = detail(-EAGAIN, "record %" PRIu64 " was not appended yet", number);
        return r;
}

int sync_check_length(struct sync *sync)
{
        struct writer *writer = sync->writer;
        struct segment *segment;
        struct os_stat st;
        struct tail tail;
        uint64_t end;
        int r;

        writer_tail(writer, &tail);
        if (writer_pin(writer, tail.turn, &segment, &end) < 0)
                return 0;
        r = os_stat(segment->fd, &st);
        if (r == 0 && st.bytes < end)
                r = detail(-EIO,
                           "%s: the file was cut to %" PRIu64
                           " bytes while this process writes to it",
                           segment->name, st.bytes);
        chain_unpin(writer->chain, segment);
        return r < 0 ? writer_give_up(writer, logstore_detail()) : 0;
}

/* Wait until every claim up to @number is resolved. */
static int wait_resolved(struct sync *sync, uint64_t number, int64_t deadline_ns)
{
        int64_t pause_ns = 20000;

        while (writer_tail_number(sync->writer, number) < number) {
                int r = sync_check_number(sync, number); /* a truncation may take it back */
                if (r < 0)
                        return r;
                if (claims_mine(sync->claims, number))
                        return detail(-EDEADLK,
                                      "record %" PRIu64 ": a claim of this thread is open", number);
                if (deadline_ns >= 0 && os_monotonic() >= deadline_ns)
                        return detail(-ETIMEDOUT,
                                      "record %" PRIu64 ": an earlier claim is still open", number);
                os_sleep(pause_ns);
                if (pause_ns < 1000000)
                        pause_ns *= 2;
                else if ((r = sync_check_length(sync)) < 0)
                        return r;
        }
        return 0;
}

int sync_until(struct sync *sync, uint64_t number, int64_t deadline_ns)
{
        int r = sync_check_number(sync, number);

        if (r == 0 && atomic_load(&sync->durable) >= number)
                return 0;
        if (r == 0)
                r = wait_resolved(sync, number, deadline_ns);
        if (r < 0)
                return r;
        atomic_fetch_add(&sync->waiting, 1);
        atomic_fetch_add(&sync->arrived, 1);
        while (r == 0 && atomic_load(&sync->durable) < number) {
                r = sync_check_number(sync, number);
                if (r < 0)
                        break;
                pthread_mutex_lock(&sync->lock);
                if (atomic_load(&sync->durable) >= number)
                        pthread_mutex_unlock(&sync->lock);
                else if (sync->running != SYNC_IDLE)
                        r = sync_wait_unlock(sync, deadline_ns);
                else if (deadline_ns >= 0)
                        r = ask_unlock(sync, number, deadline_ns);
                else if (sync_gathered(sync))
                        r = sync_lead_unlock(sync);
                else
                        sleep_unlock(sync, sync->gather_until_ns); /* then it is time to lead */
        }
        atomic_fetch_sub(&sync->waiting, 1);
        if (r == -ETIMEDOUT)
                return detail(r, "record %" PRIu64 ": the sync goes on", number);
        return r;
}

int sync_alone(struct sync *sync, int (*what)(void *context), void *context)
{
        int r;

        begin_alone(sync);
        r = what(context);
        end_alone(sync);
        return r;
}
