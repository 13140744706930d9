/*
 * ship_ask.c - requests that are sent again until there is an answer
 */
#include <errno.h>

#include "remote/ship_private.h"

int ship_ask(struct logstore_ship *ship, ship_put *put, const char *name,
             const struct bucket_source *source, struct bucket_reply *ret_reply)
{
        int64_t begun = ship_clock_ns();

        for (unsigned tries = 0;; tries++) {
                int r = put(ship->bucket, name, source, ret_reply);

                if (r != -EAGAIN || ship_clock_ns() - begun > ship->patience_ns)
                        return r;
                r = ship_pause(ship, tries);
                if (r < 0)
                        return r;
        }
}

int ship_until_settled(struct logstore_ship *ship, int (*step)(struct logstore_ship *ship))
{
        int64_t begun = ship_clock_ns();

        for (unsigned tries = 0;; tries++) {
                int r = step(ship);

                if (r != SHIP_AGAIN)
                        return r;
                if (ship_clock_ns() - begun > ship->patience_ns)
                        return -EAGAIN; /* the last answer has said why */
                r = ship_pause(ship, tries);
                if (r < 0)
                        return r;
        }
}
