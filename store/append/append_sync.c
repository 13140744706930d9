/*
 * append_sync.c - the public calls that make durable what was appended: wait for it, or be told
 *
 * No sync is cancelled half way: a thread that is cancelled ends after it.
 */
#include "store.h"

static int sync_deadline(struct logstore *store, uint64_t number, int64_t deadline_ns)
{
        int cancel, r = store_enter_writer(store);

        if (r < 0)
                return r;
        if (number == 0)
                number = writer_claimed(&store->writer);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        r = sync_until(&store->sync, number, deadline_ns);
        /* Touching the files may wait for a journal. A call with a deadline leaves that to another
         * call or to close. */
        if (r == 0 && deadline_ns < 0 && !store->keeper.started)
                keeper_touch(&store->keeper);
        pthread_setcancelstate(cancel, NULL);
        store_leave();
        return r;
}

int logstore_sync(struct logstore *store, uint64_t number)
{
        return sync_deadline(store, number, -1);
}

int logstore_sync_timed(struct logstore *store, uint64_t number, int timeout_ms)
{
        return sync_deadline(store, number,
                             timeout_ms < 0 ? -1 : os_monotonic() + timeout_ms * INT64_C(1000000));
}

int logstore_sync_start(struct logstore *store, uint64_t number)
{
        int cancel, r = store_enter_writer(store);

        if (r < 0)
                return r;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        r = sync_start(&store->sync, number ? number : writer_claimed(&store->writer));
        pthread_setcancelstate(cancel, NULL);
        store_leave();
        return r;
}

int logstore_sync_fd(struct logstore *store)
{
        int r = store_enter_writer(store);

        if (r < 0)
                return r;
        r = sync_eventfd(&store->sync);
        store_leave();
        return r;
}
