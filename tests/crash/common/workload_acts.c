/*
 * workload_acts.c - what crash_workload does with its store, each act with its entry in the oracle
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "payload.h"
#include "workload.h"

#define RECORD_BYTES_MAX 9000u
#define BATCH_MAX 24u
#define KEEP_RECORDS 400u /* trims leave about so many */
#define HANG_MS 20000

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

void sync_to(uint64_t number)
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
void note_durable(void)
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

void act_append(uint64_t *rng)
{
        uint8_t data[RECORD_BYTES_MAX];
        size_t size = random_size(rng);
        uint64_t number;

        pthread_rwlock_wrlock(&w.turn);
        uint64_t next = bounds().tail + 1;
        payload_fill(data, size, w.life_seed, next,
                     (struct payload_place){ .index = 0, .count = 1 });
        must(logstore_append(w.store, data, size, &number), "append");
        if (number != next)
                die("append gave %" PRIu64 ", the next was %" PRIu64, number, next);
        pthread_rwlock_unlock(&w.turn);
        appended(number, 1);
}

void act_batch(uint64_t *rng)
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
                payload_fill(data[i], size, w.life_seed, next + i,
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
uint64_t act_claim(uint64_t *rng)
{
        size_t size = random_size(rng), used = size;
        struct logstore_claim claim;

        must(logstore_claim(w.store, size, &claim), "claim");
        if (payload_may_be_void(w.life_seed, claim.number) && random_below(rng, 2) == 0) {
                must(logstore_abort(w.store, &claim), "abort");
                return claim.number;
        }
        if (random_below(rng, 4) == 0)
                used = random_below(rng, size + 1);
        payload_fill(claim.data, used, w.life_seed, claim.number,
                     (struct payload_place){ .index = 0, .count = 1 });
        must(logstore_commit(w.store, &claim, used), "commit");
        appended(claim.number, 1);
        return claim.number;
}

void act_trim(uint64_t *rng)
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

/* ---- truncation ------------------------------------------------------------------------- */

#define LIVES_BEFORE_REUSE 4u /* with more, a cut goes to where a life began: the sector is small */

/* The last number to keep: mostly not far back, and where that could be any number, also below what
 * was acknowledged. Below the first empties the log. */
static uint64_t random_cut(uint64_t *rng, const struct logstore_bounds *b)
{
        uint64_t count = b->tail + 1 - b->first, reach = 1 + random_below(rng, 60);

        if (random_below(rng, 12) == 0)
                return random_below(rng, b->first);
        if (w.oracle.lives >= LIVES_BEFORE_REUSE) {
                uint64_t first = w.oracle.life[1 + random_below(rng, w.oracle.lives - 1)].first;

                return (first > b->first ? first : b->first) - 1;
        }
        if (random_below(rng, 4) == 0 || reach > count)
                reach = random_below(rng, count + 1);
        return b->tail - reach;
}

static void begin_cut(uint64_t next)
{
        pthread_mutex_lock(&w.oracle_lock);
        oracle_begin_cut(&w.oracle, next);
        oracle_write();
        pthread_mutex_unlock(&w.oracle_lock);
}

/* What was cut must not come back under numbers that are used again: another seed from here on. */
static void settle_cut(uint64_t next)
{
        struct logstore_bounds b = bounds();
        uint64_t durable;

        must(logstore_durable(w.store, &durable), "durable");
        if (b.tail != next - 1 || durable != b.tail)
                die("cut to %" PRIu64 ": the log is %" PRIu64 "..%" PRIu64 ", durable %" PRIu64,
                    next, b.first, b.tail, durable);
        w.life_seed = w.seed + w.oracle.cuts * UINT64_C(2000000011);
        pthread_mutex_lock(&w.oracle_lock);
        oracle_settle(&w.oracle, b.first, b.tail);
        must(oracle_begin_life(&w.oracle, next, w.life_seed), "oracle");
        oracle_write();
        pthread_mutex_unlock(&w.oracle_lock);
        w.truncations++;
}

/* Cut after @number, or after the next one that no batch goes on behind. */
static void cut_after(uint64_t number, uint64_t next, const struct logstore_bounds *before)
{
        int r = -EINVAL;

        for (; r == -EINVAL; number++) {
                uint64_t then = number < before->first ? before->first : number + 1;

                if (next > then)
                        then = next;
                begin_cut(then);
                r = logstore_truncate_after(w.store, number, next);
                if (r == 0)
                        settle_cut(then);
                else if (r != -EINVAL || bounds().tail != before->tail)
                        must(r, "truncate");
        }
}

void act_truncate(uint64_t *rng)
{
        struct logstore_bounds before;
        uint64_t number, next = 0;

        pthread_rwlock_wrlock(&w.turn);
        before = bounds();
        number = random_cut(rng, &before);
        if (number < before.first && random_below(rng, 2) == 0)
                next = before.first + random_below(rng, before.tail + 50 - before.first);
        cut_after(number, next, &before);
        pthread_rwlock_unlock(&w.turn);
}

void act_reopen(uint64_t *rng)
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

void act_sync(void)
{
        pthread_rwlock_rdlock(&w.turn);
        sync_to(bounds().tail);
        pthread_rwlock_unlock(&w.turn);
}
