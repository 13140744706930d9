/*
 * ledger.h - what a log may and must hold now, so that every answer of a reader can be judged
 *
 * The ledger lies in memory that all processes share. The writer notes each change before it begins
 * and after it is done; a reader looks before and after each call. An answer is false if no order
 * of what went on meanwhile explains it. An append has a serial of its own, which its payload
 * holds. What a reader gets at a number is at least the last append to it that is done, and at most
 * the last begun.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <logstore.h>

#define LEDGER_NUMBERS 65536u /* more than a log has at once */
#define LEDGER_CUTS 65536u

enum change { NO_CHANGE, APPENDS, TRIMS, CUTS };

struct ledger {
        _Atomic uint64_t serial; /* of the last append begun */
        _Atomic uint64_t low;    /* every number up to it is there, but for what is trimmed */
        _Atomic uint64_t high;   /* no number beyond was ever begun */
        _Atomic uint64_t first_asked, first_done; /* trimmed at most, and at least, to before it */
        _Atomic uint64_t cuts_begun, cuts_done;
        struct {
                _Atomic uint64_t tail;
                _Atomic bool happened; /* it was done, not undone by its writer's end */
        } cuts[LEDGER_CUTS];
        struct {
                _Atomic uint64_t number, least, greatest; /* serials that may be read of it */
        } numbers[LEDGER_NUMBERS];
        struct {
                enum change change;
                uint64_t number, serial, before;
        } open; /* what a writer that was killed did not end */
        _Atomic uint64_t opens, verifies, lives, records, stale_true, cut_true, falses, failed;
};

/* Shared with every process forked from now on. */
struct ledger *ledger_new(void);

/* The next log; what was counted stays. */
void ledger_restart(struct ledger *ledger);

uint64_t mix64(uint64_t x);

/* Count a false answer; print the first ones. @error and logstore_detail() are the answer. */
void say_false(struct ledger *ledger, const char *what, uint64_t number, int error);

/* ---- the writer's side ---- */

/* Note that a record is appended to @number, and make its payload: *ret_size bytes. */
const void *append_begins(struct ledger *ledger, uint64_t number, size_t large, size_t *ret_size);
void append_done(struct ledger *ledger);
void trim_begins(struct ledger *ledger, uint64_t number);
void trim_done(struct ledger *ledger, uint64_t first);
void cut_begins(struct ledger *ledger, uint64_t tail);
void cut_done(struct ledger *ledger);

/* A new writer has found @bounds: judge them, and what the one before did not end is decided. */
void settle(struct ledger *ledger, const struct logstore_bounds *bounds);

/* ---- a reader's side ---- */

struct moment {
        uint64_t low, high, first_asked, first_done, cuts_begun, cuts_done;
};

struct moment look(struct ledger *ledger);

/* Was there a cut that begins with the @from-th, so far, of which @number was taken back? */
bool may_be_cut(struct ledger *ledger, uint64_t from, uint64_t number);

/* Is it certain, of those done before @moment? */
bool must_be_cut(struct ledger *ledger, uint64_t from, const struct moment *moment,
                 uint64_t number);

/* Is @number certainly there from @before until now? */
bool is_there(struct ledger *ledger, const struct moment *before, uint64_t number);

/* The least serial that may be read of @number from now on. */
uint64_t least_serial(struct ledger *ledger, uint64_t number);

/* Judge a record by its bytes. @least: as it was before the call. */
void judge_record(struct ledger *ledger, const char *what, const struct logstore_record *record,
                  uint64_t least);

void judge_bounds(struct ledger *ledger, const char *what, const struct moment *before,
                  const struct logstore_bounds *bounds);

#endif
