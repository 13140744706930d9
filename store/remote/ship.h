/*
 * ship.h - send a live log to a bucket
 *
 * One shipper at a time commits to a bucket. Each commit is an object whose name is the next number,
 * created only if there is none of that name. So of two shippers one fails, and finds the other's
 * commit there. No clock decides who may write; times only keep a sleeper from waking up to a bucket
 * in which names were deleted and are free again. docs/REMOTE.md has the protocol step by step.
 *
 * Life:    ship_open() -> ship_start() -> ship_round() again and again -> ship_close().
 * Fails:   see ship_start() and ship_round(). What was shipped stays shipped.
 * Threads: one at a time. ship_stop() may come from a signal handler.
 */
#ifndef LOGSTORE_SHIP_H
#define LOGSTORE_SHIP_H

#include <stdbool.h>

#include "logstore.h"
#include "remote/bucket.h"
#include "remote/remote_format.h"

struct ship;

struct ship_options {
        bool takeover;        /* do not ask whether another host committed lately */
        int64_t interval_ns;  /* how often rounds come: another host is dead after three */
        uint32_t codec;       /* enum remote_codec, of whole segments */
        const char *position; /* name of the place in the store; NULL: "ship" */
        void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);
        void *context;
};

struct ship_report {
        struct remote_place shipped; /* all up to here is in the bucket */
        uint64_t durable;            /* last number that is durable here */
        uint64_t seq, term;          /* of the last commit */
        uint64_t commits, objects, bytes; /* since the start */
};

/* Look at the store in @directory and the bucket; nothing is written. Both stay the caller's. */
int ship_open(const char *directory, struct bucket *bucket, const struct ship_options *options,
              struct ship **ret);
void ship_close(struct ship *ship);
void ship_stop(struct ship *ship);

/*
 * Try out the bucket, find out what is shipped, and take over.
 *
 * -EOPNOTSUPP    the bucket creates an object twice: it cannot keep two shippers apart
 * -EMEDIUMTYPE   it holds the log of another store
 * -EILSEQ        the log that is there is not this one's beginning: they have diverged
 * -EBUSY         another host committed lately
 * -EBADMSG       an object there is damaged
 * -EAGAIN        no answer for five minutes
 * -ECANCELED     ship_stop()
 */
int ship_start(struct ship *ship);

/*
 * Ship all that is durable now. Returns 0 once it is there.
 *
 * -EPIPE         another shipper has taken over: stop; what was shipped before stays
 * Else as ship_start(); of the store as logstore_get().
 */
int ship_round(struct ship *ship);

void ship_tell(const struct ship *ship, struct ship_report *ret);

#endif
