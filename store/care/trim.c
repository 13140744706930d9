/*
 * trim.c - letting go of the oldest end of the log: retention and trim
 */
#include <errno.h>
#include <stdio.h>

#include "read/reader.h"

int logstore_set_retention(struct logstore *store, uint64_t keep_bytes, uint64_t keep_records,
                           int64_t keep_ns)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (keep_ns < 0) {
                r = detail(-EINVAL, "keep_ns is negative");
        } else {
                pthread_mutex_lock(&store->retention.lock);
                store->retention.keep_bytes = keep_bytes;
                store->retention.keep_records = keep_records;
                store->retention.keep_ns = keep_ns;
                pthread_mutex_unlock(&store->retention.lock);
                writer_poke(&store->writer);
        }
        store_leave();
        return r;
}

int logstore_set_floor(struct logstore *store, uint64_t number)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        pthread_mutex_lock(&store->retention.lock);
        store->retention.floor = number;
        pthread_mutex_unlock(&store->retention.lock);
        store_leave();
        return 0;
}

int logstore_trim_before(struct logstore *store, uint64_t number, uint64_t *ret_first)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        r = retention_trim(&store->retention, number, ret_first);
        store_leave();
        return r;
}

/* What a writer would let go of, had it opened the store now and found all of it durable. */
static int plan_of_reader(struct logstore *store, uint64_t *ret_first)
{
        struct control control = { .first_number = view_first(&store->live) };
        struct sync sync = { .eventfd = -1 };
        struct retention retention;
        uint64_t first, tail;
        int r = view_tail(&store->live, &tail);

        if (r < 0)
                return r;
        atomic_store(&sync.durable, tail);
        retention_init(&retention, &sync, &store->chain, &control);
        retention.keep_bytes = store->options.keep_bytes;
        retention.keep_records = store->options.keep_records;
        retention.keep_ns = store->options.keep_ns;
        r = retention_plan(&retention, &first);
        if (r == 0 && ret_first)
                *ret_first = first;
        pthread_mutex_destroy(&retention.lock);
        return r;
}

static int apply_of_reader(struct logstore *store, int dry_run, uint64_t *ret_first)
{
        int r = store_enter(store);

        if (r < 0)
                return r;
        r = dry_run ? plan_of_reader(store, ret_first)
                    : detail(-EROFS, "the store was opened read-only");
        store_leave();
        return r;
}

static int plan_of_writer(struct logstore *store, uint64_t *ret_first)
{
        uint64_t first;
        int r = retention_plan(&store->retention, &first);

        if (r == 0 && ret_first)
                *ret_first = first;
        return r;
}

int logstore_apply_retention(struct logstore *store, int dry_run, uint64_t *ret_first)
{
        int r;

        if (store && !store->writes)
                return apply_of_reader(store, dry_run, ret_first);
        r = store_enter_writer(store);
        if (r < 0)
                return r;
        r = dry_run ? plan_of_writer(store, ret_first)
                    : retention_apply(&store->retention, ret_first);
        store_leave();
        return r;
}
