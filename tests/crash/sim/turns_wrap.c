/*
 * turns_wrap.c - the functions of pthread that block, for threads that take turns
 */
#include <pthread.h>

#include "turns.h"

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

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
