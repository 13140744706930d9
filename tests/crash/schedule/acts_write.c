/*
 * acts_write.c - threads that append, claim and sync
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

/* Records of 500 bytes, each read, synced and read again. */
void act_append(struct logstore *store)
{
        uint64_t number;

        for (int i = 0; i < 3; i++)
                if (do_append(500, &number) == 0) {
                        do_get(store, number);
                        if (do_sync(number, 0) == 0)
                                do_get(store, number);
                }
}

void act_append_timed(struct logstore *store)
{
        uint64_t number;

        (void)store;
        for (int i = 0; i < 3; i++)
                if (do_append(500, &number) == 0)
                        do_sync(number, 2);
}

/* Under LOGSTORE_SYNC_EACH: what has returned 0 is acknowledged. */
void act_append_each(struct logstore *store)
{
        uint64_t number;

        (void)store;
        for (int i = 0; i < 3; i++) {
                int r = do_append(400, &number);
                struct op *op = history_begin(ACT_SYNC, number);
                history_end(op, r);
                if (r == 0)
                        judge_power_cut("at an append that syncs");
        }
}

void act_append_once(struct logstore *store)
{
        (void)store;
        do_append(50, NULL);
}

void act_append_few(struct logstore *store)
{
        (void)store;
        for (int i = 0; i < 4; i++) {
                do_append(50, NULL);
                if (i == 1)
                        scheduler_sleep(1000000);
        }
}

/* Two to a segment, through three of them. */
#define LARGE_BYTES 28000u

void act_roll(struct logstore *store)
{
        uint64_t number;

        (void)store;
        for (int i = 0; i < 5; i++)
                if (do_append(LARGE_BYTES, &number) == 0 && i % 2 == 1)
                        do_sync(number, 0);
}

void act_roll_unsynced(struct logstore *store)
{
        (void)store;
        for (int i = 0; i < 5; i++)
                do_append(LARGE_BYTES, NULL);
}

void act_batch(struct logstore *store)
{
        uint64_t first;

        for (int i = 0; i < 3; i++) {
                unsigned count = i == 1 ? 18 : 4;
                if (do_batch(count, 100, &first) != 0)
                        continue;
                do_get(store, first);
                do_sync(first + count - 1, 0);
        }
}

void act_batch_roll(struct logstore *store)
{
        uint64_t first;

        (void)store;
        for (int i = 0; i < 5; i++)
                if (do_batch(4, LARGE_BYTES / 4, &first) == 0 && i % 2 == 1)
                        do_sync(first + 3, 0);
}

/* ---- claims ---- */

static const int refused[] = { -EAGAIN, -EBUSY, 0 };
static const int aborted[] = { -ECANCELED, 0 };

/* Three claims: the first is synced, the last given up; @leave: a fourth is open at the end. */
static void claim(bool leave)
{
        struct logstore_claim claim;

        for (int i = 0; i < (leave ? 4 : 3); i++) {
                struct op *op = history_begin(ACT_APPEND, 0);
                int r;
                op->key = history.keys++;
                op->size = 300;
                history.claims++;
                r = judge_result("claim", logstore_claim(world.store, 400, &claim), refused);
                if (r < 0) {
                        history_end(op, r);
                        continue;
                }
                history_fill(claim.data, 300, op->key);
                op->number = claim.number;
                if (i >= 2) {
                        if (i == 2)
                                judge_result("abort", logstore_abort(world.store, &claim), aborted);
                        history_end(op, -ECANCELED);
                        continue;
                }
                r = logstore_commit(world.store, &claim, 300);
                history_end(op, judge_result("commit", r, aborted));
                if (i == 0 && r == 0)
                        do_sync(claim.number, 0);
        }
}

void act_claim(struct logstore *store)
{
        (void)store;
        claim(false);
}

void act_claim_left(struct logstore *store)
{
        (void)store;
        claim(true);
}

/* More is committed than was claimed, which is refused, and then as much as was. */
void act_claim_too_much(struct logstore *store)
{
        static const int allowed[] = { -EMSGSIZE, -ECANCELED, 0 };
        struct logstore_claim claim;

        history.claims++;
        for (int i = 0; i < 3; i++) {
                int r = logstore_claim(store, 400, &claim);
                if (judge_result("claim", r, refused) < 0)
                        continue;
                r = logstore_commit(store, &claim, claim.size + 1);
                if (judge_result("commit of too much", r, allowed) == 0)
                        verdict("commit of more than was claimed gave 0");
                judge_result("abort", logstore_abort(store, &claim), aborted);
        }
}

/* The thread ends in the middle of a claim, with an append behind it. */
void act_claim_abandoned(struct logstore *store)
{
        struct logstore_claim claim;

        history.claims++;
        if (judge_result("claim", logstore_claim(store, 2000, &claim), refused) == 0)
                memset(claim.data, 1, 100);
        do_append(9000, NULL);
}

static void cancel(struct logstore *store, uint32_t age_ms)
{
        static const int none[] = { 0 };
        struct logstore_info info = { .struct_bytes = sizeof(info) };

        history.claims++;
        for (int i = 0; i < 3; i++) {
                judge_result("cancel_claims", logstore_cancel_claims(store, age_ms), none);
                judge_result("info", logstore_info(store, &info), none);
        }
}

void act_cancel_old(struct logstore *store)
{
        cancel(store, 1000);
}

void act_cancel_all(struct logstore *store)
{
        cancel(store, 0);
}

/* ---- syncs ---- */

void act_sync_all(struct logstore *store)
{
        static const int allowed[] = { -EAGAIN, -EDEADLK, 0 };

        for (int i = 0; i < 4; i++) {
                judge_result("sync of all", logstore_sync(store, 0), allowed);
                judge_bounds(store, "behind a sync of all");
        }
}

/* The helper's signal for @number, within 3 s of virtual time. */
static void await(struct logstore *store, int fd, uint64_t number)
{
        int64_t begin = scheduler_now_ns();
        uint64_t count, durable = 0;

        while (read(fd, &count, sizeof(count)) != sizeof(count)) {
                if (scheduler_now_ns() - begin > 3000000000)
                        verdict("sync_start returned 0, and its eventfd says nothing for 3 s");
                scheduler_sleep(5000000);
        }
        {
                struct op *op = history_begin(ACT_SYNC, number);
                int r = logstore_durable(store, &durable);
                history_end(op, r == 0 && durable >= number ? 0 : -EAGAIN);
        }
}

/* The sync runs beside others, and their signals cannot be told apart. What it asked for becomes
 * durable within 3 s of virtual time, unless it was cut. */
void act_sync_start(struct logstore *store)
{
        static const int allowed[] = { -EAGAIN, 0 };
        uint64_t number, durable = 0;

        for (int i = 0; i < 3; i++) {
                int64_t begin = scheduler_now_ns();
                uint64_t since = history_now();
                if (do_append(500, &number) < 0 ||
                    judge_result("sync_start", logstore_sync_start(store, number), allowed) < 0)
                        continue;
                while (logstore_durable(store, &durable) == 0 && durable < number &&
                       !history_cut_since(number, since)) {
                        if (scheduler_now_ns() - begin > 3000000000)
                                verdict("sync_start returned 0, and %llu is not durable in 3 s",
                                        (unsigned long long)number);
                        scheduler_sleep(5000000);
                }
        }
}

void act_sync_async(struct logstore *store)
{
        static const int allowed[] = { -EAGAIN, 0 };
        int fd = logstore_sync_fd(store);
        uint64_t number, count;

        if (fd < 0)
                verdict("sync_fd: %d: %s", fd, logstore_detail());
        for (int i = 0; i < 3; i++) {
                if (do_append(500, &number) < 0)
                        continue;
                while (read(fd, &count, sizeof(count)) == sizeof(count))
                        ;
                if (judge_result("sync_start", logstore_sync_start(store, number), allowed) == 0)
                        await(store, fd, number);
        }
}
