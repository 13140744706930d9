/* truth.h - the processes of the soak of true answers: writers, readers, a tailer */
#ifndef TRUTH_H
#define TRUTH_H

#include <sys/types.h>

#include "ledger.h"

/* What one life of a writer does. */
struct life {
        uint64_t seed;
        uint64_t
                appends; /* then it kills itself, or closes every 8th time; 0: go on until killed */
        size_t large;    /* one record of so many is long; 1: each, of 30,000 bytes */
        uint64_t keep;   /* trim to about so many records */
        uint64_t trim_every; /* so many appends */
        uint64_t cut_every;  /* so many appends; 0: never */
};

/* In a child of its own. */
pid_t start_life(struct ledger *ledger, const char *path, const struct life *life);

/* Returns whether it ended as it should: killed, or with status 0. */
bool end_life(pid_t writer, bool kill_it);

/* Open, read at the front and at the end, get some, close. */
void open_and_read(struct ledger *ledger, const char *path, uint64_t seed);

/* What was counted so far, on stderr, every 20 seconds. */
void tell_sometimes(const struct ledger *ledger);

void verify_once(struct ledger *ledger, const char *path);

/* One handle and one cursor of it over @lives lives. */
void tail_lives(struct ledger *ledger, const char *path, uint64_t lives, uint64_t seed);

/* ---- a cursor every answer of which is judged ---- */

struct watch {
        struct ledger *ledger;
        struct logstore *store;
        struct logstore_cursor *cursor;
        uint64_t may_from, must_from; /* first cut that may, and must, take back what was passed */
};

bool watch_open(struct watch *watch, struct ledger *ledger, struct logstore *store);
void watch_close(struct watch *watch);

/* Each returns the store's answer. */
int watch_next(struct watch *watch);
int watch_seek(struct watch *watch, uint64_t number);
int watch_get(struct watch *watch, uint64_t number);

#endif
