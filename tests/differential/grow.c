/*
 * grow.c - a process that works on a store for a while, and ends well or not
 */
#include "grow.h"

#include <errno.h>
#include <logstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dice.h"

#define LIVES_MAX 3

static char payload[24 << 10];

static void must(int r, const char *what)
{
        if (r < 0) {
                fprintf(stderr, "differential: %s: %s\n", what, logstore_detail());
                _exit(2);
        }
}

static uint32_t some_size(uint64_t *state)
{
        return (uint32_t)(dice_below(state, 4) ? dice_below(state, 900)
                                               : dice_below(state, sizeof(payload)));
}

static void append_batch(struct logstore *store, uint64_t *state)
{
        struct logstore_entry entries[BATCH_MAX];
        unsigned count = 2 + (unsigned)dice_below(state, BATCH_MAX - 1);

        for (unsigned i = 0; i < count; i++)
                entries[i] = (struct logstore_entry){ payload + dice_below(state, 50),
                                                      some_size(state) / 2, 0 };
        must(logstore_append_batch(store, entries, count, NULL), "batch");
}

static void leave_void(struct logstore *store, uint64_t *state)
{
        struct logstore_claim claim;

        must(logstore_claim(store, dice_below(state, 300), &claim), "claim");
        must(logstore_abort(store, &claim), "abort");
}

static void cut(struct logstore *store, uint64_t *state, bool trim)
{
        struct logstore_bounds bounds;
        uint64_t number, next = 0;
        int r;

        must(logstore_bounds(store, &bounds), "bounds");
        if (bounds.tail < bounds.first)
                return;
        number = bounds.first + dice_below(state, bounds.tail - bounds.first + 1);
        if (trim) {
                must(logstore_trim_before(store, number, 0), "trim");
                return;
        }
        if (dice_below(state, 8) == 0) {
                number = bounds.first - 1;
                next = bounds.tail + 1 + dice_below(state, 20);
        }
        r = logstore_truncate_after(store, number, next);
        if (r != -EINVAL) /* inside a batch */
                must(r, "truncate");
}

static void act(struct logstore *store, uint64_t *state)
{
        switch (dice_below(state, 24)) {
        case 0:
        case 1:
        case 2:
                append_batch(store, state);
                break;
        case 3:
                leave_void(store, state);
                break;
        case 4:
                cut(store, state, true);
                break;
        case 5:
                cut(store, state, false);
                break;
        case 6:
        case 7:
                must(logstore_sync(store, 0), "sync");
                break;
        default:
                must(logstore_append(store, payload + dice_below(state, 99), some_size(state) / 2,
                                     NULL),
                     "append");
        }
}

/* One life of a writer, in a process of its own, which may end without a close. */
static void live(const char *path, uint64_t seed)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        uint64_t state = seed;
        struct logstore *store;
        unsigned acts = (unsigned)dice_below(&state, 60);

        options.flags =
                LOGSTORE_CREATE | LOGSTORE_NO_RING | LOGSTORE_NO_THREAD; /* as the seed says */
        options.segment_bytes = 64 << 10;
        options.first_number = dice_below(&state, 6) ? 1 : 1 + dice_below(&state, 1000);
        options.ready_bytes = 8192;
        must(logstore_open(path, &options, &store), "open");
        for (unsigned i = 0; i < acts; i++)
                act(store, &state);
        if (dice_below(&state, 3)) {
                must(logstore_close(store), "close");
                _exit(0);
        }
        if (dice_below(&state, 2))
                must(logstore_sync(store, 0), "sync");
        _exit(0);
}

void grow(const char *path, uint64_t seed, struct grown *ret)
{
        uint64_t state = seed;
        unsigned lives = 1 + (unsigned)dice_below(&state, LIVES_MAX);
        int status = 0;

        for (size_t i = 0; i < sizeof(payload); i++)
                payload[i] = (char)('a' + i % 23);
        tree_remove(path);
        *ret = (struct grown){ 0 };
        for (unsigned i = 0; i < lives; i++) {
                uint64_t own = dice(&state);
                pid_t child;

                fflush(NULL);
                child = fork();
                if (child == 0)
                        live(path, own);
                if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
                        fprintf(stderr, "differential: seed %llu: a life ended with %d\n",
                                (unsigned long long)seed, status);
                        exit(2);
                }
                if (i + 1 < lives)
                        tree_load(path, &ret->ages[ret->age_count++]);
        }
        tree_load(path, &ret->now);
}

void grown_free(struct grown *grown)
{
        for (unsigned i = 0; i < grown->age_count; i++)
                tree_free(&grown->ages[i]);
        tree_free(&grown->now);
}
