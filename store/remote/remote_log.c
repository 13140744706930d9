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

/* Where the log leaves each segment, as the start frame of the next one says. */
static int settle_links(struct remote_log *log)
{
        for (size_t i = 0; i < log->segment_count; i++) {
                struct remote_segment *segment = &log->segments[i];
                const struct remote_segment *next = segment + 1;

                segment->leave_offset = segment->end;
                segment->leave_number = segment->last_number;
                if (i + 1 == log->segment_count) {
                        if (log->is_part && segment->leave_number > log->head.end.number)
                                segment->leave_number = log->head.end.number;
                        break;
                }
                segment->leave_offset = next->lines[0].entry.previous_end;
                segment->leave_number = next->first_number - 1;
                if (next->lines[0].entry.previous_id == segment->id &&
                    segment->leave_offset >= FRAMES_OFFSET &&
                    segment->leave_offset <= segment->end &&
                    segment->leave_number >= segment->first_number - 1 &&
                    segment->leave_number <= segment->last_number)
                        continue;
                return remote_detail(
                        -EBADMSG,
                        "segment %" PRIu64 ": no commit has its bytes up to %" PRIu64
                        ", where the log goes on with record %" PRIu64 " in segment %" PRIu64,
                        segment->id, segment->leave_offset, next->first_number, next->id);
        }
        return 0;
}

size_t remote_log_find(const struct remote_log *log, uint64_t number)
{
        size_t low = 0, high = log->segment_count;

        while (low < high) { /* the first one that begins behind it */
                size_t middle = low + (high - low) / 2;

                if (log->segments[middle].first_number <= number)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0 || number > log->segments[low - 1].leave_number)
                return SIZE_MAX;
        return low - 1;
}

/* Segments from the table's lines. */
static int settle(struct remote_log *log)
{
        int r;

        free(log->lines);
        free(log->segments);
        log->lines = NULL;
        log->segments = NULL;
        log->segment_count = 0;
        r = group(log);
        if (r == 0 && !log->is_part)
                r = settle_end(log);
        if (r == 0)
                r = settle_links(log);
        if (r == 0 && !log->is_part)
                r = check_beginning(log);
        return r;
}

int remote_log_of(const struct commit_header *head, const struct table *table,
                  struct remote_log *ret)
{
        struct remote_log log = { .head = *head, .table = *table };
        int r = settle(&log);

        log.table = (struct table){ 0 }; /* the caller's */
        if (r < 0)
                remote_log_free(&log);
        else
                *ret = log;
        return r;
}

static int read_table(struct bucket *bucket, const struct commit *newest, struct table *table)
{
        const struct commit_header *header = newest->header;

        return table_read_as_of(bucket, newest, header->checkpoint_seq, header->checkpoint_number,
                                table);
}

int remote_log_read(struct bucket *bucket, struct remote_log *ret)
{
        uint64_t seq, checkpoint, number;
        int r = commit_find_newest(bucket, &seq, &checkpoint, &number, NULL);

        if (r == 0 && seq == 0)
                r = remote_detail(-ENODATA, "%s: no log was shipped here", bucket->url);
        return r < 0 ? r : remote_log_read_at(bucket, seq, ret);
}

int remote_log_read_at(struct bucket *bucket, uint64_t seq, struct remote_log *ret)
{
        struct remote_log log = { 0 };
        struct commit newest;
        int r = commit_read(bucket, seq, &newest, NULL);

        if (r == -ENOENT)
                r = commit_judge_missing(bucket, seq, "object");
        if (r != 0)
                return r; /* 1: REMOTE_LOG_CHANGED */
        log.head = *newest.header;
        r = read_table(bucket, &newest, &log.table);
        commit_free(&newest);
        if (r == 0)
                r = settle(&log);
        if (r != 0) {
                remote_log_free(&log);
                return r;
        }
        *ret = log;
        return 0;
}

int remote_log_read_checkpoint(struct bucket *bucket, const struct commit_listed *listed,
                               struct remote_log *ret)
{
        struct remote_log log = { .is_part = true };
        int r = table_read_any(bucket, listed->checkpoint, listed->checkpoint_number, log.head.uuid,
                               &log.table);

        if (r < 0)
                return r == -ENOENT ? REMOTE_LOG_CHANGED : r;
        log.head.seq = listed->checkpoint;
        log.head.end.number = listed->checkpoint_number;
        r = settle(&log);
        if (r < 0)
                remote_log_free(&log);
        else
                *ret = log;
        return r;
}

/* What the commit says that the log does not have yet. */
static int take_news(struct bucket *bucket, struct remote_log *log, const struct commit *newest)
{
        const struct commit_header *header = newest->header;
        int r;

        if (memcmp(header->uuid, log->head.uuid, sizeof(header->uuid)) != 0)
                return remote_detail(-EMEDIUMTYPE, "%s: the log of another store is there now",
                                     bucket->url);
        if (header->checkpoint_seq > log->head.seq) {
                table_free(&log->table);
                r = read_table(bucket, newest, &log->table);
        } else {
                r = table_add_commit(&log->table, newest, log->head.seq);
                if (r == 0)
                        table_drop_dead(&log->table, &header->end, header->first_number);
        }
        log->head = *header;
        return r == 0 ? settle(log) : r;
}

int remote_log_update(struct bucket *bucket, struct remote_log *log, uint64_t seq)
{
        struct commit newest;
        int r;

        if (seq < log->head.seq)
                return REMOTE_LOG_CHANGED;
        r = commit_read(bucket, seq, &newest, NULL);
        if (r < 0)
                return r == -ENOENT ? REMOTE_LOG_CHANGED : r;
        r = take_news(bucket, log, &newest);
        commit_free(&newest);
        return r;
}
