/*
 * model.h - what a log is, in memory: the numbers, what each holds, and what must be answered
 *
 * Nothing is ever forgotten but by truncation, so that readers that stand in what was trimmed can
 * still be checked.
 */
#ifndef MODEL_H
#define MODEL_H

#include <logstore.h>
#include <stdbool.h>
#include <stdint.h>

enum model_kind { MODEL_PENDING, MODEL_RECORD, MODEL_VOID };

struct model_entry {
        uint64_t seed; /* of the payload */
        uint32_t size;
        uint8_t kind;     /* enum model_kind */
        bool more;        /* the next number is of the same batch */
        bool timed;       /* time_ns is known */
        int64_t time_ns;  /* void: the latest it can be */
        int64_t greatest; /* time up to here, voids too */
};

struct model {
        struct model_entry *entries; /* by number */
        uint64_t capacity;
        uint64_t first, last; /* last: the last number given out */
        uint64_t durable;     /* at least this is durable */
        uint64_t settled;     /* no unresolved claim up to here */
        uint64_t timed;       /* greatest times are known up to here */
};

void model_init(struct model *model);
void model_free(struct model *model);

/* Give out the next number. */
uint64_t model_add(struct model *model, enum model_kind kind, uint32_t size, uint64_t seed,
                   int64_t time_ns, bool more);

/* The last number before the first unresolved claim. */
uint64_t model_tail(struct model *model);

/* The next or previous record from @position on, stepping over voids; 0: none. */
uint64_t model_next(struct model *model, uint64_t position);
uint64_t model_prev(const struct model *model, uint64_t position);

void model_truncate(struct model *model, uint64_t number, uint64_t next);

/* The payload of @number, in a static buffer. */
const unsigned char *model_payload(const struct model *model, uint64_t number);

/* Is it what was appended under its number? Learns the time. NULL, or what is wrong. */
const char *model_compare(struct model *model, const struct logstore_record *record);

/* What logstore_get() must return for @number. */
int model_get_result(struct model *model, uint64_t number);

/* Where a search for @time_ns may stand: *ret_from..*ret_to, tail + 1: behind it. All times up to
 * the tail are known and summed up. */
void model_find_time(struct model *model, int64_t time_ns, uint64_t *ret_from, uint64_t *ret_to);
void model_sum_times(struct model *model);

#endif
