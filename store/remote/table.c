/*
 * table.c - all that a bucket holds of a log, in order
 */
#include "remote/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

void table_free(struct table *table)
{
        for (size_t i = 0; i < table->count; i++)
                free(table->lines[i].blocks);
        free(table->lines);
        *table = (struct table){ 0 };
}

static bool is_whole(const struct remote_entry *entry)
{
        return entry->object_bytes != 0;
}

static bool is_of(const struct remote_entry *entry, uint64_t id, uint64_t salt)
{
        return entry->id == id && entry->salt == salt;
}

/* Keep the lines of which @keep says so. */
static void filter(struct table *table, bool (*keep)(const void *, const struct remote_entry *),
                   const void *context)
{
        size_t kept = 0;

        for (size_t i = 0; i < table->count; i++) {
                if (keep(context, &table->lines[i].entry))
                        table->lines[kept++] = table->lines[i];
                else
                        free(table->lines[i].blocks);
        }
        table->count = kept;
}

/* A whole has all that older lines of its segment have, and is what the segment is now. */
static bool is_not_replaced(const void *by, const struct remote_entry *entry)
{
        const struct remote_entry *whole = by;

        return !is_of(entry, whole->id, whole->salt);
}

int table_push(struct table *table, const struct remote_entry *entry, struct remote_block *blocks,
               uint32_t block_count)
{
        if (table->count == table->room) {
                size_t room = table->room ? 2 * table->room : 16;
                struct table_line *lines = reallocarray(table->lines, room, sizeof(*lines));

                if (!lines) {
                        free(blocks);
                        return remote_detail(-ENOMEM, "no memory for a table of %zu lines", room);
                }
                table->lines = lines;
                table->room = room;
        }
        table->lines[table->count] = (struct table_line){ *entry, blocks };
        table->lines[table->count++].entry.blocks = block_count;
        return 0;
}

int table_add(struct table *table, const struct remote_entry *entry, struct remote_block *blocks,
              uint32_t block_count)
{
        if (is_whole(entry) || entry->from == 0)
                filter(table, is_not_replaced, entry);
        return table_push(table, entry, blocks, block_count);
}

int table_add_commit(struct table *table, const struct commit *commit, uint64_t checkpoint_seq)
{
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < commit->header->entry_count; i++)
                if (commit->entries[i].seq > checkpoint_seq)
                        r = table_add(table, &commit->entries[i], NULL, 0);
        return r;
}

static const struct remote_entry *newest_of(const struct table *table, uint64_t id, uint64_t salt)
{
        for (size_t i = table->count; i > 0; i--)
                if (is_of(&table->lines[i - 1].entry, id, salt))
                        return &table->lines[i - 1].entry;
        return NULL;
}

struct live {
        uint64_t *ids, *salts;
        size_t count;
};

static bool is_live(const void *context, const struct remote_entry *entry)
{
        const struct live *live = context;

        for (size_t i = 0; i < live->count; i++)
                if (is_of(entry, live->ids[i], live->salts[i]))
                        return true;
        return false;
}

/* The newest segment is the one at the end. Lines with greater ids are of what was cut. The oldest
 * is the one with the first record. */
static void find_live(const struct table *table, const struct remote_place *end,
                      uint64_t first_number, struct live *live)
{
        const struct remote_entry *entry = newest_of(table, end->id, end->salt);

        while (entry && live->count < table->count) {
                live->ids[live->count] = entry->id;
                live->salts[live->count++] = entry->salt;
                if (entry->segment_number <= first_number)
                        return;
                entry = newest_of(table, entry->previous_id, entry->previous_salt);
        }
}

void table_drop_dead(struct table *table, const struct remote_place *end, uint64_t first_number)
{
        struct live live = { 0 };

        if (table->count == 0)
                return;
        live.ids = calloc(table->count, sizeof(*live.ids));
        live.salts = calloc(table->count, sizeof(*live.salts));
        if (live.ids && live.salts) { /* without memory all stays, which costs bytes alone */
                find_live(table, end, first_number, &live);
                filter(table, is_live, &live);
        }
        free(live.ids);
        free(live.salts);
}

const struct table_line *table_whole(const struct table *table, uint64_t id, uint64_t salt)
{
        for (size_t i = table->count; i > 0; i--) {
                const struct table_line *line = &table->lines[i - 1];
                if (is_whole(&line->entry) && is_of(&line->entry, id, salt))
                        return line;
        }
        return NULL;
}

/* Numbers of a segment end where the next one begins: the newest segment that begins at or before
 * the number has it, or none. */
const struct table_line *table_find(const struct table *table, uint64_t number)
{
        const struct remote_entry *newest = NULL;

        for (size_t i = 0; i < table->count; i++) {
                const struct remote_entry *entry = &table->lines[i].entry;
                if (entry->segment_number <= number && (!newest || entry->id >= newest->id))
                        newest = entry;
        }
        if (!newest)
                return NULL;
        for (size_t i = table->count; i > 0; i--) {
                const struct table_line *line = &table->lines[i - 1];
                if (is_of(&line->entry, newest->id, newest->salt) &&
                    line->entry.first_number <= number && number <= line->entry.last_number)
                        return line;
        }
        return NULL;
}

uint64_t table_base(const struct table *table)
{
        for (size_t i = 0; i < table->count; i++)
                if (!is_whole(&table->lines[i].entry))
                        return table->lines[i].entry.seq;
        return 0;
}
