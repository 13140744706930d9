/*
 * sync_async.c - syncs that go on while their caller does something else
 *
 * Ring:   the FSYNCs of one round are submitted together, and the kernel signals the eventfd. The
 *         next caller that looks (sync_durable, or a thread that waits for a turn) takes the result
 *         in. The round occupies sync->running like any other.
 * Helper: where io_uring is missing or forbidden, and behind an open claim, a thread leads blocking
 *         rounds instead (sync_helper.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "logstore.h"
#include "os/detail.h"
#include "writer/sync.h"
#include "writer/sync_private.h"

#define RING_ENTRIES 16

static int submit_piece(struct sync *sync, struct gate *gate, uint64_t from, uint64_t end)
{
        int r = ring_sync(sync->ring, gate->segment->fd, from, end - from, gate->segment->brief.id);

        if (r == 0)
                sync->pending++;
        return r;
}

/* Note a failure of the round in the ring. Another thread may take in the rest and conclude the
 * round, but the detail is this thread's: copy it. */
static void note_error(struct sync *sync, int error)
{
        if (sync->error < 0)
                return; /* the first one counts */
        sync->error = error;
        snprintf(sync->why, sizeof(sync->why), "%s", logstore_detail());
}

/* Submit a round. Under sync->lock, with nothing running. */
static int submit_round(struct sync *sync)
{
        int r = writer_failure(sync->writer);

        if (r < 0)
                return r;
        writer_tail(sync->writer, &sync->target);
        sync->running = SYNC_RING;
        sync->error = 0;
        sync->pending = 0;
        r = sync_for_each_piece(sync, &sync->target, submit_piece);
        if (r == 0 && sync->pending > 0 && (r = ring_submit(sync->ring)) == 0)
                r = -EAGAIN;
        if (r < 0) { /* nothing was started; what is queued must not end a later round */
                sync->running = SYNC_IDLE;
                ring_free(sync->ring);
                sync->ring = NULL;
                sync->no_ring = true;
                return sync_wake_helper(sync);
        }
        if (r > 0 && (unsigned)r < sync->pending) { /* the rest cannot be told from later ones */
                sync->pending = (unsigned)r;
                note_error(sync, detail(-EIO, "io_uring: it took only a part of a sync"));
        }
        if (sync->pending == 0) {
                sync->running = SYNC_IDLE;
                os_signal_eventfd(sync->eventfd);
        }
        return 0;
}

static void finish_round(struct sync *sync)
{
        int r = sync_for_each_piece(sync, &sync->target, sync_check_piece);

        if (r < 0)
                note_error(sync, r);
        sync_conclude(sync, &sync->target, sync->error, sync->why);
        sync_end_round(sync);
        sync_wake(sync);
}

/* Can a round now finish what was started? Behind an open claim the helper leads it. */
static bool resumable(struct sync *sync)
{
        return sync->ring && sync->running == SYNC_IDLE &&
               sync->wanted > atomic_load(&sync->durable) &&
               writer_tail_number(sync->writer, sync->wanted) >= sync->wanted;
}

void sync_continue(struct sync *sync)
{
        bool ready = resumable(sync); /* first, as the store may fail while the tail moves */
        /* A number that a truncation took back never comes: the durable number tells the caller. */
        bool over = sync->wanted != 0 && (atomic_load(&sync->durable) >= sync->wanted ||
                                          atomic_load(&sync->writer->failed) ||
                                          sync->wanted > writer_claimed(sync->writer));

        if (over) {
                sync->wanted = 0;
                os_signal_eventfd(sync->eventfd);
        } else if (ready) {
                submit_round(sync); /* its failure is sticky, or the helper goes on */
        }
}

void sync_reap_ring(struct sync *sync)
{
        while (sync->running == SYNC_RING && !sync->reaping) {
                uint64_t id = 0;
                int result, r = ring_reap(sync->ring, 0, &id, &result);

                if (r == RING_NONE)
                        return;
                if (r < 0)
                        result = r;
                if (result < 0)
                        note_error(sync,
                                   detail(result,
                                          SEGMENT_NAME_FORMAT ": an asynchronous sync failed: %s",
                                          id, logstore_error_text(result)));
                if (--sync->pending == 0)
                        finish_round(sync);
        }
}

int sync_wait_ring(struct sync *sync, int64_t deadline_ns)
{
        struct ring *ring = sync->ring; /* stays until the round is over */
        int64_t left_ns = deadline_ns < 0 ? -1 : deadline_ns - os_monotonic();
        int r;

        sync->reaping = true;
        pthread_mutex_unlock(&sync->lock);
        r = ring_wait(ring, deadline_ns >= 0 && left_ns < 0 ? 0 : left_ns);
        pthread_mutex_lock(&sync->lock);
        sync->reaping = false;
        sync_reap_ring(sync);
        if (sync->running == SYNC_RING) { /* let another waiter look */
                atomic_fetch_add(&sync->ended, 1);
                sync_wake(sync);
        }
        return r;
}

static int ensure_eventfd(struct sync *sync)
{
        if (sync->eventfd < 0)
                sync->eventfd = os_eventfd();
        if (sync->eventfd < 0) {
                int r = sync->eventfd;
                sync->eventfd = -1;
                return detail(r, "cannot make an eventfd: %s", logstore_error_text(r));
        }
        return 0;
}

/* Make a ring whose completions signal the eventfd. To have none is no failure. */
static void ensure_ring(struct sync *sync)
{
        if (sync->no_ring || sync->ring)
                return;
        if (ring_new(RING_ENTRIES, &sync->ring) == 0 && ring_notify(sync->ring, sync->eventfd) == 0)
                return;
        ring_free(sync->ring);
        sync->ring = NULL;
        sync->no_ring = true;
}

int sync_start(struct sync *sync, uint64_t number)
{
        int r = sync_check_number(sync, number);

        if (r == 0 && claims_mine(sync->claims, number))
                r = detail(-EDEADLK, "record %" PRIu64 ": a claim of this thread is open", number);
        if (r < 0)
                return r;
        pthread_mutex_lock(&sync->lock);
        r = ensure_eventfd(sync);
        if (r == 0) {
                ensure_ring(sync);
                if (number > sync->wanted)
                        sync->wanted = number;
                if (number <= atomic_load(&sync->durable))
                        os_signal_eventfd(sync->eventfd);
                else if (!sync->ring || writer_tail_number(sync->writer, number) < number)
                        r = sync_wake_helper(sync);
                else if (sync->running == SYNC_IDLE)
                        r = submit_round(sync);
        }
        pthread_mutex_unlock(&sync->lock);
        return r;
}

int sync_eventfd(struct sync *sync)
{
        int r;

        pthread_mutex_lock(&sync->lock);
        r = ensure_eventfd(sync);
        pthread_mutex_unlock(&sync->lock);
        return r < 0 ? r : sync->eventfd;
}

bool sync_has_ring(struct sync *sync)
{
        bool has;

        pthread_mutex_lock(&sync->lock);
        has = sync->ring != NULL;
        pthread_mutex_unlock(&sync->lock);
        return has;
}

uint64_t sync_durable(struct sync *sync)
{
        pthread_mutex_lock(&sync->lock);
        sync_reap_ring(sync);
        if (resumable(sync))
                submit_round(sync); /* it waited for another form to end */
        pthread_mutex_unlock(&sync->lock);
        return atomic_load(&sync->durable);
}

void sync_free(struct sync *sync)
{
        pthread_mutex_lock(&sync->lock);
        sync->helper_stop = true;
        sync->wanted = 0;
        while (sync->running == SYNC_RING)
                sync_wait_ring(sync, -1);
        pthread_cond_broadcast(&sync->helper_wake);
        pthread_mutex_unlock(&sync->lock);
        if (sync->helper_running)
                pthread_join(sync->helper, NULL);
        ring_free(sync->ring);
        if (sync->eventfd >= 0)
                os_close(sync->eventfd);
        pthread_cond_destroy(&sync->helper_wake);
        pthread_mutex_destroy(&sync->lock);
}
