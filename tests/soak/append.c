/*
 * append.c - the one appending thread, so that the next number is known before it is given
 *
 * Mostly logstore_append; now and then a batch, a claim filled in place and committed shorter, and
 * an abort where the oracle has a void.
 */
#include <errno.h>
#include <time.h>

#include "oracle.h"
#include "soak.h"

#define BATCH_MAX 16u

static char payload[BATCH_MAX][ORACLE_BYTES_MAX];

static int append_one(struct round *round)
{
        uint64_t number = 0, start_ns;
        int r;

        oracle_fill(round->next, payload[0]);
        start_ns = now_ns();
        r = logstore_append(round->store, payload[0], oracle_size(round->next), &number);
        hist_add(&round->shared->append, now_ns() - start_ns);
        if (r == 0 && number != round->next)
                wrong(round, "append's number", number, 0);
        if (r == 0)
                round->next++;
        return r;
}

static int append_batch(struct round *round)
{
        struct logstore_entry entries[BATCH_MAX];
        uint64_t first = 0;
        size_t count = 0;
        int r;

        while (count < BATCH_MAX && !oracle_is_void(round->next + count)) {
                oracle_fill(round->next + count, payload[count]);
                entries[count].data = payload[count];
                entries[count].size = oracle_size(round->next + count);
                entries[count++].time_ns = 0;
        }
        r = logstore_append_batch(round->store, entries, count, &first);
        if (r == 0 && first != round->next)
                wrong(round, "batch's number", first, 0);
        if (r == 0)
                round->next += count;
        return r;
}

static int append_in_place(struct round *round)
{
        struct logstore_claim claim;
        size_t size = oracle_size(round->next);
        int r = logstore_claim(round->store, size + 40, &claim);

        if (r < 0)
                return r;
        if (claim.number != round->next)
                wrong(round, "claim's number", claim.number, 0);
        if (oracle_is_void(claim.number)) {
                r = logstore_abort(round->store, &claim);
        } else {
                oracle_fill(claim.number, claim.data);
                r = logstore_commit(round->store, &claim, size);
        }
        if (r == 0)
                round->next++;
        return r;
}

static uint64_t bytes_between(uint64_t from, uint64_t to)
{
        uint64_t bytes = 0;

        for (; from < to; from++)
                bytes += oracle_is_void(from) ? 0 : oracle_size(from);
        return bytes;
}

static int append_some(struct round *round)
{
        if (oracle_is_void(round->next) || round->next % 256 == 1)
                return append_in_place(round);
        if (round->next % 256 == 2)
                return append_batch(round);
        return append_one(round);
}

void append_until(struct round *round)
{
        struct shared *shared = round->shared;

        while (shared->appended_bytes < round->until_bytes && !must_stop(round)) {
                uint64_t from = round->next;
                int r = append_some(round);

                if (r == -EAGAIN) {
                        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
                        continue;
                }
                if (r < 0) {
                        failed(round, "append", r);
                        return;
                }
                shared->appended += round->next - from;
                shared->appended_bytes += bytes_between(from, round->next);
        }
}

void *sync_often(void *argument)
{
        struct round *round = argument;

        while (!atomic_load(&round->over)) {
                uint64_t start_ns = now_ns();
                int r = logstore_sync(round->store, 0);

                hist_add(&round->shared->sync, now_ns() - start_ns);
                if (r < 0)
                        failed(round, "sync", r);
                nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        }
        return NULL;
}
