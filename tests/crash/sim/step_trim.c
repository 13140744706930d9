/*
 * step_trim.c - steps that let go of either end of the log, also while another thread appends
 */
#include <errno.h>

#include "step.h"
#include "turns.h"

static void trim_before(struct machine *m, uint64_t number)
{
        struct promise *p = &m->promise;
        struct logstore_bounds bounds;
        uint64_t first = 0;
        int r;

        disk_lock();
        if (p->first_high < number)
                p->first_high = number;
        disk_unlock();
        r = logstore_trim_before(m->store, number, &first);
        machine_trace(m, "trim %llu: %d, first %llu", (unsigned long long)number, r,
                      (unsigned long long)first);
        if (r == -EACCES && m->disk->unlinks_refused > 0) { /* files stay; all else is done */
                r = logstore_bounds(m->store, &bounds);
                first = bounds.first;
        }
        if (r == 0 && (first < p->first_low || first > p->first_high))
                machine_fail(m, "LOST", "trim before %llu made %llu the first",
                             (unsigned long long)number, (unsigned long long)first);
        disk_lock();
        if (r == 0)
                p->first_low = p->first_high = first;
        disk_unlock();
        if (r < 0)
                take_failure(m, r);
}

void step_trim(struct machine *m)
{
        struct promise *p = &m->promise;
        uint64_t resolved = promise_resolved(p) - p->asked;

        if (resolved >= p->first_low)
                trim_before(m, p->first_low +
                                       rng_below(&m->rng, (uint32_t)(resolved - p->first_low) + 2));
}

/* All that is there is let go of, behind a claim that began a segment. */
void step_trim_all(struct machine *m)
{
        step_sync(m);
        if (!m->failed && m->claim_count == 0)
                claim_bytes(m, (uint32_t)logstore_max_record(m->store));
        if (!m->failed && promise_resolved(&m->promise) >= m->promise.first_low)
                trim_before(m, promise_resolved(&m->promise) + 1);
}

void step_truncate(struct machine *m)
{
        struct promise *p = &m->promise;
        uint64_t tail = p->tail - p->asked, left = tail + 1 - p->first_low, number, next = 0, cut,
                 seen;
        struct entry *entry;
        int r;

        resolve_all(m);
        if (m->failed)
                return;
        number = tail - (left ? rng_below(&m->rng, rng_one_in(&m->rng, 8) ? (uint32_t)left + 1
                                                   : left < 8             ? (uint32_t)left
                                                                          : 8)
                              : 0);
        for (entry = promise_entry(p, number); entry && entry->more; number++)
                entry = promise_entry(p, number + 1);
        if (number < p->first_low && rng_one_in(&m->rng, 2))
                next = number + 1 + rng_below(&m->rng, 1000) + (m->beside ? left + 100 : 0);
        else if (number < p->first_low) /* whatever is said, it goes on at the first */
                number = rng_below(&m->rng, (uint32_t)p->first_low);
        if (number >= p->first_low && number < p->came_back)
                return; /* inside a batch? */
        cut = next ? next - 1 : number < p->first_low ? p->first_low - 1 : number;
        /* Of a number that is both cut and given out anew it could not be told which one it is. */
        if (m->cutting || (m->beside && next == 0 && cut >= tail))
                return;
        seen = m->cut_perhaps;
        disk_lock();
        m->cutting = m->beside;
        promise_cut(p, cut, number < p->first_low);
        machine_reader_cut(m, cut, false);
        disk_unlock();
        r = logstore_truncate_after(m->store, number, next);
        machine_trace(m, "truncate %llu, %llu: %d", (unsigned long long)number,
                      (unsigned long long)next, r);
        disk_lock();
        if (r == 0 && p->truncating)
                promise_settle_cut(p, (uint32_t)rng_next(&m->rng));
        if (r == 0)
                machine_reader_cut(m, cut, !m->reading);
        if (r == -ENOSPC || (r == -EBUSY && m->beside))
                promise_forget_cut(p), m->cut_perhaps = seen; /* it has changed nothing */
        disk_unlock();
        if (r < 0 && !(r == -EBUSY && m->beside))
                take_failure(m, r);
}

/* ---- beside another thread ---- */

static void append_beside(void *context)
{
        static void (*const acts[])(struct machine * m) = {
                step_append, step_append, step_batch, step_sync, step_sync, step_durable
        };
        struct machine *m = context;
        uint32_t count = 1 + rng_below(&m->rng, 8);

        for (uint32_t i = 0; i < count && !m->failed; i++)
                acts[rng_below(&m->rng, sizeof(acts) / sizeof(acts[0]))](m);
}

void step_beside(struct machine *m)
{
        static void (*const acts[])(struct machine * m) = { step_truncate, step_trim, step_sync };
        uint32_t count = 1 + rng_below(&m->rng, 2);

        resolve_all(m); /* the other thread would wait for them for ever */
        if (m->failed)
                return;
        m->beside = true;
        turns_begin(rng_next(&m->rng), append_beside, m);
        for (uint32_t i = 0; i < count && !m->failed; i++)
                acts[rng_below(&m->rng, sizeof(acts) / sizeof(acts[0]))](m);
        turns_end();
        m->beside = m->cutting = false;
}
