/*
 * chain_extent.c - how much of a segment's file is durable and stays as it is
 *
 * Mark:  the segment that holds the durable mark is durable up to there. Older ones are durable up
 *        to where the next one's link leaves them: a round syncs segment after segment.
 * Seal:  the writer stores a seal and then syncs it, so a seal that can be read may not be durable.
 *        It is, once the next segment has a seal, too, or once the index file for this seal is
 *        there: the writer makes both only after that sync.
 * Cost:  the first page of the segment and of its successor. No frame is read.
 */
#include <errno.h>
#include <string.h>

#include "chain/chain_private.h"
#include "os/file.h"
#include "segment/hash.h"

/* Was the index file written for this very seal? */
static bool has_index_of(const struct chain *chain, const struct segment_brief *brief)
{
        struct index_header header;
        size_t got = 0;
        char name[32];
        int fd, r;

        index_name(brief->id, name);
        fd = file_open(chain->directory, name, OS_READ, NULL);
        if (fd < 0)
                return false; /* without it, the next seal tells */
        r = os_read(fd, &header, sizeof(header), 0, &got);
        os_close(fd); /* only read */
        return r == 0 && got == sizeof(header) &&
               memcmp(header.magic, INDEX_MAGIC, sizeof(header.magic)) == 0 &&
               header.id == brief->id && header.salt == brief->salt &&
               header.records == brief->seal.records && header.end == brief->seal.end &&
               header.check ==
                       hash_seeded(brief->salt, &header, offsetof(struct index_header, check));
}

static bool is_sealed_for_good(const struct chain *chain, const struct segment_brief *brief,
                               const struct chain_entry *next)
{
        return chain_sealed_as(brief, next) &&
               (has_index_of(chain, brief) ||
                segment_is_sealed(chain->directory, chain->uuid, next->id));
}

static int tell_missing(struct chain *chain, uint64_t id, bool follows)
{
        if (!follows)
                return chain_damaged_file(id, 0, "the segment is missing, id %" PRIu64, id);
        chain->vanished = true; /* trimmed, or cut, since the chain was read */
        return CHAIN_MOVED;
}

static int fill_next(struct chain *chain, struct chain_entry *next, bool follows)
{
        int r = chain_fill(chain, next);

        return r == -ENOENT ? tell_missing(chain, next->id, follows) : r;
}

static int read_brief(struct chain *chain, const struct chain_entry *entry, bool follows,
                      struct segment_brief *ret)
{
        int r = segment_brief_read(chain->directory, chain->uuid, entry->id, ret);

        if (r == -ENOENT)
                return tell_missing(chain, entry->id, follows);
        if (r == 0 && !ret->started)
                r = chain_damaged_file(entry->id, HEADER_BYTES,
                                       "the start frame is damaged, id %" PRIu64, entry->id);
        return r;
}

/* All of the segment up to the link of @next is durable. */
static int describe_whole(struct chain *chain, const struct chain_entry *next, uint64_t number,
                          struct chain_extent *extent)
{
        int r = chain_tell_locked(chain, next->id, number);

        if (r < 0)
                return r;
        if (!chain_fits(next, &extent->brief))
                return chain_damaged_file(extent->brief.id, HEADER_BYTES,
                                          "not the segment that id %" PRIu64 " continues",
                                          next->id);
        extent->end = next->previous_end;
        extent->last_number = next->first_number - 1;
        extent->sealed = is_sealed_for_good(chain, &extent->brief, next);
        return 0;
}

/* The mark is in this segment, at @offset if that is not 0. */
static int describe_marked(const struct control_slot *slot, uint64_t offset,
                           struct chain_extent *extent)
{
        if (slot->mark_number + 1 < extent->brief.start.first_number)
                return -ENOENT; /* the mark lags behind an emptied log */
        extent->marked = true;
        extent->end = offset;
        extent->last_number = slot->mark_number;
        return 0;
}

static int describe(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                    struct chain_extent *ret)
{
        size_t at = chain_find_id(chain, after + 1);
        struct chain_entry *entry = at < chain->count ? &chain->entries[at] : NULL;
        struct chain_entry *next = at + 1 < chain->count ? &chain->entries[at + 1] : NULL;
        struct chain_extent extent = { 0 };
        struct control_slot slot;
        int r;

        chain_slot_locked(chain, &slot);
        if (follows && slot.epoch != chain->epoch)
                return CHAIN_MOVED;
        if (slot.mark_id <= after)
                return -ENOENT;
        r = chain_tell_locked(chain, entry ? entry->id : UINT64_MAX, number);
        if (r == 0 && !entry)
                r = CHAIN_MOVED; /* the mark is in a segment that was started since */
        if (r == 0)
                r = read_brief(chain, entry, follows, &extent.brief);
        if (r == 0 && next)
                r = fill_next(chain, next, follows);
        if (r != 0)
                return r;
        if (entry->id == slot.mark_id)
                r = describe_marked(&slot, slot.mark_offset, &extent);
        else if (entry->id < slot.mark_id && next && next->first_number <= slot.mark_number + 1)
                r = describe_whole(chain, next, number, &extent);
        else if (extent.brief.start.first_number <= slot.mark_number)
                r = describe_marked(&slot, 0, &extent); /* the page is an old copy, put back */
        else
                r = -ENOENT;
        if (r == 0)
                *ret = extent;
        return r;
}

int chain_extent_after(struct chain *chain, bool follows, uint64_t after, uint64_t number,
                       struct chain_extent *ret)
{
        int r;

        pthread_mutex_lock(&chain->lock);
        r = describe(chain, follows, after, number, ret);
        pthread_mutex_unlock(&chain->lock);
        return r;
}
