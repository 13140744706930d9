/*
 * sync.h - rounds of syncing, one at a time; the sticky state; group commit; sealing
 */
#ifndef LOGSTORE_SYNC_H
#define LOGSTORE_SYNC_H

#include <pthread.h>
#include <stdbool.h>

#include "os/ring.h"
#include "writer/claims.h"
#include "writer/writer.h"

enum sync_round_kind { SYNC_IDLE, SYNC_BLOCKING, SYNC_RING };

struct sync {
        struct writer *writer;
        struct claims *claims;
        pthread_mutex_t lock;   /* over what is not atomic; never held during a sync or a wait */
        _Atomic uint32_t ended; /* counts rounds; threads that wait for one sleep on it */
        enum sync_round_kind running;
        struct tail synced;            /* the synced place; for the thread that has the round */
        _Atomic uint64_t synced_place; /* a copy for others: turn << 32 | offset / 8 */
        _Atomic uint64_t durable;
        _Atomic uint32_t waiting; /* threads that want a round */
        _Atomic uint32_t arrived; /* threads that ever wanted one */
        uint32_t released;        /* how many the last round released, */
        uint32_t arrived_before;  /* how many had arrived when it ended, */
        int64_t gather_until_ns;  /* until when the next waits for them */
        _Atomic uint64_t rounds;  /* rounds that succeeded */

        /* Asynchronous form */
        bool no_ring;
        struct ring *ring;  /* NULL: not tried yet, or there is none */
        int eventfd;        /* -1: nobody asked for one */
        uint64_t wanted;    /* number that the next asynchronous round is for */
        struct tail target; /* of the round in the ring, */
        unsigned pending;   /* its completions that are still to come, */
        int error;          /* its first failure, */
        char why[256];      /* and the detail of that */
        bool reaping;       /* a thread sleeps until more of it has completed */

        /* A thread that leads rounds where there is no ring, and for callers with a deadline */
        uint64_t asked; /* number that such a caller waits for; every claim up to it is resolved */
        bool helper_running, helper_stop;
        pthread_t helper;
        pthread_cond_t helper_wake;
};

int sync_init(struct sync *sync, struct writer *writer, struct claims *claims, bool no_ring);
void sync_free(struct sync *sync);

/* Everything up to @tail is known to be durable. Called after an open, and in sync_alone() where no
 * gate before the active one is left. */
void sync_begin(struct sync *sync, const struct tail *tail);

/* Make durable up to @number; the deadline is in monotonic ns, -1: none. Errors as logstore_sync().
 * A caller with a deadline leaves the round to the helper, so that it returns in time. */
int sync_until(struct sync *sync, uint64_t number, int64_t deadline_ns);

/* Start that and return. sync_durable() and the eventfd tell when it is done. */
int sync_start(struct sync *sync, uint64_t number);
int sync_eventfd(struct sync *sync);
bool sync_has_ring(struct sync *sync); /* false before one was needed */

/* Bytes from the synced place to @tail; UINT64_MAX: in another segment. Any thread may ask. */
uint64_t sync_behind(struct sync *sync, const struct tail *tail);

/* Take in what has completed. Returns the durable number. */
uint64_t sync_durable(struct sync *sync);

/* Sync and seal the oldest full segment and write its index. -EAGAIN: none is ready for it. */
int sync_seal(struct sync *sync);

/* The same for a caller that is in sync_alone() already. */
int sync_seal_alone(struct sync *sync);

/* Make the start frame of gate @turn durable, so that its successor never stands on nothing. */
int sync_started(struct sync *sync, uint32_t turn);

/* The same for every gate, for a caller that is in sync_alone() already. */
int sync_all_started_alone(struct sync *sync);

/* Run @what while no sync is running and none can start. */
int sync_alone(struct sync *sync, int (*what)(void *context), void *context);

#endif
