/*
 * catalog_change.c - changing the ends of the chain: the writer adds, trims and seals
 *
 * What leaves the chain becomes a leftover. catalog_drop.c unlinks its file once that is durable.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain/catalog_private.h"
#include "logstore.h"
#include "os/detail.h"

uint64_t catalog_next_id(struct catalog *catalog)
{
        struct os_stat st;
        char name[32];
        uint64_t id;

        pthread_mutex_lock(&catalog->lock);
        if (catalog->highest_id < ID_MAX) {
                catalog->highest_id++;
        } else { /* a file off the log has the greatest id: go on behind the head */
                catalog->highest_id = catalog->count ? catalog->entries[catalog->count - 1].id : 0;
                do
                        segment_name(++catalog->highest_id, name);
                while (catalog->highest_id <= ID_MAX &&
                       os_stat_name(catalog->directory, name, &st) == 0);
        }
        id = catalog->highest_id;
        pthread_mutex_unlock(&catalog->lock);
        return id;
}

int catalog_grow(struct catalog *catalog, void **array, size_t *room, size_t count,
                 size_t item_bytes)
{
        size_t wanted = *room * 2 + 16;
        void *larger;

        if (count < *room)
                return 0;
        larger = memory_resize(catalog->memory, *array, wanted * item_bytes);
        if (!larger)
                return detail(-ENOMEM, "no memory for a list of %zu segments", wanted);
        *array = larger;
        *room = wanted;
        return 0;
}

static int add_leftover(struct catalog *catalog, uint64_t id)
{
        int r = catalog_grow(catalog, (void **)&catalog->leftovers, &catalog->leftover_room,
                             catalog->leftover_count, sizeof(*catalog->leftovers));

        if (r == 0)
                catalog->leftovers[catalog->leftover_count++] = id;
        return r;
}

void catalog_remove(struct catalog *catalog, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++)
                catalog_detach(catalog, &catalog->entries[i]);
        if (to > from)
                memmove(&catalog->entries[from], &catalog->entries[to],
                        (catalog->count - to) * sizeof(*catalog->entries));
        catalog->count -= to - from;
}

/* Take entries off the chain. The writer unlinks their files later. */
int catalog_leave_out(struct catalog *catalog, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++) {
                int r = add_leftover(catalog, catalog->entries[i].id);
                if (r < 0)
                        return r;
        }
        catalog_remove(catalog, from, to);
        return 0;
}

int catalog_reserve(struct catalog *catalog)
{
        int r;

        pthread_mutex_lock(&catalog->lock);
        r = catalog_grow(catalog, (void **)&catalog->entries, &catalog->room, catalog->count,
                         sizeof(*catalog->entries));
        /* Every entry could become a leftover. */
        while (r == 0 && catalog->leftover_room < catalog->leftover_count + catalog->count + 1)
                r = catalog_grow(catalog, (void **)&catalog->leftovers, &catalog->leftover_room,
                                 catalog->leftover_room, sizeof(*catalog->leftovers));
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

void catalog_add(struct catalog *catalog, struct segment *segment)
{
        const struct start_payload *start = &segment->brief.start;
        size_t behind;

        pthread_mutex_lock(&catalog->lock);
        behind = catalog_find_id(catalog, start->previous_id);
        if (behind < catalog->count && catalog->entries[behind].id == start->previous_id)
                behind++;
        else
                behind = 0; /* no predecessor, or it was trimmed with all before it */
        /* The log was emptied. Set this together with the entry, so that a reader sees both or
         * neither. */
        if (start->previous_id == 0 && start->first_number > catalog->first_number)
                catalog->first_number = start->first_number;
        if (behind < catalog->count)
                catalog_leave_out(catalog, behind, catalog->count); /* reserved: cannot fail */
        catalog->entries[catalog->count++] = (struct catalog_entry){
                .id = segment->brief.id,
                .first_number = start->first_number,
                .previous_id = start->previous_id,
                .previous_salt = start->previous_salt,
                .previous_end = start->previous_end,
                .previous_records = start->previous_records,
                .epoch = start->epoch,
                .started_ns = segment->brief.started_ns,
                .segment = segment,
        };
        if (segment->brief.id > catalog->highest_id)
                catalog->highest_id = segment->brief.id;
        segment->pins++;
        if (behind > 0 && behind <= catalog->count && catalog->entries[behind - 1].segment)
                catalog_set_end(catalog, behind - 1, catalog->entries[behind - 1].segment);
        pthread_mutex_unlock(&catalog->lock);
}

int catalog_adopt(struct catalog *catalog, struct segment *segment)
{
        struct catalog_entry *entry;
        int r = 0;

        pthread_mutex_lock(&catalog->lock);
        entry = catalog->count ? &catalog->entries[catalog->count - 1] : NULL;
        if (!entry || entry->id != segment->brief.id) {
                r = segment_damage(segment, 0, 0, "not the newest segment, though closed as that");
        } else {
                catalog_detach(catalog, entry);
                entry->segment = segment;
                segment->pins++;
        }
        pthread_mutex_unlock(&catalog->lock);
        return r;
}

/* How many entries at the front lie entirely before @number? The last entry never does. */
size_t catalog_before(struct catalog *catalog, uint64_t number)
{
        size_t count = 0;

        while (count + 1 < catalog->count &&
               catalog_fill(catalog, &catalog->entries[count + 1]) == 0 &&
               catalog->entries[count + 1].first_number <= number)
                count++;
        return count;
}

uint64_t catalog_trim(struct catalog *catalog, uint64_t number)
{
        uint64_t first;

        pthread_mutex_lock(&catalog->lock);
        if (catalog_leave_out(catalog, 0, catalog_before(catalog, number)) == 0 &&
            catalog->count > 0 && catalog_fill(catalog, &catalog->entries[0]) == 0 &&
            catalog->entries[0].first_number > catalog->first_number)
                catalog->first_number = catalog->entries[0].first_number;
        first = catalog->first_number;
        pthread_mutex_unlock(&catalog->lock);
        return first;
}

/* Store the seal, unless the segment has the same one, and sync it in any case. Without @was_read
 * nobody read the frames: then we only cut back a seal that is there, as a truncation does. We
 * believe nothing else that a damaged link says. */
static int seal_file(struct catalog *catalog, struct segment *segment, uint64_t records,
                     uint64_t end, int64_t greatest_ns, bool was_read)
{
        const struct segment_brief *brief = &segment->brief;
        int r;

        if (!brief->started || end < FRAMES_OFFSET ||
            records > (end - FRAMES_OFFSET) / FRAME_HEADER_BYTES ||
            (brief->sealed && !was_read &&
             (records > brief->seal.records || end > brief->seal.end)))
                return 0;
        if (brief->sealed && brief->seal.records != records) /* the index has cut numbers */
                catalog_unlink_index(catalog, brief->id);
        if (!brief->sealed || brief->seal.records != records || brief->seal.end != end)
                segment_seal(segment, records, end, greatest_ns);
        r = map_sync(&segment->map, HEADER_BYTES);
        return r < 0 ? detail(r, "%s: offset 0: a sync failed: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

int catalog_seal(struct catalog *catalog, uint64_t id, uint64_t records, uint64_t end,
                 int64_t greatest_ns, bool was_read)
{
        struct segment *segment;
        size_t at;
        int r;

        pthread_mutex_lock(&catalog->lock);
        at = catalog_find_id(catalog, id);
        if (at < catalog->count && catalog->entries[at].id == id)
                catalog_detach(catalog, &catalog->entries[at]); /* mapped anew, it has the seal */
        else
                id = 0; /* trimmed */
        pthread_mutex_unlock(&catalog->lock);
        if (id == 0)
                return 0;
        r = segment_open(catalog->memory, catalog->directory, catalog->uuid, id, OS_SHARED_WRITE,
                         &segment);
        if (r < 0)
                return r;
        r = seal_file(catalog, segment, records, end, greatest_ns, was_read);
        segment_close(segment);
        return r;
}
