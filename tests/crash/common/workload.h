/*
 * workload.h - what the parts of crash_workload share: one store, one oracle, the acts
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "logstore.h"
#include "oracle.h"

enum sync_form { FORM_CALL, FORM_START, FORM_EACH, FORM_INTERVAL, FORM_MIXED };

#define SEGMENT_BYTES (64u << 10)

struct workload {
        struct logstore *store;
        const char *path;
        const char *oracle_path;
        uint64_t oracle_at;
        uint64_t seed;
        uint64_t life_seed; /* changed with `turn` held for writing */
        uint32_t seconds;
        uint32_t threads;
        enum sync_form asked, form;
        bool no_ring, close;

        pthread_rwlock_t turn;
        pthread_mutex_t oracle_lock;
        struct oracle oracle;
        int oracle_fd;
        time_t deadline_s;
        uint64_t appended, syncs, trims, truncations, reopens;
};
extern struct workload w;

/* Say it with the store's own words, and exit. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void must(int r, const char *act);

struct logstore_bounds bounds(void);
void open_store(uint64_t *rng);

/* Note what was promised; oracle_write() with oracle_lock held, or alone. */
void oracle_write(void);
void acknowledge(uint64_t number);

/* Acts of the thread that decides. */
void act_append(uint64_t *rng);
void act_batch(uint64_t *rng);
void act_trim(uint64_t *rng);
void act_truncate(uint64_t *rng);
void act_reopen(uint64_t *rng);
void act_sync(void);
void note_durable(void);

/* Acts of any thread that holds `turn` for reading. The number of the claim. */
uint64_t act_claim(uint64_t *rng);
void sync_to(uint64_t number);

#endif
