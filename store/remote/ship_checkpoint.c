/*
 * ship_checkpoint.c - now and then, one object with all that is there
 *
 * Each commit carries what came since the last checkpoint, so that its reader needs no other
 * commits. That costs n entries with the n-th commit, and a checkpoint the whole table. The sum of
 * both is least if a checkpoint of T bytes is written each sqrt(2 T / entry) commits.
 *
 * A checkpoint is no commit: it says nothing that the commits up to its own have not said. So it is
 * put without a condition, behind a commit that is there.
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/ship_private.h"

#define SINCE_MIN 64u

static bool pays(const struct logstore_ship *ship)
{
        uint64_t bytes = 0, since = ship->since_count;

        for (size_t i = 0; i < ship->table.count; i++)
                bytes += sizeof(struct remote_entry) +
                         ship->table.lines[i].entry.blocks * sizeof(struct remote_block);
        if (since >= COMMIT_ENTRIES_MAX / 2)
                return true;
        return since >= SINCE_MIN && since * since * sizeof(struct remote_entry) >= 2 * bytes;
}

/* Objects of shippers before this one have their directories in their commits, which will go. */
static int read_directories(struct logstore_ship *ship)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ship->table.count; i++) {
                r = table_read_directory(ship->bucket, &ship->table.lines[i]);
                if (r == -EBADMSG) /* a reader walks the segment then */
                        r = 0;
        }
        return r;
}

int ship_put_checkpoint(struct logstore_ship *ship)
{
        const struct commit_header *last = &ship->last;
        struct bucket_source source = { 0 };
        char name[COMMIT_NAME_BYTES];
        uint8_t *bytes;
        size_t size;
        int r;

        table_drop_dead(&ship->table, &last->end, last->first_number);
        r = read_directories(ship);
        if (r == 0)
                r = table_pack(&ship->table, ship->identity.uuid, last->seq, last->end.number,
                               &bytes, &size);
        if (r < 0)
                return r;
        checkpoint_name(name, last->seq, last->end.number);
        source.bytes = bytes;
        source.size = size;
        r = bucket_put(ship->bucket, name, &source, NULL);
        free(bytes);
        if (r < 0)
                return r;
        ship->last.checkpoint_seq = last->seq;
        ship->last.checkpoint_number = last->end.number;
        ship->last.base = table_base(&ship->table);
        ship->since_count = 0;
        return 0;
}

int ship_checkpoint(struct logstore_ship *ship)
{
        bool ours = ship->said.kind != COMMIT_TRIM; /* of whose makers each writes its own */
        int r = ours && pays(ship) ? ship_put_checkpoint(ship) : 0;

        return r == -EAGAIN ? 0 : r; /* the next commit tries again: entries are not lost */
}
