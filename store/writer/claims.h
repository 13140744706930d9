/*
 * claims.h - the open claims that callers hold, so that they can be named and ended
 */
#ifndef LOGSTORE_CLAIMS_H
#define LOGSTORE_CLAIMS_H

#include <pthread.h>

#include "writer/writer.h"

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
        struct writer *writer;
        struct claims *next_store; /* in the process-wide list that the end of a thread walks */
};

/* Around fork(2), over all stores. @forget: we are in the child, which must not touch them. */
void claims_lock_stores(void);
void claims_unlock_stores(bool forget);

int claims_init(struct claims *claims, struct writer *writer);
void claims_free(struct claims *claims); /* and the claims that a failed store leaves open */

/* List @claim in @open. The caller allocated @open before, since a claim cannot be taken back.
 * Returns its serial. From here on @open belongs to the list: any thread may resolve the claim and
 * free it. */
uint64_t claims_add(struct claims *claims, struct open_claim *open, const struct claim *claim,
                    uint32_t size);

/* Resolve with @size payload bytes, or as void if @size is negative. We look into @open only if the
 * list has it with @serial; @number is for the detail. -ECANCELED: it was already resolved.
 * -EMSGSIZE: the claim has fewer bytes, and stays open. -EIO: its page was lost, and the store has
 * failed. */
int claims_resolve(struct claims *claims, const struct open_claim *open, uint64_t serial,
                   uint64_t number, int64_t size, int64_t time_ns);

/* Abort the claims that are @age_ns old or older. Returns how many. */
int claims_cancel(struct claims *claims, int64_t age_ns);

/* Does the calling thread hold a claim with a number up to @number? */
bool claims_mine(struct claims *claims, uint64_t number);

/* Give the number of the oldest claim (0: none), its age and thread, and how many there are. */
uint64_t claims_oldest(struct claims *claims, uint64_t *ret_count, int64_t *ret_age_ns,
                       int *ret_thread_id);

#endif
