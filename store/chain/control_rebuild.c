/*
 * control_rebuild.c - a control file from what the segments say
 *
 * Each header has the store's UUID, its own id and the size of the segments. The chain and the
 * seals have the numbers. Nothing tells what was durable last and what was trimmed. So neither slot
 * is valid, as rule D3 of the format has it, and an open for writing goes on from there.
 */
#include "chain/control_rebuild.h"

#include <errno.h>
#include <string.h>

#include "os/detail.h"
#include "segment/segment.h"

#define STORES_MAX 16 /* stores whose segments may lie in one directory */

struct store_seen {
        struct segment_identity identity; /* of its newest segment */
        size_t count;
};

static void count(struct store_seen *seen, size_t *used, const struct segment_identity *identity)
{
        size_t i = 0;

        while (i < *used && memcmp(seen[i].identity.uuid, identity->uuid, 16) != 0)
                i++;
        if (i == STORES_MAX)
                return;
        if (i == *used)
                seen[(*used)++].count = 0;
        seen[i].identity = *identity;
        seen[i].count++;
}

/* Find the store that has most of the segments. If another version wrote all that there is, tell
 * that. */
static int learn(struct memory *memory, int directory, struct segment_identity *ret)
{
        struct store_seen seen[STORES_MAX];
        struct segment_identity identity;
        size_t used = 0, most = 0, listed = 0;
        uint64_t *ids = NULL, unknown = 0;
        int r = segment_list(memory, directory, 1, &ids, &listed);

        for (size_t i = 0; r == 0 && i < listed; i++) {
                int one = segment_identify(directory, ids[i], &identity);

                if (one == 0)
                        count(seen, &used, &identity);
                else if (one == -EPROTONOSUPPORT)
                        unknown = ids[i];
        }
        memory_free(memory, ids);
        if (r == 0 && used == 0)
                r = unknown ? segment_identify(directory, unknown, &identity) : -ENOENT;
        if (r < 0)
                return r;
        for (size_t i = 1; i < used; i++)
                if (seen[i].count >= seen[most].count)
                        most = i;
        *ret = seen[most].identity;
        return 0;
}

static void fill(struct control_page *page, const struct segment_identity *identity)
{
        page->fixed = (struct control_static){
                .magic = CONTROL_MAGIC,
                .version = FORMAT_VERSION,
                .file_mode = identity->mode,
                .compatible = FORMAT_COMPATIBLE,
                .incompatible = FORMAT_INCOMPATIBLE,
                .segment_bytes = identity->bytes,
                .created_ns = identity->created_ns,
                .first_number = 1, /* at least; the oldest segment says where the log begins */
        };
        memcpy(page->fixed.uuid, identity->uuid, sizeof(page->fixed.uuid));
}

int control_imagine(struct memory *memory, int directory, struct control *ret)
{
        struct segment_identity identity;
        struct control control = { .directory = directory, .fd = -1 };
        int r = learn(memory, directory, &identity);

        if (r == 0)
                r = map_anonymous(memory, sizeof(struct control_page), &control.map);
        if (r < 0)
                return r;
        control.page = control.map.base;
        fill(control.page, &identity);
        *ret = control;
        pthread_mutex_init(&ret->lock, NULL);
        return 0;
}

int control_rebuild(struct memory *memory, int directory)
{
        struct segment_identity identity;
        struct control_page page = { 0 };
        int r = learn(memory, directory, &identity);

        if (r < 0)
                return r;
        fill(&page, &identity);
        r = control_write(directory, &page, identity.mode);
        if (r == CONTROL_NOT_FIRST)
                return detail(-EEXIST, CONTROL_NAME ": another was written meanwhile");
        if (r == 0)
                r = detail_sync_directory(os_sync_directory(directory), CONTROL_NAME);
        return r;
}
