/*
 * chain_drop.c - unlinking the files of what is off the chain
 *
 * A segment's index is unlinked after the segment. A thread that writes an index looks afterwards
 * whether the segment is still there (segment_write_index), so no index stays behind. If a crash
 * comes between the two unlinks, the next open removes the index.
 */
#include <errno.h>
#include <stdio.h>

#include "chain/chain_private.h"
#include "logstore.h"
#include "os/detail.h"

void chain_unlink_index(struct chain *chain, uint64_t id)
{
        char name[32];

        index_name(id, name);
        os_unlink(chain->directory, name); /* it may be missing, and it is never evidence */
}

static int unlink_segment(struct chain *chain, uint64_t id)
{
        char name[32];
        int r;

        segment_name(id, name);
        r = os_unlink(chain->directory, name);
        chain_unlink_index(chain, id);
        if (r < 0 && r != -ENOENT && r != -EISDIR) /* a directory never belonged to the log */
                return detail(r, "%s: cannot unlink: %s", name, logstore_error_text(r));
        return 0;
}

/* Take trimmed segments oldest first, so that what is left is one piece. Take those off the chain
 * newest first, so that none is left without its predecessor. 0: none is left. */
static uint64_t take_leftover(struct chain *chain)
{
        uint64_t oldest, id = 0, *ids;

        pthread_mutex_lock(&chain->lock);
        ids = chain->leftovers; /* chain_reserve() may move them */
        oldest = chain->count ? chain->entries[0].id : UINT64_MAX;
        if (chain->leftover_first == chain->leftover_count)
                chain->leftover_first = chain->leftover_count = 0;
        else if (ids[chain->leftover_first] < oldest)
                id = ids[chain->leftover_first++];
        else
                id = ids[--chain->leftover_count];
        pthread_mutex_unlock(&chain->lock);
        return id;
}

int chain_drop_some(struct chain *chain, size_t most)
{
        size_t dropped = 0;
        uint64_t id = 0;
        int r = 0;

        while (r == 0 && dropped < most && (id = take_leftover(chain)) != 0) {
                /* The next open tries again to unlink one that fails. */
                r = unlink_segment(chain, id);
                dropped++;
        }
        if (r == 0 && dropped > 0)
                r = os_sync_directory(chain->directory);
        if (r < 0)
                return detail_prefix(r, "leftovers");
        return id != 0 ? LEFTOVERS_REMAIN : 0;
}

int chain_drop_leftovers(struct chain *chain)
{
        return chain_drop_some(chain, SIZE_MAX);
}

/* ---- indexes without a segment ---- */

struct strays {
        struct chain *chain;
        uint64_t *ids;
        size_t count, room;
};

static int collect_stray(void *context, const char *name)
{
        struct strays *strays = context;
        struct chain *chain = strays->chain;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index);
        size_t at = chain_find_id(chain, id);
        int r;

        if (id == 0 || !is_index || (at < chain->count && chain->entries[at].id == id))
                return 0;
        r = chain_grow(chain, (void **)&strays->ids, &strays->room, strays->count,
                       sizeof(*strays->ids));
        if (r == 0)
                strays->ids[strays->count++] = id;
        return r;
}

/* A failure costs nothing but space, for an index is believed only beside its segment. */
void chain_drop_indexes(struct chain *chain)
{
        struct strays strays = { .chain = chain };
        struct os_stat st;
        char name[32];

        os_list(chain->directory, collect_stray, &strays);
        for (size_t i = 0; i < strays.count; i++) {
                segment_name(strays.ids[i], name);
                if (os_stat_name(chain->directory, name, &st) == -ENOENT)
                        chain_unlink_index(chain, strays.ids[i]);
        }
        memory_free(chain->memory, strays.ids);
}
