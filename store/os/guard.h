/*
 * guard.h - a SIGBUS inside a store mapping becomes an error of the call
 */
#ifndef LOGSTORE_GUARD_H
#define LOGSTORE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define GUARD_SLOTS 4096 /* mappings at once */

/* Each call of the library that touches mappings stands between enter and leave. They nest. */
extern __thread int guard_depth
        __attribute__((tls_model("initial-exec"))); /* found without a call */

extern _Atomic bool guard_faults[GUARD_SLOTS]; /* every append and read looks at it */

static inline void guard_enter(void)
{
        guard_depth++;
}

static inline void guard_leave(void)
{
        guard_depth--;
}

/* Add a mapping to the table. Returns its slot, or -1 if all are taken; it is then not guarded. */
int guard_add(void *base, size_t bytes);
void guard_remove(int slot);

/* Around fork(2). @forget: we are in the child, where the parent's
 * mappings do not count. */
void guard_lock(void);
void guard_unlock(bool forget);

/* Did a fault replace a page of this mapping by zeros? */
static inline bool guard_faulted(int slot)
{
        return atomic_load_explicit(&guard_faults[slot], memory_order_relaxed);
}

#endif
