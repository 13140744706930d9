/*
 * span.c - a stretch of a segment's bytes, out of the bucket
 */
#include "remote/span.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "remote/remote_detail.h"
#include "remote/span_private.h"

void span_name(const struct remote_entry *entry, char ret[BUCKET_NAME_MAX])
{
        if (entry->object_bytes)
                segment_object_name(ret, entry);
        else
                commit_name(ret, entry->seq);
}

static int damaged(const struct remote_entry *entry, const char *what)
{
        char name[BUCKET_NAME_MAX];

        span_name(entry, name);
        return remote_detail(-EBADMSG, "%s: records %" PRIu64 "..%" PRIu64 ": %s", name,
                             entry->first_number, entry->last_number, what);
}

/* Of the last BLOCK_SPAN only as many frames as are needed. Nobody knows how long they are, only
 * how long they can be. */
static uint64_t packed_end(const struct remote_entry *entry, const struct remote_block *blocks,
                           uint64_t to)
{
        uint32_t last = (uint32_t)((to - 1) / BLOCK_SPAN);
        uint64_t frames = (to - last * BLOCK_SPAN + REMOTE_BLOCK_BYTES - 1) / REMOTE_BLOCK_BYTES;
        uint64_t end =
                last + 1 < entry->blocks ? blocks[last + 1].object_offset : entry->object_bytes;
        uint64_t enough = blocks[last].object_offset + frames * SPAN_FRAME_MAX;

        return enough < end ? enough : end;
}

static int find_packed(const struct remote_entry *entry, const struct remote_block *blocks,
                       struct span *span)
{
        uint32_t first = (uint32_t)(span->from / BLOCK_SPAN);
        uint32_t last = (uint32_t)((span->to - 1) / BLOCK_SPAN);

        if (!blocks || last >= entry->blocks)
                return damaged(entry, "its directory is missing");
        for (uint32_t i = first; i <= last; i++)
                span->starts[span->count++] = blocks[i].object_offset;
        span->starts[span->count] = packed_end(entry, blocks, span->to);
        for (uint32_t i = 0; i < span->count; i++)
                if (span->starts[i + 1] <= span->starts[i] ||
                    span->starts[i + 1] > entry->object_bytes ||
                    span->starts[i + 1] - span->starts[i] > SPAN_PACKED_MAX)
                        return damaged(entry, "its directory is damaged");
        return 0;
}

int span_of(const struct remote_entry *entry, const struct remote_block *blocks, uint64_t from,
            uint64_t to, struct span *ret)
{
        char name[BUCKET_NAME_MAX];

        assert(from < to && from >= entry->from && to <= entry->to);
        *ret = (struct span){ .entry = *entry, .from = from, .to = to };
        if (entry->object_bytes == 0)
                return 0;
        if (entry->codec == CODEC_ZSTD)
                return find_packed(entry, blocks, ret);
        ret->count = 1;
        ret->starts[0] = from;
        ret->starts[1] = to;
        if (entry->codec == CODEC_PLAIN)
                return 0;
        span_name(entry, name);
        return remote_detail(-EPROTONOSUPPORT, "%s: codec %u is unknown", name, entry->codec);
}

static int read_object(struct bucket *bucket, const struct span *span,
                       const struct bucket_sink *sink)
{
        uint64_t from = span->starts[0], to = span->starts[span->count];
        struct span_unpack unpack;
        struct bucket_sink packed = { span_unpack_write, &unpack };
        char name[BUCKET_NAME_MAX];
        int r = 0;

        span_name(&span->entry, name);
        if (span->entry.codec == CODEC_PLAIN) {
                r = bucket_get(bucket, name, from, to - from, sink, NULL);
        } else {
                r = span_unpack_begin(&unpack, name, span, sink);
                if (r == 0)
                        r = bucket_get(bucket, name, from, to - from, &packed, NULL);
                span_unpack_free(&unpack);
        }
        return r == -ERANGE ? damaged(&span->entry, remote_detail_line()) : r;
}

static bool is_tail_of(const struct commit *commit, const uint8_t uuid[16],
                       const struct remote_entry *entry)
{
        const struct commit_header *header = commit->header;

        return header->kind == COMMIT_TAIL && header->payload_bytes == entry->to - entry->from &&
               header->end.id == entry->id && header->end.salt == entry->salt &&
               header->end.offset == entry->to && memcmp(header->uuid, uuid, 16) == 0;
}

static int read_tail(struct bucket *bucket, const uint8_t uuid[16], const struct span *span,
                     const struct bucket_sink *sink)
{
        const struct remote_entry *entry = &span->entry;
        struct commit commit;
        int r = commit_read(bucket, entry->seq, &commit, NULL);

        if (r < 0)
                return r;
        if (is_tail_of(&commit, uuid, entry))
                r = sink->write(sink->context, commit.payload + (span->from - entry->from),
                                span->to - span->from);
        else
                r = remote_detail(-EBADMSG,
                                  "commit %" PRIu64
                                  ": it is not the tail that later commits name, with records "
                                  "%" PRIu64 "..%" PRIu64,
                                  entry->seq, entry->first_number, entry->last_number);
        commit_free(&commit);
        return r;
}

int span_read(struct bucket *bucket, const uint8_t uuid[16], const struct span *span,
              const struct bucket_sink *sink)
{
        return span->entry.object_bytes ? read_object(bucket, span, sink)
                                        : read_tail(bucket, uuid, span, sink);
}
