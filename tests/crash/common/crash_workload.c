/*
 * crash_workload.c - a writer that is made to be killed
 *
 *   crash_workload DIR --oracle FILE [--oracle-at BYTES] [--seed S] [--seconds N] [--threads N]
 *                  [--sync call|start|each|interval|mixed] [--no-ring] [--close]
 *
 * Appends records whose bytes are recomputable (payload.h), alone, in batches and by claims, with
 * random sizes; syncs, rolls through 64 KiB segments, trims, truncates, closes and reopens. It
 * notes each promise of the store in the oracle (oracle.h) before anybody could hold it against the
 * store, and each act that loses records before it does it. It ends without closing the store.
 *
 * Threads: the first decides; the others claim, commit and sync. An act that must know its
 *          number before it begins (append, batch), or needs the store to itself (truncation,
 *          reopen), is done with `turn` held for writing.
 * Exit:    0 time is over, 1 the store failed or broke a promise, 2 usage, 4 a sync hung.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "payload.h"
#include "workload.h"

static const char *const form_names[] = { "call", "start", "each", "interval", "mixed" };

struct workload w = { .seed = 1, .seconds = 5, .threads = 1, .asked = FORM_MIXED };

void die(const char *format, ...)
{
        va_list list;

        fprintf(stderr, "crash_workload: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fprintf(stderr, " (%s)\n", logstore_detail());
        exit(1);
}

void must(int r, const char *act)
{
        if (r < 0)
                die("%s: %s", act, logstore_error_text(r));
}

static time_t now_s(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

void oracle_write(void)
{
        int r = oracle_store(w.oracle_fd, w.oracle_at, &w.oracle);

        if (r < 0) {
                fprintf(stderr, "crash_workload: oracle: %s\n", strerror(-r));
                exit(1);
        }
}

void acknowledge(uint64_t number)
{
        pthread_mutex_lock(&w.oracle_lock);
        if (number > w.oracle.acked) {
                w.oracle.acked = number;
                oracle_write();
        }
        pthread_mutex_unlock(&w.oracle_lock);
}

struct logstore_bounds bounds(void)
{
        struct logstore_bounds b;

        must(logstore_bounds(w.store, &b), "bounds");
        return b;
}

void open_store(uint64_t *rng)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        w.form = w.asked == FORM_MIXED ? (enum sync_form)random_below(rng, FORM_MIXED) : w.asked;
        options.flags = LOGSTORE_CREATE | (w.no_ring ? LOGSTORE_NO_RING : 0);
        if (random_below(rng, 3) == 0)
                options.flags |= LOGSTORE_NO_THREAD;
        options.segment_bytes = SEGMENT_BYTES;
        if (w.form == FORM_EACH)
                options.sync_policy = LOGSTORE_SYNC_EACH;
        if (w.form == FORM_INTERVAL) {
                options.flags &= ~(uint32_t)LOGSTORE_NO_THREAD;
                options.sync_policy = LOGSTORE_SYNC_INTERVAL;
                options.sync_ms = 5;
                options.sync_bytes = 16 << 10;
        }
        must(logstore_open(w.path, &options, &w.store), "open");
}

/* What a store shows after opening has to be durable, whoever wrote it. */
static void begin_life(void)
{
        struct logstore_bounds b = bounds();
        int r = oracle_load(w.oracle_fd, w.oracle_at, &w.oracle);

        if (r < 0)
                die("oracle: %s", strerror(-r));
        if (b.tail < w.oracle.acked && !oracle_cut_is_done(&w.oracle, b.tail))
                die("tail %" PRIu64 " after open, %" PRIu64
                    " acknowledged, next after a cut %" PRIu64,
                    b.tail, w.oracle.acked, w.oracle.cut);
        oracle_settle(&w.oracle, b.first, b.tail);
        r = oracle_begin_life(&w.oracle, b.tail + 1, w.life_seed);
        if (r < 0)
                die("oracle: %s", strerror(-r));
        oracle_write();
}

static void *helper(void *arg)
{
        uint64_t rng = w.seed * 31 + (uintptr_t)arg;

        while (now_s() < w.deadline_s) {
                pthread_rwlock_rdlock(&w.turn);
                uint64_t number = act_claim(&rng);
                if (random_below(&rng, 2) == 0)
                        sync_to(number);
                pthread_rwlock_unlock(&w.turn);
        }
        return NULL;
}

static void decide(void)
{
        uint64_t rng = w.seed * 17 + 1;

        while (now_s() < w.deadline_s) {
                uint64_t dice = random_below(&rng, 1000);

                if (dice < 500)
                        act_append(&rng);
                else if (dice < 650)
                        act_batch(&rng);
                else if (dice < 800)
                        act_claim(&rng);
                else if (dice < 970)
                        act_sync();
                else if (dice < 985)
                        act_trim(&rng);
                else if (dice < 990)
                        act_truncate(&rng);
                else
                        act_reopen(&rng);
                note_durable();
        }
}

static void run(void)
{
        pthread_t threads[16];
        pthread_rwlockattr_t attr;
        uint64_t rng = w.seed;

        pthread_rwlockattr_init(&attr);
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        pthread_rwlock_init(&w.turn, &attr);
        pthread_mutex_init(&w.oracle_lock, NULL);
        w.life_seed = w.seed;
        w.oracle_fd = oracle_open(w.oracle_path);
        if (w.oracle_fd < 0)
                die("%s: %s", w.oracle_path, strerror(-w.oracle_fd));
        open_store(&rng);
        begin_life();
        w.deadline_s = now_s() + w.seconds;
        for (uint32_t i = 1; i < w.threads; i++)
                if (pthread_create(&threads[i], NULL, helper, (void *)(uintptr_t)i) != 0)
                        die("pthread_create");
        decide();
        for (uint32_t i = 1; i < w.threads; i++)
                pthread_join(threads[i], NULL);
        if (w.close) {
                uint64_t tail = bounds().tail;

                must(logstore_close(w.store), "close");
                acknowledge(tail);
        }
}

static int usage(void)
{
        fprintf(stderr, "usage: crash_workload DIR --oracle FILE [--oracle-at BYTES] [--seed S]\n"
                        "       [--seconds N] [--threads N] [--sync FORM] [--no-ring] [--close]\n");
        return 2;
}

static int parse(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;

                if (argv[i][0] != '-') {
                        w.path = argv[i];
                        continue;
                }
                if (strcmp(argv[i], "--no-ring") == 0) {
                        w.no_ring = true;
                        continue;
                }
                if (strcmp(argv[i], "--close") == 0) {
                        w.close = true;
                        continue;
                }
                if (value == NULL)
                        return -EINVAL;
                if (strcmp(argv[i], "--oracle") == 0)
                        w.oracle_path = value;
                else if (strcmp(argv[i], "--oracle-at") == 0)
                        w.oracle_at = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0)
                        w.seed = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--seconds") == 0)
                        w.seconds = (uint32_t)strtoul(value, NULL, 10);
                else if (strcmp(argv[i], "--threads") == 0)
                        w.threads = (uint32_t)strtoul(value, NULL, 10);
                else if (strcmp(argv[i], "--sync") == 0) {
                        for (w.asked = 0; w.asked < FORM_MIXED; w.asked++)
                                if (strcmp(value, form_names[w.asked]) == 0)
                                        break;
                } else
                        return -EINVAL;
                i++;
        }
        return w.path && w.oracle_path && w.threads >= 1 && w.threads <= 16 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
        if (parse(argc, argv) < 0)
                return usage();
        run();
        printf("crash_workload: appended %" PRIu64 " acked %" PRIu64 " syncs %" PRIu64
               " trims %" PRIu64 " truncations %" PRIu64 " reopens %" PRIu64
               " sync %s threads %" PRIu32 "\n",
               w.appended, w.oracle.acked, w.syncs, w.trims, w.truncations, w.reopens,
               form_names[w.asked], w.threads);
        return 0;
}
