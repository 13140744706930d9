/*
 * wait.c - waiting for the next record, and seeking by time
 *
 * Sleeping: announce in the wake page, look again, sleep on its futex word; the writer wakes who has
 * announced. A reader that may not write the page sleeps on the same word and is woken by the
 * background thread's tick; without any page it polls with back-off. The thread behind a descriptor
 * does the same in the cursor's place.
 */
#include <errno.h>

#include "cursor.h"
#include "snapshot.h"

#define POLL_LEAST_NS INT64_C(20000)
#define POLL_MOST_NS INT64_C(1000000)
#define POLL_FAILED_NS INT64_C(100000000)
#define SPINS 200 /* looks before the first sleep */

/* What a sleeper waits for. */
struct awaited {
        struct logstore *store;
        uint64_t number;
        uint64_t epoch;           /* of the writer; another one is something to be told, too */
        const _Atomic bool *stop; /* NULL: nothing ends the wait early */
};

/* Is there something for next, were it only an error to be told? */
static bool ready(const struct awaited *awaited)
{
        struct logstore *store = awaited->store;
        uint64_t tail;

        if (atomic_load(&store->control.page->writer_epoch) != awaited->epoch)
                return true;
        if (store->writer)
                return head_tail_number(&store->head, awaited->number) >= awaited->number;
        return reader_tail(store, &tail) < 0 || tail >= awaited->number;
}

static bool stopped(const struct awaited *awaited)
{
        return awaited->stop && atomic_load(awaited->stop);
}

/* One sleep of at most @most_ns, ended by the writer. */
static int doze(const struct awaited *awaited, int64_t most_ns, int64_t *poll_ns)
{
        struct wake *wake = &awaited->store->wake;
        int64_t longest;
        uint32_t ticket;
        int r;

        if (!wake->page) {
                os_sleep(most_ns < *poll_ns ? most_ns : *poll_ns);
                *poll_ns = *poll_ns * 2 < POLL_MOST_NS ? *poll_ns * 2 : POLL_MOST_NS;
                return 0;
        }
        ticket = wake_prepare(wake);
        /* Behind the ticket: whoever stops us makes it worthless afterwards. */
        if (stopped(awaited) || ready(awaited))
                return 0;
        /* A writer may die without waking anybody, and another come: look now and then. One without
         * a background thread does not tick for those who cannot announce themselves. */
        longest = wake->writable ? INT64_C(1000000000) : POLL_MOST_NS;
        r = wake_sleep(wake, ticket, most_ns < longest ? most_ns : longest);
        return r == -ETIMEDOUT ? 0 : r;
}

static int wait_for(const struct awaited *awaited, int64_t deadline_ns)
{
        int64_t poll_ns = POLL_LEAST_NS, left;
        int r = 0;

        for (int i = 0; i < SPINS; i++)
                if (ready(awaited))
                        return 0;
        while (r == 0 && !ready(awaited)) {
                left = deadline_ns < 0 ? INT64_MAX : deadline_ns - os_monotonic();
                if (left <= 0)
                        return detail(-ETIMEDOUT, "record %llu was not appended in time",
                                      (unsigned long long)awaited->number);
                if (stopped(awaited))
                        return -ECANCELED;
                r = doze(awaited, left, &poll_ns);
        }
        return r == -EINTR ? detail(r, "a signal ended the wait") : r;
}

static int wait_at(struct logstore_cursor *cursor, int timeout_ms)
{
        struct awaited awaited = { cursor->store, cursor->number, cursor->epoch, NULL };

        if (cursor->snapshot)
                return detail(-EINVAL, "a snapshot does not grow");
        return wait_for(&awaited,
                        timeout_ms < 0 ? -1 : os_monotonic() + timeout_ms * INT64_C(1000000));
}

int logstore_cursor_wait(struct logstore_cursor *cursor, int timeout_ms)
{
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        r = wait_at(cursor, timeout_ms);
        store_leave();
        return r;
}

/* ---- the eventfd form: a thread waits in the cursor's place ---- */

/* What to wait for after a signal: the epoch first, then the tail, before the signal is given. So
 * what comes after has one of its own. */
static int await_more(struct awaited *awaited)
{
        uint64_t tail;
        int r;

        awaited->epoch = atomic_load(&awaited->store->control.page->writer_epoch);
        r = reader_tail(awaited->store, &tail);
        if (r == 0)
                awaited->number = tail + 1;
        return r;
}

static void *watch(void *context)
{
        struct logstore_cursor *cursor = context;
        struct awaited awaited = { cursor->store, cursor->watched, cursor->watched_epoch,
                                   &cursor->stop };

        guard_enter();
        while (!atomic_load(&cursor->stop)) {
                int r = wait_for(&awaited, -1);
                if (r < 0)
                        continue;
                r = await_more(&awaited);
                os_signal_eventfd(cursor->eventfd);
                if (r < 0) /* next tells why; the tail may be told again some time */
                        os_sleep(POLL_FAILED_NS);
        }
        guard_leave();
        return NULL;
}

int logstore_cursor_fd(struct logstore_cursor *cursor)
{
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        if (cursor->snapshot)
                r = detail(-EINVAL, "a snapshot does not grow");
        if (r == 0 && cursor->eventfd < 0) {
                r = cursor->eventfd = os_eventfd();
                if (r < 0)
                        detail(r, "cannot make an eventfd: %s", logstore_error_text(r));
        }
        if (r >= 0 && !cursor->watching) {
                cursor->watched = cursor->number;
                cursor->watched_epoch = cursor->epoch;
                r = -pthread_create(&cursor->watcher, NULL, watch, cursor);
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
                wake_tick(&cursor->store->wake);
                pthread_join(cursor->watcher, NULL);
        }
        if (cursor->eventfd >= 0)
                os_close(cursor->eventfd);
        cursor->watching = false;
        cursor->eventfd = -1;
}

/* ---- by time ---- */

/* Position of the first segment whose greatest time reaches @time_ns: those are sorted. */
static int find_segment(struct catalog *catalog, int64_t time_ns, uint64_t *ret_first,
                        bool *ret_reached)
{
        struct catalog_entry entry;
        struct segment_brief brief;
        size_t low = 0, high;
        int r = 0;

        pthread_mutex_lock(&catalog->lock);
        high = catalog->count;
        while (r == 0 && low < high) {
                size_t middle = low + (high - low) / 2;
                r = segment_brief_read(catalog->directory, catalog->uuid,
                                       catalog->entries[middle].id, &brief);
                if (r == -ENOENT) { /* trimmed since */
                        r = 0;
                        low = middle + 1;
                } else if (r == 0 && brief.sealed && brief.seal.greatest_ns < time_ns)
                        low = middle + 1;
                else
                        high = middle;
        }
        pthread_mutex_unlock(&catalog->lock);
        if (r < 0)
                return r;
        r = catalog_entry_at(catalog, low, &entry);
        *ret_first = r == 0 ? entry.first_number : UINT64_MAX;
        *ret_reached = false;
        if (r == 0 && low == 0) { /* what was trimmed before it may have been there already */
                r = segment_brief_read(catalog->directory, catalog->uuid, entry.id, &brief);
                *ret_reached = r == 0 && brief.start.greatest_ns != 0 &&
                               brief.start.greatest_ns >= time_ns;
        }
        return r == -ENOENT ? 0 : r;
}

int logstore_cursor_seek_time(struct logstore_cursor *cursor, int64_t time_ns)
{
        struct logstore_record record;
        uint64_t number = 0, was;
        bool reached = false;
        int r = store_enter(cursor ? cursor->store : NULL);

        if (r < 0)
                return r;
        was = cursor->number;
        if (!cursor->snapshot && !cursor->store->writer)
                r = catalog_refresh(&cursor->store->catalog);
        if (r == 0)
                r = find_segment(cursor->catalog, time_ns, &number, &reached);
        if (r == 0 && number != UINT64_MAX &&
            number < (cursor->snapshot ? snapshot_bounds(cursor->snapshot)->first
                                       : reader_first(cursor->store)))
                number = 0;
        if (r == 0)
                r = logstore_cursor_seek(cursor, number);
        if (r == 0 && reached) {
                store_leave();
                return 0;
        }
        while (r == 0) { /* from the segment's start, at most to its end */
                r = logstore_cursor_next(cursor, &record);
                if (r == 0 && record.time_ns >= time_ns)
                        break;
        }
        if (r == 0)
                r = logstore_cursor_seek(cursor, record.number);
        else if (r == -EAGAIN) /* none: the cursor stands behind the tail */
                r = 0;
        else
                logstore_cursor_seek(cursor, was);
        store_leave();
        return r;
}
