/*
 * step_append.c - steps that append and make durable
 */
#include <errno.h>
#include <string.h>

#include "step.h"

#define BATCH_MAX 6u

static uint32_t draw_size(struct machine *m)
{
        static const uint32_t limits[] = { 64, 600, 600, 3000, 3000, 3000, 9000, 20000 };

        return rng_below(&m->rng, limits[rng_below(&m->rng, 8)] * (is_large(m) ? 60 : 1));
}

void fail_step(struct machine *m, int r)
{
        machine_fail(m, "ERROR", "%s said %d (%s)", m->step, r, logstore_detail());
}

void take_failure(struct machine *m, int r)
{
        if (r == -ENOSPC && m->disk->growth_refused > 0)
                return;
        if (r != -EIO || m->disk->syncs_failed + m->disk->unlinks_refused == 0)
                fail_step(m, r);
        m->failed = true;
}

/* A record may wait for a claim, or be cut by the other thread. */
static bool may_be_refused(const struct machine *m, int r)
{
        return r == -EAGAIN && (m->claim_count > 0 || m->beside);
}

/* After an append of @count records from @first that said @r. */
static void settle_append(struct machine *m, uint64_t first, uint64_t number, uint32_t count, int r)
{
        struct promise *p = &m->promise;
        bool cut; /* meanwhile, as it stood before the cut */

        disk_lock();
        cut = r == 0 && number == first && p->tail + 1 - count != first;
        if (r == 0 && !cut)
                promise_got(p, number, (uint32_t)rng_next(&m->rng));
        if (cut)
                promise_take_back(p, count);
        else
                first = p->tail + 1 - count;
        if (r == 0 && syncs_each(m) && !cut)
                promise_ack(p, first + count - 1);
        if (r < 0 && !(r == -EIO && syncs_each(m)))
                promise_take_back(p, count);
        disk_unlock();
        machine_trace(m, "%s %u from %llu: %d", m->step, count, (unsigned long long)first, r);
        if (r == 0 && number != first)
                machine_fail(m, "HOLE", "%s got number %llu, not %llu", m->step,
                             (unsigned long long)number, (unsigned long long)first);
        if (r < 0 && !may_be_refused(m, r))
                take_failure(m, r);
}

static uint64_t ask(struct machine *m, enum entry_kind kind, const uint32_t *sizes, uint32_t count)
{
        uint64_t first;

        disk_lock();
        first = promise_ask(&m->promise, kind, sizes, count);
        disk_unlock();
        return first;
}

static const uint8_t *payload(const struct machine *m, uint64_t number, uint32_t size)
{
        return promise_payload(promise_entry(&m->promise, number)->ticket, size);
}

void step_append(struct machine *m)
{
        uint32_t size = draw_size(m);
        uint64_t number = 0, first = ask(m, ENTRY_RECORD, &size, 1);
        int r = logstore_append(m->store, payload(m, first, size), size, &number);

        settle_append(m, first, number, 1, r);
}

void step_batch(struct machine *m)
{
        struct logstore_entry entries[BATCH_MAX] = { 0 };
        uint32_t sizes[BATCH_MAX], count = 2 + rng_below(&m->rng, BATCH_MAX - 1);
        uint64_t number = 0, first;
        int r;

        for (uint32_t i = 0; i < count; i++)
                sizes[i] = draw_size(m) / 3;
        first = ask(m, ENTRY_RECORD, sizes, count);
        for (uint32_t i = 0; i < count; i++)
                entries[i] = (struct logstore_entry){ .data = payload(m, first + i, sizes[i]),
                                                      .size = sizes[i] };
        r = logstore_append_batch(m->store, entries, count, &number);
        settle_append(m, first, number, count, r);
}

/* ---- claims ---- */

void claim_bytes(struct machine *m, uint32_t size)
{
        struct logstore_claim *claim = &m->claims[m->claim_count];
        uint64_t first = ask(m, ENTRY_OPEN, &size, 1);
        int r = logstore_claim(m->store, size, claim);

        if (r < 0) {
                disk_lock();
                promise_take_back(&m->promise, 1);
                disk_unlock();
                if (!may_be_refused(m, r))
                        take_failure(m, r);
                return;
        }
        disk_lock();
        m->promise.asked = 0;
        disk_unlock();
        m->claim_count++;
        machine_trace(m, "claim %llu", (unsigned long long)first);
        if (claim->number != first)
                machine_fail(m, "HOLE", "claim got number %llu, not %llu",
                             (unsigned long long)claim->number, (unsigned long long)first);
}

void step_claim(struct machine *m)
{
        claim_bytes(m, draw_size(m));
}

static void resolve_claim(struct machine *m, uint32_t at, bool commit)
{
        struct logstore_claim claim = m->claims[at];
        struct entry *entry = promise_entry(&m->promise, claim.number);
        uint32_t size = claim.size ? rng_below(&m->rng, (uint32_t)claim.size + 1) : 0;
        int r;

        if (rng_one_in(&m->rng, 2))
                size = (uint32_t)claim.size;
        memcpy(claim.data, payload(m, claim.number, size), size);
        disk_lock();
        entry->size = size;
        entry->kind = commit ? ENTRY_RECORD : ENTRY_VOID;
        disk_unlock();
        r = commit ? logstore_commit(m->store, &claim, size) : logstore_abort(m->store, &claim);
        machine_trace(m, "%s %llu: %d", commit ? "commit" : "abort",
                      (unsigned long long)claim.number, r);
        m->claims[at] = m->claims[--m->claim_count];
        disk_lock();
        if (r == 0 && commit && syncs_each(m))
                promise_ack(&m->promise, claim.number);
        disk_unlock();
        if (r < 0)
                take_failure(m, r);
}

void step_resolve(struct machine *m)
{
        resolve_claim(m, rng_below(&m->rng, m->claim_count), !rng_one_in(&m->rng, 3));
}

void resolve_all(struct machine *m)
{
        while (m->claim_count > 0)
                step_resolve(m);
}

/* ---- durability ---- */

void step_sync(struct machine *m)
{
        uint64_t resolved = promise_resolved(&m->promise) - m->promise.asked, number = 0;
        const struct entry *entry;
        uint32_t ticket;
        int r;

        if (resolved == 0)
                return;
        if (rng_one_in(&m->rng, 4))
                number = resolved - rng_below(&m->rng, (uint32_t)(resolved % 8) + 1);
        entry = promise_entry(&m->promise, number ? number : resolved);
        ticket = entry ? entry->ticket : 0;
        r = rng_one_in(&m->rng, 8) && plan.threads /* it starts one */
                    ? logstore_sync_timed(m->store, number, 1000000)
                    : logstore_sync(m->store, number);
        machine_trace(m, "sync %llu: %d", (unsigned long long)number, r);
        disk_lock();
        if (r == 0)
                promise_ack_ticket(&m->promise, number ? number : resolved, ticket);
        disk_unlock();
        if (r < 0 && !(r == -EDEADLK && number == 0 && m->claim_count > 0) &&
            !(r == -EAGAIN && m->beside))
                take_failure(m, r);
}

void step_durable(struct machine *m)
{
        uint64_t number;
        int r = logstore_durable(m->store, &number);

        machine_trace(m, "durable: %d, %llu", r, r == 0 ? (unsigned long long)number : 0);
        if (r == 0 && m->cutting)
                return; /* before it, or behind it? */
        if (r == 0 && number > promise_resolved(&m->promise))
                machine_fail(m, "INVENTED", "record %llu is durable but not there",
                             (unsigned long long)number);
        disk_lock();
        if (r == 0)
                promise_ack(&m->promise, number);
        disk_unlock();
        if (r < 0)
                take_failure(m, r);
}

/* Two threads' worth of syncs at once: one started, one waited for, while appends go on. */
void step_sync_start(struct machine *m)
{
        int r;

        if (m->faulty && rng_one_in(&m->rng, 6))
                m->disk->syncs_to_fail = 2; /* best both at once */
        r = logstore_sync_start(m->store, 0);
        machine_trace(m, "sync_start: %d", r);
        if (r == -EDEADLK && m->claim_count > 0)
                return;
        if (r < 0)
                take_failure(m, r);
        else if (rng_one_in(&m->rng, 2))
                step_append(m);
        if (!m->failed && rng_one_in(&m->rng, 2))
                step_sync(m);
        if (!m->failed)
                step_durable(m);
}
