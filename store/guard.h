/*
 * guard.h - a SIGBUS inside a store mapping becomes an error of the call
 */
#ifndef LOGSTORE_GUARD_H
#define LOGSTORE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define GUARD_SLOTS 4096 /* mappings at once */

/* Calls of the library that touch mappings stand between enter and leave; they nest. */
extern __thread int guard_depth
        __attribute__((tls_model("initial-exec"))); /* found without a call */

extern _Atomic bool guard_faults[GUARD_SLOTS]; /* looked at by every append and read */

static inline void guard_enter(void)
{
        guard_depth++;
}

static inline void guard_leave(void)
{
        guard_depth--;
}

/* Make a mapping known; returns its slot, or -1 if all are taken (then it is not guarded). */
int guard_add(void *base, size_t bytes);
void guard_remove(int slot);

/* Around fork(2). @forget: in the child, where the parent's mappings are not. */
void guard_lock(void);
void guard_unlock(bool forget);

/* Has a page of it been replaced by zeros after a fault? */
static inline bool guard_faulted(int slot)
{
        return atomic_load_explicit(&guard_faults[slot], memory_order_relaxed);
}

#endif
