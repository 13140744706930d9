/*
 * ship.c - send a live log to a bucket
 */
#include "logstore-remote.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "remote/codec.h"
#include "remote/frames.h"
#include "remote/remote.h"
#include "remote/remote_clock.h"
#include "remote/ship_private.h"
#include "segment/hash.h"

#define INTERVAL_MS 1000
#define CONNECTIONS 4

static_assert(LOGSTORE_SHIP_COMPRESS_MAX == CODEC_LEVEL_MAX, "what is public is what is packed");

int64_t ship_clock_ns(void)
{
        return clock_boot_ns();
}

uint64_t ship_random(void)
{
        uint64_t value = 0;

        while (value == 0) /* 0 stands for none */
                if (getrandom(&value, sizeof(value), 0) != sizeof(value))
                        abort(); /* the kernel gives up to 256 bytes without fail */
        return value;
}

int ship_pause(struct logstore_ship *ship, unsigned tries)
{
        int64_t ns = clock_backoff_ns(tries);

        ns -= ns / 4 * (int64_t)(ship_random() % 1000) / 1000; /* many stores do not ask at once */
        return clock_sleep(ns, &ship->stopped) ? 0 : remote_detail(-ECANCELED, "stopped");
}

/* What every copy of the store has in common. */
static int read_identity(struct logstore_ship *ship)
{
        struct control_static *identity = &ship->identity;
        int fd = openat(ship->directory, CONTROL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int r;

        if (fd < 0)
                return remote_detail(-errno, CONTROL_NAME ": cannot open: %s", strerror(errno));
        r = frames_read(fd, CONTROL_NAME, identity, sizeof(*identity), 0);
        close(fd); /* only read */
        if (r == 0 &&
            (identity->check != hash_seeded(0, identity, offsetof(struct control_static, check)) ||
             memcmp(identity->magic, CONTROL_MAGIC, sizeof(identity->magic)) != 0))
                r = remote_detail(-EBADMSG, CONTROL_NAME ": its checksum does not hold");
        return r;
}

static int open_parts(struct logstore_ship *ship, const char *directory)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NO_THREAD;
        ship->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ship->directory < 0)
                return remote_detail(-errno, "%s: cannot open: %s", directory, strerror(errno));
        r = logstore_open(directory, &options, &ship->store);
        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        gethostname(ship->host, sizeof(ship->host) - 1);
        return read_identity(ship);
}

int ship_check_options(const struct logstore_ship_options *options)
{
        if (options && options->struct_bytes != sizeof(*options))
                return remote_detail(-EINVAL, "struct_bytes is not set");
        if (options && options->compress > LOGSTORE_SHIP_COMPRESS_MAX)
                return remote_detail(-EINVAL, "level %u: 1 to %d are there to compress with",
                                     options->compress, LOGSTORE_SHIP_COMPRESS_MAX);
        return 0;
}

struct logstore_ship *ship_new(struct bucket *bucket)
{
        struct logstore_ship *ship = calloc(1, sizeof(*ship));

        if (!ship) {
                bucket_close(bucket);
                return NULL;
        }
        ship->bucket = bucket;
        ship->bucket->patience_ns = READ_PATIENCE_NS;
        ship->bucket->stopped = &ship->stopped;
        ship->options.interval_ms = INTERVAL_MS;
        ship->connections = CONNECTIONS;
        ship->directory = -1;
        ship->patience_ns = PATIENCE_NS;
        return ship;
}

int ship_open(const char *directory, struct bucket *bucket,
              const struct logstore_ship_options *options, uint32_t connections,
              struct logstore_ship **ret)
{
        struct logstore_ship *ship = ship_new(bucket);
        int r;

        if (!ship)
                return remote_detail(-ENOMEM, "no memory for a shipper");
        if (options)
                ship->options = *options;
        if (ship->options.interval_ms == 0)
                ship->options.interval_ms = INTERVAL_MS;
        if (connections)
                ship->connections = connections;
        r = open_parts(ship, directory);
        if (r == 0)
                r = ship_name_positions(ship);
        if (r < 0) {
                logstore_ship_close(ship);
                return r;
        }
        *ret = ship;
        return 0;
}

int logstore_ship_open(const char *directory, const char *url,
                       const struct logstore_remote_options *remote,
                       const struct logstore_ship_options *options, struct logstore_ship **ret)
{
        struct bucket *bucket;
        int r = directory && url && ret ? ship_check_options(options)
                                        : remote_detail(-EINVAL, "an argument is NULL");

        if (r == 0)
                r = remote_open(url, remote, &bucket);
        if (r < 0)
                return r;
        return ship_open(directory, bucket, options, remote ? remote->connections : 0, ret);
}

void logstore_ship_close(struct logstore_ship *ship)
{
        if (!ship)
                return;
        logstore_close(ship->store); /* read-only, and nothing of it is open */
        if (ship->directory >= 0)
                close(ship->directory);
        bucket_close(ship->bucket);
        table_free(&ship->table);
        free(ship->damaged);
        free(ship->since);
        free(ship);
}

void logstore_ship_stop(struct logstore_ship *ship)
{
        ship->stopped = 1;
}

int ship_start(struct logstore_ship *ship)
{
        int r = ship_probe(ship);

        return r == 0 ? ship_until_settled(ship, ship_take_over) : r;
}

int logstore_ship_start(struct logstore_ship *ship)
{
        ship->takes_over = ship->options.flags & LOGSTORE_SHIP_TAKEOVER;
        ship->searches = ship->options.flags & LOGSTORE_SHIP_REPAIR;
        return ship_start(ship);
}

int logstore_ship_tell(const struct logstore_ship *ship, struct logstore_ship_report *ret)
{
        const struct commit_header *last;

        if (!ship || !ret || ret->struct_bytes != sizeof(*ret))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        last = &ship->told;
        *ret = ship->report;
        ret->struct_bytes = sizeof(*ret);
        ret->shipped = (struct logstore_remote_place){ last->end.id, last->end.salt,
                                                       last->end.offset, last->end.number };
        ret->commit = last->seq;
        ret->term = last->term;
        ret->durable = ship->durable;
        return 0;
}
