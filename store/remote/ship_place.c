/*
 * ship_place.c - what was shipped, as positions in the store itself
 *
 * Three positions, named after the place of the bucket, so that two shippers to two places do not
 * take each other's. One is set behind a commit that is there: a floor, so that
 * nothing is trimmed before it is shipped, nor the segment with the last bytes that were. The other
 * two name the end that is in the bucket, and the one that is tried next, each with the check of
 * the bytes before it as its note: copies of a store may go on in one segment, and end alike. If
 * the log is truncated, the end in the bucket is of a log that is no longer here. It was ours if
 * one of the two names it. Then shipping goes on from the cut. An end that neither knows is another
 * copy's: the logs have diverged.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/ship_private.h"
#include "segment/hash.h"

static const char *const next_suffixes[] = { ".next0", ".next1" };

static int hash_place(const struct bucket *bucket, uint64_t *ret)
{
        char *place;
        int r = bucket_identity(bucket, &place);

        if (r < 0)
                return r;
        *ret = hash_seeded(0, place, strlen(place));
        free(place);
        return 0;
}

static void name_position(uint64_t hash, const char *suffix, char name[40])
{
        snprintf(name, 40, "ship-%016" PRIx64 "%s", hash, suffix);
}

bool ship_is_position(const char *name)
{
        static const char begin[] = "ship-", digits[] = "0123456789abcdef";
        const size_t length = strlen(begin);

        return strncmp(name, begin, length) == 0 && strlen(name) == length + 16 &&
               strspn(name + length, digits) == 16;
}

int ship_name_positions(struct logstore_ship *ship)
{
        uint64_t hash;
        int r = hash_place(ship->bucket, &hash);

        if (r < 0)
                return r;
        name_position(hash, "", ship->shipped_name);
        for (int i = 0; i < 2; i++)
                name_position(hash, next_suffixes[i], ship->next_names[i]);
        return 0;
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

bool ship_is_same_place(const struct remote_place *a, const struct remote_place *b)
{
        return a->id == b->id && a->salt == b->salt && a->offset == b->offset;
}

/* A shipper without the right to write in the directory ships all the same. */
static int set(struct logstore_ship *ship, const char *name, const struct remote_place *place,
               uint32_t flags, uint64_t check)
{
        struct logstore_position position = describe(place, flags, check);
        int r;

        if (flags & LOGSTORE_POSITION_FLOOR) {
                position.limit_bytes = ship->options.max_lag_bytes;
                position.limit_ns = ship->options.max_lag_ns;
        }
        if (place->id == 0 || ship->report.unprotected ||
            ship_is_same_place(place, &ship->trimmed_end))
                return 0;
        r = logstore_position_set(ship->store, name, &position);
        if (r == -EACCES || r == -EROFS || r == -EPERM) {
                ship->report.unprotected = 1;
                return 0;
        }
        if (r < 0)
                remote_detail(r, "%s", logstore_detail());
        /* Cut or trimmed just now, so that the place is another one, or none, or not durable; or
         * somebody else sets a position. The next look says which. */
        if (r == -ESTALE || r == -EINVAL || r == -EAGAIN || r == -EBUSY)
                return SHIP_AGAIN;
        return r;
}

/* There is none, or what is there is none that we have set. */
static bool is_no_position(int error)
{
        return error == -ENOENT || error == -EBADMSG || error == -EMEDIUMTYPE || error == -EPERM ||
               error == -EPROTONOSUPPORT;
}

/* Does the position name the end of that commit, with the bytes before it? 1, 0, or an error: a log
 * has not diverged because that cannot be said just now. */
static int names_end(struct logstore_ship *ship, const char *name,
                     const struct commit_header *commit, struct logstore_position *ret)
{
        int r;

        *ret = (struct logstore_position){ .struct_bytes = sizeof(*ret) };
        r = logstore_position_get(ship->store, name, ret);
        if (r < 0)
                return is_no_position(r)
                               ? 0
                               : remote_detail(r, "position %s: %s", name, logstore_detail());
        return ret->segment_id == commit->end.id && ret->segment_salt == commit->end.salt &&
               ret->offset == commit->end.offset && ret->note == commit->tail_check;
}

/* The one that names the end in the bucket stays. A claim that says the same end needs no other. */
int ship_note_next(struct logstore_ship *ship, const struct commit_header *next)
{
        const struct remote_place *said = &ship->said.end;
        struct logstore_position position;
        int taken;

        if (ship_is_same_place(&next->end, said))
                return 0;
        taken = names_end(ship, ship->next_names[0], &ship->said, &position);
        if (taken < 0)
                return taken;
        return set(ship, ship->next_names[taken], &next->end, 0, next->tail_check);
}

int ship_note_shipped(struct logstore_ship *ship)
{
        struct logstore_position position;
        int r = set(ship, ship->shipped_name, &ship->said.end, LOGSTORE_POSITION_FLOOR, 0);
        int named = 0;

        for (int i = 0; r == 0 && named == 0 && i < 2; i++)
                named = names_end(ship, ship->next_names[i], &ship->said, &position);
        if (r != 0 || named != 0)
                return r != 0 ? r : named < 0 ? named : 0;
        return set(ship, ship->next_names[0], &ship->said.end, 0, ship->said.tail_check);
}

void ship_note_fetched(struct logstore *store, const struct bucket *bucket,
                       const struct commit_header *head)
{
        const struct logstore_position position = describe(&head->end, 0, head->tail_check);
        char name[40];
        uint64_t hash;

        if (head->end.id == 0 || hash_place(bucket, &hash) < 0)
                return;
        name_position(hash, next_suffixes[0], name);
        logstore_position_set(store, name, &position); /* without it a cut is refused */
}

/* It, or the cut at which a truncation below it left the log, is trimmed away. */
static bool is_trimmed(const struct logstore_position *position)
{
        return position->state == LOGSTORE_POSITION_TRIMMED ||
               (position->state == LOGSTORE_POSITION_CUT && position->resume_id == 0);
}

int ship_was_trimmed(struct logstore_ship *ship, bool *ret_gap)
{
        struct logstore_position position;

        for (int i = 0; i < 2; i++) {
                int r = names_end(ship, ship->next_names[i], &ship->said, &position);

                if (r < 0)
                        return r;
                *ret_gap = r && is_trimmed(&position);
                /* its segment may be gone though the record that comes next is not */
                if (r && (*ret_gap || position.state == LOGSTORE_POSITION_HERE))
                        return 1;
        }
        return 0;
}

int ship_was_cut(struct logstore_ship *ship, struct remote_place *ret)
{
        struct logstore_position position;

        for (int i = 0; i < 2; i++) {
                int r = names_end(ship, ship->next_names[i], &ship->said, &position);

                if (r < 0)
                        return r;
                if (r == 0 || position.state != LOGSTORE_POSITION_CUT || position.resume_id == 0)
                        continue;
                *ret = (struct remote_place){ position.resume_id, position.resume_salt,
                                              position.resume_offset, position.resume_number - 1 };
                return 1;
        }
        return 0;
}
