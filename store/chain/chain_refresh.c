/*
 * chain_refresh.c - following the writer: what it has changed since the chain was read
 */
#include <errno.h>
#include <stdio.h>

#include "chain/chain_private.h"
#include "os/detail.h"

/* Read the first page of an entry that @next continues; @next->id 0: no entry is known to continue
 * it. -ESTALE: the link does not hold, or it leads past @last: the chain forked from what we knew,
 * or is broken. */
static int read_linked(struct chain *chain, const struct chain_entry *next, uint64_t last,
                       struct chain_entry *entry)
{
        struct segment_brief brief;
        int r = segment_brief_read(chain->directory, chain->uuid, entry->id, &brief);

        if (r < 0)
                return r;
        if (!brief.started || brief.start.epoch > chain->epoch ||
            (next->id != 0 && !chain_fits(next, &brief)))
                return -ESTALE;
        if (entry->id > last &&
            (brief.start.previous_id < last || brief.start.previous_id >= entry->id))
                return -ESTALE; /* such a chain would have no end */
        return chain_fill_from(entry, &brief);
}

/* In a reading process: add entries for segments that were started since. We find them by the links
 * back from @head to the newest one known. */
static int add_started(struct chain *chain, uint64_t head)
{
        uint64_t last = chain->count ? chain->entries[chain->count - 1].id : 0;
        size_t old_count = chain->count;
        struct chain_entry entry = { .id = head }, next = { 0 };
        int r = read_linked(chain, &next, last, &entry);

        while (r == 0 && entry.id > last) {
                r = chain_grow(chain, (void **)&chain->entries, &chain->room, chain->count,
                               sizeof(entry));
                if (r < 0)
                        break;
                chain->entries[chain->count++] = entry;
                if (entry.id > chain->highest_id)
                        chain->highest_id = entry.id;
                next = entry;
                entry = (struct chain_entry){ .id = next.previous_id };
                r = read_linked(chain, &next, last, &entry);
        }
        if (r < 0)
                chain->count = old_count;
        else if (chain->count > old_count)
                chain_sort(chain);
        return r;
}

/* In a reading process: forget segments below the first number, which the writer has unlinked. */
static void forget_trimmed(struct chain *chain)
{
        size_t count = 0;

        while (count + 1 < chain->count) {
                int r = chain_fill(chain, &chain->entries[count + 1]);
                if (r != -ENOENT &&
                    (r < 0 || chain->entries[count + 1].first_number > chain->first_number))
                        break;
                count++;
        }
        chain_remove(chain, 0, count);
}

/* Did this reader build an index of its own, though by now there is a file to map? */
static bool index_outgrown(const struct chain *chain, const struct segment *segment)
{
        struct os_stat st;
        char name[32];

        if (segment->pins > 0 || segment->index_shared || !segment->index.map.base)
                return false;
        index_name(segment->brief.id, name);
        return os_stat_name(chain->directory, name, &st) == 0;
}

/* Unmap segments that were read while they were active. The next pin then maps them with their
 * sealed index. The built one takes memory that the kernel cannot reclaim. */
static void unmap_outgrown(struct chain *chain)
{
        for (size_t i = chain->mapped_count; i > 0; i--) {
                const struct segment *segment = chain->mapped[i - 1];
                size_t at = chain_find_id(chain, segment->brief.id);

                if (at < chain->count && chain->entries[at].segment == segment &&
                    index_outgrown(chain, segment))
                        chain_detach(chain, &chain->entries[at]);
        }
}

int chain_refresh(struct chain *chain)
{
        uint64_t head = atomic_load(&chain->control->page->head_id);
        struct control_slot slot;
        int r = 0;

        pthread_mutex_lock(&chain->lock);
        chain_slot_locked(chain, &slot);
        /* A recovery drops an empty segment before the slot tells of another epoch. */
        if (slot.epoch != chain->epoch || chain->count == 0 || chain->vanished) {
                r = chain_load_locked(chain);
        } else {
                uint64_t last = chain->entries[chain->count - 1].id;
                if (head > last) /* so those before the last one are sealed */
                        unmap_outgrown(chain);
                if (head > last && head != chain->head_missing && add_started(chain, head) < 0) {
                        r = chain_load_locked(chain);
                        if (r == 0 && chain->count && chain->entries[chain->count - 1].id < head)
                                chain->head_missing = head;
                }
                chain->first_number = slot.first_number > chain->first_number ? slot.first_number
                                                                              : chain->first_number;
                if (r == 0)
                        forget_trimmed(chain);
        }
        pthread_mutex_unlock(&chain->lock);
        return r;
}
