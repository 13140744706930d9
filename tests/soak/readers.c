/*
 * readers.c - the reading threads: anywhere, in order from the first, and behind the tail
 *
 * A record may have been let go of by retention meanwhile; every other failure counts.
 */
#include <errno.h>
#include <time.h>

#include "oracle.h"
#include "soak.h"

static void rest_us(long us)
{
        nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

static int is_trimmed(struct round *round, uint64_t number)
{
        struct logstore_bounds bounds;

        return logstore_bounds(round->store, &bounds) == 0 && number < bounds.first;
}

static void check_get(struct round *round, uint64_t number)
{
        char buffer[ORACLE_BYTES_MAX];
        struct logstore_record found;
        uint64_t start_ns = now_ns();
        int r = logstore_get(round->store, number, buffer, sizeof(buffer), &found);

        hist_add(&round->shared->get, now_ns() - start_ns);
        round->shared->got++;
        if (r == -ESTALE && is_trimmed(round, number))
                return;
        if (oracle_is_void(number)) {
                if (r != -ENODATA)
                        wrong(round, "a void was given", number, r);
        } else if (r < 0) {
                wrong(round, "get", number, r);
        } else if (found.number != number || !oracle_is_right(number, found.data, found.size, 0)) {
                wrong(round, "get gave other bytes", number, 0);
        }
}

void *get_anywhere(void *argument)
{
        struct round *round = argument;
        struct logstore_bounds bounds;

        for (uint64_t i = now_ns(); !atomic_load(&round->over); i++) {
                int r = logstore_bounds(round->store, &bounds);

                if (r < 0)
                        failed(round, "bounds", r);
                if (r == 0 && bounds.tail >= bounds.first)
                        check_get(round,
                                  bounds.first + oracle_mix(i) % (bounds.tail - bounds.first + 1));
                rest_us(50);
        }
        return NULL;
}

/*
 * One step of a cursor. *expected is the number that must come, 0 for any. Returns 1 for a record,
 * 0 if the place was trimmed and the cursor now stands at the first record, else next's answer.
 */
static int step(struct round *round, struct logstore_cursor *cursor, uint64_t *expected,
                struct logstore_record *found)
{
        int r = logstore_cursor_next(cursor, found);

        if (r == -EAGAIN)
                return r;
        if (r == -ESTALE && is_trimmed(round, logstore_cursor_position(cursor))) {
                *expected = 0;
                r = logstore_cursor_seek(cursor, 0);
                return r == -ESTALE ? 0 : r;
        }
        if (r < 0) {
                wrong(round, "cursor", logstore_cursor_position(cursor), r);
                return r;
        }
        if (*expected && found->number != *expected)
                wrong(round, "cursor skipped to", found->number, 0);
        if (!oracle_is_right(found->number, found->data, found->size, 0) || found->time_ns <= 0)
                wrong(round, "cursor gave other bytes", found->number, 0);
        *expected = oracle_from(found->number + 1);
        return 1;
}

void scan_once(struct round *round, uint32_t cursor_flags)
{
        struct logstore_cursor *cursor;
        struct logstore_record found;
        uint64_t expected = 0;
        int r = logstore_cursor_open(round->store, cursor_flags, &cursor);

        if (r < 0) {
                failed(round, "cursor_open", r);
                return;
        }
        while (r >= 0 && !atomic_load(&round->over) && !must_leave(round)) {
                r = step(round, cursor, &expected, &found);
                if (r != 1)
                        continue;
                round->shared->scanned++;
                round->shared->scanned_bytes += found.size;
        }
        logstore_cursor_close(cursor);
}

void *scan_again(void *argument)
{
        struct round *round = argument;

        while (!atomic_load(&round->over)) {
                scan_once(round, LOGSTORE_DROP_BEHIND);
                rest_us(10000);
        }
        return NULL;
}

/* Ends only when it has seen everything that there is. */
void *follow_tail(void *argument)
{
        struct round *round = argument;
        struct logstore_cursor *cursor = NULL;
        struct logstore_record found;
        uint64_t expected = 0;
        int r = logstore_cursor_open(round->store, 0, &cursor);

        if (r == 0)
                r = logstore_cursor_seek(cursor, UINT64_MAX);
        if (r < 0)
                failed(round, "follow", r);
        while (r == 0) {
                int over = atomic_load(&round->over);
                int s = step(round, cursor, &expected, &found);

                if (s == 1)
                        round->shared->followed++;
                else if (s < 0 && (s != -EAGAIN || over))
                        break;
                else if (s < 0)
                        logstore_cursor_wait(cursor, 50);
        }
        logstore_cursor_close(cursor);
        return NULL;
}
