/*
 * turns.c - two threads that take turns
 *
 * The turn is a number under a mutex; a thread without it waits. A thread that has ended never gets
 * it back. A wait becomes repeated looks: a mutex is tried until it is free, a condition or a futex
 * is woken without a reason, which both allow. So two threads that only ever wait for each other
 * hang, and the watchdog has to report it.
 */
#include "turns.h"

#include <pthread.h>

#include "disk.h"

enum who { NOBODY, FIRST, SECOND };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static enum who turn; /* NOBODY: there is no second thread */
static _Thread_local enum who self;
static struct rng rng;
static uint32_t left; /* points until the turn is given away */
static void (*run)(void *context);
static void *context;

/* The real ones, behind --wrap. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

/* Short turns for what is done in a few calls, long ones for a whole open within one call. */
static void pass_to(enum who next)
{
        left = rng_below(&rng, 2u << rng_below(&rng, 7));
        __real_pthread_mutex_lock(&lock);
        turn = next;
        pthread_cond_broadcast(&passed);
        while (turn != self && turn != NOBODY)
                __real_pthread_cond_wait(&passed, &lock);
        pthread_mutex_unlock(&lock);
}

static void *second(void *unused)
{
        (void)unused;
        self = SECOND;
        __real_pthread_mutex_lock(&lock);
        while (turn != SECOND)
                __real_pthread_cond_wait(&passed, &lock);
        pthread_mutex_unlock(&lock);
        run(context);
        __real_pthread_mutex_lock(&lock);
        turn = NOBODY;
        pthread_cond_broadcast(&passed);
        pthread_mutex_unlock(&lock);
        return NULL;
}

void turns_begin(uint64_t seed, void (*what)(void *context), void *of)
{
        rng.state = seed;
        left = rng_below(&rng, 8);
        run = what;
        context = of;
        self = turn = FIRST;
        if (pthread_create(&thread, NULL, second, NULL) != 0)
                disk_refuse("no second thread");
}

bool turns_is_alone(void)
{
        return self == NOBODY || turn == NOBODY;
}

bool turns_yield(void)
{
        if (turns_is_alone())
                return false;
        pass_to(self == FIRST ? SECOND : FIRST);
        return true;
}

void turns_point(void)
{
        if (!turns_is_alone() && left-- == 0)
                turns_yield();
}

void turns_end(void)
{
        while (turns_yield())
                ;
        pthread_join(thread, NULL);
        self = NOBODY;
}
