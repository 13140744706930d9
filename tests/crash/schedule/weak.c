/*
 * weak.c - store buffers
 */
#include "weak.h"

#include "location.h"

#define WAITING 16u

static struct buffer {
        unsigned count;
        struct waiting {
                volatile char *at;
                unsigned bytes;
                bool release;
                uint64_t value;
                uint32_t when;
                struct clock clock;
        } list[WAITING];
} buffers[THREADS];

static bool overlap(const struct waiting *w, const volatile char *at, size_t bytes)
{
        return w->at < at + bytes && at < w->at + w->bytes;
}

static void leave(int thread, unsigned which)
{
        struct buffer *b = &buffers[thread];
        struct waiting w = b->list[which];

        b->count--;
        for (unsigned i = which; i < b->count; i++)
                b->list[i] = b->list[i + 1];
        location_store(w.at, w.bytes, w.value, thread, w.when, w.release ? &w.clock : NULL);
}

unsigned weak_waiting(int thread)
{
        return buffers[thread].count;
}

void weak_drain(int thread, unsigned which)
{
        struct buffer *b = &buffers[thread];

        if (b->list[which].release)
                which = 0;
        for (unsigned i = 0; i < which; i++)
                if (overlap(&b->list[i], b->list[which].at, b->list[which].bytes))
                        which = 0;
        leave(thread, which);
}

void weak_drain_all_of(int thread)
{
        while (buffers[thread].count)
                leave(thread, 0);
}

void weak_drain_all(void)
{
        for (int i = 0; i < THREADS; i++)
                weak_drain_all_of(i);
}

void weak_store(volatile void *at, unsigned bytes, uint64_t value, bool release)
{
        struct buffer *b = &buffers[scheduler_current];

        if (b->count == WAITING)
                leave(scheduler_current, 0);
        b->list[b->count++] =
                (struct waiting){ at, bytes, release, value, clock_mine(), *clock_now() };
        if (release)
                clock_tick();
}

bool weak_load(const volatile void *at, unsigned bytes, uint64_t *ret)
{
        struct buffer *b = &buffers[scheduler_current];

        for (unsigned i = b->count; i-- > 0;) {
                if (!overlap(&b->list[i], at, bytes))
                        continue;
                if (b->list[i].at == at && b->list[i].bytes == bytes) {
                        *ret = b->list[i].value;
                        return true;
                }
                weak_drain_all_of(scheduler_current);
                return false;
        }
        return false;
}

void weak_touch(const void *at, size_t bytes)
{
        struct buffer *b = &buffers[scheduler_current];

        for (unsigned i = 0; i < b->count; i++)
                if (overlap(&b->list[i], at, bytes)) {
                        weak_drain_all_of(scheduler_current);
                        return;
                }
}
