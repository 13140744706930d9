/*
 * chain_change.c - changing the ends of the chain: the writer adds, trims and seals
 *
 * What leaves the chain becomes a leftover. chain_drop.c unlinks its file once that is durable.
 */
#include <errno.h>
#include <string.h>

#include "chain/chain_private.h"
#include "os/detail.h"

uint64_t chain_next_id(struct chain *chain)
{
        struct os_stat st;
        char name[32];
        uint64_t id;

        pthread_mutex_lock(&chain->lock);
        if (chain->highest_id < ID_MAX) {
                chain->highest_id++;
        } else { /* a file off the log has the greatest id: go on behind the head */
                chain->highest_id = chain->count ? chain->entries[chain->count - 1].id : 0;
                do
                        segment_name(++chain->highest_id, name);
                while (chain->highest_id <= ID_MAX &&
                       os_stat_name(chain->directory, name, &st) == 0);
        }
        id = chain->highest_id;
        pthread_mutex_unlock(&chain->lock);
        return id;
}

int chain_grow(struct chain *chain, void **array, size_t *room, size_t count, size_t item_bytes)
{
        size_t wanted = *room * 2 + 16;
        void *larger;

        if (count < *room)
                return 0;
        larger = memory_resize(chain->memory, *array, wanted * item_bytes);
        if (!larger)
                return detail(-ENOMEM, "no memory for a list of %zu segments", wanted);
        *array = larger;
        *room = wanted;
        return 0;
}

static int add_leftover(struct chain *chain, uint64_t id)
{
        int r = chain_grow(chain, (void **)&chain->leftovers, &chain->leftover_room,
                           chain->leftover_count, sizeof(*chain->leftovers));

        if (r == 0)
                chain->leftovers[chain->leftover_count++] = id;
        return r;
}

void chain_remove(struct chain *chain, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++)
                chain_detach(chain, &chain->entries[i]);
        if (to > from)
                memmove(&chain->entries[from], &chain->entries[to],
                        (chain->count - to) * sizeof(*chain->entries));
        chain->count -= to - from;
}

/* Take entries off the chain. The writer unlinks their files later. */
int chain_leave_out(struct chain *chain, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++) {
                int r = add_leftover(chain, chain->entries[i].id);
                if (r < 0)
                        return r;
        }
        chain_remove(chain, from, to);
        return 0;
}

int chain_reserve(struct chain *chain)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = chain_grow(chain, (void **)&chain->entries, &chain->room, chain->count,
                       sizeof(*chain->entries));
        /* Every entry could become a leftover. */
        while (r == 0 && chain->leftover_room < chain->leftover_count + chain->count + 1)
                r = chain_grow(chain, (void **)&chain->leftovers, &chain->leftover_room,
                               chain->leftover_room, sizeof(*chain->leftovers));
        pthread_mutex_unlock(&chain->lock);
        return r;
}

void chain_add(struct chain *chain, struct segment *segment)
{
        const struct start_payload *start = &segment->brief.start;
        size_t behind;

        pthread_mutex_lock(&chain->lock);
        behind = chain_find_id(chain, start->previous_id);
        if (behind < chain->count && chain->entries[behind].id == start->previous_id)
                behind++;
        else
                behind = 0; /* no predecessor, or it was trimmed with all before it */
        /* The log was emptied. Set this together with the entry, so that a reader sees both or
         * neither. */
        if (start->previous_id == 0 && start->first_number > chain->first_number)
                chain->first_number = start->first_number;
        if (behind < chain->count)
                chain_leave_out(chain, behind, chain->count); /* reserved: cannot fail */
        chain->entries[chain->count++] = (struct chain_entry){
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
        if (segment->brief.id > chain->highest_id)
                chain->highest_id = segment->brief.id;
        segment->pins++;
        if (behind > 0 && behind <= chain->count && chain->entries[behind - 1].segment)
                chain_set_end(chain, behind - 1, chain->entries[behind - 1].segment);
        pthread_mutex_unlock(&chain->lock);
}

int chain_adopt(struct chain *chain, struct segment *segment)
{
        struct chain_entry *entry;
        int r = 0;

        pthread_mutex_lock(&chain->lock);
        entry = chain->count ? &chain->entries[chain->count - 1] : NULL;
        if (!entry || entry->id != segment->brief.id) {
                r = segment_damage(segment, 0, 0, "not the newest segment, though closed as that");
        } else {
                chain_detach(chain, entry);
                entry->segment = segment;
                segment->pins++;
        }
        pthread_mutex_unlock(&chain->lock);
        return r;
}

/* How many entries at the front lie entirely before @number? The last entry never does. */
size_t chain_before(struct chain *chain, uint64_t number)
{
        size_t count = 0;

        while (count + 1 < chain->count && chain_fill(chain, &chain->entries[count + 1]) == 0 &&
               chain->entries[count + 1].first_number <= number)
                count++;
        return count;
}

uint64_t chain_trim(struct chain *chain, uint64_t number)
{
        uint64_t first;

        pthread_mutex_lock(&chain->lock);
        if (chain_leave_out(chain, 0, chain_before(chain, number)) == 0 && chain->count > 0 &&
            chain_fill(chain, &chain->entries[0]) == 0 &&
            chain->entries[0].first_number > chain->first_number)
                chain->first_number = chain->entries[0].first_number;
        first = chain->first_number;
        pthread_mutex_unlock(&chain->lock);
        return first;
}

/* Store the seal, unless the segment has the same one, and sync it in any case. Without @was_read
 * nobody read the frames: then we only cut back a seal that is there, as a truncation does. We
 * believe nothing else that a damaged link says. */
static int seal_file(struct chain *chain, struct segment *segment, uint64_t records, uint64_t end,
                     int64_t greatest_ns, bool was_read)
{
        const struct segment_brief *brief = &segment->brief;

        if (!brief->started || end < FRAMES_OFFSET ||
            records > (end - FRAMES_OFFSET) / FRAME_HEADER_BYTES ||
            (brief->sealed && !was_read &&
             (records > brief->seal.records || end > brief->seal.end)))
                return 0;
        if (brief->sealed && brief->seal.records != records) /* the index has cut numbers */
                chain_unlink_index(chain, brief->id);
        if (!brief->sealed || brief->seal.records != records || brief->seal.end != end)
                segment_seal(segment, records, end, greatest_ns);
        return segment_sync_start(segment, HEADER_BYTES);
}

int chain_seal(struct chain *chain, uint64_t id, uint64_t records, uint64_t end,
               int64_t greatest_ns, bool was_read)
{
        struct segment *segment;
        size_t at;
        int r;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, id);
        if (at < chain->count && chain->entries[at].id == id)
                chain_detach(chain, &chain->entries[at]); /* mapped anew, it has the seal */
        else
                id = 0; /* trimmed */
        pthread_mutex_unlock(&chain->lock);
        if (id == 0)
                return 0;
        r = segment_open(chain->memory, chain->directory, chain->uuid, id, OS_SHARED_WRITE,
                         &segment);
        if (r < 0)
                return r;
        r = seal_file(chain, segment, records, end, greatest_ns, was_read);
        segment_close(segment);
        return r;
}

static int seal_copy(struct chain *chain, const struct segment_brief *brief,
                     const struct start_payload *behind)
{
        int64_t greatest = behind->greatest_ns;
        struct segment *segment;
        int r = chain_pin_id(chain, brief->id, &segment);

        if (r < 0)
                return r;
        chain_greatest_until(chain, segment, behind->previous_end,
                             &greatest); /* if it can be read */
        chain_unpin(chain, segment);
        return chain_seal(chain, brief->id, behind->previous_records, behind->previous_end,
                          greatest, !brief->sealed);
}

/* Of one with a second name, which a backup may have given it, the seal stays as it is. */
int chain_seal_copies(struct chain *chain)
{
        size_t at = chain->missealed ? chain_find_id(chain, chain->missealed) : chain->count;
        int r = 0;

        for (; r == 0 && at + 1 < chain->count; at++) {
                const struct chain_entry *next = &chain->entries[at + 1];
                struct segment_brief brief, behind;

                r = segment_brief_read(chain->directory, chain->uuid, chain->entries[at].id,
                                       &brief);
                if (r == 0 && chain_sealed_as(&brief, next))
                        continue;
                if (r == 0)
                        r = segment_brief_read(chain->directory, chain->uuid, next->id, &behind);
                if (r == 0 && segment_check_writable(chain->directory, brief.id) == 0)
                        r = seal_copy(chain, &brief, &behind.start);
        }
        return r;
}
