/*
 * catalog_fault.c - where the chain is broken, and why
 *
 * There is one fault for each segment whose predecessor cannot be used, and one for what is missing
 * behind the newest. A reader that comes to such a place tells the fault, with the number that it
 * is then about. Any fault keeps a writer out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain/catalog_private.h"

/* Position of the fault before segment @id, or of the first one behind it. The newest come first,
 * as the walk finds them. */
static size_t find_at(const struct catalog *catalog, uint64_t id)
{
        size_t low = 0, high = catalog->fault_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (catalog->faults[middle].before > id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static const struct fault *find(const struct catalog *catalog, uint64_t id)
{
        size_t at = find_at(catalog, id);

        return at < catalog->fault_count && catalog->faults[at].before == id
                       ? &catalog->faults[at].fault
                       : NULL;
}

int catalog_damaged_file(uint64_t id, uint64_t offset, const char *format, uint64_t number)
{
        char name[32], what[160];

        segment_name(id, name);
        snprintf(what, sizeof(what), format, (unsigned long long)number);
        return damaged(-EBADMSG, name, offset, 0, "%s", what);
}

int catalog_broken(struct catalog *catalog, uint64_t before, int error)
{
        struct catalog_fault *faults;
        size_t at = find_at(catalog, before);
        int r;

        if (error != -EBADMSG && error != -ENOENT && error != -EPERM && error != -EIO &&
            error != -EPROTONOSUPPORT)
                return error;
        if (error == -ENOENT) {
                catalog->vanished = true;
                error = -EBADMSG;
        }
        if (catalog->fault == 0 || error == -EPROTONOSUPPORT) /* such a segment is never cut */
                catalog->fault = error;
        if (find(catalog, before)) {
                if (before == UINT64_MAX) /* the newest fault of the log's end counts */
                        fault_last(error, &catalog->faults[at].fault);
                return 0;
        }
        r = catalog_grow(catalog, (void **)&catalog->faults, &catalog->fault_room,
                         catalog->fault_count, sizeof(*catalog->faults));
        if (r < 0)
                return r;
        faults = catalog->faults;
        memmove(&faults[at + 1], &faults[at], (catalog->fault_count++ - at) * sizeof(*faults));
        faults[at].before = before;
        fault_last(error, &faults[at].fault);
        return 0;
}

bool catalog_is_broken(const struct catalog *catalog, uint64_t before)
{
        return find(catalog, before) != NULL;
}

uint64_t catalog_damaged_between(struct catalog *catalog, uint64_t after, uint64_t before)
{
        const struct fault *fault;
        uint64_t damaged = 0;
        bool is_index;
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        fault = find(catalog, before);
        if (fault)
                damaged = segment_name_id(fault->file, &is_index);
        at = catalog_find_id(catalog, damaged);
        if (damaged <= after || (at < catalog->count && catalog->entries[at].id == damaged))
                damaged = 0;
        pthread_mutex_unlock(&catalog->lock);
        return damaged;
}

bool catalog_fault_before(struct catalog *catalog, uint64_t before, struct fault *ret)
{
        const struct fault *fault;

        pthread_mutex_lock(&catalog->lock);
        fault = find(catalog, before);
        if (fault && ret)
                *ret = *fault;
        pthread_mutex_unlock(&catalog->lock);
        return fault != NULL;
}

int catalog_tell_locked(struct catalog *catalog, uint64_t before, uint64_t number)
{
        const struct fault *found = find(catalog, before);
        struct fault fault;

        if (!found)
                return 0;
        fault = *found;
        if (fault.number == 0)
                fault.number = number;
        return fault_tell(&fault);
}

int catalog_tell_before(struct catalog *catalog, uint64_t before, uint64_t number)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = catalog_tell_locked(catalog, before, number);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

/* The number behind all that is older than the entry at @at, if a seal tells it; else @number. */
static uint64_t due_before(struct catalog *catalog, size_t at, uint64_t number)
{
        struct segment_brief brief;

        if (at == 0)
                return catalog->first_number;
        if (segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at - 1].id,
                               &brief) < 0 ||
            !brief.sealed || brief.seal.last_number >= number)
                return number;
        return brief.seal.last_number + 1;
}

int catalog_tell_at(struct catalog *catalog, uint64_t number, bool exactly)
{
        size_t at = 0;
        int r = 0;

        pthread_mutex_lock(&catalog->lock);
        /* Behind a broken link numbers need not rise. */
        while (catalog->fault && at < catalog->count && catalog->entries[at].first_number < number)
                at++;
        if (exactly && (at == catalog->count || catalog->entries[at].first_number != number))
                at = SIZE_MAX;
        else if (exactly && catalog->fault)
                number = due_before(catalog, at, number);
        for (; r == 0 && catalog->fault && at <= catalog->count; at = exactly ? SIZE_MAX : at + 1)
                r = catalog_tell_locked(catalog,
                                        at < catalog->count ? catalog->entries[at].id : UINT64_MAX,
                                        number);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

int catalog_tell_behind(struct catalog *catalog, uint64_t id, uint64_t number)
{
        size_t at;
        int r;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, id + 1);
        r = catalog_tell_locked(catalog, at < catalog->count ? catalog->entries[at].id : UINT64_MAX,
                                number);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}
