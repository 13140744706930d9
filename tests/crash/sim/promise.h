/*
 * promise.h - what a crashed store may hold: the oracle
 *
 * It is told of every operation before it begins, and of its result. From that follows, at any
 * moment, what an opening after a crash may find: a log that begins between two numbers, reaches at
 * least to what was acknowledged and at most to what was asked for, ends where no batch is cut,
 * and holds exactly the bytes that were appended.
 *
 * Payloads follow from a ticket that each record has of its own, so that a number used twice cannot
 * pass with the bytes of its first use, and a record can be recognised before its number is known.
 *
 * Beside a truncation it is not known whether an append still got a number that is cut: it is then
 * asked for in both logs, the one before and the one behind the cut, until its number tells.
 */
#ifndef SIM_PROMISE_H
#define SIM_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMISE_PAYLOAD_MAX (4u << 20) /* the largest segment drawn */

enum entry_kind {
        ENTRY_RECORD,
        ENTRY_VOID, /* an aborted claim */
        ENTRY_OPEN, /* a claim not yet resolved: nothing from it on may be seen */
};

struct entry {
        uint32_t size;
        uint32_t ticket;
        uint8_t kind; /* enum entry_kind */
        bool more;    /* the batch goes on behind it */
};

struct promise {
        bool created; /* the first open has returned */
        uint64_t first_low,
                first_high; /* the log begins in this range; they differ during a trim */
        uint64_t tail;      /* the last number asked for */
        uint64_t acked;     /* the last number acknowledged */
        uint32_t asked;     /* of the last entries, those whose append has not returned */
        bool truncating;    /* a truncation has begun whose end is not known: */
        bool emptying;      /* it leaves nothing, */
        uint64_t cut;       /* and this is the last number, there or not; behind it may come: */
        struct entry *behind;
        uint32_t behind_count;
        bool damaged;        /* a byte is spoilt; a repair is such a truncation */
        bool restored;       /* old copies of files were put back since it was open, */
        bool may_be_damaged; /* such that the log may lack records, which is to be told, */
        bool unproven;       /* or that a repair may keep what was trimmed or cut */
        uint64_t
                came_back; /* numbers below it were trimmed; what stood there once may show again */
        uint32_t tickets;  /* the next one */
        uint64_t base;     /* number of entries[0] */
        uint32_t count, capacity;
        struct entry *entries;
};

void promise_begin(struct promise *promise, uint64_t first, uint32_t tickets);
void promise_copy(struct promise *to, const struct promise *from);
void promise_free(struct promise *promise);

const uint8_t *promise_payload(uint32_t ticket, uint32_t size);
struct entry *promise_entry(const struct promise *promise, uint64_t number); /* NULL: none */

/* Before an append: @count records or a claim get the next numbers. Returns the first. */
uint64_t promise_ask(struct promise *promise, enum entry_kind kind, const uint32_t *sizes,
                     uint32_t count);
/* After it failed without having used a number. */
void promise_take_back(struct promise *promise, uint32_t count);

/* The log is now to end behind @cut (and to be emptied), as far as anybody knows. */
void promise_cut(struct promise *promise, uint64_t cut, bool emptying);
/* The cut is there, as its call or a number behind it said: go on in the log behind it. */
void promise_settle_cut(struct promise *promise, uint32_t tickets);
/* It was refused. */
void promise_forget_cut(struct promise *promise);
/* What is asked for now got its number, @number, so the cut has come, or nothing is behind it. */
void promise_got(struct promise *promise, uint64_t number, uint32_t tickets);
/* Acknowledge @number if it is still the record with @ticket. */
void promise_ack_ticket(struct promise *promise, uint64_t number, uint32_t ticket);

/* The end of the prefix in which every claim is resolved. */
uint64_t promise_resolved(const struct promise *promise);
void promise_ack(struct promise *promise, uint64_t number);
/* The log begins at @first and ends at @tail, all of it durable. */
void promise_adopt(struct promise *promise, uint64_t first, uint64_t tail, uint32_t tickets);

/* NULL, or why a log from @first to @tail cannot be; *ret_class is LOST, HOLE or INVENTED. */
const char *promise_refuses(const struct promise *promise, uint64_t first, uint64_t tail,
                            const char **ret_class);

#endif
