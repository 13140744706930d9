/*
 * catalog.c - the chain of segments: which there are, which one holds a number
 *
 * The start frame of each segment says where the log before it ends. So we find the chain by
 * walking back from the newest started segment. We check each link when we read the chain, which
 * costs a listing and the first page of each segment. Names prove nothing, because a restore may
 * bring back what was cut.
 *
 * Memory: one entry of 96 bytes for each segment. At most mapped_limit segments without a pin
 *         stay mapped.
 * Locks:  one mutex over everything here. A pin keeps a segment mapped, also without its file.
 */
#include "chain/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/catalog_private.h"
#include "logstore.h"
#include "os/detail.h"

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
        memory_free(catalog->memory, catalog->faults);
        pthread_mutex_destroy(&catalog->lock);
        *catalog = (struct catalog){ 0 };
}

/* Position of the entry with @id, or of the first one behind it. */
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
                r = damaged(-EBADMSG, name, HEADER_BYTES, 0, "the start frame is damaged");
        }
        entry->error = r;
        return r < 0 ? r : catalog_fill_from(entry, &brief);
}

int catalog_fill_from(struct catalog_entry *entry, const struct segment_brief *brief)
{
        entry->first_number = brief->start.first_number;
        entry->previous_id = brief->start.previous_id;
        entry->previous_salt = brief->start.previous_salt;
        entry->previous_end = brief->start.previous_end;
        entry->epoch = brief->start.epoch;
        entry->previous_records = brief->start.previous_records;
        entry->started_ns = brief->started_ns;
        return 0;
}

/* A truncation left the segment before its seal's end. Does the part between have room for what was
 * cut? */
static bool leaves_room(const struct catalog_entry *next, const struct seal_brief *seal)
{
        return next->previous_end <= seal->end && next->previous_records <= seal->records &&
               seal->records - next->previous_records <=
                       (seal->end - next->previous_end) / FRAME_HEADER_BYTES;
}

bool catalog_fits(const struct catalog_entry *next, const struct segment_brief *brief)
{
        return brief->started && brief->id == next->previous_id && brief->id < next->id &&
               brief->salt == next->previous_salt && brief->start.epoch <= next->epoch &&
               next->previous_end >= FRAMES_OFFSET && next->previous_end <= brief->bytes &&
               next->previous_end % FRAME_ALIGN == 0 &&
               next->previous_records <=
                       (next->previous_end - FRAMES_OFFSET) / FRAME_HEADER_BYTES &&
               brief->start.first_number + next->previous_records == next->first_number &&
               (!brief->sealed || leaves_room(next, &brief->seal));
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

uint64_t catalog_rewound(struct catalog *catalog, uint64_t epoch, uint64_t passed_id)
{
        uint64_t number = UINT64_MAX;
        size_t at;

        if (epoch == 0) /* the caller knew no segment, so nothing that could be cut */
                return number;
        pthread_mutex_lock(&catalog->lock);
        for (at = catalog->count; at > 0; at--) { /* epochs never fall along the chain */
                struct catalog_entry *entry = &catalog->entries[at - 1];
                if (catalog_fill(catalog, entry) < 0 || entry->epoch <= epoch)
                        break;
                number = entry->first_number;
        }
        /* A trim may have taken the segments with which the newer epoch began. Does this number
         * follow the segment in which the cursor stood? An emptied log follows nothing. */
        if (at == 0 && number != UINT64_MAX && passed_id != 0 &&
            catalog->entries[0].previous_id != 0 && catalog->entries[0].previous_id != passed_id &&
            catalog->entries[0].id != passed_id)
                number--;
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
            brief.sealed && brief.seal.end == segment->brief.start.previous_end &&
            brief.seal.greatest_ns > greatest)
                greatest = brief.seal.greatest_ns;
        pthread_mutex_unlock(&catalog->lock);
        return greatest;
}

bool catalog_is_empty(struct catalog *catalog)
{
        bool empty;

        pthread_mutex_lock(&catalog->lock);
        empty = catalog->count == 0;
        pthread_mutex_unlock(&catalog->lock);
        return empty;
}

uint64_t catalog_newest_epoch(struct catalog *catalog)
{
        uint64_t epoch;

        pthread_mutex_lock(&catalog->lock);
        epoch = catalog->count ? catalog->entries[catalog->count - 1].epoch : 0;
        pthread_mutex_unlock(&catalog->lock);
        return epoch;
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

void catalog_set_counted(struct catalog *catalog, uint64_t id,
                         const struct catalog_counted *counted)
{
        size_t at;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, id);
        if (at < catalog->count && catalog->entries[at].id == id) /* else it was trimmed or cut */
                catalog->entries[at].counted = *counted;
        pthread_mutex_unlock(&catalog->lock);
}

int catalog_entry_at(struct catalog *catalog, size_t at, struct catalog_entry *ret)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = copy_entry(catalog, at, ret);
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

void catalog_measure(struct catalog *catalog, uint64_t *ret_bytes, uint64_t *ret_disk_bytes)
{
        struct catalog_entry entry;
        struct os_stat st;
        char name[32];

        *ret_bytes = *ret_disk_bytes = 0;
        for (size_t at = 0; catalog_entry_at(catalog, at, &entry) != -ENOENT; at++) {
                segment_name(entry.id, name);
                if (os_stat_name(catalog->directory, name, &st) < 0 || !st.regular)
                        continue;
                *ret_bytes += st.bytes;
                *ret_disk_bytes += st.disk_bytes;
        }
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
