/*
 * itself.c - small programs with a fault, which the scheduler must find
 *
 * This file is compiled as the store is: its accesses are observed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "world.h"

static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER, right = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t something = PTHREAD_COND_INITIALIZER;
static _Atomic uint32_t flag, other_flag, data, seen, other_seen;
static uint32_t plain;
static char *_Atomic block;

/* ---- two locks in two orders ---- */
static void lock_both(pthread_mutex_t *a, pthread_mutex_t *b)
{
        pthread_mutex_lock(a);
        pthread_mutex_lock(b);
        pthread_mutex_unlock(b);
        pthread_mutex_unlock(a);
}

static void left_right(struct logstore *store)
{
        (void)store;
        lock_both(&left, &right);
}

static void right_left(struct logstore *store)
{
        (void)store;
        lock_both(&right, &left);
}

/* ---- a wake-up between the look and the sleep ---- */
static void sleeper(struct logstore *store)
{
        (void)store;
        if (atomic_load(&flag) == 0) {
                pthread_mutex_lock(&left);
                pthread_cond_wait(&something, &left);
                pthread_mutex_unlock(&left);
        }
}

static void waker(struct logstore *store)
{
        (void)store;
        atomic_store(&flag, 1);
        pthread_cond_signal(&something);
}

/* ---- a load and a store where an addition is meant ---- */
static void add(struct logstore *store)
{
        (void)store;
        atomic_store(&data, atomic_load(&data) + 1);
        if (atomic_fetch_add(&seen, 1) == 1 && atomic_load(&data) != 2)
                verdict("lost: an addition");
}

/* ---- each raises its flag and looks at the other's ---- */
static void raise(_Atomic uint32_t *mine, _Atomic uint32_t *others, _Atomic uint32_t *ret)
{
        atomic_store_explicit(mine, 1, memory_order_release);
        atomic_store(ret, 1 + atomic_load_explicit(others, memory_order_acquire));
        if (atomic_load(&seen) == 1 && atomic_load(&other_seen) == 1)
                verdict("late: neither saw the other's store");
}

static void raise_one(struct logstore *store)
{
        (void)store;
        raise(&flag, &other_flag, &seen);
}

static void raise_other(struct logstore *store)
{
        (void)store;
        raise(&other_flag, &flag, &other_seen);
}

/* ---- a message whose flag is relaxed ---- */
static void send(struct logstore *store)
{
        (void)store;
        atomic_store_explicit(&data, 7, memory_order_relaxed);
        atomic_store_explicit(&flag, 1, memory_order_relaxed);
}

static void receive(struct logstore *store)
{
        (void)store;
        if (atomic_load_explicit(&flag, memory_order_relaxed) &&
            !atomic_load_explicit(&data, memory_order_relaxed))
                verdict("early: the flag came before the message");
}

/* ---- the store is ordered, the loads are not ---- */
static void send_released(struct logstore *store)
{
        (void)store;
        atomic_store_explicit(&data, 7, memory_order_release);
        atomic_store_explicit(&flag, 1, memory_order_release);
}

/* ---- plain accesses ---- */
static void write_plain(struct logstore *store)
{
        (void)store;
        plain++;
}

/* ---- memory that another frees ---- */
static void use(struct logstore *store)
{
        char *mine = block;

        (void)store;
        if (!mine)
                return;
        scheduler_pause();
        *mine = 1;
}

static void release(struct logstore *store)
{
        char *mine = block;

        (void)store;
        block = NULL;
        scheduler_pause();
        free(mine);
}

static void allocate(void)
{
        block = malloc(10);
}

/* ---- waiting for what never comes ---- */
static void spin(struct logstore *store)
{
        (void)store;
        while (atomic_load(&flag) == 0)
                ;
}

#define DO(function)                               \
        {                                          \
                .name = #function, .run = function \
        }
const struct scenario scenarios_itself[] = {
        { .name = "itself-deadlock",
          .alone = true,
          .expects = "deadlock",
          .actors = { DO(left_right), DO(right_left) } },
        { .name = "itself-lost-wakeup",
          .alone = true,
          .expects = "deadlock",
          .actors = { DO(sleeper), DO(waker) } },
        { .name = "itself-addition",
          .alone = true,
          .expects = "lost",
          .actors = { DO(add), DO(add) } },
        { .name = "itself-late-store",
          .alone = true,
          .expects = "late",
          .actors = { DO(raise_one), DO(raise_other) } },
        { .name = "itself-relaxed",
          .alone = true,
          .expects = "early",
          .actors = { DO(send), DO(receive) } },
        { .name = "itself-stale-load",
          .alone = true,
          .expects = "early",
          .actors = { DO(send_released), DO(receive) } },
        { .name = "itself-race",
          .alone = true,
          .expects = "race",
          .actors = { DO(write_plain), DO(write_plain) } },
        { .name = "itself-use-after-free",
          .alone = true,
          .expects = "use after free",
          .prepare = allocate,
          .actors = { DO(use), DO(release) } },
        { .name = "itself-livelock", .alone = true, .expects = "livelock", .actors = { DO(spin) } },
        { .name = NULL },
};
