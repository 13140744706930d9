/*
 * span.c - a stretch of a segment's bytes, out of the bucket
 */
#include "remote/span.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "remote/remote_detail.h"

void span_name(const struct remote_entry *entry, char ret[BUCKET_NAME_MAX])
{
        if (entry->object_bytes)
                segment_object_name(ret, entry);
        else
                commit_name(ret, entry->seq);
}

int span_of(const struct remote_entry *entry, const struct remote_block *blocks, uint64_t from,
            uint64_t to, struct span *ret)
{
        char name[BUCKET_NAME_MAX];

        (void)blocks;
        assert(from < to && from >= entry->from && to <= entry->to);
        *ret = (struct span){ .entry = *entry, .from = from, .to = to };
        if (entry->object_bytes == 0)
                return 0;
        if (entry->codec == CODEC_PLAIN) {
                ret->object_from = from;
                ret->object_to = to;
                return 0;
        }
        span_name(entry, name);
        return remote_detail(-EPROTONOSUPPORT, "%s: codec %u is unknown", name, entry->codec);
}

static int read_object(struct bucket *bucket, const struct span *span,
                       const struct bucket_sink *sink)
{
        const struct remote_entry *entry = &span->entry;
        char name[BUCKET_NAME_MAX];
        int r;

        span_name(entry, name);
        r = bucket_get(bucket, name, span->object_from, span->object_to - span->object_from, sink,
                       NULL);
        if (r == -ERANGE)
                return remote_detail_within(-EBADMSG, "records %" PRIu64 "..%" PRIu64,
                                            entry->first_number, entry->last_number);
        return r;
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
