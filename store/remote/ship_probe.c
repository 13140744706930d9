/*
 * ship_probe.c - does the bucket keep two creators apart?
 *
 * All safety rests on one promise: of creations under one name one succeeds. A bucket with
 * versioning switched on ignores the condition without a word, and so do some servers. So it is
 * tried out in that very bucket and prefix, at every start.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "remote/ship_private.h"

/* Create @name; ask again until there is an answer. */
static int try_create(struct logstore_ship *ship, const char *name, bool *ret_created)
{
        static const char text[] = "logstore tries whether this can be created twice\n";
        const struct bucket_source source = { .bytes = text, .size = sizeof(text) - 1 };
        int r = ship_ask(ship, bucket_put_new, name, &source, NULL);

        if (r < 0 && r != -EEXIST)
                return r;
        *ret_created = r == 0;
        return 0;
}

int ship_probe(struct logstore_ship *ship)
{
        bool created = false, twice = false;
        char name[BUCKET_NAME_MAX];
        int r;

        snprintf(name, sizeof(name), "probe/%016" PRIx64, ship_random());
        r = try_create(ship, name, &created);
        if (r == 0)
                r = try_create(ship, name, &twice);
        if (r < 0)
                return r;
        /* Without the right to remove it stays, which harms nobody. */
        ship->may_not_remove = bucket_remove(ship->bucket, name, NULL) == -EACCES;
        if (twice)
                return remote_detail(-EOPNOTSUPP,
                                     "%s: an object could be created twice, so this bucket cannot "
                                     "keep two shippers apart: use a server that heeds "
                                     "If-None-Match, and switch versioning off",
                                     ship->bucket->url);
        return 0;
}
