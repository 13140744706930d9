/*
 * threads.c - locks, conditions and threads of the store as the scheduler's; ld --wrap puts them in
 *
 * The state of a lock is in its own memory; zero is free, so static initialisers hold.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"
#include "heap.h"
#include "scheduler.h"
#include "symbols.h"
#include "weak.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PC __builtin_return_address(0)

struct lock {
        int owner; /* thread + 1; 0: free */
};
static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t), "the state fits");

static struct lock *lock_in(pthread_mutex_t *mutex, const void *pc)
{
        if (scheduler_plan)
                heap_check(mutex, sizeof(*mutex), pc);
        return (struct lock *)(void *)mutex;
}

static void take(struct lock *lock)
{
        weak_drain_all_of(scheduler_current);
        if (lock->owner == scheduler_current + 1)
                verdict("deadlock: a lock is taken twice by one thread");
        while (lock->owner)
                scheduler_block(lock, -1);
        lock->owner = scheduler_current + 1;
        clock_acquire(lock);
}

static void give(struct lock *lock)
{
        weak_drain_all_of(scheduler_current);
        if (lock->owner != scheduler_current + 1)
                verdict("a lock is given up by a thread that does not hold it");
        clock_release(lock);
        lock->owner = 0;
        scheduler_wake(lock, THREADS);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes)
{
        (void)attributes;
        memset(mutex, 0, sizeof(*mutex));
        return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
        if (lock_in(mutex, PC)->owner)
                verdict("a lock that is held is destroyed");
        return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
        scheduler_point(POINT_LOCK, PC);
        take(lock_in(mutex, PC));
        return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
        scheduler_point(POINT_LOCK, PC);
        if (lock_in(mutex, PC)->owner)
                return EBUSY;
        take(lock_in(mutex, PC));
        return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
        give(lock_in(mutex, PC));
        scheduler_point(POINT_UNLOCK, PC);
        return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const void *attributes)
{
        (void)attributes;
        memset(cond, 0, sizeof(*cond));
        return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
        (void)cond;
        return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
        scheduler_point(POINT_WAIT, PC);
        give(lock_in(mutex, PC));
        scheduler_block(cond, -1);
        take(lock_in(mutex, PC));
        return 0;
}

/* By the monotonic clock, which here is the only one. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
        int r;

        scheduler_point(POINT_WAIT, PC);
        give(lock_in(mutex, PC));
        r = scheduler_block(cond, until->tv_sec * INT64_C(1000000000) + until->tv_nsec);
        take(lock_in(mutex, PC));
        return -r;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
        scheduler_point(POINT_WAIT, PC);
        scheduler_wake(cond, 1);
        return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
        scheduler_point(POINT_WAIT, PC);
        scheduler_wake(cond, THREADS);
        return 0;
}

int __wrap_pthread_create(pthread_t *ret, const void *attributes, void *(*run)(void *),
                          void *context)
{
        (void)attributes;
        weak_drain_all_of(scheduler_current);
        *ret = (pthread_t)scheduler_spawn(run, context,
                                          symbols_function((const void *)(uintptr_t)run));
        scheduler_point(POINT_THREAD, PC);
        return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
        void *result;

        scheduler_point(POINT_THREAD, PC);
        result = scheduler_join((int)thread);
        if (ret)
                *ret = result;
        return 0;
}

pthread_t __wrap_pthread_self(void)
{
        return (pthread_t)scheduler_current;
}

/* The store has one key. */
int __wrap_pthread_key_create(pthread_key_t *ret, void (*destroy)(void *))
{
        *ret = 0;
        scheduler_at_exit(destroy);
        return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
        (void)key;
        scheduler_specific((void *)(uintptr_t)value);
        return 0;
}

/* A schedule runs in a fork's child; there the store must be the same one. */
int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
        (void)before, (void)parent, (void)child;
        return 0;
}
