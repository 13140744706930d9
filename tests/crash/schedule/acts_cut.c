/*
 * acts_cut.c - threads that truncate and trim, and lives that end
 */
#include <errno.h>

#include "world.h"

static const int none[] = { 0 };

static struct logstore_bounds bounds_of(struct logstore *store)
{
        struct logstore_bounds bounds = { 0 };

        judge_result("bounds", logstore_bounds(store, &bounds), none);
        return bounds;
}

void act_truncate_10(struct logstore *store)
{
        (void)store;
        for (int i = 0; i < 2; i++)
                do_truncate(10, 0);
}

void act_truncate_15(struct logstore *store)
{
        (void)store;
        do_truncate(15, 0);
}

/* The last two records, whatever they are. */
void act_truncate_high(struct logstore *store)
{
        for (int i = 0; i < 3; i++) {
                uint64_t tail = bounds_of(store).tail;
                do_truncate(tail > 3 ? tail - 2 : tail, 0);
        }
}

/* Empty it, and go on at a greater number. */
void act_truncate_all(struct logstore *store)
{
        (void)store;
        do_truncate(0, 200);
}

/* Into batches, which stay whole. */
void act_truncate_batch(struct logstore *store)
{
        for (int i = 0; i < 6; i++) {
                uint64_t tail = bounds_of(store).tail, number = tail > 1 ? tail - 1 : 1;
                const struct op *inside = history_there(number, history_now());
                if (inside && !inside->batch_goes_on)
                        inside = NULL;
                if (do_truncate(number, 0) == 0 && inside)
                        verdict("truncate_after(%llu) inside a batch gave 0",
                                (unsigned long long)number);
        }
}

void act_trim(struct logstore *store)
{
        (void)store;
        do_trim(25);
        do_trim(50);
        do_trim(70);
}

void act_retention(struct logstore *store)
{
        uint64_t first;

        history.retention = true;
        judge_result("set_retention", logstore_set_retention(store, 200000, 0, 0), none);
        judge_result("apply_retention", logstore_apply_retention(store, 1, &first), none);
        judge_result("apply_retention", logstore_apply_retention(store, 0, &first), none);
        judge_result("set_retention", logstore_set_retention(store, 0, 30, 0), none);
        judge_result("apply_retention", logstore_apply_retention(store, 0, &first), none);
        judge_bounds(store, "behind retention");
}

/* A limit beside the truncation to 25 of 60: it acts before or behind it, never on an old plan. */
void act_limit(struct logstore *store)
{
        struct logstore_bounds bounds;
        uint64_t first;

        history.retention = true;
        judge_result("set_retention", logstore_set_retention(store, 0, 20, 0), none);
        judge_result("apply_retention", logstore_apply_retention(store, 0, &first), none);
        bounds = bounds_of(store);
        if (bounds.tail == 25 && bounds.first > 6)
                verdict("a limit of 20 records leaves of 25 those from %llu on",
                        (unsigned long long)bounds.first);
}

void act_truncate_25(struct logstore *store)
{
        (void)store;
        do_truncate(25, 0);
}

/* A floor that rises, beside trims. */
void act_floor(struct logstore *store)
{
        for (uint64_t floor = 1; floor < 60; floor += 12) {
                judge_result("set_floor", logstore_set_floor(store, floor), none);
                judge_bounds(store, "behind a floor");
        }
}

/* ---- crashes and lives ---- */

void act_power_cuts(struct logstore *store)
{
        (void)store;
        for (int i = 0; i < 6; i++) {
                scheduler_pause();
                judge_power_cut("at any time");
        }
}

/* The writer closes and opens anew, beside readers in another process. */
void act_lives(struct logstore *store)
{
        uint64_t number;

        (void)store;
        for (int i = 0; i < 3; i++) {
                if (do_append(9000, &number) == 0)
                        do_sync(number, 0);
                do_append(500, &number);
                world_reopen(LOGSTORE_NO_THREAD);
                for (int k = 0; i == 1 && k < 8; k++)
                        do_append(9000, NULL);
                if (i == 1)
                        do_truncate(15, 0);
        }
}

/* After some work close, which joins the store's threads, and what was there is there again. */
void act_close(struct logstore *store)
{
        uint64_t number;

        (void)store;
        for (int i = 0; i < 8; i++)
                if (do_append(9000, &number) == 0 && i == 4)
                        judge_result("sync_start", logstore_sync_start(world.store, number), none);
        world_reopen(0);
        judge_log(world.store, "in the next life", history_now());
        do_append(500, &number);
        do_sync(number, 0);
}
