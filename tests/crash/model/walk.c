/*
 * walk.c - random operations on a store and on a model of it in memory, which must agree
 *
 * walk [--operations N] [--minutes N] [--seed N]: prints one line of figures; the first
 * disagreement is told with its seed and operation, and ends the walk.
 */
#include "walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/payload.h"
#include "../damage/tree.h"

static uint64_t seed;

void walk_fail(const struct walk *walk, const char *format, ...)
{
        va_list arguments;

        fprintf(stderr, "seed %" PRIu64 ", operation %" PRIu64 ", %s: ", seed, walk->operations,
                walk->doing);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fprintf(stderr, "\nthe store is kept in %s\n", walk->path);
        printf("{\"method\":\"model\",\"states\":%" PRIu64
               ",\"lost\":0,\"holes\":0,\"invented\":0,\"wrong\":1,\"hangs\":0,\"seed\":%" PRIu64
               "}\n",
               walk->operations, seed);
        exit(EXIT_FAILURE);
}

uint64_t walk_below(struct walk *walk, uint64_t limit)
{
        return random_below(&walk->random, limit);
}

uint64_t walk_some_number(struct walk *walk)
{
        uint64_t first = walk->model.first, tail = model_tail(&walk->model);
        uint64_t dice = walk_below(walk, 40);

        if (dice == 0)
                return walk_below(walk, first + 1);
        if (dice == 1)
                return tail + walk_below(walk, 3);
        if (dice < 12) /* close to the end */
                return tail > 50 ? tail - walk_below(walk, 50) : tail;
        return first + walk_below(walk, tail + 1 - first + 1);
}

struct logstore *walk_some_handle(struct walk *walk)
{
        return walk->reader && walk_below(walk, 2) ? walk->reader : walk->writer;
}

const char *walk_name(const struct walk *walk, const struct logstore *handle)
{
        return handle == walk->writer ? "writer" : "reader";
}

/* How often each operation comes, in parts of their sum. */
#define OPERATION(name, weight)            \
        {                                  \
                walk_##name, #name, weight \
        }
static const struct {
        void (*run)(struct walk *walk);
        const char *name;
        unsigned weight;
} operations[] = {
        OPERATION(append, 200),     OPERATION(appendv, 50),      OPERATION(batch, 60),
        OPERATION(claim, 60),       OPERATION(resolve, 130),     OPERATION(refused, 10),
        OPERATION(sync, 20),        OPERATION(get, 150),         OPERATION(get_many, 10),
        OPERATION(bounds, 60),      OPERATION(cursor_step, 120), OPERATION(cursor_seek, 40),
        OPERATION(cursor_time, 20), OPERATION(cursor_get, 30),   OPERATION(cursor_reopen, 5),
        OPERATION(trim, 4),         OPERATION(truncate, 4),      OPERATION(reopen, 1),
        OPERATION(reader, 2),       OPERATION(snapshot, 60),
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void one_operation(struct walk *walk)
{
        unsigned total = 0, dice;

        for (unsigned i = 0; i < OPERATIONS; i++)
                total += operations[i].weight;
        dice = (unsigned)walk_below(walk, total);
        for (unsigned i = 0; i < OPERATIONS; i++) {
                if (dice < operations[i].weight) {
                        walk->doing = operations[i].name;
                        operations[i].run(walk);
                        return;
                }
                dice -= operations[i].weight;
        }
}

static void end_walk(struct walk *walk)
{
        struct logstore_verify_report report;

        walk_resolve_claims(walk);
        walk_drop_cursors(walk, walk->writer);
        walk_snapshot_close(walk);
        if (walk->reader)
                walk_reader(walk);
        walk_expect(walk, logstore_close(walk->writer), 0);
        walk_expect(walk, logstore_verify(walk->path, NULL, &report), 0);
        model_free(&walk->model);
        tree_remove(walk->path);
}

static const char *scratch; /* the store itself, a new one for each walk */

static uint64_t run_walk(uint64_t count, time_t deadline)
{
        struct walk walk = {
                .path = scratch, .random = seed, .doing = "opening", .flags = LOGSTORE_NO_THREAD
        };

        model_init(&walk.model);
        walk_open_writer(&walk);
        while (walk.operations < count &&
               (walk.operations % 1024 || !deadline || time(NULL) < deadline)) {
                walk.operations++;
                one_operation(&walk);
        }
        end_walk(&walk);
        return walk.operations;
}

int main(int argc, char **argv)
{
        uint64_t count = 1000000, done = 0;
        time_t deadline = 0;

        seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
        for (int i = 1; i + 1 < argc; i += 2) {
                uint64_t value = strtoull(argv[i + 1], NULL, 10);

                if (strcmp(argv[i], "--operations") == 0)
                        count = value;
                else if (strcmp(argv[i], "--seed") == 0)
                        seed = value;
                else if (strcmp(argv[i], "--minutes") == 0)
                        deadline = time(NULL) + (time_t)(strtod(argv[i + 1], NULL) * 60);
        }
        fprintf(stderr, "model: seed %" PRIu64 "\n", seed);
        scratch = tree_scratch("model");
        do {
                done += run_walk(count, deadline);
        } while (deadline && time(NULL) < deadline && ++seed);
        printf("{\"method\":\"model\",\"states\":%" PRIu64
               ",\"lost\":0,\"holes\":0,\"invented\":0,\"wrong\":0,\"hangs\":0,\"seed\":%" PRIu64
               "}\n",
               done, seed);
        return EXIT_SUCCESS;
}
