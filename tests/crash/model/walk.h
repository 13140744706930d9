/*
 * walk.h - the state of a random walk: a store, its readers, and the model beside it
 */
#ifndef WALK_H
#define WALK_H

#include "model.h"

#define WALK_CLAIMS 4
#define WALK_CURSORS 4

struct walk_cursor {
        struct logstore_cursor *cursor;
        struct logstore *owner; /* writer or reader */
        uint64_t position;
        bool strange; /* what it stood in may be gone: -ESTALE is right until it seeks */
};

struct walk_snapshot;

struct walk {
        const char *path;
        uint64_t random;
        uint64_t operations;
        const char *doing; /* the operation under way */
        struct model model;
        struct logstore *writer;
        struct logstore *reader; /* NULL: not open */
        struct {
                struct logstore_claim claim;
                bool open;
        } claims[WALK_CLAIMS];
        struct walk_cursor cursors[WALK_CURSORS];
        struct walk_snapshot *snapshot;
        uint64_t times_done; /* the times of all entries up to here were learned */
        uint32_t flags;      /* how the writer is open */
};

/* What the store did is not what the model says: prints, with seed and operation, and exits. */
void walk_fail(const struct walk *walk, const char *format, ...)
        __attribute__((noreturn, format(printf, 2, 3)));

#define walk_expect(walk, call, want)                                                             \
        do {                                                                                      \
                int64_t walk_got = (call), walk_want = (want);                                    \
                if (walk_got != walk_want)                                                        \
                        walk_fail(walk, "%s gave %lld, not %lld: %s", #call, (long long)walk_got, \
                                  (long long)walk_want, logstore_detail());                       \
        } while (0)

uint64_t walk_below(struct walk *walk, uint64_t limit); /* random, 0..limit - 1 */
uint64_t walk_some_number(struct walk *walk);           /* mostly one that is there */
struct logstore *walk_some_handle(struct walk *walk);
const char *walk_name(const struct walk *walk, const struct logstore *handle);
void walk_compare(struct walk *walk, const struct logstore_record *record);

/* Learn the times that the store gave to records, up to the tail. */
void walk_learn_times(struct walk *walk);

/* Close what depends on a handle. */
void walk_drop_cursors(struct walk *walk, const struct logstore *owner);
void walk_resolve_claims(struct walk *walk);

/* The operations, by file: appending, reading, cursors, snapshots, letting go. */
void walk_append(struct walk *walk);
void walk_appendv(struct walk *walk);
void walk_batch(struct walk *walk);
void walk_claim(struct walk *walk);
void walk_resolve(struct walk *walk);
void walk_refused(struct walk *walk);
void walk_sync(struct walk *walk);

void walk_get(struct walk *walk);
void walk_get_many(struct walk *walk);
void walk_bounds(struct walk *walk);

void walk_cursor_step(struct walk *walk);
void walk_cursor_seek(struct walk *walk);
void walk_cursor_time(struct walk *walk);
void walk_cursor_get(struct walk *walk);
void walk_cursor_reopen(struct walk *walk);

void walk_trim(struct walk *walk);
void walk_truncate(struct walk *walk);
void walk_reopen(struct walk *walk);
void walk_reader(struct walk *walk);

void walk_snapshot(struct walk *walk);
void walk_snapshot_close(struct walk *walk);

void walk_open_writer(struct walk *walk);

#endif
