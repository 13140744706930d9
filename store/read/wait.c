/*
 * wait.c - waiting for the next record
 *
 * Sleeping: the reader announces itself in the wake page, looks again, and sleeps on the page's
 * futex word; the writer wakes it. A reader that may not write the page sleeps on the same word,
 * and the writer's thread wakes that now and then. Such a reader also looks by itself, from every
 * millisecond to ten times a second, the less often the longer nothing came. Without a page a
 * reader only looks. The thread behind a descriptor does the same in the cursor's place.
 */
#include <errno.h>
#include <inttypes.h>

#include "os/thread.h"
#include "read/cursor.h"

#define POLL_LEAST_NS INT64_C(20000)
#define POLL_TICKED_NS INT64_C(1000000) /* if the writer wakes all now and then */
#define POLL_MOST_NS INT64_C(100000000)
#define POLL_SHARE 32 /* of the time waited so far: a late record is seen a 32nd later */
#define POLL_FAILED_NS INT64_C(100000000)
#define SPIN_NS INT64_C(50000)

/* What a sleeper waits for. */
struct awaited {
        struct logstore *store;
        uint64_t number;
        uint64_t epoch;           /* the writer's; next tells of another one, too */
        const _Atomic bool *stop; /* NULL: nothing ends the wait early */
        int64_t *waited_ns;       /* until the last record came; negative: in vain since */
        const struct logstore_cursor *standing; /* the cursor of this thread, or NULL */
};

/* Is there something for next, even if only an error? */
static bool ready(const struct awaited *awaited)
{
        struct logstore *store = awaited->store;
        uint64_t tail;

        if (atomic_load(&store->control.page->writer_epoch) != awaited->epoch)
                return true;
        if (view_is_own(&store->live))
                return view_last(&store->live, awaited->number) >= awaited->number;
        return view_tail(&store->live, &tail) < 0 || tail >= awaited->number;
}

/* Most often the frame at which the cursor stands is there, and one look at it is all. */
static bool glance(const struct logstore_cursor *cursor)
{
        const struct segment *segment = cursor ? cursor->segment : NULL;
        struct record_view view;

        return segment && cursor->offset + FRAME_HEADER_BYTES <= cursor->fast_end &&
               record_peek(segment->map.base, cursor->offset, cursor->fast_end, &view) == 0 &&
               view.kind == FRAME_RECORD &&
               segment_number(segment, view.ordinal) == cursor->at.number &&
               record_valid(&segment->key, segment->map.base, cursor->offset, &view);
}

static bool stopped(const struct awaited *awaited)
{
        return awaited->stop && atomic_load(awaited->stop);
}

/* How long a reader that cannot announce itself may look away after it has waited so long. */
static int64_t pause_ns(int64_t idle_ns, int64_t least_ns)
{
        int64_t share = idle_ns / POLL_SHARE;

        return share < least_ns ? least_ns : share < POLL_MOST_NS ? share : POLL_MOST_NS;
}

/* What a look or a sleep ends with, beside errors. */
enum { NOTHING_YET, SOMETHING_THERE };

/* Sleep once, for at most @most_ns, or until the writer ends it. Returns SOMETHING_THERE
 * if there was something before or after the sleep, else NOTHING_YET. -ECANCELED: the wait was
 * stopped. If the record is already there, do not announce a waiter: the writer would wake for
 * nothing, and the next reader that wakes would believe that others wait. */
static int doze(const struct awaited *awaited, int64_t most_ns, int64_t idle_ns)
{
        struct wake *wake = &awaited->store->wake;
        uint32_t ticket = 0;
        int64_t longest;
        bool woken;
        int r;

        if (glance(awaited->standing))
                return SOMETHING_THERE;
        woken = wake->page && wake_prepare(wake, &ticket);
        /* Look after taking the ticket: a thread that stops us makes it worthless afterwards. */
        if (stopped(awaited))
                return -ECANCELED;
        if (ready(awaited))
                return SOMETHING_THERE;
        if (!wake->page) {
                longest = pause_ns(idle_ns, POLL_LEAST_NS);
                os_sleep(most_ns < longest ? most_ns : longest);
                return NOTHING_YET;
        }
        /* A writer may die without waking anybody, and another may come: look now and then. A
         * writer without a background thread does not tick for readers that cannot announce
         * themselves. */
        longest = woken ? INT64_C(1000000000) : pause_ns(idle_ns, POLL_TICKED_NS);
        r = wake_sleep(wake, ticket, most_ns < longest ? most_ns : longest);
        if (glance(awaited->standing) || ready(awaited))
                return SOMETHING_THERE;
        return r < 0 && r != -ETIMEDOUT ? r : NOTHING_YET;
}

/*
 * If the last record came soon, the next one is expected to. Then look for a while before sleeping,
 * so that the writer has nobody to wake. Else sleep at once: the kernel lets a thread that has just
 * worked for 30 us run later when it is woken (after 19 us instead of 8).
 */
static bool spin(const struct awaited *awaited, int64_t start_ns)
{
        bool there = false;

        if (*awaited->waited_ns >= 0 && *awaited->waited_ns < SPIN_NS)
                do
                        there = ready(awaited);
                while (!there && os_monotonic() - start_ns < SPIN_NS);
        return there;
}

static int wait_for(const struct awaited *awaited, int64_t timeout_ns)
{
        int64_t start_ns = os_monotonic(), left;
        int64_t idle_ns = *awaited->waited_ns < 0 ? -*awaited->waited_ns : 0;
        int r = timeout_ns != 0 && spin(awaited, start_ns) ? SOMETHING_THERE : NOTHING_YET;

        while (r == NOTHING_YET) {
                left = timeout_ns < 0 ? INT64_MAX : start_ns + timeout_ns - os_monotonic();
                if (left > 0)
                        r = doze(awaited, left, idle_ns + os_monotonic() - start_ns);
                else if (ready(awaited))
                        r = SOMETHING_THERE;
                else
                        r = detail(-ETIMEDOUT, "record %" PRIu64 " was not appended in time",
                                   awaited->number);
        }
        start_ns = os_monotonic() - start_ns;
        *awaited->waited_ns = r == SOMETHING_THERE ? start_ns : -(idle_ns + start_ns);
        return r == -EINTR ? detail(r, "a signal ended the wait") : r < 0 ? r : 0;
}

static int wait_at(struct logstore_cursor *cursor, int timeout_ms)
{
        struct awaited awaited = {
                .store = cursor->view.store,
                .number = cursor->at.number,
                .epoch = cursor->at.epoch,
                .waited_ns = &cursor->waited_ns,
                .standing = cursor,
        };

        if (view_is_fixed(&cursor->view))
                return detail(-EINVAL, "a snapshot does not grow");
        if (cursor->at.cut) /* that is to be told at once */
                return 0;
        return wait_for(&awaited, timeout_ms < 0 ? -1 : timeout_ms * INT64_C(1000000));
}

int logstore_cursor_wait(struct logstore_cursor *cursor, int timeout_ms)
{
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        r = wait_at(cursor, timeout_ms);
        store_leave();
        return r;
}

/* ---- the eventfd form: a thread waits in the cursor's place ---- */

/* Say what to wait for after a signal. Take the epoch first, then the tail, and signal afterwards:
 * so what comes later has a signal of its own. */
static int await_more(struct awaited *awaited)
{
        uint64_t tail;
        int r;

        awaited->epoch = atomic_load(&awaited->store->control.page->writer_epoch);
        r = view_tail(&awaited->store->live, &tail);
        if (r == 0)
                awaited->number = tail + 1;
        return r;
}

static void watch(void *context)
{
        struct logstore_cursor *cursor = context;
        int64_t waited_ns = INT64_MAX;
        struct awaited awaited = {
                .store = cursor->view.store,
                .number = cursor->watched.number,
                .epoch = cursor->watched.epoch,
                .stop = &cursor->stop,
                .waited_ns = &waited_ns,
        };

        while (!atomic_load(&cursor->stop)) {
                int r = wait_for(&awaited, -1);
                if (r < 0)
                        continue;
                r = await_more(&awaited);
                os_signal_eventfd(cursor->eventfd);
                if (r < 0) /* next tells why; the tail may be told again later */
                        os_sleep(POLL_FAILED_NS);
        }
}

int logstore_cursor_fd(struct logstore_cursor *cursor)
{
        int r = store_enter(cursor ? cursor->view.store : NULL);

        if (r < 0)
                return r;
        if (view_is_fixed(&cursor->view))
                r = detail(-EINVAL, "a snapshot does not grow");
        if (r == 0 && cursor->eventfd < 0) {
                r = cursor->eventfd = os_eventfd();
                if (r < 0)
                        detail(r, "cannot make an eventfd: %s", logstore_error_text(r));
        }
        if (r >= 0 && !cursor->watching) {
                cursor->watched = cursor->at;
                r = thread_start(&cursor->watcher, watch, cursor);
                cursor->watching = r == 0;
                if (r < 0)
                        detail(r, "cannot start a thread for the cursor");
        }
        store_leave();
        return r < 0 ? r : cursor->eventfd;
}

void cursor_stop_watching(struct logstore_cursor *cursor)
{
        OS_UNCANCELLED;
        atomic_store(&cursor->stop, true);
        if (cursor->watching) {
                wake_tick(&cursor->view.store->wake);
                pthread_join(cursor->watcher, NULL);
        }
        if (cursor->eventfd >= 0)
                os_close(cursor->eventfd);
        cursor->watching = false;
        cursor->eventfd = -1;
}
