/*
 * claims.h - the open claims that callers hold, so that they can be named and ended
 */
#ifndef LOGSTORE_CLAIMS_H
#define LOGSTORE_CLAIMS_H

#include <pthread.h>

#include "head.h"

/* A claim that a caller fills in its own time. Plain appends resolve theirs and are not listed. */
struct open_claim {
        struct open_claim *next, *previous; /* in the store's list */
        uint64_t serial;                    /* tells it from every other of the store */
        struct claim claim;
        uint32_t size; /* payload bytes claimed */
        int thread_id;
        pthread_t thread;
        int64_t since_ns; /* monotonic */
};

struct claims {
        pthread_mutex_t lock;
        struct open_claim *first; /* oldest */
        struct open_claim *last;
        uint64_t count;
        uint64_t added; /* ever */
        struct head *head;
        struct claims *next_store; /* in the process-wide list that thread ends look at */
};

/* Around fork(2), over all stores. @forget: in the child, where they are not to be touched. */
void claims_lock_stores(void);
void claims_unlock_stores(bool forget);

int claims_init(struct claims *claims, struct head *head);
void claims_free(struct claims *claims); /* with those that a failed store leaves open */

/* List @claim in @open, which the caller allocated beforehand: a claim cannot be taken back. Returns
 * its serial. From here on @open belongs to the list: any thread may resolve the claim and free it. */
uint64_t claims_add(struct claims *claims, struct open_claim *open, const struct claim *claim,
                    uint32_t size);

/* Resolve with @size payload bytes, or as void if @size is negative. @open is not looked into unless
 * the list has it with @serial; @number is for the detail. -ECANCELED: somebody resolved it before.
 * -EMSGSIZE: it has fewer bytes, and stays open. -EIO: its page was lost, and the store has failed. */
int claims_resolve(struct claims *claims, const struct open_claim *open, uint64_t serial,
                   uint64_t number, int64_t size, int64_t time_ns);

/* Abort those older than @age_ns. Returns how many. */
int claims_cancel(struct claims *claims, int64_t age_ns);

/* Does the calling thread hold one with a number up to @number? */
bool claims_mine(struct claims *claims, uint64_t number);

/* The oldest: its number (0: none), age and thread. */
uint64_t claims_oldest(struct claims *claims, uint64_t *ret_count, int64_t *ret_age_ns,
                       int *ret_thread_id);

#endif
