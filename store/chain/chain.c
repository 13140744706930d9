/*
 * chain.c - the chain of segments: which there are, which one holds a number
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
#include "chain/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/chain_private.h"
#include "logstore.h"
#include "os/detail.h"

void chain_init(struct chain *chain, struct memory *memory, const struct control *control,
                int directory, size_t mapped_limit)
{
        *chain = (struct chain){
                .memory = memory,
                .control = control,
                .directory = directory,
                .mapped_limit = mapped_limit,
                .kind = OS_SHARED_READ,
        };
        pthread_mutex_init(&chain->lock, NULL);
        memcpy(chain->uuid, control->page->fixed.uuid, sizeof(chain->uuid));
}

void chain_free(struct chain *chain)
{
        for (size_t i = 0; i < chain->mapped_count; i++)
                segment_close(chain->mapped[i]);
        memory_free(chain->memory, chain->mapped);
        memory_free(chain->memory, chain->entries);
        memory_free(chain->memory, chain->leftovers);
        memory_free(chain->memory, chain->faults);
        pthread_mutex_destroy(&chain->lock);
        *chain = (struct chain){ 0 };
}

/* Position of the entry with @id, or of the first one behind it. */
size_t chain_find_id(const struct chain *chain, uint64_t id)
{
        size_t low = 0, high = chain->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (chain->entries[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int chain_fill(struct chain *chain, struct chain_entry *entry)
{
        struct segment_brief brief;
        int r;

        if (entry->first_number != 0)
                return 0;
        r = segment_brief_read(chain->directory, chain->uuid, entry->id, &brief);
        if (r == 0 && !brief.started) {
                char name[32];
                segment_name(entry->id, name);
                r = damaged(-EBADMSG, name, HEADER_BYTES, 0, "the start frame is damaged");
        }
        entry->error = r;
        return r < 0 ? r : chain_fill_from(entry, &brief);
}

int chain_fill_from(struct chain_entry *entry, const struct segment_brief *brief)
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

bool chain_fits(const struct chain_entry *next, const struct segment_brief *brief)
{
        const struct start_payload start = {
                .epoch = next->epoch,
                .first_number = next->first_number,
                .previous_id = next->previous_id,
                .previous_salt = next->previous_salt,
                .previous_end = next->previous_end,
                .previous_records = next->previous_records,
        };

        return judge_link(brief, next->id, &start);
}

uint64_t chain_first_after(struct chain *chain, uint64_t number)
{
        uint64_t first = UINT64_MAX;

        pthread_mutex_lock(&chain->lock);
        for (size_t at = chain->count; at > 0; at--) {
                struct chain_entry *entry = &chain->entries[at - 1];
                if (chain_fill(chain, entry) < 0)
                        continue;
                if (entry->first_number < number)
                        break;
                first = entry->first_number;
        }
        pthread_mutex_unlock(&chain->lock);
        return first;
}

uint64_t chain_rewound(struct chain *chain, uint64_t epoch, uint64_t passed_id)
{
        uint64_t number = UINT64_MAX;
        size_t at;

        if (epoch == 0) /* the caller knew no segment, so nothing that could be cut */
                return number;
        pthread_mutex_lock(&chain->lock);
        for (at = chain->count; at > 0; at--) { /* epochs never fall along the chain */
                struct chain_entry *entry = &chain->entries[at - 1];
                if (chain_fill(chain, entry) < 0 || entry->epoch <= epoch)
                        break;
                number = entry->first_number;
        }
        /* A trim may have taken the segments with which the newer epoch began. Does this number
         * follow the segment in which the cursor stood? An emptied log follows nothing. */
        if (at == 0 && number != UINT64_MAX && passed_id != 0 &&
            chain->entries[0].previous_id != 0 && chain->entries[0].previous_id != passed_id &&
            chain->entries[0].id != passed_id)
                number--;
        pthread_mutex_unlock(&chain->lock);
        return number;
}

int64_t chain_greatest_before(struct chain *chain, const struct segment *segment)
{
        int64_t greatest = segment->brief.start.greatest_ns;
        struct segment_brief brief;
        size_t at;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, segment->brief.id);
        if (at > 0 &&
            segment_brief_read(chain->directory, chain->uuid, chain->entries[at - 1].id, &brief) ==
                    0 &&
            brief.sealed && brief.seal.end == segment->brief.start.previous_end &&
            brief.seal.greatest_ns > greatest)
                greatest = brief.seal.greatest_ns;
        pthread_mutex_unlock(&chain->lock);
        return greatest;
}

int chain_greatest_until(struct chain *chain, struct segment *segment, uint64_t end, int64_t *ret)
{
        struct walk walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_PADS);
        int64_t greatest = chain_greatest_before(chain, segment);

        while (walk.at.offset < end) {
                int step = walk_next(&walk, &segment_frames, segment);

                if (step != WALK_FRAME && step != WALK_PAD)
                        return segment_damage(segment, walk.offset, 0, "the frame is impossible");
                if (step == WALK_FRAME && walk.view.kind != FRAME_VOID &&
                    segment_frame(segment, walk.offset)->time_ns > greatest)
                        greatest = segment_frame(segment, walk.offset)->time_ns;
        }
        *ret = greatest;
        return 0;
}

uint64_t chain_first(struct chain *chain)
{
        uint64_t first;

        pthread_mutex_lock(&chain->lock);
        first = chain->first_number;
        pthread_mutex_unlock(&chain->lock);
        return first;
}

bool chain_is_outdated(struct chain *chain)
{
        bool outdated;

        pthread_mutex_lock(&chain->lock);
        outdated = chain->vanished;
        pthread_mutex_unlock(&chain->lock);
        return outdated;
}

bool chain_is_empty(struct chain *chain)
{
        bool empty;

        pthread_mutex_lock(&chain->lock);
        empty = chain->count == 0;
        pthread_mutex_unlock(&chain->lock);
        return empty;
}

uint64_t chain_newest_epoch(struct chain *chain)
{
        uint64_t epoch;

        pthread_mutex_lock(&chain->lock);
        epoch = chain->count ? chain->entries[chain->count - 1].epoch : 0;
        pthread_mutex_unlock(&chain->lock);
        return epoch;
}

static int copy_entry(struct chain *chain, size_t at, struct chain_entry *ret)
{
        int r;

        if (at >= chain->count)
                return -ENOENT;
        r = chain_fill(chain, &chain->entries[at]);
        *ret = chain->entries[at];
        return r == -ENOENT ? -EBADMSG : r;
}

void chain_set_counted(struct chain *chain, uint64_t id, const struct chain_counted *counted)
{
        size_t at;

        pthread_mutex_lock(&chain->lock);
        at = chain_find_id(chain, id);
        if (at < chain->count && chain->entries[at].id == id) /* else it was trimmed or cut */
                chain->entries[at].counted = *counted;
        pthread_mutex_unlock(&chain->lock);
}

int chain_entry_at(struct chain *chain, size_t at, struct chain_entry *ret)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = copy_entry(chain, at, ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}

void chain_measure(struct chain *chain, uint64_t *ret_bytes, uint64_t *ret_disk_bytes)
{
        struct chain_entry entry;
        struct os_stat st;
        char name[32];

        *ret_bytes = *ret_disk_bytes = 0;
        for (size_t at = 0; chain_entry_at(chain, at, &entry) != -ENOENT; at++) {
                segment_name(entry.id, name);
                if (os_stat_name(chain->directory, name, &st) < 0 || !st.regular)
                        continue;
                *ret_bytes += st.bytes;
                *ret_disk_bytes += st.disk_bytes;
        }
}

int chain_entry_before(struct chain *chain, uint64_t id, struct chain_entry *ret)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = copy_entry(chain, chain_find_id(chain, id) - 1, ret); /* SIZE_MAX: none */
        pthread_mutex_unlock(&chain->lock);
        return r;
}

int chain_entry_after(struct chain *chain, uint64_t id, struct chain_entry *ret)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = copy_entry(chain, chain_find_id(chain, id + 1), ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}
