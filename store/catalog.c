/*
 * catalog.c - the chain of segments: which there are, which one holds a number
 *
 * Every segment says in its start frame where the log before it ends, so the chain is found by
 * walking back from the newest started one. What the names alone cannot tell (first numbers) is
 * read on first use, in the course of a binary search: 10,000 segments cost a listing and a few
 * first pages. Only where the ids leave a gap, and behind unsealed segments, links are checked at
 * once. Memory: one entry of 64 bytes per segment; mappings: at most mapped_limit unpinned ones.
 *
 * Locks: one mutex over everything here. Pins keep a segment mapped, also when it is deleted.
 */
#include "catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_private.h"
#include "detail.h"
#include "logstore.h"

void catalog_init(struct catalog *catalog, struct memory *memory, const struct control *control,
                  int directory, size_t mapped_limit)
{
        *catalog = (struct catalog){
                .memory = memory,
                .control = control,
                .directory = directory,
                .mapped_limit = mapped_limit,
                .kind = OS_SHARED_READ,
        };
        pthread_mutex_init(&catalog->lock, NULL);
        memcpy(catalog->uuid, control->page->fixed.uuid, sizeof(catalog->uuid));
}

void catalog_free(struct catalog *catalog)
{
        for (size_t i = 0; i < catalog->mapped_count; i++)
                segment_close(catalog->mapped[i]);
        memory_free(catalog->memory, catalog->mapped);
        memory_free(catalog->memory, catalog->entries);
        memory_free(catalog->memory, catalog->leftovers);
        pthread_mutex_destroy(&catalog->lock);
        *catalog = (struct catalog){ 0 };
}

/* Position of the entry with @id, or of the first beyond it. */
size_t catalog_find_id(const struct catalog *catalog, uint64_t id)
{
        size_t low = 0, high = catalog->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (catalog->entries[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int catalog_fill(struct catalog *catalog, struct catalog_entry *entry)
{
        struct segment_brief brief;
        int r;

        if (entry->first_number != 0)
                return 0;
        r = segment_brief_read(catalog->directory, catalog->uuid, entry->id, &brief);
        if (r == 0 && !brief.started) {
                char name[32];
                segment_name(entry->id, name);
                r = detail(-EBADMSG, "%s: offset %u: the start frame is damaged", name,
                           HEADER_BYTES);
        }
        entry->error = r;
        if (r < 0)
                return r;
        entry->first_number = brief.start.first_number;
        entry->previous_id = brief.start.previous_id;
        entry->previous_salt = brief.start.previous_salt;
        entry->previous_end = brief.start.previous_end;
        entry->epoch = brief.start.epoch;
        entry->previous_records = brief.start.previous_records;
        entry->started_ns = brief.started_ns;
        return 0;
}

/* ---- pins ---- */

static void unmap_at(struct catalog *catalog, size_t at)
{
        struct segment *segment = catalog->mapped[at];
        size_t entry = catalog_find_id(catalog, segment->brief.id);

        if (entry < catalog->count && catalog->entries[entry].segment == segment)
                catalog->entries[entry].segment = NULL;
        catalog->mapped[at] = catalog->mapped[--catalog->mapped_count];
        segment_close(segment);
}

static void unmap_oldest_unpinned(struct catalog *catalog)
{
        size_t oldest = SIZE_MAX;

        for (size_t i = 0; i < catalog->mapped_count; i++)
                if (catalog->mapped[i]->pins == 0 &&
                    (oldest == SIZE_MAX ||
                     catalog->mapped[i]->used < catalog->mapped[oldest]->used))
                        oldest = i;
        if (oldest != SIZE_MAX)
                unmap_at(catalog, oldest);
}

int catalog_remember(struct catalog *catalog, struct segment *segment)
{
        if (catalog->mapped_count >= catalog->mapped_limit)
                unmap_oldest_unpinned(catalog);
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

/* Where does the log in @at end? The successor says so; without one the seal may. */
void catalog_set_end(struct catalog *catalog, size_t at, struct segment *segment)
{
        struct catalog_entry *next = at + 1 < catalog->count ? &catalog->entries[at + 1] : NULL;

        if (next && catalog_fill(catalog, next) == 0 && next->previous_id == segment->brief.id &&
            next->previous_end <= segment->brief.bytes) {
                atomic_store(&segment->end, next->previous_end);
                atomic_store(&segment->last_number, next->first_number - 1);
        } else if (next && segment->brief.sealed) {
                atomic_store(&segment->last_number, segment->brief.seal.last_number);
        }
}

static int map_entry(struct catalog *catalog, size_t at)
{
        struct catalog_entry *entry = &catalog->entries[at];
        int r = segment_open(catalog->memory, catalog->directory, catalog->uuid, entry->id,
                             catalog->kind, &entry->segment);

        if (r == 0 && !entry->segment->brief.started)
                r = segment_damage(entry->segment, HEADER_BYTES, 0, "the start frame is damaged");
        if (r == 0 && catalog->writer && catalog->kind == OS_SHARED_READ)
                entry->segment->index_mode = catalog->control->page->fixed.file_mode;
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

        if (r == -ENOENT)
                r = -EBADMSG; /* its name was there; the detail says that the file is missing */
        if (r < 0)
                return r;
        if (atomic_load(&entry->segment->last_number) == UINT64_MAX)
                catalog_set_end(catalog, at, entry->segment);
        entry->segment->pins++;
        entry->segment->used = ++catalog->pins_ever;
        *ret = entry->segment;
        return 0;
}

/* The last entry whose first number is not beyond @number; damaged ones are passed over. */
static int find_number(struct catalog *catalog, uint64_t number, size_t *ret)
{
        size_t low = 0, high = catalog->count, probe;

        while (high - low > 1) {
                probe = low + (high - low) / 2;
                while (probe > low && catalog_fill(catalog, &catalog->entries[probe]) < 0)
                        probe--;
                if (probe == low) { /* everything from low to the middle is damaged: look above */
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
        return catalog->count == 0 ? -EBADMSG : catalog_fill(catalog, &catalog->entries[low]);
}

static int pin_locked(struct catalog *catalog, uint64_t number, struct segment **ret)
{
        size_t at = 0;
        int r;

        if (number < catalog->first_number)
                return detail(-ESTALE, "record %llu was trimmed: the first is %llu",
                              (unsigned long long)number,
                              (unsigned long long)catalog->first_number);
        if (catalog->count == 0 && catalog->fault == 0)
                return detail(-EAGAIN, "record %llu was not appended yet",
                              (unsigned long long)number);
        r = find_number(catalog, number, &at);
        if (r < 0)
                return catalog->count ? r : detail(-EBADMSG, "the store has no segment");
        if (number < catalog->entries[at].first_number)
                return detail(-EBADMSG,
                              "record %llu is missing: the oldest segment there is, id "
                              "%llu, begins with %llu: run verify, then repair",
                              (unsigned long long)number,
                              (unsigned long long)catalog->entries[at].id,
                              (unsigned long long)catalog->entries[at].first_number);
        r = catalog_pin_at(catalog, at, ret);
        if (r < 0 || number <= atomic_load(&(*ret)->last_number))
                return r;
        /* Behind the end of what it holds, and yet before the next one begins. */
        (*ret)->pins--;
        if (at + 1 >= catalog->count)
                return detail(-EAGAIN, "record %llu was not appended yet",
                              (unsigned long long)number);
        r = catalog_fill(catalog, &catalog->entries[at + 1]);
        return r < 0 ? r
                     : detail(-EBADMSG,
                              "record %llu: %010llu.log is missing between %s and id %llu: run "
                              "verify, then repair",
                              (unsigned long long)number,
                              (unsigned long long)catalog->entries[at + 1].previous_id,
                              (*ret)->name, (unsigned long long)catalog->entries[at + 1].id);
}

int catalog_pin(struct catalog *catalog, uint64_t number, struct segment **ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = pin_locked(catalog, number, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
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

int catalog_pin_previous(struct catalog *catalog, const struct segment *segment,
                         struct segment **ret)
{
        size_t at;
        int r = -ENOENT;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id);
        if (at > 0)
                r = catalog_pin_at(catalog, at - 1, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

void catalog_find_end(struct catalog *catalog, struct segment *segment)
{
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id);
        if (at < catalog->count && catalog->entries[at].id == segment->brief.id)
                catalog_set_end(catalog, at, segment);
        pthread_mutex_unlock(&catalog->lock);
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

/* Take the segment out of the books; it is closed now or at its last unpin. */
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

uint64_t catalog_first_after(struct catalog *catalog, uint64_t number)
{
        uint64_t first = UINT64_MAX;

        pthread_mutex_lock(&catalog->lock);
        for (size_t at = catalog->count; at > 0; at--) {
                struct catalog_entry *entry = &catalog->entries[at - 1];
                if (catalog_fill(catalog, entry) < 0)
                        continue;
                if (entry->first_number < number)
                        break;
                first = entry->first_number;
        }
        pthread_mutex_unlock(&catalog->lock);
        return first;
}

uint64_t catalog_rewound(struct catalog *catalog, uint64_t epoch)
{
        uint64_t number = UINT64_MAX;

        if (epoch == 0) /* the caller knew of no segment, so of nothing that could be cut */
                return number;
        pthread_mutex_lock(&catalog->lock);
        for (size_t at = catalog->count; at > 0; at--) { /* epochs never fall along the chain */
                struct catalog_entry *entry = &catalog->entries[at - 1];
                if (catalog_fill(catalog, entry) < 0 || entry->epoch <= epoch)
                        break;
                number = entry->first_number;
        }
        pthread_mutex_unlock(&catalog->lock);
        return number;
}

int64_t catalog_greatest_before(struct catalog *catalog, const struct segment *segment)
{
        int64_t greatest = segment->brief.start.greatest_ns;
        struct segment_brief brief;
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, segment->brief.id);
        if (at > 0 &&
            segment_brief_read(catalog->directory, catalog->uuid, catalog->entries[at - 1].id,
                               &brief) == 0 &&
            brief.sealed && brief.seal.greatest_ns > greatest)
                greatest = brief.seal.greatest_ns;
        pthread_mutex_unlock(&catalog->lock);
        return greatest;
}

static int copy_entry(struct catalog *catalog, size_t at, struct catalog_entry *ret)
{
        int r;

        if (at >= catalog->count)
                return -ENOENT;
        r = catalog_fill(catalog, &catalog->entries[at]);
        *ret = catalog->entries[at];
        return r == -ENOENT ? -EBADMSG : r;
}

int catalog_entry_at(struct catalog *catalog, size_t at, struct catalog_entry *ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = copy_entry(catalog, at, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

int catalog_entry_before(struct catalog *catalog, uint64_t id, struct catalog_entry *ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = copy_entry(catalog, catalog_find_id(catalog, id) - 1, ret); /* SIZE_MAX: none */
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

int catalog_entry_after(struct catalog *catalog, uint64_t id, struct catalog_entry *ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = copy_entry(catalog, catalog_find_id(catalog, id + 1), ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}
