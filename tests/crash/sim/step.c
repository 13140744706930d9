/*
 * step.c - one random step of a machine: what a program does with a store, and what may befall it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "step.h"

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

void step_close(struct machine *m)
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
        if (!m->reader && (m->disk->descriptors || m->disk->mappings))
                machine_fail(m, "ERROR", "close left %u descriptors and %u mappings",
                             m->disk->descriptors, m->disk->mappings);
        machine_open(m, intact && r == 0);
}

/* The process dies, its page cache stays. */
void step_kill(struct machine *m)
{
        bool intact = m->disk->syncs_failed == 0 && !m->failed;
        uint32_t crash_one_in = m->crash_one_in;
        struct disk *old = m->disk;

        machine_watch(m, 0);
        if (m->reader) {
                machine_kill_writer(m);
                intact = intact && m->disk->syncs_failed == 0; /* by a thread that ended */
        } else {
                disk_lock();
                m->disk = disk_after_kill(old, &m->rng);
                disk_unlock();
                old->syncs_to_fail = 0;
                machine_abandon(m); /* it works on the old disk */
                disk_lock();
                disk_free(old);
                disk_unlock();
        }
        machine_trace(m, "kill");
        machine_watch(m, crash_one_in);
        machine_open(m, intact);
}

/* The store at work must show what it was given, up to the first unresolved claim. */
void step_look(struct machine *m)
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
        machine_reader_close(m);
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
        { "beside", 4, step_beside },
        { "close", 2, step_close },
        { "kill", 2, step_kill },
        { "look", 2, step_look },
        { "fail_syncs", 2, step_fail_syncs },
        { "spoil", 1, step_spoil },
        { "read", 5, step_read },
        { "copy", 8, step_copy },
        { "restore", 2, step_restore },
        { "rival", 2, step_rival },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static bool possible(const struct machine *m, const struct step *step)
{
        if (step->run == step_resolve)
                return m->claim_count > 0;
        if (step->run == step_beside || step->run == step_rival)
                return !plan.threads; /* a thread of the store would not know whose turn it is */
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
        return bytes > (is_large(m) ? 2 : 3) * m->options.segment_bytes && m->promise.count > 8;
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
        if (!m->failed && !plan.threads) /* what befell a thread of the store is told later */
                m->disk->unlinks_refused = 0;
        if (rng_one_in(&m->rng, 8)) {
                disk_lock();
                disk_write_back(m->disk, &m->lottery);
                disk_unlock();
        }
        if (m->crash_one_in && rng_one_in(&m->rng, is_large(m) ? 32 : 4)) {
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
        if (rng_one_in(&m.rng, 24)) {
                m.options.segment_bytes = 4 << 20;
                m.options.ready_bytes = rng_one_in(&m.rng, 2) ? 1 << 20 : 0;
        }
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
