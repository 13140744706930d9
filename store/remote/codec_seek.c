/*
 * codec_seek.c - the seek table: where the frames of an object begin
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/codec_private.h"
#include "remote/object.h"
#include "remote/remote_detail.h"

uint32_t seek_frame_count(uint64_t bytes)
{
        return (uint32_t)((bytes + REMOTE_BLOCK_BYTES - 1) / REMOTE_BLOCK_BYTES);
}

uint64_t seek_frame_bytes(uint64_t bytes, uint64_t offset)
{
        return bytes - offset < REMOTE_BLOCK_BYTES ? bytes - offset : REMOTE_BLOCK_BYTES;
}

int seek_table_init(uint64_t bytes, struct seek_table *ret)
{
        struct seek_table table = { .room = seek_frame_count(bytes) };

        table.lines = calloc(table.room + 1, sizeof(*table.lines));
        if (!table.lines)
                return remote_detail(-ENOMEM, "no memory for a seek table");
        *ret = table;
        return 0;
}

void seek_table_free(struct seek_table *table)
{
        free(table->lines);
        *table = (struct seek_table){ 0 };
}

size_t seek_table_bytes(uint32_t count)
{
        return SEEK_HEADER_BYTES + count * sizeof(struct seek_line) + SEEK_FOOTER_BYTES;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
        value = htole32(value);
        memcpy(at, &value, sizeof(value));
        return at + sizeof(value);
}

static uint32_t get32(const uint8_t *at)
{
        uint32_t value;

        memcpy(&value, at, sizeof(value));
        return le32toh(value);
}

void seek_table_write(const struct seek_table *table, uint8_t *ret)
{
        uint8_t *at = put32(ret, SEEK_SKIPPABLE_MAGIC);

        at = put32(at, (uint32_t)(seek_table_bytes(table->count) - SEEK_HEADER_BYTES));
        for (uint32_t i = 0; i < table->count; i++) {
                at = put32(at, table->lines[i].packed_bytes);
                at = put32(at, table->lines[i].bytes);
        }
        at = put32(at, table->count);
        *at++ = 0; /* no checksums here: the frames have their own */
        put32(at, SEEK_FOOTER_MAGIC);
}

bool seek_table_read(struct seek_table *table, uint64_t bytes, const uint8_t *from)
{
        size_t size = seek_table_bytes(table->room);
        const uint8_t *footer = from + size - SEEK_FOOTER_BYTES;

        if (get32(from) != SEEK_SKIPPABLE_MAGIC || get32(from + 4) != size - SEEK_HEADER_BYTES ||
            get32(footer) != table->room || footer[4] != 0 ||
            get32(footer + 5) != SEEK_FOOTER_MAGIC)
                return false;
        table->count = 0;
        for (uint32_t i = 0; i < table->room; i++) {
                const uint8_t *at = from + SEEK_HEADER_BYTES + i * sizeof(struct seek_line);
                struct seek_line line = { get32(at), get32(at + 4) };

                if (line.bytes != seek_frame_bytes(bytes, i * REMOTE_BLOCK_BYTES) ||
                    line.packed_bytes == 0 || line.packed_bytes > FRAME_BYTES_MAX)
                        return false;
                table->lines[table->count++] = line;
        }
        return true;
}

/* Add the frames up. The table stands behind them, at the object's end. */
static int find_spans(const struct seek_table *table, uint64_t frames_end, uint64_t *offsets)
{
        const uint32_t each = BLOCK_SPAN / REMOTE_BLOCK_BYTES;
        uint64_t offset = 0;

        for (uint32_t i = 0; i < table->count; i++) {
                if (i % each == 0)
                        offsets[i / each] = offset;
                offset += table->lines[i].packed_bytes;
        }
        offsets[(table->count + each - 1) / each] = offset;
        return offset == frames_end ? 0 : -EBADMSG;
}

static int read_table(struct bucket *bucket, const char *name, const struct remote_entry *entry,
                      struct seek_table *table, uint64_t *offsets)
{
        size_t want = seek_table_bytes(table->room), size;
        uint64_t at = entry->object_bytes - want;
        uint8_t *bytes;
        int r;

        if (entry->object_bytes <= want)
                return remote_detail(-EBADMSG, "%s: its commit gives it too few bytes", name);
        r = object_read(bucket, name, at, want, want, &bytes, &size, NULL);
        if (r < 0)
                return r == -ERANGE ? remote_detail(-EBADMSG, "%s: it is too short", name) : r;
        if (size != want || !seek_table_read(table, entry->to, bytes) ||
            find_spans(table, at, offsets) < 0)
                r = remote_detail(-EBADMSG, "%s: offset %" PRIu64 ": its seek table is damaged",
                                  name, at);
        free(bytes);
        return r;
}

int codec_read_spans(struct bucket *bucket, const char *name, const struct remote_entry *entry,
                     uint64_t **ret_offsets, uint32_t *ret_count)
{
        uint32_t count = (uint32_t)((entry->to + BLOCK_SPAN - 1) / BLOCK_SPAN);
        uint64_t *offsets = calloc(count + 1, sizeof(*offsets));
        struct seek_table table = { 0 };
        int r;

        if (!offsets)
                return remote_detail(-ENOMEM, "no memory for a directory");
        r = seek_table_init(entry->to, &table);
        if (r == 0) {
                r = read_table(bucket, name, entry, &table, offsets);
                seek_table_free(&table);
        }
        if (r < 0) {
                free(offsets);
                return r;
        }
        *ret_offsets = offsets;
        *ret_count = count;
        return 0;
}
