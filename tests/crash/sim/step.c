/*
 * step.c - one random step of a machine: what a program does with a store, and what may befall it
 *
 * Each tells the oracle what it is about to do, does it, and tells it the result, the latter under
 * the disk's lock, where images are drawn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define BATCH_MAX 6u

static uint32_t draw_size(struct machine *m)
{
        static const uint32_t limits[] = { 64, 600, 600, 3000, 3000, 3000, 9000, 20000 };

        return rng_below(&m->rng, limits[rng_below(&m->rng, 8)]);
}

static bool syncs_each(const struct machine *m)
{
        return m->options.sync_policy == LOGSTORE_SYNC_EACH;
}

static void fail_step(struct machine *m, int r)
{
        machine_fail(m, "ERROR", "%s said %d (%s)", m->step, r, logstore_detail());
}

/*
 * A step was refused. -ENOSPC from a full disk has changed nothing. -EIO is right if a sync has
 * failed, or an unlink without which the log would be another, and then the store is to be opened
 * again. Anything else is wrong.
 */
static void take_failure(struct machine *m, int r)
{
        if (r == -ENOSPC && m->disk->growth_refused > 0)
                return;
        if (r != -EIO || m->disk->syncs_failed + m->disk->unlinks_refused == 0)
                fail_step(m, r);
        m->failed = true;
}

/* After an append of @count records from @first that said @r. */
static void settle_append(struct machine *m, uint64_t first, uint64_t number, uint32_t count, int r)
{
        disk_lock();
        if (r == 0 && syncs_each(m))
                promise_ack(&m->promise, first + count - 1);
        if (r < 0 && !(r == -EIO && syncs_each(m)))
                promise_take_back(&m->promise, count);
        disk_unlock();
        machine_trace(m, "%s %u from %llu: %d", m->step, count, (unsigned long long)first, r);
        if (r == 0 && number != first)
                machine_fail(m, "HOLE", "%s got number %llu, not %llu", m->step,
                             (unsigned long long)number, (unsigned long long)first);
        if (r < 0 && !(r == -EAGAIN && m->claim_count > 0))
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
        return promise_payload(number, size, m->promise.generation);
}

static void step_append(struct machine *m)
{
        uint32_t size = draw_size(m);
        uint64_t number = 0, first = ask(m, ENTRY_RECORD, &size, 1);
        int r = logstore_append(m->store, payload(m, first, size), size, &number);

        settle_append(m, first, number, 1, r);
}

static void step_batch(struct machine *m)
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

static void claim_bytes(struct machine *m, uint32_t size)
{
        struct logstore_claim *claim = &m->claims[m->claim_count];
        uint64_t first = ask(m, ENTRY_OPEN, &size, 1);
        int r = logstore_claim(m->store, size, claim);

        if (r < 0) {
                disk_lock();
                promise_take_back(&m->promise, 1);
                disk_unlock();
                if (!(r == -EAGAIN && m->claim_count > 0))
                        take_failure(m, r);
                return;
        }
        m->claim_count++;
        machine_trace(m, "claim %llu", (unsigned long long)first);
        if (claim->number != first)
                machine_fail(m, "HOLE", "claim got number %llu, not %llu",
                             (unsigned long long)claim->number, (unsigned long long)first);
}

static void step_claim(struct machine *m)
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

static void step_resolve(struct machine *m)
{
        resolve_claim(m, rng_below(&m->rng, m->claim_count), !rng_one_in(&m->rng, 3));
}

static void resolve_all(struct machine *m)
{
        while (m->claim_count > 0)
                step_resolve(m);
}

/* ---- durability ---- */

static void step_sync(struct machine *m)
{
        uint64_t resolved = promise_resolved(&m->promise), number = 0;
        int r;

        if (resolved == 0)
                return;
        if (rng_one_in(&m->rng, 4))
                number = resolved - rng_below(&m->rng, (uint32_t)(resolved % 8) + 1);
        r = rng_one_in(&m->rng, 8) && plan.threads /* it starts one */
                    ? logstore_sync_timed(m->store, number, 1000000)
                    : logstore_sync(m->store, number);
        machine_trace(m, "sync %llu: %d", (unsigned long long)number, r);
        disk_lock();
        if (r == 0)
                promise_ack(&m->promise, number ? number : resolved);
        disk_unlock();
        if (r < 0 && !(r == -EDEADLK && number == 0 && m->claim_count > 0))
                take_failure(m, r);
}

static void step_durable(struct machine *m)
{
        uint64_t number;
        int r = logstore_durable(m->store, &number);

        machine_trace(m, "durable: %d, %llu", r, r == 0 ? (unsigned long long)number : 0);
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
static void step_sync_start(struct machine *m)
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

/* ---- letting go ---- */

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

static void step_trim(struct machine *m)
{
        struct promise *p = &m->promise;
        uint64_t resolved = promise_resolved(p);

        if (resolved >= p->first_low)
                trim_before(m, p->first_low +
                                       rng_below(&m->rng, (uint32_t)(resolved - p->first_low) + 2));
}

/* All that is there is let go of, behind a claim that began a segment. */
static void step_trim_all(struct machine *m)
{
        step_sync(m);
        if (!m->failed && m->claim_count == 0)
                claim_bytes(m, (uint32_t)logstore_max_record(m->store));
        if (!m->failed && promise_resolved(&m->promise) >= m->promise.first_low)
                trim_before(m, promise_resolved(&m->promise) + 1);
}

static void step_truncate(struct machine *m)
{
        struct promise *p = &m->promise;
        uint64_t left = p->tail + 1 - p->first_low, number, next = 0;
        struct entry *entry;
        int r;

        resolve_all(m);
        if (m->failed)
                return;
        number = p->tail - (left ? rng_below(&m->rng, rng_one_in(&m->rng, 8) ? (uint32_t)left + 1
                                                      : left < 8             ? (uint32_t)left
                                                                             : 8)
                                 : 0);
        for (entry = promise_entry(p, number); entry && entry->more; number++)
                entry = promise_entry(p, number + 1);
        if (number < p->first_low && rng_one_in(&m->rng, 2))
                next = number + 1 + rng_below(&m->rng, 1000);
        else if (number < p->first_low) /* whatever is said, it goes on at the first */
                number = rng_below(&m->rng, (uint32_t)p->first_low);
        disk_lock();
        p->truncating = true;
        p->emptying = number < p->first_low;
        p->cut = next ? next - 1 : number < p->first_low ? p->first_low - 1 : number;
        disk_unlock();
        r = logstore_truncate_after(m->store, number, next);
        machine_trace(m, "truncate %llu, %llu: %d", (unsigned long long)number,
                      (unsigned long long)next, r);
        disk_lock();
        if (r == 0)
                promise_adopt(p, p->emptying ? p->cut + 1 : p->first_low, p->cut,
                              (uint32_t)rng_next(&m->rng));
        if (r == -ENOSPC)
                p->truncating = p->emptying = false; /* it has changed nothing */
        disk_unlock();
        if (r < 0)
                take_failure(m, r);
}

/* ---- ends and beginnings ---- */

/* A failed store must say so to everybody, and acknowledge nothing. */
static void check_failed(struct machine *m)
{
        uint64_t number;
        int append = logstore_append(m->store, "", 0, NULL), sync = logstore_sync(m->store, 0);
        int durable = logstore_durable(m->store, &number);

        if (append != -EIO || sync != -EIO || durable != -EIO)
                machine_fail(m, "LOST", "after a failed sync: append %d, sync %d, durable %d",
                             append, sync, durable);
}

static void cancel_all(struct machine *m)
{
        disk_lock();
        for (uint32_t i = 0; i < m->claim_count; i++)
                promise_entry(&m->promise, m->claims[i].number)->kind = ENTRY_VOID;
        disk_unlock();
        logstore_cancel_claims(m->store, 0);
}

static void step_close(struct machine *m)
{
        bool intact = m->disk->syncs_failed == 0 && !m->failed;
        int r;

        if (m->failed)
                cancel_all(m);
        else
                resolve_all(m);
        m->claim_count = 0;
        r = logstore_close(m->store);
        m->store = NULL;
        machine_trace(m, "close: %d", r);
        disk_lock();
        if (r == 0 && !m->failed)
                promise_ack(&m->promise, m->promise.tail);
        disk_unlock();
        if (r < 0)
                take_failure(m, r);
        else if (m->failed)
                machine_fail(m, "LOST", "close of a failed store said 0");
        if (m->disk->descriptors || m->disk->mappings)
                machine_fail(m, "ERROR", "close left %u descriptors and %u mappings",
                             m->disk->descriptors, m->disk->mappings);
        machine_open(m, intact && r == 0);
}

/* The process dies, its page cache stays. */
static void step_kill(struct machine *m)
{
        bool intact = m->disk->syncs_failed == 0 && !m->failed;
        uint32_t crash_one_in = m->crash_one_in;
        struct disk *old = m->disk;

        machine_watch(m, 0);
        disk_lock();
        m->disk = disk_after_kill(old, &m->rng);
        disk_unlock();
        old->syncs_to_fail = 0;
        machine_abandon(m); /* it works on the old disk */
        disk_lock();
        disk_free(old);
        disk_unlock();
        machine_trace(m, "kill");
        machine_watch(m, crash_one_in);
        machine_open(m, intact);
}

/* The store at work must show what it was given, up to the first unresolved claim. */
static void step_look(struct machine *m)
{
        uint64_t first, tail;

        machine_compare(m, m->store, &first, &tail);
        if (first != m->promise.first_low || tail != promise_resolved(&m->promise))
                machine_fail(m, "LOST", "the store shows %llu..%llu, not %llu..%llu",
                             (unsigned long long)first, (unsigned long long)tail,
                             (unsigned long long)m->promise.first_low,
                             (unsigned long long)promise_resolved(&m->promise));
}

static void step_fail_syncs(struct machine *m)
{
        if (!m->faulty)
                return;
        m->disk->syncs_to_fail = 1 + rng_below(&m->rng, 3);
        machine_trace(m, "the next %u syncs fail", m->disk->syncs_to_fail);
}

/* All that was appended is durable; then a byte of it goes bad. */
static void step_spoil(struct machine *m)
{
        step_close(m);
        if (!m->failed)
                machine_spoil(m);
}

/* ---- drawing a step ---- */

static const struct step {
        const char *name;
        uint32_t weight;
        void (*run)(struct machine *m);
} steps[] = {
        { "append", 40, step_append },
        { "batch", 12, step_batch },
        { "sync", 14, step_sync },
        { "claim", 8, step_claim },
        { "resolve", 8, step_resolve },
        { "durable", 4, step_durable },
        { "sync_start", 4, step_sync_start },
        { "trim", 4, step_trim },
        { "trim_all", 1, step_trim_all },
        { "truncate", 2, step_truncate },
        { "close", 2, step_close },
        { "kill", 2, step_kill },
        { "look", 2, step_look },
        { "fail_syncs", 2, step_fail_syncs },
        { "spoil", 1, step_spoil },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static bool possible(const struct machine *m, const struct step *step)
{
        if (step->run == step_resolve)
                return m->claim_count > 0;
        if (step->run == step_sync_start)
                return plan.threads && !(syncs_each(m) && m->claim_count > 0); /* it starts one */
        if (step->run == step_claim)
                return m->claim_count < (syncs_each(m) ? 1 : MACHINE_CLAIMS);
        /* An append that syncs would wait for this thread's own claim. */
        if (syncs_each(m) && m->claim_count > 0)
                return step->run != step_append && step->run != step_batch;
        return true;
}

static const struct step *draw_step(struct machine *m)
{
        uint32_t total = 0, drawn, i;

        for (i = 0; i < STEPS; i++)
                total += steps[i].weight;
        for (;;) {
                drawn = rng_below(&m->rng, total);
                for (i = 0; drawn >= steps[i].weight; i++)
                        drawn -= steps[i].weight;
                if (possible(m, &steps[i]))
                        return &steps[i];
        }
}

/* The log is kept short: what every image costs is in proportion to it. */
static bool is_long(const struct machine *m)
{
        uint64_t bytes = 0;

        for (uint32_t i = 0; i < m->promise.count; i++)
                bytes += m->promise.base + i >= m->promise.first_low ? m->promise.entries[i].size
                                                                     : 0;
        return bytes > 3 * m->options.segment_bytes && m->promise.count > 8;
}

static const struct step reopenings[] = {
        { "close after a failure", 0, step_close },
        { "kill after a failure", 0, step_kill },
};
static const struct step trimming = { "trim", 0, step_trim };

void machine_step(struct machine *m)
{
        const struct step *step = draw_step(m);

        if (m->failed)
                step = &reopenings[rng_below(&m->rng, 2)];
        else if (is_long(m) && m->claim_count == 0 && rng_one_in(&m->rng, 4))
                step = &trimming;
        machine_now = m;
        m->step = step->name;
        machine_tick();
        if (m->failed)
                check_failed(m);
        if (rng_one_in(&m->rng, 40) && step->run != step_close && step->run != step_kill)
                m->disk->growth_to_refuse = 1 + rng_below(&m->rng, 3);
        if (rng_one_in(&m->rng, 20))
                m->disk->unlinks_to_refuse = 1 + rng_below(&m->rng, 3);
        step->run(m);
        m->disk->growth_to_refuse = m->disk->growth_refused = 0;
        m->disk->unlinks_to_refuse = 0;
        if (!m->failed)
                m->disk->unlinks_refused = 0;
        if (rng_one_in(&m->rng, 8)) {
                disk_lock();
                disk_write_back(m->disk, &m->lottery);
                disk_unlock();
        }
        if (m->crash_one_in && rng_one_in(&m->rng, 4)) {
                disk_lock();
                machine_draw(m, "nothing", true);
                disk_unlock();
        }
}

void machine_run(const struct machine_plan *what)
{
        struct machine m = { .options = LOGSTORE_OPTIONS_INIT };

        plan = *what;
        m.rng.state = rng_mix(plan.seed);
        m.lottery.state = rng_mix(plan.seed ^ 1);
        m.world.rng.state = rng_mix(plan.seed ^ 2);
        m.world.now_ns = INT64_C(1700000000) * 1000000000;
        m.disk = disk_new(rng_next(&m.rng));
        m.options.segment_bytes = rng_one_in(&m.rng, 4) ? 128 << 10 : 64 << 10;
        m.options.flags = LOGSTORE_NO_RING | (plan.threads ? 0 : LOGSTORE_NO_THREAD);
        m.options.sync_policy = rng_below(&m.rng, 3);
        m.options.sync_bytes = 1 + rng_below(&m.rng, 20000);
        m.options.sync_ms = 1;
        m.options.first_number = rng_one_in(&m.rng, 4) ? 100 : 1;
        m.faulty = rng_one_in(&m.rng, 3);
        promise_begin(&m.promise, m.options.first_number, (uint32_t)rng_next(&m.rng));
        machine_watch(&m, 2);
        machine_open(&m, false);
        machine_examine_images(&m);
        for (uint32_t i = 0; i < plan.steps; i++) {
                machine_step(&m);
                machine_examine_images(&m);
        }
        figures.runs++;
        machine_put_away(&m);
}
