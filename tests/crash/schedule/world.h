/*
 * world.h - one store on a simulated disk, and what the threads of a scenario do with it
 */
#ifndef SCHEDULE_WORLD_H
#define SCHEDULE_WORLD_H

#include <logstore.h>

#include "judge.h"
#include "rng.h"
#include "scheduler.h"

#define WORLD_BUFFER 70000u /* more than the largest record */

/* What one thread does. @store: its handle, the writer's or the reading process's. */
struct actor {
        const char *name;
        void (*run)(struct logstore *store);
        bool reads; /* with the reading process's handle */
};

struct scenario {
        const char *name;
        struct actor actors[6];
        unsigned big_records; /* of 8,000 bytes, appended before: seven to a segment */
        bool reader;          /* a second handle, read-only, as another process has */
        bool alone;           /* only without the store's own threads */
        bool no_end;          /* what is left at the end is not looked at */
        const char *expects;  /* a program with a fault: the verdict begins so */
        void (*options)(struct logstore_options *options);
        void (*prepare)(void);
};

/* One array for each group, ended by a row without a name. */
extern const struct scenario scenarios_append[], scenarios_batch[], scenarios_claim[],
        scenarios_close[], scenarios_cursor[], scenarios_itself[], scenarios_keeper[],
        scenarios_pairs[], scenarios_power[], scenarios_process[], scenarios_read[],
        scenarios_retention[], scenarios_roll[], scenarios_snapshot[], scenarios_sync[],
        scenarios_trim[], scenarios_triples[], scenarios_truncate[], scenarios_wait[];
extern const struct scenario *const scenario_groups[]; /* ended by NULL */

extern struct world {
        struct disk *disk;
        struct logstore *store, *reader;
        uint64_t seed;
        bool threads; /* the store has its own */
        bool no_cuts; /* acknowledgements are not followed by power cuts */
} world;

void world_make(const struct scenario *scenario, bool threads);
void world_run(const struct scenario *scenario, uint64_t seed);
void world_reopen(uint32_t flags); /* close, and a new life */
struct rng world_lottery(void);    /* the next one of this thread, whatever the others do */
char *world_buffer(void);          /* of this thread, WORLD_BUFFER bytes */

/* ---- judged calls ---- */
int do_append(size_t size, uint64_t *ret_number);
int do_batch(unsigned count, size_t size, uint64_t *ret_first);
int do_sync(uint64_t number, int timeout_ms); /* 0: without */
int do_truncate(uint64_t number, uint64_t next);
int do_trim(uint64_t number);
int do_get(struct logstore *store, uint64_t number);

/* ---- actors; what they do is said where they are ---- */
#define ACTOR(function)                                  \
        {                                                \
                .name = #function, .run = act_##function \
        }
#define READER(function)                                                          \
        {                                                                         \
                .name = "reader_" #function, .run = act_##function, .reads = true \
        }
void act_append(struct logstore *), act_append_timed(struct logstore *),
        act_append_each(struct logstore *), act_append_few(struct logstore *),
        act_append_once(struct logstore *), act_roll(struct logstore *),
        act_roll_unsynced(struct logstore *), act_batch(struct logstore *),
        act_batch_roll(struct logstore *);
void act_claim_too_much(struct logstore *), act_claim(struct logstore *),
        act_claim_left(struct logstore *), act_claim_abandoned(struct logstore *),
        act_cancel_old(struct logstore *), act_cancel_all(struct logstore *);
void act_sync_all(struct logstore *), act_sync_start(struct logstore *),
        act_sync_async(struct logstore *);
void act_truncate_10(struct logstore *), act_truncate_15(struct logstore *),
        act_truncate_high(struct logstore *), act_truncate_all(struct logstore *),
        act_truncate_batch(struct logstore *), act_trim(struct logstore *),
        act_truncate_25(struct logstore *), act_retention(struct logstore *),
        act_limit(struct logstore *), act_floor(struct logstore *);
void act_get(struct logstore *), act_get_tail(struct logstore *), act_get_many(struct logstore *),
        act_bounds(struct logstore *);
void act_cursor(struct logstore *), act_cursor_long(struct logstore *),
        act_cursor_back(struct logstore *), act_tail(struct logstore *),
        act_wait(struct logstore *), act_wait_once(struct logstore *),
        act_wait_short(struct logstore *), act_fd(struct logstore *);
void act_snapshot(struct logstore *), act_export(struct logstore *), act_look(struct logstore *);
void act_power_cuts(struct logstore *), act_lives(struct logstore *), act_close(struct logstore *);

#endif
