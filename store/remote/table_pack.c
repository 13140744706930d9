/*
 * table_pack.c - a table as an object, and back
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "remote/object.h"
#include "remote/remote_detail.h"
#include "remote/table.h"
#include "segment/hash.h"

#define PACK_LEVEL 3
#define PACKED_MAX (UINT64_C(256) << 20) /* a log of 16 TiB takes less */
#define RAW_MAX (UINT64_C(512) << 20)

static uint64_t count_blocks(const struct table *table)
{
        uint64_t count = 0;

        for (size_t i = 0; i < table->count; i++)
                count += table->lines[i].blocks ? table->lines[i].entry.blocks : 0;
        return count;
}

/* Entries, then directories. */
static void flatten(const struct table *table, uint8_t *raw)
{
        struct remote_entry *entries = (struct remote_entry *)raw;
        struct remote_block *blocks = (struct remote_block *)(entries + table->count);

        for (size_t i = 0; i < table->count; i++) {
                const struct table_line *line = &table->lines[i];
                uint32_t count = line->blocks ? line->entry.blocks : 0;

                entries[i] = line->entry;
                entries[i].blocks = count;
                if (count)
                        memcpy(blocks, line->blocks, count * sizeof(*blocks));
                blocks += count;
        }
}

static uint64_t header_check(const struct checkpoint_header *header)
{
        return hash_seeded(0, header, offsetof(struct checkpoint_header, check));
}

int table_pack(const struct table *table, const uint8_t uuid[16], uint64_t seq,
               uint64_t last_number, uint8_t **ret_bytes, size_t *ret_size)
{
        struct checkpoint_header header = { .version = REMOTE_VERSION,
                                            .entry_count = (uint32_t)table->count,
                                            .seq = seq,
                                            .last_number = last_number,
                                            .block_count = count_blocks(table) };
        size_t room, packed;
        uint8_t *raw, *bytes;

        header.raw_bytes = table->count * sizeof(struct remote_entry) +
                           header.block_count * sizeof(struct remote_block);
        room = ZSTD_compressBound(header.raw_bytes);
        raw = malloc(header.raw_bytes + 1);
        bytes = malloc(sizeof(header) + room);
        if (!raw || !bytes) {
                free(raw);
                free(bytes);
                return remote_detail(-ENOMEM, "no memory for a checkpoint");
        }
        flatten(table, raw);
        packed = ZSTD_compress(bytes + sizeof(header), room, raw, header.raw_bytes, PACK_LEVEL);
        free(raw);
        if (ZSTD_isError(packed)) {
                free(bytes);
                return remote_detail(-ENOMEM, "a checkpoint: %s", ZSTD_getErrorName(packed));
        }
        memcpy(header.magic, CHECKPOINT_MAGIC, sizeof(header.magic));
        memcpy(header.uuid, uuid, sizeof(header.uuid));
        header.packed_bytes = packed;
        header.packed_check = hash_seeded(seq, bytes + sizeof(header), packed);
        header.check = header_check(&header);
        memcpy(bytes, &header, sizeof(header));
        *ret_bytes = bytes;
        *ret_size = sizeof(header) + packed;
        return 0;
}

static const char *what_is_wrong(const struct checkpoint_header *header, size_t size,
                                 const uint8_t uuid[16], uint64_t seq)
{
        if (size < sizeof(*header) ||
            memcmp(header->magic, CHECKPOINT_MAGIC, sizeof(header->magic)) != 0)
                return "it is no checkpoint";
        if (header->check != header_check(header) || header->version != REMOTE_VERSION)
                return "its header's checksum does not hold, or it is of another version";
        if ((uuid && memcmp(header->uuid, uuid, sizeof(header->uuid)) != 0) || header->seq != seq)
                return "it is another store's, or of another commit";
        if (header->packed_bytes != size - sizeof(*header) ||
            header->packed_check != hash_seeded(seq, header + 1, header->packed_bytes))
                return "its table's checksum does not hold";
        if (header->block_count > RAW_MAX / sizeof(struct remote_block) ||
            header->entry_count > RAW_MAX / sizeof(struct remote_entry) ||
            header->raw_bytes != header->entry_count * sizeof(struct remote_entry) +
                                         header->block_count * sizeof(struct remote_block) ||
            ZSTD_getFrameContentSize(header + 1, header->packed_bytes) != header->raw_bytes)
                return "its counts do not fit";
        return NULL;
}

/* One entry with its directory. The next directory begins at *blocks. */
static int take_line(struct table *table, const struct remote_entry *entry, uint64_t seq,
                     const struct remote_block **blocks, uint64_t *left)
{
        struct remote_block *own = NULL;

        if (!remote_entry_valid(entry) || entry->seq > seq || entry->blocks > *left)
                return remote_detail(-EBADMSG, "it says what no shipper writes");
        if (entry->blocks) {
                own = malloc(entry->blocks * sizeof(*own));
                if (!own)
                        return remote_detail(-ENOMEM, "no memory for a directory");
                memcpy(own, *blocks, entry->blocks * sizeof(*own));
        }
        *blocks += entry->blocks;
        *left -= entry->blocks;
        return table_push(table, entry, own, entry->blocks);
}

static int unpack(const struct checkpoint_header *header, struct table *table)
{
        uint8_t *raw = malloc(header->raw_bytes + 1);
        const struct remote_entry *entries = (const struct remote_entry *)raw;
        const struct remote_block *blocks;
        uint64_t left = header->block_count;
        size_t got;
        int r = 0;

        if (!raw)
                return remote_detail(-ENOMEM, "no memory for its table");
        got = ZSTD_decompress(raw, header->raw_bytes, header + 1, header->packed_bytes);
        if (ZSTD_isError(got) || got != header->raw_bytes)
                r = remote_detail(-EBADMSG, "its table cannot be unpacked");
        blocks = (const struct remote_block *)(entries + header->entry_count);
        for (uint32_t i = 0; r == 0 && i < header->entry_count; i++)
                r = take_line(table, &entries[i], header->seq, &blocks, &left);
        free(raw);
        return r;
}

/* @uuid NULL: any store's, which goes to @ret_uuid, if that is not NULL. */
static int read_checkpoint(struct bucket *bucket, const uint8_t *uuid, uint64_t seq,
                           uint64_t number, uint8_t *ret_uuid, struct table *ret)
{
        char name[COMMIT_NAME_BYTES];
        const char *wrong;
        uint8_t *bytes;
        size_t size;
        int r;

        checkpoint_name(name, seq, number);
        r = object_read(bucket, name, 0, UINT64_MAX, PACKED_MAX, &bytes, &size, NULL);
        if (r < 0)
                return r;
        wrong = what_is_wrong((const struct checkpoint_header *)bytes, size, uuid, seq);
        if (wrong)
                r = remote_detail(-EBADMSG, "%s: %s", name, wrong);
        else if (((const struct checkpoint_header *)bytes)->last_number != number)
                r = remote_detail(-EBADMSG, "%s: it ends with another record", name);
        else if ((r = unpack((const struct checkpoint_header *)bytes, ret)) < 0)
                r = remote_detail_within(r, "%s", name);
        if (r == 0 && ret_uuid)
                memcpy(ret_uuid, ((const struct checkpoint_header *)bytes)->uuid, 16);
        free(bytes);
        if (r < 0)
                table_free(ret);
        return r;
}

int table_read(struct bucket *bucket, const uint8_t uuid[16], uint64_t seq, uint64_t number,
               struct table *ret)
{
        return read_checkpoint(bucket, uuid, seq, number, NULL, ret);
}

int table_read_any(struct bucket *bucket, uint64_t seq, uint64_t number, uint8_t ret_uuid[16],
                   struct table *ret)
{
        return read_checkpoint(bucket, NULL, seq, number, ret_uuid, ret);
}

int table_read_as_of(struct bucket *bucket, const struct commit *newest, uint64_t seq,
                     uint64_t number, struct table *ret)
{
        const struct commit_header *header = newest->header;
        char name[COMMIT_NAME_BYTES];
        int r = seq ? table_read(bucket, header->uuid, seq, number, ret) : 0;

        if (r == -ENOENT) {
                checkpoint_name(name, seq, number);
                return commit_judge_missing(bucket, header->seq, name);
        }
        if (r == 0)
                r = table_add_commit(ret, newest, seq);
        if (r < 0) {
                table_free(ret);
                return r;
        }
        table_drop_dead(ret, &header->end, header->first_number);
        return 0;
}
