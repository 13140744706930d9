/*
 * crash_workload.c - a writer that is made to be killed
 *
 *   crash_workload DIR --oracle FILE [--oracle-at BYTES] [--seed S] [--seconds N] [--threads N]
 *                  [--sync call|start|each|interval|mixed] [--no-ring] [--close]
 *
 * Appends records whose bytes are recomputable (payload.h), alone, in batches and by claims, with
 * random sizes; syncs, rolls through 64 KiB segments, trims, closes and reopens. What it was
 * promised goes to the oracle (oracle.h) before anybody could hold it against the store, what it
 * is about to do that loses records, before it does it. It ends without closing the store.
 *
 * Threads: the first decides; the others claim, commit and sync. An act that must know its
 *          number before it begins (append, batch), or needs the store to itself (reopen), is
 *          done with `turn` held for writing.
 * Exit:    0 time is over, 1 the store failed or broke a promise, 2 usage, 4 a sync hung.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "logstore.h"
#include "oracle.h"
#include "payload.h"

enum sync_form { FORM_CALL, FORM_START, FORM_EACH, FORM_INTERVAL, FORM_MIXED };
static const char *const form_names[] = { "call", "start", "each", "interval", "mixed" };

#define SEGMENT_BYTES (64u << 10)
#define RECORD_BYTES_MAX 9000u
#define BATCH_MAX 24u
#define KEEP_RECORDS 400u /* trims leave about so many */
#define HANG_MS 20000

static struct {
        struct logstore *store;
        const char *path;
        const char *oracle_path;
        uint64_t oracle_at;
        uint64_t seed;
        uint32_t seconds;
        uint32_t threads;
        enum sync_form asked, form;
        bool no_ring, close;

        pthread_rwlock_t turn;
        pthread_mutex_t oracle_lock;
        struct oracle oracle;
        int oracle_fd;
        time_t deadline_s;
        uint64_t appended, syncs, trims, reopens;
} w = { .seed = 1, .seconds = 5, .threads = 1, .asked = FORM_MIXED };

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
        va_list list;

        fprintf(stderr, "crash_workload: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fprintf(stderr, " (%s)\n", logstore_detail());
        exit(1);
}

static void must(int r, const char *act)
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

static void oracle_write(void)
{
        int r = oracle_store(w.oracle_fd, w.oracle_at, &w.oracle);

        if (r < 0) {
                fprintf(stderr, "crash_workload: oracle: %s\n", strerror(-r));
                exit(1);
        }
}

static void acknowledge(uint64_t number)
{
        pthread_mutex_lock(&w.oracle_lock);
        if (number > w.oracle.acked) {
                w.oracle.acked = number;
                oracle_write();
        }
        pthread_mutex_unlock(&w.oracle_lock);
}

static struct logstore_bounds bounds(void)
{
        struct logstore_bounds b;

        must(logstore_bounds(w.store, &b), "bounds");
        return b;
}

static void open_store(uint64_t *rng)
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
        if (b.tail < w.oracle.acked)
                die("tail %" PRIu64 " after open, %" PRIu64 " acknowledged", b.tail,
                    w.oracle.acked);
        w.oracle.acked = b.tail;
        r = oracle_begin_life(&w.oracle, b.tail + 1, w.seed);
        if (r < 0)
                die("oracle: %s", strerror(-r));
        oracle_write();
}

static size_t random_size(uint64_t *rng)
{
        switch (random_below(rng, 8)) {
        case 0:
                return random_below(rng, 16);
        case 1:
                return random_below(rng, RECORD_BYTES_MAX);
        case 2:
                return 480 + random_below(rng, 64); /* about a sector */
        case 3:
                return 4040 + random_below(rng, 64); /* about a page */
        default:
                return random_below(rng, 300);
        }
}

/* ---- syncing ---------------------------------------------------------------------------- */

/* Wait on the eventfd, which any thread may have cleared, until the durable number is there. */
static void wait_durable(uint64_t number)
{
        struct pollfd poll_fd = { .fd = logstore_sync_fd(w.store), .events = POLLIN };

        must(poll_fd.fd, "sync_fd");
        for (int waited_ms = 0;; waited_ms += 5) {
                uint64_t durable, count;

                must(logstore_durable(w.store, &durable), "durable");
                if (durable >= number)
                        return;
                if (waited_ms > HANG_MS) {
                        fprintf(stderr, "crash_workload: sync_start hangs at %" PRIu64 "\n",
                                number);
                        exit(4);
                }
                if (poll(&poll_fd, 1, 5) > 0 && read(poll_fd.fd, &count, sizeof(count)) < 0 &&
                    errno != EAGAIN)
                        die("eventfd: %s", strerror(errno));
        }
}

static void sync_to(uint64_t number)
{
        int r;

        if (w.form == FORM_START) {
                must(logstore_sync_start(w.store, number), "sync_start");
                wait_durable(number);
        } else {
                /* Led by this thread, or by one of the library. */
                r = number % 2 ? logstore_sync(w.store, number)
                               : logstore_sync_timed(w.store, number, HANG_MS);
                if (r == -ETIMEDOUT) {
                        fprintf(stderr, "crash_workload: sync hangs at %" PRIu64 "\n", number);
                        exit(4);
                }
                must(r, "sync");
        }
        acknowledge(number);
        __atomic_fetch_add(&w.syncs, 1, __ATOMIC_RELAXED);
}

/* Anything the store calls durable counts as a promise, too. */
static void note_durable(void)
{
        uint64_t durable;

        must(logstore_durable(w.store, &durable), "durable");
        acknowledge(durable);
}

/* ---- acts ------------------------------------------------------------------------------- */

static void appended(uint64_t last, uint64_t count)
{
        __atomic_fetch_add(&w.appended, count, __ATOMIC_RELAXED);
        if (w.form == FORM_EACH)
                acknowledge(last);
}

static void act_append(uint64_t *rng)
{
        uint8_t data[RECORD_BYTES_MAX];
        size_t size = random_size(rng);
        uint64_t number;

        pthread_rwlock_wrlock(&w.turn);
        uint64_t next = bounds().tail + 1;
        payload_fill(data, size, w.seed, next, (struct payload_place){ .index = 0, .count = 1 });
        must(logstore_append(w.store, data, size, &number), "append");
        if (number != next)
                die("append gave %" PRIu64 ", the next was %" PRIu64, number, next);
        pthread_rwlock_unlock(&w.turn);
        appended(number, 1);
}

static void act_batch(uint64_t *rng)
{
        static uint8_t data[BATCH_MAX][RECORD_BYTES_MAX + PAYLOAD_PLACE_BYTES];
        struct logstore_entry entries[BATCH_MAX] = { 0 };
        uint32_t count = 2 + (uint32_t)random_below(rng, BATCH_MAX - 1);
        size_t total = 0;
        uint64_t first;

        pthread_rwlock_wrlock(&w.turn);
        uint64_t next = bounds().tail + 1;
        for (uint32_t i = 0; i < count; i++) {
                size_t size = PAYLOAD_PLACE_BYTES + random_size(rng);

                if (total + size > SEGMENT_BYTES / 2)
                        size = PAYLOAD_PLACE_BYTES;
                total += size;
                payload_fill(data[i], size, w.seed, next + i,
                             (struct payload_place){ .index = i, .count = count });
                entries[i].data = data[i];
                entries[i].size = size;
        }
        must(logstore_append_batch(w.store, entries, count, &first), "append_batch");
        if (first != next)
                die("batch gave %" PRIu64 ", the next was %" PRIu64, first, next);
        pthread_rwlock_unlock(&w.turn);
        appended(first + count - 1, count);
}

/* Claims may run beside each other: the number is known before the bytes are written. */
static uint64_t act_claim(uint64_t *rng)
{
        size_t size = random_size(rng), used = size;
        struct logstore_claim claim;

        must(logstore_claim(w.store, size, &claim), "claim");
        if (payload_may_be_void(w.seed, claim.number) && random_below(rng, 2) == 0) {
                must(logstore_abort(w.store, &claim), "abort");
                return claim.number;
        }
        if (random_below(rng, 4) == 0)
                used = random_below(rng, size + 1);
        payload_fill(claim.data, used, w.seed, claim.number,
                     (struct payload_place){ .index = 0, .count = 1 });
        must(logstore_commit(w.store, &claim, used), "commit");
        appended(claim.number, 1);
        return claim.number;
}

static void act_trim(uint64_t *rng)
{
        uint64_t keep = random_below(rng, 2 * KEEP_RECORDS), first, below;

        pthread_mutex_lock(&w.oracle_lock);
        below = w.oracle.acked > keep ? w.oracle.acked - keep : 0;
        if (below > w.oracle.trim) {
                w.oracle.trim = below;
                oracle_write();
        }
        pthread_mutex_unlock(&w.oracle_lock);
        if (below == 0)
                return;
        must(logstore_trim_before(w.store, below, &first), "trim");
        pthread_mutex_lock(&w.oracle_lock);
        w.oracle.trimmed = first;
        oracle_write();
        pthread_mutex_unlock(&w.oracle_lock);
        w.trims++;
}

static void act_reopen(uint64_t *rng)
{
        struct logstore_bounds before, after;

        pthread_rwlock_wrlock(&w.turn);
        before = bounds();
        must(logstore_close(w.store), "close");
        acknowledge(before.tail);
        open_store(rng);
        after = bounds();
        if (after.tail != before.tail || after.first != before.first)
                die("clean reopen: %" PRIu64 "..%" PRIu64 " became %" PRIu64 "..%" PRIu64,
                    before.first, before.tail, after.first, after.tail);
        pthread_rwlock_unlock(&w.turn);
        w.reopens++;
}

static void act_sync(void)
{
        pthread_rwlock_rdlock(&w.turn);
        sync_to(bounds().tail);
        pthread_rwlock_unlock(&w.turn);
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
                else if (dice < 990)
                        act_trim(&rng);
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
               " trims %" PRIu64 " reopens %" PRIu64 " sync %s threads %" PRIu32 "\n",
               w.appended, w.oracle.acked, w.syncs, w.trims, w.reopens, form_names[w.asked],
               w.threads);
        return 0;
}
