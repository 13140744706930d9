/*
 * wake.c - wakes sleeping readers in this and other processes
 *
 * Readers may write the wake page. `waiters` says how many are going to sleep; `sequence` is the
 * futex word. The writer takes `waiters` back to 0 and wakes one reader, which wakes the next if
 * there were several. So an append pays for one wake-up, whatever the number of readers. A reader
 * that still waits counts itself again. If a killed reader breaks the chain of wake-ups, the tick
 * mends it: it wakes all. Nothing depends on the page: garbage in it costs needless wake-ups, or a
 * sleep until the timeout.
 */
#include "chain/wake.h"

#include <errno.h>
#include <limits.h>

#include "os/file.h"

#define WAKE_BYTES 4096
#define WATCH_TRIES 10 /* then give up: anybody may write the page */

enum { UNWATCHED, WATCHING, WATCHED };

static const _Atomic uint32_t never = UNWATCHED; /* if there is no page */

static int open_or_create(int directory, bool writer, uint32_t mode, bool *ret_writable,
                          struct os_stat *ret)
{
        int fd = file_open(directory, WAKE_NAME, OS_WRITE, ret);

        if (fd == -ENOENT && writer) {
                fd = os_open(directory, WAKE_NAME, OS_WRITE | OS_CREATE, mode);
                ret->bytes = 0;
        }
        *ret_writable = fd >= 0;
        if (fd == -EPERM && writer)
                return fd;
        return fd >= 0 ? fd : file_open(directory, WAKE_NAME, OS_READ, ret);
}

static int map_page(struct wake *wake, struct memory *memory, int fd, uint64_t bytes, bool writer)
{
        int r = 0;

        if (bytes < WAKE_BYTES)
                r = writer ? os_grow(fd, WAKE_BYTES) : -ENODATA;
        if (r == 0)
                r = map_file(memory, fd, wake->writable ? OS_SHARED_WRITE : OS_SHARED_READ,
                             WAKE_BYTES, &wake->map);
        /* Populate it now, so that a full disk later cannot turn a wake-up into a SIGBUS. A
         * reader's open must not change the file's times; its first store is into a page that the
         * writer made. */
        if (r == 0 && writer && (r = os_populate(wake->map.base, WAKE_BYTES)) < 0)
                map_close(&wake->map);
        return r;
}

int wake_check(int directory, struct wake *ret)
{
        struct os_stat st;
        int fd = file_open(directory, WAKE_NAME, OS_WRITE, &st);

        *ret = (struct wake){ .watched = &never };
        if (fd >= 0)
                os_close(fd); /* nothing was written */
        return fd == -EPERM ? fd : 0;
}

int wake_open(struct memory *memory, int directory, bool writer, uint32_t mode, struct wake *ret)
{
        struct wake wake = { .watched = &never };
        struct os_stat st;
        int fd = open_or_create(directory, writer, mode, &wake.writable, &st);
        int r = fd < 0 ? fd : map_page(&wake, memory, fd, st.bytes, writer);
        /* Also without a page: *behind* has appends fenced before it sleeps for good. */
        bool fenced = writer && os_fence_register() == 0;

        if (r == 0) {
                wake.page = wake.map.base;
                wake.watched = &wake.page->watched;
                if (writer) /* if the kernel cannot fence for a reader, each append does */
                        atomic_store(&wake.page->watched, fenced ? UNWATCHED : WATCHED);
        }
        if (fd >= 0)
                os_close(fd); /* the mapping stays */
        *ret = wake;
        return r == -EPERM && fd < 0 ? r : 0; /* the detail is set */
}

void wake_close(struct wake *wake)
{
        map_close(&wake->map);
        wake->page = NULL;
        wake->watched = &never;
}

static void wake(struct wake *self, int count)
{
        if (atomic_exchange(&self->page->waiters, 0) > 1)
                atomic_store(&self->page->several, 1);
        /* Pairs with the load in wake_prepare(): an old ticket lets nobody sleep. */
        atomic_fetch_add(&self->page->sequence, 1);
        os_futex_wake(&self->page->sequence, count, true);
}

void wake_slow(struct wake *self)
{
        wake(self, self->ticked ? 1 : INT_MAX);
}

void wake_tick(struct wake *self)
{
        if (!self->page || !self->writable)
                return;
        atomic_store(&self->page->several, 0);
        wake(self, INT_MAX);
}

/* From here on each append fences, and what was stored before is seen. Returns false if that is
 * impossible. A writer that opens meanwhile begins anew. */
static bool watch(struct wake_page *page)
{
        uint32_t seen = atomic_load(&page->watched);

        for (int tries = 0; seen != WATCHED && tries < WATCH_TRIES; tries++) {
                if (!atomic_compare_exchange_strong(&page->watched, &seen, (uint32_t)WATCHING))
                        continue;
                if (os_fence_all() < 0)
                        return false;
                seen = WATCHING;
                if (atomic_compare_exchange_strong(&page->watched, &seen, (uint32_t)WATCHED))
                        return true;
        }
        return seen == WATCHED;
}

bool wake_prepare(struct wake *wake, uint32_t *ret_ticket)
{
        *ret_ticket = atomic_load(&wake->page->sequence);
        if (!wake->writable)
                return false;
        /* Pairs with wake_publish(): either it sees us, or we see what it published. We look with
         * acquire, which may go ahead of what the addition stores (LDAPR behind LDADDAL): hence the
         * fence. */
        atomic_fetch_add(&wake->page->waiters, 1);
        atomic_thread_fence(memory_order_seq_cst);
        return watch(wake->page);
}

int wake_sleep(struct wake *wake, uint32_t ticket, int64_t timeout_ns)
{
        int r = os_futex_wait(&wake->page->sequence, ticket, timeout_ns, true);

        /* Wake the next reader. One that slept again has the new ticket and ends the chain. */
        if (r == 0 && atomic_load(&wake->page->several) &&
            atomic_load(&wake->page->sequence) != ticket)
                os_futex_wake(&wake->page->sequence, 1, true);
        return r == -EAGAIN ? 0 : r;
}
