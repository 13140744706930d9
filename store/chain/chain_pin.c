/*
 * chain_pin.c - finding the segment of a number, and keeping it mapped while it is used
 *
 * Segments without a pin stay mapped up to the limit. Beyond it the one longest unused is closed.
 */
#include <errno.h>
#include <inttypes.h>

#include "chain/chain_private.h"
#include "os/detail.h"

static void unmap_at(struct chain *chain, size_t at)
{
        struct segment *segment = chain->mapped[at];
        size_t entry = chain_find_id(chain, segment->brief.id);

        if (entry < chain->count && chain->entries[entry].segment == segment)
                chain->entries[entry].segment = NULL;
        chain->mapped[at] = chain->mapped[--chain->mapped_count];
        segment_close(segment);
}

static bool unmap_oldest_unpinned(struct chain *chain)
{
        size_t oldest = SIZE_MAX;

        for (size_t i = 0; i < chain->mapped_count; i++)
                if (chain->mapped[i]->pins == 0 &&
                    (oldest == SIZE_MAX || chain->mapped[i]->used < chain->mapped[oldest]->used))
                        oldest = i;
        if (oldest != SIZE_MAX)
                unmap_at(chain, oldest);
        return oldest != SIZE_MAX;
}

int chain_remember(struct chain *chain, struct segment *segment)
{
        /* More than one must go if they were pinned when the limit was passed. */
        while (chain->mapped_count >= chain->mapped_limit && unmap_oldest_unpinned(chain))
                ;
        if (chain->mapped_count == chain->mapped_room) {
                size_t room = chain->mapped_room * 2 + 8;
                void *mapped = /* NOLINTNEXTLINE(bugprone-sizeof-expression): a list of pointers */
                        memory_resize(chain->memory, chain->mapped, room * sizeof(*chain->mapped));
                if (!mapped)
                        return detail(-ENOMEM, "no memory for the list of mapped segments");
                chain->mapped = mapped;
                chain->mapped_room = room;
        }
        chain->mapped[chain->mapped_count++] = segment;
        return 0;
}

/* The last number that the seal says, without numbers that the next readable segment has. In that
 * case the one between is damaged. */
static uint64_t sealed_last(struct chain *chain, size_t at, const struct segment *segment)
{
        uint64_t last = segment->brief.seal.last_number;
        size_t next = at + 1;

        while (next < chain->count && chain_fill(chain, &chain->entries[next]) < 0)
                next++;
        if (next < chain->count && !chain_is_broken(chain, chain->entries[next].id) &&
            chain->entries[next].first_number <= last &&
            chain->entries[next].first_number > segment->brief.start.first_number)
                last = chain->entries[next].first_number - 1;
        return last;
}

/* Set where the log leaves the segment at @at. The successor says so; without one, the seal may. */
void chain_set_end(struct chain *chain, size_t at, struct segment *segment)
{
        struct chain_entry *next = at + 1 < chain->count ? &chain->entries[at + 1] : NULL;

        if (next && chain_fill(chain, next) == 0 && chain_fits(next, &segment->brief)) {
                atomic_store(&segment->end, next->previous_end);
                atomic_store(&segment->last_number, next->first_number - 1);
        } else if (next && segment->brief.sealed) {
                atomic_store(&segment->last_number, sealed_last(chain, at, segment));
        }
}

static int map_entry(struct chain *chain, size_t at)
{
        struct chain_entry *entry = &chain->entries[at];
        const struct chain_entry *next = at + 1 < chain->count ? &entry[1] : NULL;
        int r = segment_open(chain->memory, chain->directory, chain->uuid, entry->id, chain->kind,
                             &entry->segment);

        if (r == 0 && !entry->segment->brief.started)
                r = segment_damage(entry->segment, HEADER_BYTES, 0, "the start frame is damaged");
        if (r == 0 && next && next->first_number != 0 && next->previous_id == entry->id &&
            next->previous_salt != entry->segment->brief.salt)
                r = segment_damage(entry->segment, 0, 0,
                                   "not the segment that the next one continues");
        if (r == 0 && chain->writes && chain->kind == OS_SHARED_READ)
                entry->segment->index_mode = control_file_mode(chain->control->page);
        if (r == 0)
                r = chain_remember(chain, entry->segment);
        if (r < 0) {
                segment_close(entry->segment);
                entry->segment = NULL;
        }
        return r;
}

int chain_pin_at(struct chain *chain, size_t at, struct segment **ret)
{
        struct chain_entry *entry = &chain->entries[at];
        int r = entry->segment ? 0 : map_entry(chain, at);

        if (r == -ENOENT) {
                chain->vanished = true;
                r = -EBADMSG; /* its name was listed; the detail says that the file is missing */
        }
        if (r < 0)
                return r;
        if (atomic_load(&entry->segment->last_number) == UINT64_MAX)
                chain_set_end(chain, at, entry->segment);
        entry->segment->pins++;
        entry->segment->used = ++chain->pins_ever;
        *ret = entry->segment;
        return 0;
}

/* Find the last entry whose first number is not beyond @number. Damaged entries are passed over. */
static int find_number(struct chain *chain, uint64_t number, size_t *ret)
{
        size_t low = 0, high = chain->count, probe;
        int r;

        while (high - low > 1) {
                probe = low + (high - low) / 2;
                while (probe > low && chain_fill(chain, &chain->entries[probe]) < 0)
                        probe--;
                if (probe == low) { /* all from low to the middle is damaged: look above */
                        probe = low + (high - low) / 2 + 1;
                        while (probe < high && chain_fill(chain, &chain->entries[probe]) < 0)
                                probe++;
                        if (probe == high)
                                break;
                }
                if (chain->entries[probe].first_number <= number)
                        low = probe;
                else
                        high = probe;
        }
        *ret = low;
        r = chain->count == 0 ? -EBADMSG : chain_fill(chain, &chain->entries[low]);
        return r == -ENOENT ? -EBADMSG : r; /* its name was listed */
}

/* No segment has @number. Either the chain is broken before segment @before, or the log ends
 * before. */
static int tell_broken(struct chain *chain, uint64_t before, uint64_t number)
{
        int r = chain_tell_locked(chain, before, number);

        return r < 0 ? r : detail(-EAGAIN, "record %" PRIu64 " was not appended yet", number);
}

/* Does the seal of the segment at @at say that it holds @number? */
static bool is_sealed_in(struct chain *chain, size_t at, uint64_t number)
{
        struct segment_brief brief;

        return segment_brief_read(chain->directory, chain->uuid, chain->entries[at].id, &brief) ==
                       0 &&
               brief.sealed && number <= brief.seal.last_number;
}

static int pin_locked(struct chain *chain, uint64_t number, struct segment **ret)
{
        size_t at = 0;
        int r;

        if (number < chain->first_number)
                return detail(-ESTALE, "record %" PRIu64 " was trimmed: the first is %" PRIu64,
                              number, chain->first_number);
        if (chain->count == 0)
                return tell_broken(chain, UINT64_MAX, number);
        r = find_number(chain, number, &at);
        if (r < 0)
                return r;
        if (at > 0 && chain_is_broken(chain, chain->entries[at].id) &&
            is_sealed_in(chain, at - 1, number))
                at--; /* two segments claim the number: the one whose link holds has it */
        if (number < chain->entries[at].first_number)
                return tell_broken(chain, chain->entries[at].id, number);
        r = chain_pin_at(chain, at, ret);
        if (r < 0 || number <= atomic_load(&(*ret)->last_number))
                return r;
        /* The number is behind what this segment holds and before the next one begins. */
        (*ret)->pins--;
        return tell_broken(chain, at + 1 < chain->count ? chain->entries[at + 1].id : UINT64_MAX,
                           number);
}

int chain_pin(struct chain *chain, uint64_t number, struct segment **ret)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = pin_locked(chain, number, ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

uint64_t chain_id_of(struct chain *chain, uint64_t number)
{
        uint64_t id = 0;
        size_t at;

        pthread_mutex_lock(&chain->lock);
        if (find_number(chain, number, &at) == 0 && chain->entries[at].first_number <= number)
                id = chain->entries[at].id;
        pthread_mutex_unlock(&chain->lock);
        return id;
}

uint64_t chain_last_before(struct chain *chain, uint64_t number, uint64_t *ret_first)
{
        struct segment *segment;
        uint64_t last = 0;
        size_t at;

        pthread_mutex_lock(&chain->lock);
        if (find_number(chain, number - 1, &at) == 0 && chain->entries[at].first_number < number) {
                last = *ret_first = chain->entries[at].first_number;
                if (chain_pin_at(chain, at, &segment) == 0) {
                        last = atomic_load(&segment->last_number);
                        segment->pins--;
                } else {
                        last--;
                }
        }
        pthread_mutex_unlock(&chain->lock);
        return last < number ? last : number - 1;
}

int chain_pin_id(struct chain *chain, uint64_t id, struct segment **ret)
{
        size_t at;
        int r = -ESTALE;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, id);
        if (at < chain->count && chain->entries[at].id == id)
                r = chain_pin_at(chain, at, ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

int chain_pin_next(struct chain *chain, const struct segment *segment, struct segment **ret)
{
        size_t at;
        int r = -ENOENT;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, segment->brief.id + 1);
        if (at < chain->count)
                r = chain_pin_at(chain, at, ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

bool chain_find_end(struct chain *chain, struct segment *segment)
{
        bool known;
        size_t at;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, segment->brief.id);
        known = at < chain->count && chain->entries[at].id == segment->brief.id;
        if (known)
                chain_set_end(chain, at, segment);
        pthread_mutex_unlock(&chain->lock);
        return known;
}

void chain_hold(struct chain *chain, struct segment *segment)
{
        pthread_mutex_lock(&chain->lock);
        segment->pins++;
        pthread_mutex_unlock(&chain->lock);
}

void chain_unpin(struct chain *chain, struct segment *segment)
{
        pthread_mutex_lock(&chain->lock);
        if (--segment->pins == 0 && segment->forgotten)
                segment_close(segment);
        pthread_mutex_unlock(&chain->lock);
}

/* Take the segment off the list. It is closed now, or at its last unpin. */
void chain_detach(struct chain *chain, struct chain_entry *entry)
{
        struct segment *segment = entry->segment;

        if (!segment)
                return;
        entry->segment = NULL;
        for (size_t i = 0; i < chain->mapped_count; i++)
                if (chain->mapped[i] == segment) {
                        chain->mapped[i] = chain->mapped[--chain->mapped_count];
                        break;
                }
        segment->forgotten = true;
        if (segment->pins == 0)
                segment_close(segment);
}

void chain_forget(struct chain *chain, struct segment *segment)
{
        size_t at;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, segment->brief.id);
        if (at < chain->count && chain->entries[at].segment == segment)
                chain_detach(chain, &chain->entries[at]);
        pthread_mutex_unlock(&chain->lock);
}
