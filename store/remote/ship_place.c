/*
 * ship_place.c - what was shipped, as positions in the store itself
 *
 * Two positions, named after the URL. One is set behind a commit that is there: a floor, so that
 * nothing is trimmed before it is shipped, nor the segment with the last bytes that were. The other
 * is set before a commit is tried. If the log is truncated, the end in the bucket is of a log that
 * is no longer here. It was ours if one of the two positions is that very place. Then shipping goes
 * on from the cut. An end that neither of them knows is another copy's: the logs have diverged.
 *
 * What was tried may not be what is there: two copies of one store that were closed cleanly go on
 * in the same segment, and may end alike. So the position that is set before also keeps the check
 * of the bytes before it, as its note.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "remote/ship_private.h"
#include "segment/hash.h"

#define NEXT_SUFFIX ".next"

static void name_position(const struct bucket *bucket, const char *suffix, char name[40])
{
        uint64_t hash = hash_seeded(0, bucket->url, strlen(bucket->url));

        snprintf(name, 40, "ship-%016" PRIx64 "%s", hash, suffix);
}

void ship_name_positions(struct logstore_ship *ship)
{
        name_position(ship->bucket, "", ship->shipped_name);
        name_position(ship->bucket, NEXT_SUFFIX, ship->next_name);
}

static struct logstore_position describe(const struct remote_place *place, uint32_t flags,
                                         uint64_t check)
{
        return (struct logstore_position){
                .struct_bytes = sizeof(struct logstore_position),
                .flags = flags,
                .number = place->number + 1,
                .segment_id = place->id,
                .segment_salt = place->salt,
                .offset = place->offset,
                .note = check,
        };
}

/* A shipper without the right to write in the directory ships all the same. */
static int set(struct logstore_ship *ship, const char *name, const struct remote_place *place,
               uint32_t flags, uint64_t check)
{
        const struct logstore_position position = describe(place, flags, check);
        int r;

        if (place->id == 0 || ship->report.unprotected)
                return 0;
        r = logstore_position_set(ship->store, name, &position);
        if (r == -EACCES || r == -EROFS || r == -EPERM) {
                ship->report.unprotected = 1;
                return 0;
        }
        if (r == -ESTALE) /* cut or trimmed just now: the next look says so */
                return SHIP_AGAIN;
        return r < 0 ? remote_detail(r, "%s", logstore_detail()) : 0;
}

int ship_note_next(struct logstore_ship *ship, const struct commit_header *next)
{
        return set(ship, ship->next_name, &next->end, 0, next->tail_check);
}

int ship_note_shipped(struct logstore_ship *ship)
{
        return set(ship, ship->shipped_name, &ship->last.end, LOGSTORE_POSITION_FLOOR, 0);
}

void ship_note_fetched(struct logstore *store, const struct bucket *bucket,
                       const struct commit_header *head)
{
        const struct logstore_position position = describe(&head->end, 0, head->tail_check);
        char name[40];

        name_position(bucket, NEXT_SUFFIX, name);
        if (head->end.id != 0)
                logstore_position_set(store, name, &position); /* without it a cut is refused */
}

static bool is_cut_there(struct logstore_ship *ship, const char *name,
                         const struct remote_place *place, struct remote_place *ret)
{
        struct logstore_position position = { .struct_bytes = sizeof(position) };

        if (logstore_position_get(ship->store, name, &position) < 0 ||
            position.state != LOGSTORE_POSITION_CUT || position.segment_id != place->id ||
            position.segment_salt != place->salt || position.offset != place->offset ||
            position.resume_id == 0)
                return false;
        if (!(position.flags & LOGSTORE_POSITION_FLOOR) && position.note != ship->last.tail_check)
                return false;
        *ret = (struct remote_place){ position.resume_id, position.resume_salt,
                                      position.resume_offset, position.resume_number - 1 };
        return true;
}

bool ship_was_cut(struct logstore_ship *ship, const struct remote_place *place,
                  struct remote_place *ret)
{
        return is_cut_there(ship, ship->shipped_name, place, ret) ||
               is_cut_there(ship, ship->next_name, place, ret);
}
