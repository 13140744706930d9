/*
 * world.c - making a store, running a scenario on it, and the calls that are judged
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

struct world world;

static const int none[] = { 0 };

struct rng world_lottery(void)
{
        static uint64_t drawn[THREADS];
        struct rng rng = { world.seed * 0x9e3779b97f4a7c15 + (uint64_t)scheduler_current * 1000003 +
                           drawn[scheduler_current]++ };

        rng_next(&rng);
        return rng;
}

char *world_buffer(void)
{
        static char buffers[THREADS][WORLD_BUFFER];

        return buffers[scheduler_current];
}

/* ---- life ---- */

static void open_store(uint32_t flags, void (*change)(struct logstore_options *),
                       struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        char path[64];

        snprintf(path, sizeof(path), "/disk/%llu/store", (unsigned long long)world.disk->id);
        options.flags = LOGSTORE_NO_RING | flags;
        options.segment_bytes = 64 << 10;
        if (change)
                change(&options);
        if (logstore_open(path, &options, ret) < 0)
                verdict("open: %s", logstore_detail());
}

static void few_mapped(struct logstore_options *options)
{
        options->mapped_segments = 2;
}

void world_make(const struct scenario *scenario, bool threads)
{
        uint64_t number = 0;

        world.threads = threads;
        world.disk = disk_new(1);
        world.disk->slow = true;
        open_store(LOGSTORE_CREATE | (threads ? 0 : LOGSTORE_NO_THREAD), scenario->options,
                   &world.store);
        for (unsigned i = 0; i < HISTORY_PLAIN; i++)
                judge_result("append", logstore_append(world.store, "x", 1, &number), none);
        for (unsigned i = 0; i < scenario->big_records; i++)
                do_append(8000, &number);
        world.no_cuts = true;
        do_sync(number, 0);
        world.no_cuts = false;
        if (scenario->reader)
                open_store(LOGSTORE_READ_ONLY, few_mapped, &world.reader);
        if (scenario->prepare)
                scenario->prepare();
}

void world_reopen(uint32_t flags)
{
        judge_result("close", logstore_close(world.store), none);
        open_store(flags, NULL, &world.store);
}

static void *run_actor(void *context)
{
        const struct actor *actor = context;

        actor->run(actor->reads ? world.reader : world.store);
        return NULL;
}

void world_run(const struct scenario *scenario, uint64_t seed)
{
        int threads[sizeof(scenario->actors) / sizeof(scenario->actors[0])];
        unsigned count = 0;
        struct rng lottery;

        world.seed = seed;
        while (count < sizeof(threads) / sizeof(threads[0]) && scenario->actors[count].run) {
                const struct actor *actor = &scenario->actors[count];
                threads[count++] =
                        scheduler_spawn(run_actor, (void *)(uintptr_t)actor, actor->name);
        }
        for (unsigned i = 0; i < count; i++)
                scheduler_join(threads[i]);
        if (scenario->no_end || scenario->expects)
                return;
        lottery = world_lottery();
        scheduler_quiet();
        judge_log(world.store, "at the end", history_now());
        if (!world.no_cuts && rng_one_in(&lottery, 4))
                judge_power_cut("at the end");
        if (!world.threads) /* one of them may be about to remove it */
                judge_leftovers();
        scheduler_loud();
}

/* ---- judged calls ---- */

static const int refusals[] = { -EAGAIN, -EBUSY, 0 };

int do_append(size_t size, uint64_t *ret_number)
{
        struct op *op = history_begin(ACT_APPEND, 0);
        char *data = world_buffer();
        uint64_t number = 0;
        int r;

        op->key = history.keys++;
        op->size = size;
        history_fill(data, size, op->key);
        r = logstore_append(world.store, data, size, &number);
        op->number = number;
        if (ret_number)
                *ret_number = number;
        return history_end(op, judge_result("append", r, refusals));
}

int do_batch(unsigned count, size_t size, uint64_t *ret_first)
{
        struct logstore_entry entries[24] = { 0 };
        struct op *ops[24];
        uint64_t first = 0;
        int r;

        for (unsigned i = 0; i < count; i++) {
                char *data = world_buffer() + i * size;
                ops[i] = history_begin(ACT_APPEND, 0);
                ops[i]->key = history.keys++;
                ops[i]->size = size;
                ops[i]->batch_goes_on = i + 1 < count;
                history_fill(data, size, ops[i]->key);
                entries[i] = (struct logstore_entry){ data, size, 0 };
        }
        r = logstore_append_batch(world.store, entries, count, &first);
        judge_result("append_batch", r, refusals);
        for (unsigned i = 0; i < count; i++) {
                ops[i]->number = first + i;
                history_end(ops[i], r);
        }
        *ret_first = first;
        return r;
}

int do_sync(uint64_t number, int timeout_ms)
{
        static const int allowed[] = { -EAGAIN, -ETIMEDOUT, -EDEADLK, 0 };
        struct op *op = history_begin(ACT_SYNC, number);
        struct rng rng;
        int r = timeout_ms ? logstore_sync_timed(world.store, number, timeout_ms)
                           : logstore_sync(world.store, number);

        history_end(op, judge_result("sync", r, allowed));
        if (r != 0 || world.no_cuts)
                return r;
        judge_on_disk(number, op->begin);
        rng = world_lottery();
        if (rng_one_in(&rng, 8))
                judge_power_cut("at an acknowledged sync");
        return 0;
}

int do_truncate(uint64_t number, uint64_t next)
{
        static const int allowed[] = { -EAGAIN, -EBUSY, -EINVAL, 0 };
        struct op *op = history_begin(ACT_TRUNCATE, number);
        int r;

        op->next = next;
        r = logstore_truncate_after(world.store, number, next);
        if (r == 0 && next > history.first)
                history.first = next;
        return history_end(op, judge_result("truncate_after", r, allowed));
}

/* Does anything else move the beginning of the log? */
static bool others_trim(const struct op *mine)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op != mine && (op->act == ACT_TRIM || op->next))
                        return true;
        }
        return history.retention;
}

int do_trim(uint64_t number)
{
        static const int allowed[] = { -EAGAIN, 0 };
        struct op *op = history_begin(ACT_TRIM, number);
        uint64_t first = 0;
        int r = logstore_trim_before(world.store, number, &first);

        history_end(op, judge_result("trim_before", r, allowed));
        if (r == 0 && first > number && first > history.first && !others_trim(op))
                verdict("trim_before(%llu) gave first %llu", (unsigned long long)number,
                        (unsigned long long)first);
        if (r == 0 && first > history.first)
                history.first = first;
        return r;
}

int do_get(struct logstore *store, uint64_t number)
{
        const char *how = store == world.store ? "get" : "get of a reading process";
        struct logstore_record record;
        uint64_t begin = history_now();
        int r = logstore_get(store, number, world_buffer(), WORLD_BUFFER, &record);

        if (r == 0)
                judge_record(how, &record, begin);
        else
                judge_missing(how, r, number, begin);
        return r;
}
