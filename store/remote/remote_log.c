/*
 * remote_log.c - the log that a bucket holds, as of one commit
 */
#include "remote/remote_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

void remote_log_free(struct remote_log *log)
{
        table_free(&log->table);
        free(log->lines);
        free(log->segments);
        *log = (struct remote_log){ 0 };
}

/* By segment; in it by the commit that brought it. */
static int compare_lines(const void *left, const void *right)
{
        const struct remote_entry *a = &((const struct table_line *)left)->entry;
        const struct remote_entry *b = &((const struct table_line *)right)->entry;

        if (a->id != b->id)
                return a->id < b->id ? -1 : 1;
        return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* The lines of one segment must have its bytes without a gap. */
static int close_segment(struct remote_segment *segment)
{
        uint64_t end = 0;

        for (size_t i = 0; i < segment->line_count; i++) {
                const struct remote_entry *entry = &segment->lines[i].entry;
                if (entry->from != end && entry->object_bytes == 0)
                        return remote_detail(-EBADMSG,
                                             "segment %" PRIu64
                                             ": no commit has its bytes from %" PRIu64
                                             " to %" PRIu64 ", before record %" PRIu64,
                                             entry->id, end, entry->from, entry->first_number);
                end = entry->to;
                segment->last_number = entry->last_number;
        }
        segment->end = end;
        return 0;
}

static int group(struct remote_log *log)
{
        size_t count = log->table.count;
        int r = 0;

        log->lines = calloc(count + 1, sizeof(*log->lines));
        log->segments = calloc(count + 1, sizeof(*log->segments));
        if (!log->lines || !log->segments)
                return remote_detail(-ENOMEM, "no memory for %zu lines", count);
        for (size_t i = 0; i < count; i++)
                log->lines[i] = log->table.lines[i];
        qsort(log->lines, count, sizeof(*log->lines), compare_lines);
        for (size_t i = 0; r == 0 && i < count;) {
                const struct remote_entry *first = &log->lines[i].entry;
                struct remote_segment *segment = &log->segments[log->segment_count++];

                *segment = (struct remote_segment){ .lines = log->lines + i,
                                                    .id = first->id,
                                                    .salt = first->salt,
                                                    .first_number = first->segment_number };
                while (i < count && log->lines[i].entry.id == first->id)
                        i++, segment->line_count++;
                r = close_segment(segment);
        }
        return r;
}

/* What lies behind the end was cut off, though the lines of its segment may still have it. */
static int settle_end(struct remote_log *log)
{
        const struct remote_place *end = &log->head.end;
        struct remote_segment *last;

        if (log->segment_count == 0)
                return end->id == 0
                               ? 0
                               : remote_detail(-EBADMSG, "no commit has segment %" PRIu64, end->id);
        last = &log->segments[log->segment_count - 1];
        if (last->end < end->offset || last->last_number < end->number ||
            last->first_number > end->number + 1)
                return remote_detail(-EBADMSG,
                                     "segment %" PRIu64 ": no commit has its bytes up to %" PRIu64
                                     ", record %" PRIu64,
                                     end->id, end->offset, end->number);
        last->end = end->offset;
        last->last_number = end->number;
        return 0;
}

/* All from the first record on must be there. */
static int check_beginning(const struct remote_log *log)
{
        const struct remote_segment *oldest = log->segments;

        if (log->segment_count == 0 || oldest->first_number <= log->head.first_number)
                return 0;
        return remote_detail(
                -EBADMSG, "no commit has records %" PRIu64 "..%" PRIu64 ", before segment %" PRIu64,
                log->head.first_number, oldest->first_number - 1, oldest->id);
}

static int read_table(struct bucket *bucket, const struct commit *newest, struct table *table)
{
        const struct commit_header *header = newest->header;

        return table_read_as_of(bucket, newest, header->checkpoint_seq, header->checkpoint_number,
                                table);
}

int remote_log_read(struct bucket *bucket, struct remote_log *ret)
{
        struct remote_log log = { 0 };
        uint64_t seq, checkpoint, number;
        struct commit newest;
        int r = commit_find_newest(bucket, &seq, &checkpoint, &number, NULL);

        if (r == 0 && seq == 0)
                r = remote_detail(-ENODATA, "%s: no log was shipped here", bucket->url);
        if (r < 0)
                return r;
        r = commit_read(bucket, seq, &newest, NULL);
        if (r == -ENOENT)
                r = commit_judge_missing(bucket, seq, "object");
        if (r != 0)
                return r; /* 1: REMOTE_LOG_CHANGED */
        log.head = *newest.header;
        r = read_table(bucket, &newest, &log.table);
        commit_free(&newest);
        if (r == 0)
                r = group(&log);
        if (r == 0)
                r = settle_end(&log);
        if (r == 0)
                r = check_beginning(&log);
        if (r != 0) {
                remote_log_free(&log);
                return r;
        }
        *ret = log;
        return 0;
}
