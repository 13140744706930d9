/*
 * catalog_pin.c - finding the segment of a number, and keeping it mapped while it is used
 *
 * Segments without a pin stay mapped up to the limit. Beyond it the one longest unused is closed.
 */
#include <errno.h>

#include "chain/catalog_private.h"
#include "os/detail.h"

static void unmap_at(struct catalog *catalog, size_t at)
{
        struct segment *segment = catalog->mapped[at];
        size_t entry = catalog_find_id(catalog, segment->brief.id);

        if (entry < catalog->count && catalog->entries[entry].segment == segment)
                catalog->entries[entry].segment = NULL;
        catalog->mapped[at] = catalog->mapped[--catalog->mapped_count];
        segment_close(segment);
}

static bool unmap_oldest_unpinned(struct catalog *catalog)
{
        size_t oldest = SIZE_MAX;

        for (size_t i = 0; i < catalog->mapped_count; i++)
                if (catalog->mapped[i]->pins == 0 &&
                    (oldest == SIZE_MAX ||
                     catalog->mapped[i]->used < catalog->mapped[oldest]->used))
                        oldest = i;
        if (oldest != SIZE_MAX)
                unmap_at(catalog, oldest);
        return oldest != SIZE_MAX;
}

int catalog_remember(struct catalog *catalog, struct segment *segment)
{
        /* More than one must go if they were pinned when the limit was passed. */
        while (catalog->mapped_count >= catalog->mapped_limit && unmap_oldest_unpinned(catalog))
                ;
        if (catalog->mapped_count == catalog->mapped_room) {
                size_t room = catalog->mapped_room * 2 + 8;
                void *mapped = memory_resize(catalog->memory, catalog->mapped,
                                             room * sizeof(*catalog->mapped));
                if (!mapped)
                        return detail(-ENOMEM, "no memory for the list of mapped segments");
                catalog->mapped = mapped;
                catalog->mapped_room = room;
        }
        catalog->mapped[catalog->mapped_count++] = segment;
        return 0;
}

/* The last number that the seal says, without numbers that the next readable segment has. In that
 * case the one between is damaged. */
static uint64_t sealed_last(struct catalog *catalog, size_t at, const struct segment *segment)
{
        uint64_t last = segment->brief.seal.last_number;
        size_t next = at + 1;

        while (next < catalog->count && catalog_fill(catalog, &catalog->entries[next]) < 0)
                next++;
        if (next < catalog->count && !catalog_is_broken(catalog, catalog->entries[next].id) &&
            catalog->entries[next].first_number <= last &&
            catalog->entries[next].first_number > segment->brief.start.first_number)
                last = catalog->entries[next].first_number - 1;
        return last;
}

/* Set where the log leaves the segment at @at. The successor says so; without one, the seal may. */
void catalog_set_end(struct catalog *catalog, size_t at, struct segment *segment)
{
        struct catalog_entry *next = at + 1 < catalog->count ? &catalog->entries[at + 1] : NULL;

        if (next && catalog_fill(catalog, next) == 0 && catalog_fits(next, &segment->brief)) {
                atomic_store(&segment->end, next->previous_end);
                atomic_store(&segment->last_number, next->first_number - 1);
        } else if (next && segment->brief.sealed) {
                atomic_store(&segment->last_number, sealed_last(catalog, at, segment));
        }
}

static int map_entry(struct catalog *catalog, size_t at)
{
        struct catalog_entry *entry = &catalog->entries[at];
        const struct catalog_entry *next = at + 1 < catalog->count ? &entry[1] : NULL;
        int r = segment_open(catalog->memory, catalog->directory, catalog->uuid, entry->id,
                             catalog->kind, &entry->segment);

        if (r == 0 && !entry->segment->brief.started)
                r = segment_damage(entry->segment, HEADER_BYTES, 0, "the start frame is damaged");
        if (r == 0 && next && next->first_number != 0 && next->previous_id == entry->id &&
            next->previous_salt != entry->segment->brief.salt)
                r = segment_damage(entry->segment, 0, 0,
                                   "not the segment that the next one continues");
        if (r == 0 && catalog->writer && catalog->kind == OS_SHARED_READ)
                entry->segment->index_mode = control_file_mode(catalog->control->page);
        if (r == 0)
                r = catalog_remember(catalog, entry->segment);
        if (r < 0) {
                segment_close(entry->segment);
                entry->segment = NULL;
        }
        return r;
}

int catalog_pin_at(struct catalog *catalog, size_t at, struct segment **ret)
{
        struct catalog_entry *entry = &catalog->entries[at];
        int r = entry->segment ? 0 : map_entry(catalog, at);

        if (r == -ENOENT) {
                catalog->vanished = true;
                r = -EBADMSG; /* its name was listed; the detail says that the file is missing */
        }
        if (r < 0)
                return r;
        if (atomic_load(&entry->segment->last_number) == UINT64_MAX)
                catalog_set_end(catalog, at, entry->segment);
        entry->segment->pins++;
        entry->segment->used = ++catalog->pins_ever;
        *ret = entry->segment;
        return 0;
}

/* Find the last entry whose first number is not beyond @number. Damaged entries are passed over. */
static int find_number(struct catalog *catalog, uint64_t number, size_t *ret)
{
        size_t low = 0, high = catalog->count, probe;
        int r;

        while (high - low > 1) {
                probe = low + (high - low) / 2;
                while (probe > low && catalog_fill(catalog, &catalog->entries[probe]) < 0)
                        probe--;
                if (probe == low) { /* all from low to the middle is damaged: look above */
                        probe = low + (high - low) / 2 + 1;
                        while (probe < high && catalog_fill(catalog, &catalog->entries[probe]) < 0)
                                probe++;
                        if (probe == high)
                                break;
                }
                if (catalog->entries[probe].first_number <= number)
                        low = probe;
                else
                        high = probe;
        }
        *ret = low;
        r = catalog->count == 0 ? -EBADMSG : catalog_fill(catalog, &catalog->entries[low]);
        return r == -ENOENT ? -EBADMSG : r; /* its name was listed */
}

/* No segment has @number. Either the chain is broken before segment @before, or the log ends
 * before. */
static int tell_broken(struct catalog *catalog, uint64_t before, uint64_t number)
{
        int r = catalog_tell_locked(catalog, before, number);

        return r < 0 ? r
                     : detail(-EAGAIN, "record %llu was not appended yet",
                              (unsigned long long)number);
}

/* Does the seal of the segment at @at say that it holds @number? */
static bool is_sealed_in(struct catalog *catalog, size_t at, uint64_t number)
{
        struct segment_brief brief;

        return segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at].id,
                                  &brief) == 0 &&
               brief.sealed && number <= brief.seal.last_number;
}

static int pin_locked(struct catalog *catalog, uint64_t number, struct segment **ret)
{
        size_t at = 0;
        int r;

        if (number < catalog->first_number)
                return detail(-ESTALE, "record %llu was trimmed: the first is %llu",
                              (unsigned long long)number,
                              (unsigned long long)catalog->first_number);
        if (catalog->count == 0)
                return tell_broken(catalog, UINT64_MAX, number);
        r = find_number(catalog, number, &at);
        if (r < 0)
                return r;
        if (at > 0 && catalog_is_broken(catalog, catalog->entries[at].id) &&
            is_sealed_in(catalog, at - 1, number))
                at--; /* two segments claim the number: the one whose link holds has it */
        if (number < catalog->entries[at].first_number)
                return tell_broken(catalog, catalog->entries[at].id, number);
        r = catalog_pin_at(catalog, at, ret);
        if (r < 0 || number <= atomic_load(&(*ret)->last_number))
                return r;
        /* The number is behind what this segment holds and before the next one begins. */
        (*ret)->pins--;
        return tell_broken(catalog,
                           at + 1 < catalog->count ? catalog->entries[at + 1].id : UINT64_MAX,
                           number);
}

int catalog_pin(struct catalog *catalog, uint64_t number, struct segment **ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = pin_locked(catalog, number, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

uint64_t catalog_id_of(struct catalog *catalog, uint64_t number)
{
        uint64_t id = 0;
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        if (find_number(catalog, number, &at) == 0 && catalog->entries[at].first_number <= number)
                id = catalog->entries[at].id;
        pthread_mutex_unlock(&catalog->lock);
        return id;
}

uint64_t catalog_last_before(struct catalog *catalog, uint64_t number, uint64_t *ret_first)
{
        struct segment *segment;
        uint64_t last = 0;
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        if (find_number(catalog, number - 1, &at) == 0 &&
            catalog->entries[at].first_number < number) {
                last = *ret_first = catalog->entries[at].first_number;
                if (catalog_pin_at(catalog, at, &segment) == 0) {
                        last = atomic_load(&segment->last_number);
                        segment->pins--;
                } else {
                        last--;
                }
        }
        pthread_mutex_unlock(&catalog->lock);
        return last < number ? last : number - 1;
}

int catalog_pin_id(struct catalog *catalog, uint64_t id, struct segment **ret)
{
        size_t at;
        int r = -ESTALE;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, id);
        if (at < catalog->count && catalog->entries[at].id == id)
                r = catalog_pin_at(catalog, at, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

int catalog_pin_next(struct catalog *catalog, const struct segment *segment, struct segment **ret)
{
        size_t at;
        int r = -ENOENT;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id + 1);
        if (at < catalog->count)
                r = catalog_pin_at(catalog, at, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

bool catalog_find_end(struct catalog *catalog, struct segment *segment)
{
        bool known;
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id);
        known = at < catalog->count && catalog->entries[at].id == segment->brief.id;
        if (known)
                catalog_set_end(catalog, at, segment);
        pthread_mutex_unlock(&catalog->lock);
        return known;
}

void catalog_hold(struct catalog *catalog, struct segment *segment)
{
        pthread_mutex_lock(&catalog->lock);
        segment->pins++;
        pthread_mutex_unlock(&catalog->lock);
}

void catalog_unpin(struct catalog *catalog, struct segment *segment)
{
        pthread_mutex_lock(&catalog->lock);
        if (--segment->pins == 0 && segment->forgotten)
                segment_close(segment);
        pthread_mutex_unlock(&catalog->lock);
}

/* Take the segment off the list. It is closed now, or at its last unpin. */
void catalog_detach(struct catalog *catalog, struct catalog_entry *entry)
{
        struct segment *segment = entry->segment;

        if (!segment)
                return;
        entry->segment = NULL;
        for (size_t i = 0; i < catalog->mapped_count; i++)
                if (catalog->mapped[i] == segment) {
                        catalog->mapped[i] = catalog->mapped[--catalog->mapped_count];
                        break;
                }
        segment->forgotten = true;
        if (segment->pins == 0)
                segment_close(segment);
}

void catalog_forget(struct catalog *catalog, struct segment *segment)
{
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id);
        if (at < catalog->count && catalog->entries[at].segment == segment)
                catalog_detach(catalog, &catalog->entries[at]);
        pthread_mutex_unlock(&catalog->lock);
}
