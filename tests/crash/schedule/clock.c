/*
 * clock.c - vector clocks of threads and of what they synchronise by
 */
#include "clock.h"

#include <string.h>

#define PLACES 1024u

bool clock_on;
static struct clock threads[THREADS], fences;
static struct place {
        uintptr_t key;
        struct clock clock;
} places[PLACES];

void clock_begin(bool on)
{
        clock_on = on;
        for (int i = 0; i < THREADS; i++) {
                threads[i] = (struct clock){ { 0 } };
                threads[i].of[i] = 1;
        }
        /* What was before is known to all: a schedule begins with one thread's work. */
}

static void join(struct clock *to, const struct clock *from)
{
        for (int i = 0; i < THREADS; i++)
                if (to->of[i] < from->of[i])
                        to->of[i] = from->of[i];
}

const struct clock *clock_now(void)
{
        return &threads[scheduler_current];
}

uint32_t clock_mine(void)
{
        return threads[scheduler_current].of[scheduler_current];
}

void clock_learn(const struct clock *other)
{
        join(&threads[scheduler_current], other);
}

void clock_tick(void)
{
        threads[scheduler_current].of[scheduler_current]++;
}

void clock_spawn(int parent, int child)
{
        join(&threads[child], &threads[parent]);
        threads[parent].of[parent]++;
}

void clock_join(int thread, int ended)
{
        join(&threads[thread], &threads[ended]);
}

static struct clock *clock_of(const volatile void *place)
{
        for (uintptr_t i = (uintptr_t)place / 8;; i++) {
                struct place *p = &places[i % PLACES];
                if (p->key == 0)
                        p->key = (uintptr_t)place;
                if (p->key == (uintptr_t)place)
                        return &p->clock;
        }
}

void clock_acquire(const volatile void *place)
{
        if (clock_on)
                clock_learn(clock_of(place));
}

void clock_release(const volatile void *place)
{
        if (!clock_on)
                return;
        join(clock_of(place), clock_now());
        clock_tick();
}

void clock_meet(void)
{
        if (!clock_on)
                return;
        clock_learn(&fences);
        join(&fences, clock_now());
        clock_tick();
}

void clock_everybody(void)
{
        if (!clock_on)
                return;
        for (int i = 0; i < THREADS; i++)
                join(&fences, &threads[i]);
        for (int i = 0; i < THREADS; i++) {
                join(&threads[i], &fences);
                threads[i].of[i]++;
        }
}
