/*
 * history.h - what the threads of a schedule asked the store for, when, and what it answered
 *
 * Times are ticks of a clock of the judges' own. If an operation has ended before another begins,
 * the other has to show its effect; otherwise it need not.
 */
#ifndef SCHEDULE_HISTORY_H
#define SCHEDULE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum act { ACT_APPEND, ACT_TRUNCATE, ACT_TRIM, ACT_SYNC };

struct op {
        enum act act;
        int result;          /* 1: has not ended */
        uint64_t number;     /* of the record; what the others were asked for */
        uint64_t key;        /* of the payload */
        size_t size;         /* of the payload */
        uint64_t next;       /* truncation: number of the next append; 0: the one behind */
        uint64_t begin, end; /* 0: has not ended */
        bool batch_goes_on;  /* the next one belongs to the same batch */
        uint64_t seen;       /* by which judge_log() last */
};

extern struct history {
        struct op ops[4096];
        unsigned count;
        uint64_t ticks, keys;
        unsigned claims; /* ever made: voids may be there */
        bool retention;  /* anything may be trimmed */
        uint64_t first;  /* greatest first number that anybody was told */
} history;

uint64_t history_now(void); /* everything that has ended is known behind this */
struct op *history_begin(enum act act, uint64_t number);
int history_end(struct op *op, int result); /* @result */

/* The first records of each store are plain bytes 'x', all others tell their key. */
#define HISTORY_PLAIN 20u
void history_fill(char *data, size_t size, uint64_t key);
/* The append that wrote @data; a verdict if nobody did. */
struct op *history_of(const char *how, const void *data, size_t size);

static inline bool has_ended(const struct op *op)
{
        return op->end != 0;
}
/* Truncated, or to be, or about to be? Of one that ended at @end (0: not yet). */
bool history_may_be_cut(const struct op *append, uint64_t number);
bool history_may_be_trimmed(uint64_t number);
/* A truncation that took @number away and ended after @since? */
bool history_cut_since(uint64_t number, uint64_t since);
/* An append that has to be in the log for whoever begins at @now; NULL: none. */
const struct op *history_there(uint64_t number, uint64_t now);
bool history_appends_beside(uint64_t begin); /* one is, or was after @begin, under way */
void history_print(void *file);              /* FILE * */

#endif
