/*
 * reader.c - the log in a bucket, read in place: opened, and described
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/reader_private.h"
#include "remote/remote.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define LOOK_MS 1000u
#define CACHE_BYTES (UINT64_C(32) << 20)
#define PATIENCE_MS 300000u
#define CONNECTIONS 4u

static int begin(struct logstore_remote *opened, const char *url,
                 const struct logstore_remote_options *remote)
{
        struct pieces_options pieces = {
                .budget_bytes = opened->options.cache_bytes,
                .threads = remote && remote->connections ? remote->connections : CONNECTIONS,
                .patience_ns = opened->options.patience_ms * NS_PER_MS,
        };
        int r = remote_open(url, remote, &opened->bucket);

        if (r == 0)
                r = pieces_new(opened->bucket, &pieces, &opened->pieces);
        if (r == 0)
                r = reader_list(opened);
        return r;
}

int logstore_remote_open(const char *url, const struct logstore_remote_options *remote,
                         const struct logstore_read_options *options, struct logstore_remote **ret)
{
        const struct logstore_read_options otherwise = LOGSTORE_READ_OPTIONS_INIT;
        struct logstore_remote *opened;
        int r;

        if (!url || !ret || (options && options->struct_bytes != sizeof(*options)))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        opened = calloc(1, sizeof(*opened));
        if (!opened)
                return remote_detail(-ENOMEM, "no memory for a reader");
        opened->options = options ? *options : otherwise;
        if (opened->options.look_ms == 0)
                opened->options.look_ms = LOOK_MS;
        if (opened->options.cache_bytes == 0)
                opened->options.cache_bytes = CACHE_BYTES;
        if (opened->options.patience_ms == 0)
                opened->options.patience_ms = PATIENCE_MS;
        r = begin(opened, url, remote);
        if (r < 0)
                logstore_remote_close(opened);
        else
                *ret = opened;
        return r;
}

void logstore_remote_close(struct logstore_remote *remote)
{
        if (!remote)
                return;
        logstore_remote_cursor_close(remote->own);
        pieces_free(remote->pieces);
        remote_log_free(&remote->log);
        bucket_close(remote->bucket);
        free(remote);
}

struct logstore_bounds reader_bounds(const struct logstore_remote *remote)
{
        const struct commit_header *head = &remote->log.head;
        struct logstore_bounds bounds = { .first = head->first_number,
                                          .tail = head->end.number,
                                          .epoch = head->epoch };

        if (bounds.first == 0)
                bounds.first = 1;
        if (bounds.tail + 1 < bounds.first)
                bounds.tail = bounds.first - 1;
        if (remote->log.segment_count == 0)
                bounds.first = bounds.tail + 1;
        bounds.durable = bounds.tail;
        return bounds;
}

int logstore_remote_bounds(struct logstore_remote *remote, struct logstore_bounds *ret)
{
        int r;

        if (!remote || !ret)
                return remote_detail(-EINVAL, "an argument is NULL");
        r = reader_look_whole(remote);
        if (r == 0)
                *ret = reader_bounds(remote);
        return r;
}

/* ---- described ---- */

static void count_bytes(const struct remote_log *log, struct logstore_remote_info *info)
{
        for (size_t i = 0; i < log->segment_count; i++) {
                const struct remote_segment *segment = &log->segments[i];

                info->log_bytes += segment->leave_offset;
                for (size_t j = 0; j < segment->line_count; j++) {
                        const struct remote_entry *entry = &segment->lines[j].entry;

                        info->stored_bytes +=
                                entry->object_bytes ? entry->object_bytes : entry->to - entry->from;
                }
        }
}

int logstore_remote_info(struct logstore_remote *remote, struct logstore_remote_info *ret)
{
        const struct commit_header *head;
        int r;

        if (!remote || !ret || ret->struct_bytes != sizeof(*ret))
                return remote_detail(-EINVAL, "an argument is NULL, or struct_bytes is not set");
        r = reader_look_whole(remote);
        if (r < 0)
                return r;
        head = &remote->log.head;
        *ret = (struct logstore_remote_info){
                .struct_bytes = sizeof(*ret),
                .version = head->version,
                .bounds = reader_bounds(remote),
                .commit = head->seq,
                .term = head->term,
                .checkpoint = head->checkpoint_seq,
                .segments = remote->log.segment_count,
                .segment_bytes = head->segment_bytes,
                .file_mode = head->file_mode,
                .pid = (uint32_t)head->pid,
                .committed_ns = head->committed_ns,
        };
        memcpy(ret->uuid, head->uuid, sizeof(ret->uuid));
        snprintf(ret->host, sizeof(ret->host), "%.*s", (int)sizeof(head->host) - 1, head->host);
        count_bytes(&remote->log, ret);
        return 0;
}

static void describe(const struct remote_segment *segment, struct logstore_remote_segment *ret)
{
        *ret = (struct logstore_remote_segment){
                .struct_bytes = sizeof(*ret),
                .id = segment->id,
                .salt = segment->salt,
                .first_number = segment->first_number,
                .records = segment->leave_number + 1 - segment->first_number,
                .log_bytes = segment->leave_offset,
        };
        for (size_t i = 0; i < segment->line_count; i++) {
                const struct remote_entry *entry = &segment->lines[i].entry;

                if (entry->object_bytes) {
                        ret->object_bytes = entry->object_bytes;
                        ret->codec = entry->codec;
                        ret->sealed = entry->sealed;
                        span_name(entry, ret->object);
                } else {
                        ret->tails++;
                        ret->tail_bytes += entry->to - entry->from;
                }
        }
}

int logstore_remote_segments(struct logstore_remote *remote,
                             int (*each)(void *context, const struct logstore_remote_segment *),
                             void *context)
{
        struct logstore_remote_segment segment;
        int r;

        if (!remote || !each)
                return remote_detail(-EINVAL, "an argument is NULL");
        r = reader_look_whole(remote);
        for (size_t i = 0; r == 0 && i < remote->log.segment_count; i++) {
                describe(&remote->log.segments[i], &segment);
                r = each(context, &segment);
        }
        return r;
}
