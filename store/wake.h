/*
 * wake.h - wakes sleeping readers in this and other processes
 */
#ifndef LOGSTORE_WAKE_H
#define LOGSTORE_WAKE_H

#include <stdbool.h>

#include "format.h"
#include "memory.h"

struct wake {
        struct map map;
        struct wake_page *page; /* NULL: there is none; then readers poll */
        bool writable;          /* else a reader cannot announce itself and looks by itself */
        bool ticked; /* wake_tick() follows: it is enough to wake one, who wakes the next */
};

/* Open the wake file; the writer creates it. Failing to is no error: readers poll then. -EPERM:
 * something that is no regular file stands in its place. */
int wake_open(struct memory *memory, int directory, bool writer, uint32_t mode, struct wake *ret);
void wake_close(struct wake *wake);
void wake_slow(struct wake *wake);

/* Writer, now and then while the tail moves: wake all, for a killed reader passes no turn on. */
void wake_tick(struct wake *wake);

/*
 * Writer: after a sequentially consistent store of what readers wait for. That order is what keeps
 * a reader that has just set `waiters` from sleeping through it: without a full fence 1.5 % of the
 * wake-ups were lost.
 */
static inline void wake_readers(struct wake *wake)
{
        /* Pairs with the exchange in wake_prepare(). */
        if (wake->page && atomic_load_explicit(&wake->page->waiters, memory_order_seq_cst))
                wake_slow(wake);
}

/* Reader: announce, look again at what is waited for, then sleep with the returned ticket. */
uint32_t wake_prepare(struct wake *wake);
int wake_sleep(struct wake *wake, uint32_t ticket, int64_t timeout_ns); /* -ETIMEDOUT, -EINTR */

#endif
