/*
 * fault.c - the wrappers that count calls and let one of them fail
 */
#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "os/os.h"

static const char *const names[] = {
#define NAME(function) #function,
        FAULT_FUNCTIONS(NAME)
#undef NAME
};

static struct {
        enum fault_function function;
        uint64_t nth;
        int error;
        bool for_ever;
        _Atomic bool happened;
} armed;
static _Atomic uint64_t calls[FAULT_COUNT];
static _Atomic int64_t mapped_bytes, heap_blocks;

void fault_arm(enum fault_function function, uint64_t nth, int error, bool for_ever)
{
        for (unsigned i = 0; i < FAULT_COUNT; i++)
                calls[i] = 0;
        armed.function = function;
        armed.nth = nth;
        armed.for_ever = for_ever;
        armed.happened = false;
        armed.error = error;
}

bool fault_disarm(void)
{
        armed.error = 0;
        return armed.happened;
}

uint64_t fault_calls(enum fault_function function)
{
        return calls[function];
}

const char *fault_name(enum fault_function function)
{
        return names[function];
}

int64_t fault_mapped_bytes(void)
{
        return mapped_bytes;
}

int64_t fault_heap_blocks(void)
{
        return heap_blocks;
}

/* Count a call; the error it is to fail with, or 0. */
static int hit(enum fault_function function)
{
        uint64_t call = atomic_fetch_add(&calls[function], 1) + 1;

        if (armed.error == 0 || armed.function != function)
                return 0;
        if (call != armed.nth && !(armed.for_ever && call > armed.nth))
                return 0;
        armed.happened = true;
        return armed.error;
}

#define WRAP(name, parameters, arguments)                   \
        int __real_##name parameters;                       \
        int __wrap_##name parameters;                       \
        int __wrap_##name parameters                        \
        {                                                   \
                int r = hit(FAULT_##name);                  \
                                                            \
                return r < 0 ? r : __real_##name arguments; \
        }

/* The same for what is gone even when it fails. */
#define WRAP_LATE(name, parameters, arguments)                             \
        int __real_##name parameters;                                      \
        int __wrap_##name parameters;                                      \
        int __wrap_##name parameters                                       \
        {                                                                  \
                int r = hit(FAULT_##name), real = __real_##name arguments; \
                                                                           \
                return r < 0 ? r : real;                                   \
        }

typedef int (*each_name)(void *context, const char *name);

WRAP(os_open_directory, (const char *path), (path))
WRAP(os_make_directory, (int directory, const char *name, uint32_t mode), (directory, name, mode))
WRAP(os_open, (int directory, const char *name, int flags, uint32_t mode),
     (directory, name, flags, mode))
WRAP_LATE(os_close, (int fd), (fd))
WRAP(os_stat, (int fd, struct os_stat *ret), (fd, ret))
WRAP(os_stat_name, (int directory, const char *name, struct os_stat *ret), (directory, name, ret))
WRAP(os_list, (int directory, each_name each, void *context), (directory, each, context))
WRAP(os_read, (int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret_bytes),
     (fd, buffer, bytes, offset, ret_bytes))
WRAP(os_write, (int fd, const void *buffer, size_t bytes, uint64_t offset),
     (fd, buffer, bytes, offset))
WRAP(os_next_data, (int fd, uint64_t from, uint64_t *ret_from, uint64_t *ret_to),
     (fd, from, ret_from, ret_to))
WRAP(os_grow, (int fd, uint64_t bytes), (fd, bytes))
WRAP(os_rename, (int directory, const char *from, const char *to), (directory, from, to))
WRAP(os_rename_fresh, (int directory, const char *from, const char *to), (directory, from, to))
WRAP(os_move, (int directory, const char *from, int other, const char *to),
     (directory, from, other, to))
WRAP(os_link, (int directory, const char *from, int other, const char *to),
     (directory, from, other, to))
WRAP(os_unlink, (int directory, const char *name), (directory, name))
WRAP(os_touch, (int fd), (fd))
WRAP(os_sync_file, (int fd), (fd))
WRAP(os_sync_directory, (int fd), (fd))
WRAP(os_start_writeback, (int fd, uint64_t offset, uint64_t bytes), (fd, offset, bytes))
WRAP(os_lock, (int fd), (fd))
WRAP(os_is_network, (int fd), (fd))
WRAP(os_is_memory, (int fd), (fd))
WRAP(os_drop_cache, (int fd, uint64_t offset, uint64_t bytes), (fd, offset, bytes))
WRAP(os_sync_map, (void *base, size_t bytes), (base, bytes))
WRAP(os_populate, (void *base, size_t bytes), (base, bytes))
WRAP(os_zap, (void *base, size_t bytes), (base, bytes))
WRAP(os_no_fork, (void *base, size_t bytes), (base, bytes))
WRAP(os_wipe_on_fork, (void *base, size_t bytes), (base, bytes))
WRAP(os_cachestat, (int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret),
     (fd, offset, bytes, ret))
WRAP(os_mincore, (void *base, size_t bytes, unsigned char *ret_pages), (base, bytes, ret_pages))
WRAP(os_random, (void *buffer, size_t bytes), (buffer, bytes))
WRAP(os_futex_wait, (const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns, bool shared),
     (word, value, timeout_ns, shared))
WRAP(os_futex_wake, (_Atomic uint32_t *word, int count, bool shared), (word, count, shared))
WRAP(os_fence_register, (void), ())
WRAP(os_fence_all, (void), ())
WRAP(os_eventfd, (void), ())
WRAP(os_signal_eventfd, (int fd), (fd))

int __real_os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret);
int __wrap_os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret);
int __wrap_os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret)
{
        int r = hit(FAULT_os_map);

        if (r == 0)
                r = __real_os_map(fd, kind, bytes, ret);
        if (r == 0)
                mapped_bytes += (int64_t)bytes;
        return r;
}

int __real_os_unmap(void *base, size_t bytes);
int __wrap_os_unmap(void *base, size_t bytes);
int __wrap_os_unmap(void *base, size_t bytes)
{
        int r = hit(FAULT_os_unmap), real = __real_os_unmap(base, bytes);

        if (real == 0)
                mapped_bytes -= (int64_t)bytes;
        return r < 0 ? r : real;
}

/* ---- the heap: whatever the error, it is out of memory ---------------------------------- */

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void __real_free(void *old);
void __wrap_free(void *old);

static void *counted(void *block)
{
        if (block)
                heap_blocks++;
        return block;
}

void *__wrap_malloc(size_t bytes)
{
        if (hit(FAULT_malloc) == 0)
                return counted(__real_malloc(bytes));
        errno = ENOMEM;
        return NULL;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
        if (hit(FAULT_calloc) == 0)
                return counted(__real_calloc(count, bytes));
        errno = ENOMEM;
        return NULL;
}

void *__wrap_realloc(void *old, size_t bytes)
{
        void *block;

        if (hit(FAULT_realloc) < 0) {
                errno = ENOMEM;
                return NULL;
        }
        block = __real_realloc(old, bytes);
        return old ? block : counted(block);
}

char *__wrap_strdup(const char *text)
{
        if (hit(FAULT_strdup) == 0)
                return counted(__real_strdup(text));
        errno = ENOMEM;
        return NULL;
}

void __wrap_free(void *old)
{
        if (old)
                heap_blocks--;
        __real_free(old);
}
