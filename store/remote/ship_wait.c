/*
 * ship_wait.c - wait until a record is in the bucket, in any process
 *
 * The shipper sets a position of the store behind each commit. We look at it again and again: a
 * commit takes some milliseconds, and nobody is woken by a position.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "logstore-remote.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"
#include "remote/ship_private.h"

#define PAUSE_LEAST_NS (2 * NS_PER_MS)
#define PAUSE_MOST_NS (50 * NS_PER_MS)

/* What all shippers of the store have shipped. */
struct shipped {
        uint64_t number; /* the least */
        unsigned places;
        bool lost; /* records behind it were trimmed */
};

static bool is_shipper(const struct logstore_position *position)
{
        return position->flags & LOGSTORE_POSITION_FLOOR && ship_is_position(position->name);
}

static int note(void *context, const struct logstore_position *position)
{
        struct shipped *shipped = context;
        uint64_t number;

        if (position->error < 0 || !is_shipper(position))
                return 0;
        /* Behind a cut other records may have its number, and those are not shipped yet. */
        number = position->state == LOGSTORE_POSITION_HERE ? position->number - 1
                                                           : position->resume_number - 1;
        if (position->state == LOGSTORE_POSITION_TRIMMED) {
                number = position->number - 1;
                shipped->lost = true;
        }
        if (shipped->places++ == 0 || number < shipped->number)
                shipped->number = number;
        return 0;
}

static int look(struct logstore *store, uint64_t number)
{
        struct shipped shipped = { 0 };
        struct logstore_bounds bounds;
        int r = logstore_position_list(store, note, &shipped);

        if (r == 0)
                r = logstore_bounds(store, &bounds);
        if (r < 0)
                return remote_detail(r, "%s", logstore_detail());
        if (shipped.places && shipped.number >= number)
                return 0;
        if (shipped.lost && number < bounds.first)
                return remote_detail(-ESTALE, "record %" PRIu64 " was trimmed, and not shipped",
                                     number);
        if (!shipped.places)
                return remote_detail(-ENOENT, "this store is not shipped");
        return remote_detail(-ETIMEDOUT, "record %" PRIu64 " is not shipped yet, %" PRIu64 " is",
                             number, shipped.number);
}

int logstore_ship_wait(struct logstore *store, uint64_t number, int timeout_ms)
{
        int64_t end = clock_boot_ns() + timeout_ms * NS_PER_MS, pause = PAUSE_LEAST_NS;

        if (!store || number == 0)
                return remote_detail(-EINVAL, "no store, or no record");
        for (;;) {
                struct timespec time = { 0, pause };
                int r = look(store, number);

                if ((r != -ETIMEDOUT && r != -ENOENT) ||
                    (timeout_ms >= 0 && clock_boot_ns() >= end))
                        return r;
                nanosleep(&time, NULL);
                if (pause < PAUSE_MOST_NS)
                        pause += pause / 2;
        }
}
