/*
 * chain_fault.c - where the chain is broken, and why
 *
 * There is one fault for each segment whose predecessor cannot be used, and one for what is missing
 * behind the newest. A reader that comes to such a place tells the fault, with the number that it
 * is then about. Any fault keeps a writer out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain/chain_private.h"

/* Position of the fault before segment @id, or of the first one behind it. The newest come first,
 * as the walk finds them. */
static size_t find_at(const struct chain *chain, uint64_t id)
{
        size_t low = 0, high = chain->fault_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (chain->faults[middle].before > id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static const struct fault *find(const struct chain *chain, uint64_t id)
{
        size_t at = find_at(chain, id);

        return at < chain->fault_count && chain->faults[at].before == id ? &chain->faults[at].fault
                                                                         : NULL;
}

int chain_damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number)
{
        char name[32], what[160];

        segment_name(id, name);
        snprintf(what, sizeof(what), format, number);
        return damaged(-EBADMSG, name, offset, 0, "%s", what);
}

int chain_broken(struct chain *chain, uint64_t before, int error)
{
        struct chain_fault *faults;
        size_t at = find_at(chain, before);
        int r;

        if (error != -EBADMSG && error != -ENOENT && error != -EPERM && error != -EIO &&
            error != -EPROTONOSUPPORT)
                return error;
        if (error == -ENOENT) {
                chain->vanished = true;
                error = -EBADMSG;
        }
        if (chain->fault == 0 || error == -EPROTONOSUPPORT) /* such a segment is never cut */
                chain->fault = error;
        if (find(chain, before)) {
                if (before == UINT64_MAX) /* the newest fault of the log's end counts */
                        fault_last(error, &chain->faults[at].fault);
                return 0;
        }
        r = chain_grow(chain, (void **)&chain->faults, &chain->fault_room, chain->fault_count,
                       sizeof(*chain->faults));
        if (r < 0)
                return r;
        faults = chain->faults;
        memmove(&faults[at + 1], &faults[at], (chain->fault_count++ - at) * sizeof(*faults));
        faults[at].before = before;
        fault_last(error, &faults[at].fault);
        return 0;
}

bool chain_is_broken(const struct chain *chain, uint64_t before)
{
        return find(chain, before) != NULL;
}

uint64_t chain_damaged_between(struct chain *chain, uint64_t after, uint64_t before)
{
        const struct fault *fault;
        uint64_t damaged = 0;
        bool is_index;
        size_t at;

        pthread_mutex_lock(&chain->lock);
        fault = find(chain, before);
        if (fault)
                damaged = segment_name_id(fault->file, &is_index);
        at = chain_find_id(chain, damaged);
        if (damaged <= after || (at < chain->count && chain->entries[at].id == damaged))
                damaged = 0;
        pthread_mutex_unlock(&chain->lock);
        return damaged;
}

bool chain_fault_before(struct chain *chain, uint64_t before, struct fault *ret)
{
        const struct fault *fault;

        pthread_mutex_lock(&chain->lock);
        fault = find(chain, before);
        if (fault && ret)
                *ret = *fault;
        pthread_mutex_unlock(&chain->lock);
        return fault != NULL;
}

int chain_tell_locked(struct chain *chain, uint64_t before, uint64_t number)
{
        const struct fault *found = find(chain, before);
        struct fault fault;

        if (!found)
                return 0;
        fault = *found;
        if (fault.number == 0)
                fault.number = number;
        return fault_tell(&fault);
}

int chain_tell_before(struct chain *chain, uint64_t before, uint64_t number)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = chain_tell_locked(chain, before, number);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

/* The number behind all that is older than the entry at @at, if a seal tells it; else @number. */
static uint64_t due_before(struct chain *chain, size_t at, uint64_t number)
{
        struct segment_brief brief;

        if (at == 0)
                return chain->first_number;
        if (segment_brief_read(chain->directory, chain->uuid, chain->entries[at - 1].id, &brief) <
                    0 ||
            !brief.sealed || brief.seal.last_number >= number)
                return number;
        return brief.seal.last_number + 1;
}

int chain_tell_at(struct chain *chain, uint64_t number, bool exactly)
{
        size_t at = 0;
        int r = 0;

        pthread_mutex_lock(&chain->lock);
        /* Behind a broken link numbers need not rise. */
        while (chain->fault && at < chain->count && chain->entries[at].first_number < number)
                at++;
        if (exactly && (at == chain->count || chain->entries[at].first_number != number))
                at = SIZE_MAX;
        else if (exactly && chain->fault)
                number = due_before(chain, at, number);
        for (; r == 0 && chain->fault && at <= chain->count; at = exactly ? SIZE_MAX : at + 1)
                r = chain_tell_locked(chain, at < chain->count ? chain->entries[at].id : UINT64_MAX,
                                      number);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

int chain_tell_behind(struct chain *chain, uint64_t id, uint64_t number)
{
        size_t at;
        int r;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, id + 1);
        r = chain_tell_locked(chain, at < chain->count ? chain->entries[at].id : UINT64_MAX,
                              number);
        pthread_mutex_unlock(&chain->lock);
        return r;
}
