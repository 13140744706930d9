/*
 * tsan.c - the calls of code compiled with -fsanitize=thread, for the scheduler, not the sanitizer
 *
 * Every atomic is a point; plain accesses are only looked at.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "heap.h"
#include "location.h"
#include "observe.h"
#include "race.h"
#include "scheduler.h"
#include "weak.h"

/* The names are the compiler's; nobody declares them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PC __builtin_return_address(0)

/* Memory orders as compilers pass them. */
enum { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };

static bool acquires(int order)
{
        return order != RELAXED && order != RELEASE;
}

static bool releases(int order)
{
        return order >= RELEASE;
}

static bool is_weak(void)
{
        return scheduler_plan && scheduler_plan->weak;
}

void observe(const volatile void *at, size_t bytes, bool write, const void *pc)
{
        if (!scheduler_plan || bytes == 0)
                return;
        heap_check(at, bytes, pc);
        if (scheduler_plan->weak)
                weak_touch((const void *)at, bytes);
        if (scheduler_plan->races && !scheduler_owns((const void *)at))
                race_access(at, bytes, write, false, pc);
}

static void atomic(enum point kind, const volatile void *at, unsigned bytes, bool write,
                   const void *pc)
{
        scheduler_point(kind, pc);
        if (!scheduler_plan)
                return;
        heap_check(at, bytes, pc);
        if (scheduler_plan->races)
                race_access(at, bytes, write, true, pc);
}

static uint64_t load(const volatile void *at, unsigned bytes, int order, const void *pc)
{
        int how =
                (acquires(order) ? LOCATION_ACQUIRE : 0) | (order == SEQ_CST ? LOCATION_NEWEST : 0);
        uint64_t value;

        atomic(POINT_LOAD, at, bytes, false, pc);
        if (weak_load(at, bytes, &value))
                return value;
        return scheduler_plan && clock_on ? location_load(at, bytes, how)
                                          : location_memory(at, bytes);
}

static void store(volatile void *at, unsigned bytes, uint64_t value, int order, const void *pc)
{
        atomic(POINT_STORE, at, bytes, true, pc);
        if (is_weak() && order != SEQ_CST) {
                weak_store(at, bytes, value, releases(order));
                return;
        }
        weak_drain_all_of(scheduler_current);
        if (!scheduler_plan || !clock_on) {
                location_put(at, bytes, value);
                return;
        }
        location_store(at, bytes, value, scheduler_current, clock_mine(),
                       releases(order) ? clock_now() : NULL);
        if (order == SEQ_CST)
                location_consistent(at, bytes);
        if (releases(order))
                clock_tick();
}

/* The newest value, for an update that stores at once. */
static uint64_t take(volatile void *at, unsigned bytes, int order, const void *pc)
{
        atomic(POINT_UPDATE, at, bytes, true, pc);
        weak_drain_all_of(scheduler_current);
        return scheduler_plan && clock_on
                       ? location_load(at, bytes,
                                       LOCATION_NEWEST | (acquires(order) ? LOCATION_ACQUIRE : 0))
                       : location_memory(at, bytes);
}

static void give(volatile void *at, unsigned bytes, uint64_t value, int order)
{
        if (scheduler_plan && clock_on) {
                location_update(at, bytes, value, releases(order));
                if (order == SEQ_CST)
                        location_consistent(at, bytes);
        } else {
                location_put(at, bytes, value);
        }
}

static bool exchange(volatile void *at, void *expected, unsigned bytes, uint64_t value, int order,
                     const void *pc)
{
        uint64_t old = take(at, bytes, order, pc);

        if (old == location_memory(expected, bytes)) {
                give(at, bytes, value, order);
                return true;
        }
        location_put(expected, bytes, old);
        return false;
}

#define UPDATE(bits, type, name, result)                                            \
        type __tsan_atomic##bits##_##name(volatile type *at, type value, int order) \
        {                                                                           \
                type old = (type)take(at, sizeof(type), order, PC);                 \
                give(at, sizeof(type), (type)(result), order);                      \
                return old;                                                         \
        }
#define ATOMIC(bits, type)                                                                    \
        type __tsan_atomic##bits##_load(const volatile type *at, int order)                   \
        {                                                                                     \
                return (type)load(at, sizeof(type), order, PC);                               \
        }                                                                                     \
        void __tsan_atomic##bits##_store(volatile type *at, type value, int order)            \
        {                                                                                     \
                store(at, sizeof(type), value, order, PC);                                    \
        }                                                                                     \
        UPDATE(bits, type, exchange, value)                                                   \
        UPDATE(bits, type, fetch_add, old + value)                                            \
        UPDATE(bits, type, fetch_sub, old - value)                                            \
        UPDATE(bits, type, fetch_and, old &value)                                             \
        UPDATE(bits, type, fetch_or, old | value)                                             \
        UPDATE(bits, type, fetch_xor, old ^ value)                                            \
        int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,  \
                                                          type value, int order, int failure) \
        {                                                                                     \
                (void)failure;                                                                \
                return exchange(at, expected, sizeof(type), value, order, PC);                \
        }                                                                                     \
        int __tsan_atomic##bits##_compare_exchange_weak(volatile type *at, type *expected,    \
                                                        type value, int order, int failure)   \
        {                                                                                     \
                (void)failure;                                                                \
                return exchange(at, expected, sizeof(type), value, order, PC);                \
        }                                                                                     \
        type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type expected,     \
                                                        type value, int order, int failure)   \
        {                                                                                     \
                (void)failure;                                                                \
                exchange(at, &expected, sizeof(type), value, order, PC);                      \
                return expected;                                                              \
        }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
        scheduler_point(POINT_FENCE, PC);
        if (order == SEQ_CST || releases(order))
                weak_drain_all_of(scheduler_current);
        if (scheduler_plan)
                clock_meet();
        if (order == SEQ_CST)
                location_fence(scheduler_current);
}

void __tsan_atomic_signal_fence(int order)
{
        (void)order;
}

#define PLAIN(n)                                          \
        void __tsan_read##n(void *at)                     \
        {                                                 \
                observe(at, n, false, PC);                \
        }                                                 \
        void __tsan_write##n(void *at)                    \
        {                                                 \
                observe(at, n, true, PC);                 \
        }                                                 \
        void __tsan_unaligned_read##n(void *at)           \
        {                                                 \
                observe(at, n, false, PC);                \
        }                                                 \
        void __tsan_unaligned_write##n(void *at)          \
        {                                                 \
                observe(at, n, true, PC);                 \
        }                                                 \
        void __tsan_read##n##_pc(void *at, void *pc)      \
        {                                                 \
                observe(at, n, false, pc);                \
        }                                                 \
        void __tsan_write##n##_pc(void *at, void *pc)     \
        {                                                 \
                observe(at, n, true, pc);                 \
        }                                                 \
        void __tsan_volatile_read##n(void *at)            \
        {                                                 \
                observe(at, n, false, PC);                \
        }                                                 \
        void __tsan_volatile_write##n(void *at)           \
        {                                                 \
                observe(at, n, true, PC);                 \
        }                                                 \
        void __tsan_unaligned_volatile_read##n(void *at)  \
        {                                                 \
                observe(at, n, false, PC);                \
        }                                                 \
        void __tsan_unaligned_volatile_write##n(void *at) \
        {                                                 \
                observe(at, n, true, PC);                 \
        }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, size_t bytes)
{
        observe(at, bytes, false, PC);
}

void __tsan_write_range(void *at, size_t bytes)
{
        observe(at, bytes, true, PC);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
        (void)pc;
}

void __tsan_func_exit(void)
{
}

/* ---- the store is compiled to call these instead of the C library's ---- */

void *observed_memcpy(void *to, const void *from, size_t bytes)
{
        observe(from, bytes, false, PC);
        observe(to, bytes, true, PC);
        return memcpy(to, from, bytes);
}

void *observed_memmove(void *to, const void *from, size_t bytes)
{
        observe(from, bytes, false, PC);
        observe(to, bytes, true, PC);
        return memmove(to, from, bytes);
}

void *observed_memset(void *at, int byte, size_t bytes)
{
        observe(at, bytes, true, PC);
        return memset(at, byte, bytes);
}

int observed_memcmp(const void *a, const void *b, size_t bytes)
{
        observe(a, bytes, false, PC);
        observe(b, bytes, false, PC);
        return memcmp(a, b, bytes);
}

/* The store's hash of long inputs. Their bytes are one access, and not eight bytes by eight. */
XXH64_hash_t XXH3_64bits_withSecret_dispatch(const void *data, size_t bytes, const void *secret,
                                             size_t secret_bytes);

XXH64_hash_t XXH3_64bits_withSecret_dispatch(const void *data, size_t bytes, const void *secret,
                                             size_t secret_bytes)
{
        observe(data, bytes, false, PC);
        return XXH3_64bits_withSecret(data, bytes, secret, secret_bytes);
}

void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
        observe(from, bytes, false, PC);
        observe(to, bytes, true, PC);
        return memcpy(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
        return observed_memmove(to, from, bytes);
}

void *__tsan_memset(void *at, int byte, size_t bytes)
{
        return observed_memset(at, byte, bytes);
}
