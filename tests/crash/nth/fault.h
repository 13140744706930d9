/*
 * fault.h - make one call through the os seam, or one allocation, fail
 *
 * The program is linked with --wrap for every function listed here, so that the calls of the
 * library pass through it. A failing call does nothing and returns the error; a failing close or
 * unmap does its work first, as the kernel's do.
 */
#ifndef CRASH_FAULT_H
#define CRASH_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_FUNCTIONS(X)    \
        X(os_open_directory)  \
        X(os_make_directory)  \
        X(os_open)            \
        X(os_close)           \
        X(os_stat)            \
        X(os_stat_name)       \
        X(os_list)            \
        X(os_read)            \
        X(os_write)           \
        X(os_next_data)       \
        X(os_grow)            \
        X(os_rename)          \
        X(os_rename_fresh)    \
        X(os_move)            \
        X(os_link)            \
        X(os_unlink)          \
        X(os_touch)           \
        X(os_sync_file)       \
        X(os_sync_directory)  \
        X(os_start_writeback) \
        X(os_lock)            \
        X(os_is_network)      \
        X(os_is_memory)       \
        X(os_drop_cache)      \
        X(os_map)             \
        X(os_unmap)           \
        X(os_sync_map)        \
        X(os_populate)        \
        X(os_zap)             \
        X(os_no_fork)         \
        X(os_wipe_on_fork)    \
        X(os_cachestat)       \
        X(os_mincore)         \
        X(os_random)          \
        X(os_futex_wait)      \
        X(os_futex_wake)      \
        X(os_fence_register)  \
        X(os_fence_all)       \
        X(os_eventfd)         \
        X(os_signal_eventfd)  \
        X(malloc)             \
        X(calloc)             \
        X(realloc)            \
        X(strdup)

enum fault_function {
#define NAME(function) FAULT_##function,
        FAULT_FUNCTIONS(NAME)
#undef NAME
                FAULT_COUNT
};

/* From now on count calls; the @nth of @function fails with @error (negative; 0: none does), and
 * with @for_ever so do all that follow. */
void fault_arm(enum fault_function function, uint64_t nth, int error, bool for_ever);

/* No more faults. Did one happen? */
bool fault_disarm(void);

uint64_t fault_calls(enum fault_function function); /* since it was armed */
const char *fault_name(enum fault_function function);

/* Bytes mapped, and blocks allocated, that were not given back yet. */
int64_t fault_mapped_bytes(void);
int64_t fault_heap_blocks(void);

#endif
