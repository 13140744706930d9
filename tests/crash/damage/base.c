/*
 * base.c - the healthy stores that are damaged, and what each of their records was
 */
#include "base.h"

#include <errno.h>
#include <inttypes.h>
#include <logstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#define BIG_BYTES 54000u /* too large for what is left of the first segment */

static void must(int r, const char *what)
{
        if (r >= 0)
                return;
        fprintf(stderr, "%s: %s: %s\n", what, logstore_error_text(r), logstore_detail());
        exit(EXIT_FAILURE);
}

static void append(struct logstore *store, size_t size, unsigned char seed)
{
        unsigned char *data = calloc(1, size + 1);

        for (size_t i = 0; i < size; i++)
                data[i] = (unsigned char)(seed + i * 37 + i / 251);
        must(logstore_append(store, data, size, NULL), "append");
        free(data);
}

static void append_batch(struct logstore *store)
{
        struct logstore_entry entries[3] = {
                { .data = "first", .size = 5, .time_ns = 0 },
                { .data = "", .size = 0, .time_ns = 12345 },
                { .data = "the last of the batch", .size = 21, .time_ns = 0 },
        };

        must(logstore_append_batch(store, entries, 3, NULL), "batch");
}

static void claim(struct logstore *store, size_t claimed, size_t used, bool abort)
{
        struct logstore_claim claim;

        must(logstore_claim(store, claimed, &claim), "claim");
        memset(claim.data, 'c', claimed);
        must(abort ? logstore_abort(store, &claim) : logstore_commit(store, &claim, used),
             "resolve");
}

/* Every kind of frame, in about 5 KiB. */
static void append_all_kinds(struct logstore *store)
{
        append(store, 0, 0);
        append(store, 1, 'x');
        append_batch(store);
        claim(store, 100, 0, true);
        claim(store, 200, 77, false);
        for (unsigned char i = 0; i < 14; i++)
                append(store, 50u + i * 37u, i);
}

static void fill_store(struct logstore *store, enum base_kind kind)
{
        append_all_kinds(store);
        if (kind != BASE_SEALED)
                must(logstore_sync(store, 0), "sync");
        append_all_kinds(store);
        if (kind != BASE_SEALED)
                return;
        append(store, BIG_BYTES, 'b'); /* rolls */
        append_all_kinds(store);
        must(logstore_sync(store, 0), "sync");
        append(store, 300, 'z');
}

/* What the API says of each record. */
static void describe_records(struct logstore *store, struct base *base)
{
        struct logstore_bounds bounds;

        must(logstore_bounds(store, &bounds), "bounds");
        base->tail = bounds.tail;
        base->durable = bounds.durable;
        for (uint64_t number = 1; number <= bounds.tail; number++) {
                struct base_record *to = &base->records[number];
                struct logstore_record record;
                int r;

                to->data = malloc(BIG_BYTES + 1);
                r = logstore_get(store, number, to->data, BIG_BYTES, &record);
                to->is_void = r == -ENODATA;
                if (to->is_void)
                        continue;
                must(r, "get");
                to->time_ns = record.time_ns;
                to->size = record.size;
        }
}

static size_t align(size_t bytes)
{
        return (bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

/* Where each frame lies, by walking the files as docs/FORMAT.md says. */
static void locate_records(struct base *base, const struct tree_file *file)
{
        size_t offset = FRAMES_OFFSET, pad_offset = 0;
        struct start_payload start;
        uint64_t number;
        uint32_t word;

        memcpy(&word, file->data + HEADER_BYTES, sizeof(word));
        if (word == 0)
                return; /* prepared, not started */
        memcpy(&start, file->data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        for (number = start.first_number; number <= base->tail; number++) {
                struct base_record *record = &base->records[number];
                size_t size;

                for (;;) {
                        if (offset + sizeof(word) > file->bytes)
                                return;
                        memcpy(&word, file->data + offset, sizeof(word));
                        size = word & FRAME_SIZE_MASK;
                        if (word == 0)
                                return;
                        if (word >> FRAME_KIND_SHIFT != FRAME_PAD)
                                break;
                        pad_offset = offset;
                        offset += size;
                }
                strcpy(record->file, file->name);
                record->offset = offset;
                record->pad_offset = pad_offset;
                record->more = word >> FRAME_KIND_SHIFT == FRAME_MORE;
                /* what an aborted claim would have held is nothing of value */
                record->frame_bytes = FRAME_HEADER_BYTES + (record->is_void ? 0 : size);
                offset += align(FRAME_HEADER_BYTES + size);
                record->end = offset;
                pad_offset = 0;
        }
}

void base_make(enum base_kind kind, const char *path, struct base *ret)
{
        static const char *const names[] = { "crashed", "closed", "sealed" };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;

        *ret = (struct base){ .name = names[kind] };
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SEGMENT_BYTES_MIN;
        must(logstore_open(path, &options, &store), "create");
        fill_store(store, kind);
        describe_records(store, ret);
        if (kind == BASE_CLOSED)
                ret->durable = ret->tail;
        else
                tree_load(path, &ret->tree);
        must(logstore_close(store), "close");
        if (kind == BASE_CLOSED)
                tree_load(path, &ret->tree);
        tree_remove(path);
        for (size_t i = 0; i < ret->tree.count; i++)
                if (strstr(ret->tree.files[i].name, ".log"))
                        locate_records(ret, &ret->tree.files[i]);
        for (uint64_t number = 1; number <= ret->tail; number++)
                if (ret->records[number].frame_bytes == 0)
                        must(-EBADMSG, "a record without a frame");
}
