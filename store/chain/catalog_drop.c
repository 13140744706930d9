/*
 * catalog_drop.c - unlinking the files of what is off the chain
 *
 * A segment's index is unlinked after the segment. A thread that writes an index looks afterwards
 * whether the segment is still there (segment_write_index), so no index stays behind. If a crash
 * comes between the two unlinks, the next open removes the index.
 */
#include <errno.h>
#include <stdio.h>

#include "chain/catalog_private.h"
#include "logstore.h"
#include "os/detail.h"

void catalog_unlink_index(struct catalog *catalog, uint64_t id)
{
        char name[32];

        snprintf(name, sizeof(name), INDEX_NAME_FORMAT, (unsigned long long)id);
        os_unlink(catalog->directory, name); /* it may be missing, and it is never evidence */
}

static int unlink_segment(struct catalog *catalog, uint64_t id)
{
        char name[32];
        int r;

        segment_name(id, name);
        r = os_unlink(catalog->directory, name);
        catalog_unlink_index(catalog, id);
        if (r < 0 && r != -ENOENT && r != -EISDIR) /* a directory never belonged to the log */
                return detail(r, "%s: cannot unlink: %s", name, logstore_error_text(r));
        return 0;
}

/* Take trimmed segments oldest first, so that what is left is one piece. Take those off the chain
 * newest first, so that none is left without its predecessor. 0: none is left. */
static uint64_t take_leftover(struct catalog *catalog)
{
        uint64_t oldest, id = 0, *ids;

        pthread_mutex_lock(&catalog->lock);
        ids = catalog->leftovers; /* catalog_reserve() may move them */
        oldest = catalog->count ? catalog->entries[0].id : UINT64_MAX;
        if (catalog->leftover_first == catalog->leftover_count)
                catalog->leftover_first = catalog->leftover_count = 0;
        else if (ids[catalog->leftover_first] < oldest)
                id = ids[catalog->leftover_first++];
        else
                id = ids[--catalog->leftover_count];
        pthread_mutex_unlock(&catalog->lock);
        return id;
}

int catalog_drop_some(struct catalog *catalog, size_t most)
{
        size_t dropped = 0;
        uint64_t id = 0;
        int r = 0;

        while (r == 0 && dropped < most && (id = take_leftover(catalog)) != 0) {
                /* The next open tries again to unlink one that fails. */
                r = unlink_segment(catalog, id);
                dropped++;
        }
        if (r == 0 && dropped > 0)
                r = os_sync_directory(catalog->directory);
        return r < 0 ? detail_prefix(r, "leftovers") : id != 0;
}

int catalog_drop_leftovers(struct catalog *catalog)
{
        return catalog_drop_some(catalog, SIZE_MAX);
}

/* ---- indexes without a segment ---- */

struct strays {
        struct catalog *catalog;
        uint64_t *ids;
        size_t count, room;
};

static int collect_stray(void *context, const char *name)
{
        struct strays *strays = context;
        struct catalog *catalog = strays->catalog;
        bool is_index;
        uint64_t id = segment_name_id(name, &is_index);
        size_t at = catalog_find_id(catalog, id);
        int r;

        if (id == 0 || !is_index || (at < catalog->count && catalog->entries[at].id == id))
                return 0;
        r = catalog_grow(catalog, (void **)&strays->ids, &strays->room, strays->count,
                         sizeof(*strays->ids));
        if (r == 0)
                strays->ids[strays->count++] = id;
        return r;
}

/* A failure costs nothing but space, for an index is believed only beside its segment. */
void catalog_drop_indexes(struct catalog *catalog)
{
        struct strays strays = { .catalog = catalog };
        struct os_stat st;
        char name[32];

        os_list(catalog->directory, collect_stray, &strays);
        for (size_t i = 0; i < strays.count; i++) {
                segment_name(strays.ids[i], name);
                if (os_stat_name(catalog->directory, name, &st) == -ENOENT)
                        catalog_unlink_index(catalog, strays.ids[i]);
        }
        memory_free(catalog->memory, strays.ids);
}
