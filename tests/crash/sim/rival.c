/*
 * rival.c - the control file is removed or replaced while a writer lives, so that another gets in
 *
 * The lock is on the file that is gone. The first writer goes on beside the second: it must not
 * acknowledge anything from then on, and must leave alone what the second one writes, which is what
 * the oracle follows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "step.h"

struct rival {
        struct machine *m;
        struct logstore *store;
        uint64_t durable; /* before the file was gone */
        bool wrote;       /* something since */
};

static void must_not(const struct rival *rival, bool acknowledged, const char *act)
{
        if (acknowledged)
                machine_fail(rival->m, "LOST", "%s of a writer that lost its control file said 0",
                             act);
}

static void rival_append(struct rival *rival)
{
        struct machine *m = rival->m;
        uint32_t size = rng_below(&m->rng, 20000);
        int r = logstore_append(rival->store, promise_payload((uint32_t)rng_next(&m->rng), size),
                                size, NULL);

        machine_trace(m, "rival: append: %d", r);
        must_not(rival, r == 0 && syncs_each(m), "a durable append");
        rival->wrote |= r == 0;
}

static void rival_sync(struct rival *rival)
{
        uint64_t number = 0;
        int r = logstore_sync(rival->store, 0);

        machine_trace(rival->m, "rival: sync: %d", r);
        must_not(rival, r == 0 && rival->wrote, "a sync");
        r = logstore_durable(rival->store, &number);
        must_not(rival, r == 0 && number > rival->durable, "a look at what is durable");
}

static uint64_t draw_number(struct rival *rival)
{
        struct logstore_bounds bounds = { 0 };

        logstore_bounds(rival->store, &bounds);
        return bounds.tail - rng_below(&rival->m->rng, (uint32_t)(bounds.tail - bounds.first) + 2);
}

static void rival_truncate(struct rival *rival)
{
        int r = logstore_truncate_after(rival->store, draw_number(rival), 0);

        machine_trace(rival->m, "rival: truncate: %d", r);
        must_not(rival, r == 0, "a truncation");
}

/* It may have nothing to do. */
static void rival_trim(struct rival *rival)
{
        int r = logstore_trim_before(rival->store, draw_number(rival), NULL);

        machine_trace(rival->m, "rival: trim: %d", r);
}

static void act(struct rival *rival)
{
        static void (*const acts[])(struct rival * rival) = { rival_append,   rival_append,
                                                              rival_append,   rival_sync,
                                                              rival_truncate, rival_trim };

        acts[rng_below(&rival->m->rng, sizeof(acts) / sizeof(acts[0]))](rival);
}

static void act_of_writer(struct machine *m)
{
        static void (*const acts[])(struct machine * m) = {
                step_append, step_batch, step_sync, step_sync, step_trim, step_truncate
        };

        acts[rng_below(&m->rng, sizeof(acts) / sizeof(acts[0]))](m);
}

static void end(struct rival *rival)
{
        int r = logstore_close(rival->store);

        machine_trace(rival->m, "rival: close: %d", r);
        must_not(rival, r == 0, "close");
}

/* Nobody can open the store meanwhile. What it appended now, or half cut, would be found later. */
static void without_control(struct rival *rival)
{
        rival->wrote = promise_resolved(&rival->m->promise) > rival->durable;
        for (uint32_t i = rng_below(&rival->m->rng, 4); i > 0; i--)
                (rng_one_in(&rival->m->rng, 2) ? rival_sync : rival_trim)(rival);
        end(rival);
}

/* Two write, and only the one that came second may say so. */
static void beside_another(struct rival *rival)
{
        struct machine *m = rival->m;

        for (uint32_t i = 2 + rng_below(&m->rng, 10); i > 0 && !m->failed; i--) {
                if (rng_one_in(&m->rng, 2))
                        act(rival);
                else
                        act_of_writer(m);
        }
        end(rival);
        if (!m->failed)
                step_look(m);
}

void step_rival(struct machine *m)
{
        struct rival rival = { .m = m };
        uint32_t crash_one_in = m->crash_one_in;
        bool removed = rng_one_in(&m->rng, 4);
        struct old_copy control;

        machine_reader_close(m);
        resolve_all(m);
        m->disk->unlinks_to_refuse = m->disk->growth_to_refuse = 0;
        if (m->failed || m->faulty || logstore_durable(m->store, &rival.durable) < 0)
                return;
        rival.store = m->store;
        m->store = NULL;
        machine_watch(m, 0);
        machine_copy(m, "control", &control);
        machine_trace(m, removed ? "remove control" : "replace control");
        if (removed) {
                disk_lock();
                disk_unlink(m->disk, "control");
                disk_unlock();
                without_control(&rival);
        }
        machine_put_back(m, &control);
        machine_forget_copy(&control);
        machine_watch(m, crash_one_in);
        machine_open(m, !removed);
        if (!removed)
                beside_another(&rival);
}
