/*
 * table_directory.c - the directory of an object, from the commit that brought it
 *
 * A checkpoint has the directories of what its shipper put or read. Those of newer objects are in
 * their commits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/table.h"

static bool is_whole_of(const struct commit *commit, const struct remote_entry *entry)
{
        const struct commit_header *header = commit->header;

        return header->kind == COMMIT_WHOLE && header->nonce == entry->nonce &&
               header->payload_bytes != 0;
}

int table_read_directory(struct bucket *bucket, struct table_line *line)
{
        struct remote_block *blocks;
        struct commit commit;
        int r;

        if (line->blocks || line->entry.object_bytes == 0)
                return 0;
        r = commit_read(bucket, line->entry.seq, &commit, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (is_whole_of(&commit, &line->entry)) {
                blocks = malloc(commit.header->payload_bytes);
                if (!blocks)
                        r = remote_detail(-ENOMEM, "no memory for a directory");
                else
                        memcpy(blocks, commit.payload, commit.header->payload_bytes);
                line->blocks = blocks;
                line->entry.blocks =
                        blocks ? (uint32_t)(commit.header->payload_bytes / sizeof(*blocks)) : 0;
        }
        commit_free(&commit);
        return r;
}
