/*
 * catalog_drop.c - unlinking the files of what is off the chain
 *
 * A segment's index goes after it: whoever writes one looks afterwards whether its segment is still
 * there (segment_write_index), so that none stays behind. What a crash leaves between the two goes at the next open.
 */
#include <errno.h>
#include <stdio.h>

#include "catalog_private.h"
#include "detail.h"
#include "logstore.h"

void catalog_unlink_index(struct catalog *catalog, uint64_t id)
{
        char name[32];

        snprintf(name, sizeof(name), INDEX_NAME_FORMAT, (unsigned long long)id);
        os_unlink(catalog->directory, name); /* may not be there, and is never evidence */
}

static int unlink_segment(struct catalog *catalog, uint64_t id)
{
        char name[32];
        int r;

        segment_name(id, name);
        r = os_unlink(catalog->directory, name);
        catalog_unlink_index(catalog, id);
        if (r < 0 && r != -ENOENT && r != -EISDIR) /* a directory was never of the log */
                return detail(r, "%s: cannot unlink: %s", name, logstore_error_text(r));
        return 0;
}

/* Trimmed ones oldest first, so that what is left is always one piece; those off the chain newest
 * first, so that none is left without its predecessor. 0: none left. */
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
                /* One that fails is tried again at the next open. */
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

/* Failing to costs nothing but the space: an index is believed only beside its segment. */
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
