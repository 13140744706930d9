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
        int error; /* of a position that cannot be used, */
        char name[64];
};

/* Up to which record is it shipped? Behind a cut other records may have its number, and those are
 * not. If the log before the cut is trimmed, nothing tells any more which were. */
static uint64_t number_of(const struct logstore_position *position, bool *ret_lost)
{
        *ret_lost = position->state == LOGSTORE_POSITION_TRIMMED;
        if (position->state != LOGSTORE_POSITION_CUT)
                return position->number - 1;
        if (position->resume_id != 0 && position->resume_offset != FRAMES_OFFSET)
                return position->resume_number - 1;
        *ret_lost = true;
        return 0;
}

static int note(void *context, const struct logstore_position *position)
{
        struct shipped *shipped = context;
        uint64_t number;
        bool lost;

        if (!ship_is_position(position->name))
                return 0;
        if (position->error < 0) {
                shipped->error = position->error;
                memcpy(shipped->name, position->name, sizeof(shipped->name));
                return 0;
        }
        if (!(position->flags & LOGSTORE_POSITION_FLOOR))
                return 0;
        number = number_of(position, &lost);
        shipped->lost |= lost;
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
        if (shipped.error < 0)
                return remote_detail(shipped.error,
                                     "position %s of a shipper cannot be used: the next commit "
                                     "sets it anew",
                                     shipped.name);
        if (shipped.places && shipped.number >= number)
                return 0;
        if (shipped.lost && number < bounds.first)
                return remote_detail(-ESTALE,
                                     "record %" PRIu64
                                     " was trimmed, and no shipper tells that it shipped it",
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
