/*
 * acts_read.c - threads that read by number, look and take snapshots
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "world.h"

static const int none[] = { 0 };

void act_get(struct logstore *store)
{
        for (int round = 0; round < 2; round++)
                for (uint64_t number = 1; number < 80; number += 7)
                        do_get(store, number);
}

/* Both ends of the log, where they are at that moment. */
void act_get_tail(struct logstore *store)
{
        struct logstore_bounds bounds;

        for (int i = 0; i < 12; i++) {
                judge_result("bounds", logstore_bounds(store, &bounds), none);
                judge_bounds(store, "reader");
                if (bounds.tail)
                        do_get(store, bounds.tail);
                do_get(store, bounds.first);
        }
}

void act_bounds(struct logstore *store)
{
        for (int i = 0; i < 20; i++)
                judge_bounds(store, "bounds");
}

void act_get_many(struct logstore *store)
{
        enum { COUNT = 8 };

        for (uint64_t round = 0; round < 4; round++) {
                struct logstore_record records[COUNT];
                uint64_t numbers[COUNT], begin = history_now();
                int n;
                for (uint64_t i = 0; i < COUNT; i++)
                        numbers[i] = i * 11 + round * 3 + 1;
                n = logstore_get_many(store, numbers, COUNT, world_buffer(), WORLD_BUFFER, records);
                judge_result("get_many", n, none);
                for (int i = 0; i < n; i++) {
                        if (records[i].data)
                                judge_record("get_many", &records[i], begin);
                        else
                                judge_missing("get_many", (int)(ssize_t)records[i].size, numbers[i],
                                              begin);
                }
        }
}

/* ---- snapshots ---- */

/* All that it says is there is there, and all that had to be there at its beginning is in it. */
static void judge_snapshot(struct logstore_snapshot *snapshot, uint64_t begin)
{
        struct logstore_bounds bounds;
        struct logstore_record record;

        judge_result("snapshot_bounds", logstore_snapshot_bounds(snapshot, &bounds), none);
        if (bounds.first > bounds.tail + 1 || bounds.durable > bounds.tail)
                verdict("snapshot: its bounds cannot be");
        for (uint64_t n = bounds.first; n <= bounds.tail; n++) {
                int r = logstore_snapshot_get(snapshot, n, &record);
                if (r == 0)
                        judge_record("snapshot", &record, begin);
                else if (r != -ENODATA || !history.claims)
                        verdict("snapshot: record %llu: %d: %s", (unsigned long long)n, r,
                                logstore_detail());
        }
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op->act == ACT_APPEND && has_ended(op) && op->result == 0 && op->end < begin &&
                    !history_may_be_cut(op, op->number) && !history_may_be_trimmed(op->number) &&
                    !history.claims && !history_appends_beside(begin) &&
                    (op->number > bounds.tail || op->number < bounds.first))
                        verdict("snapshot: record %llu is not in %llu..%llu",
                                (unsigned long long)op->number, (unsigned long long)bounds.first,
                                (unsigned long long)bounds.tail);
        }
}

static struct logstore_snapshot *take(struct logstore *store)
{
        static const int allowed[] = { -EAGAIN, 0 };
        struct logstore_snapshot *snapshot = NULL;
        uint64_t begin = history_now();

        if (judge_result("snapshot_open", logstore_snapshot_open(store, 0, &snapshot), allowed) < 0)
                return NULL;
        judge_snapshot(snapshot, begin);
        return snapshot;
}

void act_snapshot(struct logstore *store)
{
        for (int i = 0; i < 3; i++) {
                struct logstore_snapshot *snapshot = take(store);
                struct logstore_bounds bounds;
                void *data;
                size_t size;
                if (!snapshot)
                        continue;
                logstore_snapshot_bounds(snapshot, &bounds);
                if (bounds.tail >= bounds.first &&
                    logstore_snapshot_edit(snapshot, bounds.tail, &data, &size) == 0)
                        memset(data, 'q', size); /* nobody else sees it */
                logstore_snapshot_close(snapshot);
        }
}

void act_export(struct logstore *store)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_snapshot *snapshot = take(store);
        struct disk *disk = disk_new(3);
        char path[64];

        options.flags = LOGSTORE_NO_THREAD | LOGSTORE_NO_RING;
        options.segment_bytes = 64 << 10;
        snprintf(path, sizeof(path), "/disk/%llu/store", (unsigned long long)disk->id);
        if (!snapshot)
                return;
        judge_result("export", logstore_snapshot_export(snapshot, path, &options), none);
        logstore_snapshot_close(snapshot);
}

static int see_segment(void *context, const struct logstore_segment_info *segment)
{
        (void)context;
        if (segment->state == LOGSTORE_SEGMENT_DAMAGED)
                verdict("segments: a sound one is said to be damaged");
        return 0;
}

void act_look(struct logstore *store)
{
        for (int i = 0; i < 4; i++) {
                struct logstore_info info = { .struct_bytes = sizeof(info) };
                judge_result("segments", logstore_segments(store, see_segment, NULL), none);
                judge_result("info", logstore_info(store, &info), none);
                if (info.failed)
                        verdict("info: a sync is said to have failed");
                if (info.bounds.first > info.bounds.tail + 1 ||
                    info.bounds.durable > info.bounds.tail)
                        verdict("info: its bounds cannot be");
                judge_bounds(store, "look");
        }
}
