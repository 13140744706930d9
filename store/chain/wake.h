/*
 * wake.h - wakes sleeping readers in this and other processes
 */
#ifndef LOGSTORE_WAKE_H
#define LOGSTORE_WAKE_H

#include <stdbool.h>

#include "format.h"
#include "os/memory.h"

struct wake {
        struct map map;
        struct wake_page *page;          /* NULL: there is none, and readers poll */
        const _Atomic uint32_t *watched; /* the page's, or a 0 */
        bool writable; /* else a reader cannot announce itself and looks by itself */
        bool ticked;   /* wake_tick() follows: wake one reader, which wakes the next */
};

/* May a writer open the wake file later? -EPERM as below. *ret has no page until then. */
int wake_check(int directory, struct wake *ret);

/* Open the wake file; the writer creates it. A failure is no error: readers poll then. -EPERM:
 * something that is no regular file stands in its place. */
int wake_open(struct memory *memory, int directory, bool writer, uint32_t mode, struct wake *ret);
void wake_close(struct wake *wake);
void wake_slow(struct wake *wake);

/* Writer, now and then while the tail moves: wake all, because a killed reader wakes no other. */
void wake_tick(struct wake *wake);

/*
 * Writer: store what readers wait for, and wake them.
 *
 * A reader announces itself and then looks at @word; the writer stores it and then looks for
 * readers. Either side needs a full fence between the two, or wake-ups are lost. The writer's would
 * cost a fifth of an append, so it has none as long as nobody has ever waited. The first reader to
 * wait has the kernel execute one on every processor that runs the writer (membarrier(2)), and has
 * each append fence from then on.
 */
static inline void wake_publish(struct wake *wake, _Atomic uint32_t *word, uint32_t value)
{
        if (atomic_load_explicit(wake->watched, memory_order_relaxed) == 0) {
                /* Pairs with a load of @word with acquire. */
                atomic_store_explicit(word, value, memory_order_release);
                atomic_signal_fence(memory_order_seq_cst); /* pairs with os_fence_all() */
        } else {
                atomic_exchange_explicit(word, value, memory_order_seq_cst);
        }
        /* Pairs with the addition in wake_prepare(). */
        if (wake->page && atomic_load_explicit(&wake->page->waiters, memory_order_seq_cst))
                wake_slow(wake);
}

/* Reader: announce, look again at what is waited for, then sleep with the returned ticket. Returns
 * whether the writer will wake it; if not, it has to look by itself now and then. */
bool wake_prepare(struct wake *wake, uint32_t *ret_ticket);
int wake_sleep(struct wake *wake, uint32_t ticket, int64_t timeout_ns); /* -ETIMEDOUT, -EINTR */

#endif
