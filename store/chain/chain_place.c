/*
 * chain_place.c - is a place in the log that somebody has kept still there?
 *
 * A place is a segment by id and salt, and an offset in it. Numbers may be used again behind a cut,
 * bytes may not. So a place behind where the log leaves its segment was cut off, whatever is
 * numbered alike now. Ids only grow: if the segment is off the chain, the log was cut where the
 * chain steps over its id. Older than the chain, it was trimmed; there the epoch tells of a cut.
 */
#include <errno.h>

#include "chain/chain_private.h"
#include "os/detail.h"

static int salt_of(struct chain *chain, size_t at, uint64_t *ret)
{
        struct segment_brief brief;
        int r = 0;

        if (at + 1 < chain->count && chain->entries[at + 1].previous_id == chain->entries[at].id) {
                *ret = chain->entries[at + 1].previous_salt;
                return 0;
        }
        r = segment_brief_read(chain->directory, chain->uuid, chain->entries[at].id, &brief);
        if (r == 0)
                *ret = brief.salt;
        return r;
}

/* A trim before this number, and none before a greater one, keeps the segment at @at. */
static uint64_t keep_of(const struct chain *chain, size_t at)
{
        const struct chain_entry *entry = &chain->entries[at];
        bool empty = at + 1 < chain->count && entry[1].first_number == entry->first_number;

        return entry->first_number - empty;
}

/* The log was cut before @place: it went on in the segment at @next. */
static int cut_before(struct chain *chain, size_t next, struct chain_found *ret)
{
        const struct chain_entry *entry = &chain->entries[next];

        ret->state = PLACE_CUT;
        ret->place.number = entry->first_number;
        ret->keep = keep_of(chain, next);
        if (next > 0 && entry->previous_id == entry[-1].id) {
                ret->keep = keep_of(chain, next - 1);
                ret->place.id = entry->previous_id;
                ret->place.salt = entry->previous_salt;
                ret->place.offset = entry->previous_end;
                return 0;
        }
        ret->place.id = entry->id;
        ret->place.offset = FRAMES_OFFSET;
        return salt_of(chain, next, &ret->place.salt);
}

/* Its segment is, by id, the one at @at. */
static int find_in(struct chain *chain, size_t at, const struct chain_place *place,
                   struct chain_found *ret)
{
        const struct chain_entry *entry = &chain->entries[at];
        const struct chain_entry *next = at + 1 < chain->count ? entry + 1 : NULL;
        uint64_t salt = 0;
        int r = salt_of(chain, at, &salt);

        if (r < 0)
                return r;
        if (salt != place->salt) /* another history of the store, put back */
                return cut_before(chain, at, ret);
        if (next && place->offset > next->previous_end)
                return cut_before(chain, at + 1, ret);
        if (place->number < entry->first_number || (next && place->number > next->first_number))
                return detail(-EBADMSG, "record %" PRIu64 " is not at that place", place->number);
        ret->keep = keep_of(chain, at);
        ret->present = true;
        return 0;
}

/* Its segment is older than all of the chain, which begins with @oldest. */
static int find_before(struct chain *chain, const struct chain_entry *oldest,
                       const struct chain_place *place, struct chain_found *ret)
{
        bool continues = oldest->previous_id == place->id && oldest->previous_salt == place->salt;

        if (continues ? place->offset > oldest->previous_end
                      : oldest->epoch > place->epoch &&
                                (oldest->previous_id == 0 || place->number >= oldest->first_number))
                return cut_before(chain, 0, ret);
        return 0;
}

/* What is looked at must be filled, and linked to what it continues. */
static int check_around(struct chain *chain, size_t at, const struct chain_place *place)
{
        bool found = at < chain->count && chain->entries[at].id == place->id;
        size_t next = found ? at + 1 : at;
        int r = 0;

        for (size_t i = at ? at - 1 : 0; r == 0 && i < chain->count && i <= at + 1; i++)
                r = chain_fill(chain, &chain->entries[i]);
        if (r == 0 && next > 0)
                r = chain_tell_locked(chain,
                                      next < chain->count ? chain->entries[next].id : UINT64_MAX,
                                      place->number);
        return r;
}

static int find(struct chain *chain, const struct chain_place *place, struct chain_found *ret)
{
        size_t at = chain_find_id(chain, place->id);
        int r;

        if (chain->count == 0 || place->id == 0)
                return 0; /* the number alone tells */
        r = check_around(chain, at, place);
        if (r < 0)
                return r;
        if (at < chain->count && chain->entries[at].id == place->id)
                return find_in(chain, at, place, ret);
        if (at == 0)
                return find_before(chain, &chain->entries[0], place, ret);
        if (at < chain->count)
                return cut_before(chain, at, ret);
        ret->state = PLACE_CUT; /* newer than the head: an older copy of the store is there */
        ret->place = (struct chain_place){ .number = UINT64_MAX };
        ret->keep = keep_of(chain, at - 1);
        return 0;
}

int chain_find_place(struct chain *chain, const struct chain_place *place, struct chain_found *ret)
{
        struct chain_found found = { .place = *place };
        int r;

        pthread_mutex_lock(&chain->lock);
        found.keep = chain->first_number;
        r = find(chain, place, &found);
        if (r == 0 && found.place.number < chain->first_number) {
                found.state = found.state == PLACE_CUT ? PLACE_CUT : PLACE_TRIMMED;
                found.place = (struct chain_place){ .number = chain->first_number };
                found.present = false;
        }
        if (found.keep < chain->first_number)
                found.keep = chain->first_number;
        pthread_mutex_unlock(&chain->lock);
        if (r == 0)
                *ret = found;
        return r == -ENOENT ? CHAIN_MOVED : r; /* a file has gone since the chain was read */
}
