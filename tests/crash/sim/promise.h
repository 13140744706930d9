/*
 * promise.h - what a crashed store may hold: the oracle
 *
 * It is told of every operation before it begins, and of its result. From that follows, at any
 * moment, what an opening after a crash may find: a log that begins between two numbers, reaches at
 * least to what was acknowledged and at most to what was asked for, ends where no batch is cut,
 * and holds exactly the bytes that were appended.
 *
 * Payloads follow from number, size and generation. Every opening and every truncation begins a new
 * generation, so that a number used twice cannot pass with the bytes of its first use.
 */
#ifndef SIM_PROMISE_H
#define SIM_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMISE_PAYLOAD_MAX (128u << 10) /* the largest segment drawn */

enum entry_kind {
        ENTRY_RECORD,
        ENTRY_VOID, /* an aborted claim */
        ENTRY_OPEN, /* a claim not yet resolved: nothing from it on may be seen */
};

struct entry {
        uint32_t size;
        uint32_t generation;
        uint8_t kind; /* enum entry_kind */
        bool more;    /* the batch goes on behind it */
};

struct promise {
        bool created; /* the first open has returned */
        uint64_t first_low,
                first_high; /* the log begins in this range; they differ during a trim */
        uint64_t tail;      /* the last number asked for */
        uint64_t acked;     /* the last number acknowledged */
        bool truncating;    /* a truncation has begun whose end is not known: */
        bool emptying;      /* it leaves nothing, */
        uint64_t cut;       /* and this is the last number, there or not */
        bool damaged;       /* a byte is spoilt; a repair is such a truncation */
        uint32_t generation;
        uint64_t base; /* number of entries[0] */
        uint32_t count, capacity;
        struct entry *entries;
};

void promise_begin(struct promise *promise, uint64_t first, uint32_t generation);
void promise_copy(struct promise *to, const struct promise *from);
void promise_free(struct promise *promise);

const uint8_t *promise_payload(uint64_t number, uint32_t size, uint32_t generation);
struct entry *promise_entry(const struct promise *promise, uint64_t number); /* NULL: none */

/* Before an append: @count records or a claim get the next numbers. Returns the first. */
uint64_t promise_ask(struct promise *promise, enum entry_kind kind, const uint32_t *sizes,
                     uint32_t count);
/* After it failed without having used a number. */
void promise_take_back(struct promise *promise, uint32_t count);

/* The end of the prefix in which every claim is resolved. */
uint64_t promise_resolved(const struct promise *promise);
void promise_ack(struct promise *promise, uint64_t number);
/* The log begins at @first and ends at @tail, all of it durable; a new generation begins. */
void promise_adopt(struct promise *promise, uint64_t first, uint64_t tail, uint32_t generation);

/* NULL, or why a log from @first to @tail cannot be; *ret_class is LOST, HOLE or INVENTED. */
const char *promise_refuses(const struct promise *promise, uint64_t first, uint64_t tail,
                            const char **ret_class);

#endif
