/*
 * turns_wrap.c - what blocks, for threads that take turns: functions of pthread and a futex
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "os/os.h"

#include "turns.h"

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

int __real_os_futex_wait(const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns,
                         bool shared);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_os_futex_wait(const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns,
                         bool shared);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
        while (pthread_mutex_trylock(mutex) != 0)
                if (!turns_yield())
                        return __real_pthread_mutex_lock(mutex);
        return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
        if (turns_is_alone())
                return __real_pthread_cond_wait(condition, mutex);
        pthread_mutex_unlock(mutex);
        turns_yield();
        return __wrap_pthread_mutex_lock(mutex);
}

int __wrap_os_futex_wait(const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns,
                         bool shared)
{
        if (turns_is_alone())
                return __real_os_futex_wait(word, value, timeout_ns, shared);
        turns_yield(); /* then woken for no reason, or in time */
        return atomic_load(word) != value ? -EAGAIN : 0;
}
