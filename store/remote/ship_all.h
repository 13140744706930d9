/*
 * ship_all.h - many stores, shipped by a few threads
 *
 * Each store is due at a time. A thread takes the one that has been due the longest, looks whether
 * its log has changed, ships it if so, and puts it back for an interval later. So a store with much
 * to ship takes one thread, and the others go on.
 */
#ifndef LOGSTORE_SHIP_ALL_H
#define LOGSTORE_SHIP_ALL_H

#include <pthread.h>
#include <sys/stat.h>

#include "remote/ship_private.h"

struct ship_store {
        struct ship_store *next;
        struct logstore_ship *ship;  /* NULL: not opened yet */
        dev_t device;                /* of its control file, when it was opened, */
        ino_t inode;                 /* so that another store of its name is known as one */
        struct logstore_bounds seen; /* of the log, when it was shipped last */
        int64_t due_ns;              /* not before, by the boot clock; INT64_MAX: never again */
        unsigned failures;           /* one after another */
        uint64_t commits, objects, bytes, missed; /* that are counted */
        bool busy, done;
        bool settled; /* the last round sent nothing */
        int error;    /* of the last round */
        char name[];
};

struct logstore_ship_all {
        char *parent;
        struct bucket *bucket;
        struct logstore_ship_options ship_options;
        struct logstore_ship_all_options options;
        uint32_t connections;
        atomic_int stopped; /* as a shipper's */
        struct ship_gate *gate;
        int64_t scan_ns; /* how often stores are looked for: SCAN_NS, but in tests */

        /* Protects what follows, the stores that are not busy, and each store's name, busy, and
         * whether it has a ship. */
        pthread_mutex_t lock;
        pthread_cond_t changed; /* something may be due */
        struct ship_store *first;
        struct logstore_ship_all_report report;

        pthread_mutex_t telling; /* one event at a time */
};

/* Find stores that are new, and drop those that are gone, or have another in their place. */
int ship_all_scan(struct logstore_ship_all *all);

/* Note which store it is. -ENOENT: it has gone. */
int ship_store_note(const struct logstore_ship_all *all, struct ship_store *store);

void ship_store_free(struct ship_store *store);

#endif
