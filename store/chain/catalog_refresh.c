/*
 * catalog_refresh.c - following the writer: what it has changed since the chain was read
 */
#include <errno.h>
#include <stdio.h>

#include "chain/catalog_private.h"
#include "os/detail.h"

/* Read the first page of an entry that @next continues; @next->id 0: no entry is known to continue
 * it. -ESTALE: the link does not hold, or it leads past @last: the chain forked from what we knew,
 * or is broken. */
static int read_linked(struct catalog *catalog, const struct catalog_entry *next, uint64_t last,
                       struct catalog_entry *entry)
{
        struct segment_brief brief;
        int r = segment_brief_read(catalog->directory, catalog->uuid, entry->id, &brief);

        if (r < 0)
                return r;
        if (!brief.started || brief.start.epoch > catalog->epoch ||
            (next->id != 0 && !catalog_fits(next, &brief)))
                return -ESTALE;
        if (entry->id > last &&
            (brief.start.previous_id < last || brief.start.previous_id >= entry->id))
                return -ESTALE; /* such a chain would have no end */
        return catalog_fill_from(entry, &brief);
}

/* In a reading process: add entries for segments that were started since. We find them by the links
 * back from @head to the newest one known. */
static int add_started(struct catalog *catalog, uint64_t head)
{
        uint64_t last = catalog->count ? catalog->entries[catalog->count - 1].id : 0;
        size_t old_count = catalog->count;
        struct catalog_entry entry = { .id = head }, next = { 0 };
        int r = read_linked(catalog, &next, last, &entry);

        while (r == 0 && entry.id > last) {
                r = catalog_grow(catalog, (void **)&catalog->entries, &catalog->room,
                                 catalog->count, sizeof(entry));
                if (r < 0)
                        break;
                catalog->entries[catalog->count++] = entry;
                if (entry.id > catalog->highest_id)
                        catalog->highest_id = entry.id;
                next = entry;
                entry = (struct catalog_entry){ .id = next.previous_id };
                r = read_linked(catalog, &next, last, &entry);
        }
        if (r < 0)
                catalog->count = old_count;
        else if (catalog->count > old_count)
                catalog_sort(catalog);
        return r;
}

/* In a reading process: forget segments below the first number, which the writer has unlinked. */
static void forget_trimmed(struct catalog *catalog)
{
        size_t count = 0;

        while (count + 1 < catalog->count) {
                int r = catalog_fill(catalog, &catalog->entries[count + 1]);
                if (r != -ENOENT &&
                    (r < 0 || catalog->entries[count + 1].first_number > catalog->first_number))
                        break;
                count++;
        }
        catalog_remove(catalog, 0, count);
}

/* Did this reader build an index of its own, though by now there is a file to map? */
static bool index_outgrown(const struct catalog *catalog, const struct segment *segment)
{
        struct os_stat st;
        char name[32];

        if (segment->pins > 0 || segment->index_shared || !segment->index.map.base)
                return false;
        snprintf(name, sizeof(name), INDEX_NAME_FORMAT, (unsigned long long)segment->brief.id);
        return os_stat_name(catalog->directory, name, &st) == 0;
}

/* Unmap segments that were read while they were active. The next pin then maps them with their
 * sealed index. The built one takes memory that the kernel cannot reclaim. */
static void unmap_outgrown(struct catalog *catalog)
{
        for (size_t i = catalog->mapped_count; i > 0; i--) {
                const struct segment *segment = catalog->mapped[i - 1];
                size_t at = catalog_find_id(catalog, segment->brief.id);

                if (at < catalog->count && catalog->entries[at].segment == segment &&
                    index_outgrown(catalog, segment))
                        catalog_detach(catalog, &catalog->entries[at]);
        }
}

int catalog_refresh(struct catalog *catalog)
{
        uint64_t head = atomic_load(&catalog->control->page->head_id);
        struct control_slot slot;
        int r = 0;

        pthread_mutex_lock(&catalog->lock);
        catalog_slot_locked(catalog, &slot);
        /* A recovery drops an empty segment before the slot tells of another epoch. */
        if (slot.epoch != catalog->epoch || catalog->count == 0 || catalog->vanished) {
                r = catalog_load_locked(catalog);
        } else {
                uint64_t last = catalog->entries[catalog->count - 1].id;
                if (head > last) /* so those before the last one are sealed */
                        unmap_outgrown(catalog);
                if (head > last && head != catalog->head_missing &&
                    add_started(catalog, head) < 0) {
                        r = catalog_load_locked(catalog);
                        if (r == 0 && catalog->count &&
                            catalog->entries[catalog->count - 1].id < head)
                                catalog->head_missing = head;
                }
                catalog->first_number = slot.first_number > catalog->first_number
                                                ? slot.first_number
                                                : catalog->first_number;
                if (r == 0)
                        forget_trimmed(catalog);
        }
        pthread_mutex_unlock(&catalog->lock);
        return r;
}
