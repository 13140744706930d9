/*
 * ship.c - send a live log to a bucket
 */
#include "remote/ship.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "remote/ship_private.h"

int64_t ship_clock_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_BOOTTIME, &now);
        return now.tv_sec * SECOND_NS + now.tv_nsec;
}

uint64_t ship_random(void)
{
        uint64_t value = 0;

        while (value == 0) /* 0 stands for none */
                if (getrandom(&value, sizeof(value), 0) != sizeof(value))
                        abort(); /* the kernel gives up to 256 bytes without fail */
        return value;
}

int ship_pause(struct ship *ship, unsigned tries)
{
        int64_t ns = SECOND_NS / 20 << (tries < 7 ? tries : 7); /* 50 ms to 6.4 s */

        ns -= ns / 4 * (int64_t)(ship_random() % 1000) / 1000; /* many stores do not ask at once */
        while (ns > 0 && !ship->stopped) {
                int64_t slice = ns < SECOND_NS / 10 ? ns : SECOND_NS / 10;
                struct timespec time = { 0, slice };

                nanosleep(&time, NULL);
                ns -= slice;
        }
        return ship->stopped ? remote_detail(-ECANCELED, "stopped") : 0;
}

static int open_parts(struct ship *ship, const char *directory)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        int r;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NO_THREAD;
        ship->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ship->directory < 0)
                return remote_detail(-errno, "%s: cannot open: %s", directory, strerror(errno));
        r = logstore_open(directory, &options, &ship->store);
        if (r == 0)
                r = logstore_info(ship->store, &info);
        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        memcpy(ship->uuid, info.uuid, sizeof(ship->uuid));
        gethostname(ship->host, sizeof(ship->host) - 1);
        return 0;
}

int ship_open(const char *directory, struct bucket *bucket, const struct ship_options *options,
              struct ship **ret)
{
        struct ship *ship = calloc(1, sizeof(*ship));
        int r;

        if (!ship)
                return remote_detail(-ENOMEM, "no memory for a shipper");
        ship->options = *options;
        ship->bucket = bucket;
        ship->directory = -1;
        r = open_parts(ship, directory);
        if (r < 0) {
                ship_close(ship);
                return r;
        }
        *ret = ship;
        return 0;
}

void ship_close(struct ship *ship)
{
        if (!ship)
                return;
        logstore_close(ship->store); /* read-only, and nothing of it is open */
        if (ship->directory >= 0)
                close(ship->directory);
        table_free(&ship->table);
        free(ship);
}

void ship_stop(struct ship *ship)
{
        ship->stopped = 1;
}

int ship_start(struct ship *ship)
{
        int64_t begun = ship_clock_ns();
        int r = ship_probe(ship);

        for (unsigned tries = 0; r == 0; tries++) {
                r = ship_take_over(ship);
                if (r != SHIP_AGAIN)
                        return r;
                if (ship_clock_ns() - begun > PATIENCE_NS)
                        return -EAGAIN; /* the last answer has said why */
                r = ship_pause(ship, tries);
        }
        return r;
}

void ship_tell(const struct ship *ship, struct ship_report *ret)
{
        *ret = ship->report;
        ret->shipped = ship->last.end;
        ret->seq = ship->last.seq;
        ret->term = ship->last.term;
        ret->durable = ship->durable;
}
