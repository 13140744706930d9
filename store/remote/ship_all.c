/*
 * ship_all.c - ship many stores with a few threads
 */
#include "remote/ship_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "remote/remote.h"

#define THREADS 8
#define CONNECTIONS 4
#define THREADS_MAX 64
#define SCAN_NS (10 * SECOND_NS)
#define PAUSE_NS (SECOND_NS / 20)       /* how soon a stop is heard */
#define AGAIN_MOST_NS (300 * SECOND_NS) /* after failures */

/* ---- one store ---- */

static int open_store(struct logstore_ship_all *all, struct ship_store *store)
{
        struct logstore_ship *ship;
        struct bucket *bucket;
        char *directory;
        int r = ship_store_note(all, store);

        if (r == 0)
                r = bucket_open_below(all->bucket, store->name, &bucket);
        if (r < 0)
                return r;
        if (asprintf(&directory, "%s/%s", all->parent, store->name) < 0) {
                bucket_close(bucket);
                return remote_detail(-ENOMEM, "no memory for a name");
        }
        r = ship_open(directory, bucket, &all->ship_options, all->connections, &ship);
        free(directory);
        if (r < 0)
                return r;
        ship->gate = all->gate;
        ship->takes_over = all->ship_options.flags & LOGSTORE_SHIP_TAKEOVER;
        pthread_mutex_lock(&all->lock);
        store->ship = ship;
        if (all->stopped)
                logstore_ship_stop(ship);
        pthread_mutex_unlock(&all->lock);
        return 0;
}

/* Has the log changed since it was shipped? A round that sent something is followed by another:
 * what was being sealed then may be sealed now. No request is made. */
static bool has_news(const struct ship_store *store, const struct logstore_bounds *now)
{
        const struct logstore_bounds *seen = &store->seen;

        return !store->settled || now->durable != seen->durable || now->first != seen->first ||
               now->epoch != seen->epoch || now->tail < seen->durable;
}

static int ship_news(struct ship_store *store)
{
        struct logstore_bounds now;
        int r = logstore_bounds(store->ship->store, &now);
        uint64_t before;

        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (store->error == 0 && !has_news(store, &now))
                return 0;
        before = store->ship->report.commits;
        r = logstore_ship_round(store->ship);
        store->settled = r == 0 && store->ship->report.commits == before;
        store->seen = now;
        return r;
}

static void tell_event(struct logstore_ship_all *all, const struct logstore_ship_event *event)
{
        if (!all->options.event)
                return;
        pthread_mutex_lock(&all->telling);
        all->options.event(all->options.context, event);
        pthread_mutex_unlock(&all->telling);
}

static void tell(struct logstore_ship_all *all, const struct ship_store *store, int r)
{
        const struct logstore_ship *ship = store->ship;
        const struct logstore_ship_event event = {
                .struct_bytes = sizeof(event),
                .error = r,
                .name = store->name,
                .detail = r < 0 ? remote_detail_line() : "",
                .number = ship ? ship->told.end.number : 0,
                .missed = ship ? ship->report.missed : 0,
        };

        tell_event(all, &event);
}

/* With the lock. */
static void count(struct logstore_ship_all *all, struct ship_store *store)
{
        const struct logstore_ship_report *now;

        if (!store->ship)
                return;
        now = &store->ship->report;
        all->report.commits += now->commits - store->commits;
        all->report.objects += now->objects - store->objects;
        all->report.bytes += now->bytes - store->bytes;
        store->commits = now->commits;
        store->objects = now->objects;
        store->bytes = now->bytes;
}

/* After failures the same store is left alone for longer and longer. */
static int64_t next_time(const struct logstore_ship_all *all, const struct ship_store *store)
{
        int64_t ns = all->ship_options.interval_ms * (SECOND_NS / 1000);

        if (store->error == -EPIPE)
                return INT64_MAX;
        for (unsigned i = 0; i < store->failures && ns < AGAIN_MOST_NS; i++)
                ns *= 2;
        return ship_clock_ns() + ns;
}

static void ship_store(struct logstore_ship_all *all, struct ship_store *store)
{
        bool news = !store->done || store->error < 0;
        int r = store->ship ? 0 : open_store(all, store);

        if (r == 0)
                r = ship_news(store);
        if (r == -ECANCELED)
                return; /* neither shipped nor failed */
        if (r < 0 ? r != store->error : news || store->ship->report.missed != store->missed)
                tell(all, store, r);
        if (store->ship)
                store->missed = store->ship->report.missed;
        if (r < 0 && store->ship)
                store->ship->claimed = false; /* look anew, as a shipper that starts */
        store->error = r;
        store->failures = r < 0 ? store->failures + 1 : 0;
        store->done = true;
}

/* ---- all of them ---- */

static bool may_be_due(const struct logstore_ship_all *all, const struct ship_store *store)
{
        if (store->busy)
                return false;
        return all->options.follow || !store->done;
}

/* With the lock: the store that is due first; NULL: none will be. */
static struct ship_store *find_first(const struct logstore_ship_all *all)
{
        struct ship_store *first = NULL;

        for (struct ship_store *store = all->first; store; store = store->next)
                if (may_be_due(all, store) && (!first || store->due_ns < first->due_ns))
                        first = store;
        return first;
}

/* With the lock, which is let go: until then, or something changes. */
static void wait_until(struct logstore_ship_all *all, int64_t due_ns)
{
        int64_t ns = due_ns - ship_clock_ns();
        struct timespec until;

        if (ns > SECOND_NS)
                ns = SECOND_NS;
        if (ns <= 0)
                return;
        clock_gettime(CLOCK_MONOTONIC, &until);
        ns += until.tv_nsec;
        until.tv_sec += ns / SECOND_NS;
        until.tv_nsec = ns % SECOND_NS;
        pthread_cond_timedwait(&all->changed, &all->lock, &until);
}

/* With the lock. */
static bool is_done(const struct logstore_ship_all *all)
{
        if (all->stopped)
                return true;
        if (all->options.follow)
                return false;
        for (const struct ship_store *store = all->first; store; store = store->next)
                if (store->busy || !store->done)
                        return false;
        return true;
}

static void *work(void *context)
{
        struct logstore_ship_all *all = context;

        pthread_mutex_lock(&all->lock);
        while (!is_done(all)) {
                struct ship_store *store = find_first(all);

                if (!store || store->due_ns > ship_clock_ns()) {
                        wait_until(all, store ? store->due_ns : INT64_MAX);
                        continue;
                }
                store->busy = true;
                pthread_mutex_unlock(&all->lock);
                ship_store(all, store);
                pthread_mutex_lock(&all->lock);
                count(all, store);
                store->due_ns = all->options.follow ? next_time(all, store) : 0;
                store->busy = false;
                if (is_done(all))
                        pthread_cond_broadcast(&all->changed);
        }
        pthread_mutex_unlock(&all->lock);
        return NULL;
}

/* Whoever waits for answers is to hear it, too. */
static void stop_stores(struct logstore_ship_all *all)
{
        pthread_mutex_lock(&all->lock);
        for (const struct ship_store *store = all->first; store; store = store->next)
                if (store->ship)
                        logstore_ship_stop(store->ship);
        pthread_cond_broadcast(&all->changed);
        pthread_mutex_unlock(&all->lock);
}

static bool ends(struct logstore_ship_all *all)
{
        bool done;

        pthread_mutex_lock(&all->lock);
        done = is_done(all);
        pthread_mutex_unlock(&all->lock);
        return done;
}

/* The directory may be away for a while, or descriptors be short. The stores that are known are
 * shipped all the same. */
static int scan_again(struct logstore_ship_all *all, int before)
{
        int r = ship_all_scan(all);

        if (r < 0 && r != before)
                tell_event(all, &(struct logstore_ship_event){
                                        .struct_bytes = sizeof(struct logstore_ship_event),
                                        .error = r,
                                        .name = all->parent,
                                        .detail = remote_detail_line() });
        pthread_cond_broadcast(&all->changed);
        return r;
}

static void supervise(struct logstore_ship_all *all)
{
        const struct timespec pause = { 0, PAUSE_NS };
        int64_t scan_ns = ship_clock_ns() + all->scan_ns;
        int scanned = 0;

        while (!ends(all)) {
                nanosleep(&pause, NULL);
                if (!all->options.follow || ship_clock_ns() < scan_ns)
                        continue;
                scanned = scan_again(all, scanned);
                scan_ns = ship_clock_ns() + all->scan_ns;
        }
}

/* With the lock, or when all have ended. */
static unsigned count_failed(const struct logstore_ship_all *all)
{
        unsigned failed = 0;

        for (const struct ship_store *store = all->first; store; store = store->next)
                failed += !store->busy && store->error < 0;
        return failed;
}

int logstore_ship_all_run(struct logstore_ship_all *all)
{
        pthread_t threads[THREADS_MAX];
        unsigned wanted = all->options.threads, running = 0;
        int r = ship_all_scan(all);

        if (r < 0)
                return r;
        while (running < wanted && pthread_create(&threads[running], NULL, work, all) == 0)
                running++;
        if (running == 0)
                return remote_detail(-EAGAIN, "no thread can be started");
        supervise(all);
        if (all->stopped)
                stop_stores(all);
        while (running > 0)
                pthread_join(threads[--running], NULL);
        return all->stopped ? remote_detail(-ECANCELED, "stopped") : (int)count_failed(all);
}

void logstore_ship_all_stop(struct logstore_ship_all *all)
{
        all->stopped = 1;
}

int logstore_ship_all_tell(struct logstore_ship_all *all, struct logstore_ship_all_report *ret)
{
        if (!all || !ret || ret->struct_bytes != sizeof(*ret))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        pthread_mutex_lock(&all->lock);
        *ret = all->report;
        ret->struct_bytes = sizeof(*ret);
        ret->failed = count_failed(all);
        pthread_mutex_unlock(&all->lock);
        return 0;
}

static void init_locks(struct logstore_ship_all *all)
{
        pthread_condattr_t attributes;

        pthread_mutex_init(&all->lock, NULL);
        pthread_mutex_init(&all->telling, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&all->changed, &attributes);
        pthread_condattr_destroy(&attributes);
}

int logstore_ship_all_open(const char *parent, const char *url,
                           const struct logstore_remote_options *remote,
                           const struct logstore_ship_options *ship,
                           const struct logstore_ship_all_options *options,
                           struct logstore_ship_all **ret)
{
        struct logstore_ship_all *all;
        int r = ship_check_options(ship);

        if (!parent || !url || !ret || (options && options->struct_bytes != sizeof(*options)))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        if (r < 0)
                return r;
        all = calloc(1, sizeof(*all));
        if (!all)
                return remote_detail(-ENOMEM, "no memory for shippers");
        init_locks(all);
        all->ship_options = ship ? *ship : (struct logstore_ship_options)LOGSTORE_SHIP_OPTIONS_INIT;
        all->ship_options.progress = NULL; /* it is one store's */
        if (all->ship_options.interval_ms == 0)
                all->ship_options.interval_ms = 1000;
        if (options)
                all->options = *options;
        if (all->options.threads == 0)
                all->options.threads = THREADS;
        if (all->options.threads > THREADS_MAX)
                all->options.threads = THREADS_MAX;
        all->connections = remote && remote->connections ? remote->connections : CONNECTIONS;
        all->scan_ns = SCAN_NS;
        all->parent = strdup(parent);
        r = all->parent ? remote_open(url, remote, &all->bucket)
                        : remote_detail(-ENOMEM, "no memory for a name");
        if (r == 0)
                r = ship_gate_new(ship_wholes_most(&all->ship_options, all->connections),
                                  all->options.threads, &all->gate);
        if (r < 0) {
                logstore_ship_all_close(all);
                return r;
        }
        *ret = all;
        return 0;
}

void logstore_ship_all_close(struct logstore_ship_all *all)
{
        if (!all)
                return;
        while (all->first) {
                struct ship_store *store = all->first;

                all->first = store->next;
                ship_store_free(store);
        }
        bucket_close(all->bucket);
        ship_gate_free(all->gate);
        pthread_mutex_destroy(&all->lock);
        pthread_mutex_destroy(&all->telling);
        pthread_cond_destroy(&all->changed);
        free(all->parent);
        free(all);
}
