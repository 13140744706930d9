/*
 * power.c - the power is cut in the middle of a schedule; the disk's state is opened and judged
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "judge.h"
#include "scheduler.h"
#include "world.h"

#define U(x) ((unsigned long long)(x))

static bool was_acknowledged(const struct op *append, uint64_t now)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op->act == ACT_SYNC && has_ended(op) && op->result == 0 && op->end < now &&
                    op->number >= append->number && op->begin > append->end)
                        return true;
        }
        return false;
}

static bool is_settled(const struct op *op, uint64_t now)
{
        return op->act == ACT_APPEND && has_ended(op) && op->result == 0 && op->end < now &&
               !history_may_be_cut(op, op->number) && !history_may_be_trimmed(op->number);
}

/* @look: of judge_log(). */
static void judge_acknowledged(const char *when, uint64_t now, uint64_t look)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op->seen != look && is_settled(op, now) && was_acknowledged(op, now))
                        verdict("%s: record %llu was acknowledged, and is not there", when,
                                U(op->number));
        }
}

static void judge_batches(struct logstore *store, const char *when, uint64_t now)
{
        struct logstore_bounds bounds;

        if (logstore_bounds(store, &bounds) < 0)
                verdict("%s: bounds: %s", when, logstore_detail());
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (!op->batch_goes_on || !is_settled(op, now))
                        continue;
                if ((op->number <= bounds.tail) != (op->number + 1 <= bounds.tail))
                        verdict("%s: half a batch at %llu", when, U(op->number));
        }
}

static struct logstore *open_cut(struct disk *cut, uint32_t flags, const char *when)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        char path[64];

        snprintf(path, sizeof(path), "/disk/%llu/store", U(cut->id));
        options.flags = LOGSTORE_NO_THREAD | LOGSTORE_NO_RING | flags;
        if (logstore_open(path, &options, &store) < 0)
                verdict("%s: the store is refused: %s", when, logstore_detail());
        return store;
}

/* Has a truncation that empties the log, and goes on beyond @number, happened for good? */
static bool is_emptied(uint64_t number)
{
        struct logstore_bounds bounds = { 0 };
        struct rng rng = { number };
        struct logstore *store;

        scheduler_quiet();
        store = open_cut(disk_after_power_cut(world.disk, &rng), 0, "power cut at a truncation");
        if (logstore_bounds(store, &bounds) < 0)
                verdict("power cut at a truncation: %s", logstore_detail());
        scheduler_loud();
        return bounds.first > number;
}

/* Where a file has these bytes as a payload, which begins at a multiple of 8; NULL: nowhere. */
static const uint8_t *find_payload(const struct node *node, const uint8_t *bytes, size_t size)
{
        uint64_t first, word;

        memcpy(&first, bytes, sizeof(first));
        for (const uint8_t *at = node->cache->bytes, *end = at + node->size; at + size <= end;
             at += sizeof(word)) {
                memcpy(&word, at, sizeof(word));
                if (word == first && memcmp(at, bytes, size) == 0)
                        return at;
        }
        return NULL;
}

/* Holds also beside a truncation: what a reader gets now is on the disk wherever it is in a file,
 * if it was there when the sync began at @since. Otherwise it may be of a record cut meanwhile. */
void judge_on_disk(uint64_t number, uint64_t since)
{
        static char record_bytes[WORLD_BUFFER];
        struct logstore_record record = { 0 };
        const struct op *append;
        int r;

        scheduler_quiet();
        r = logstore_get(world.store, number, record_bytes, sizeof(record_bytes), &record);
        scheduler_loud();
        if (r < 0 || record.size < 8)
                return; /* cut or trimmed meanwhile */
        append = history_of("behind a sync", record.data, record.size);
        if (!has_ended(append) || append->end > since)
                return;
        for (uint32_t i = 0; i < world.disk->now.count; i++) {
                const struct node *node = world.disk->now.list[i].node;
                const uint8_t *at = find_payload(node, record.data, record.size);
                uint64_t offset = at ? (uint64_t)(at - node->cache->bytes) : 0;
                if (at &&
                    (node->media_size < offset + record.size ||
                     memcmp(node->media->bytes + offset, at, record.size) != 0) &&
                    !is_emptied(number))
                        verdict("record %llu was acknowledged and is in memory alone", U(number));
        }
}

/* The same verdict from verify as from the open. */
static void judge_sound(const char *path, const char *when)
{
        struct logstore_verify_report report = { 0 };
        int r = logstore_verify(path, NULL, &report);

        if (r < 0 || report.faults)
                verdict("%s: verify finds %llu faults: %d: %s", when, U(report.faults), r,
                        logstore_detail());
}

void judge_power_cut(const char *when)
{
        struct rng rng = world_lottery();
        uint64_t now = history_now();
        struct logstore *store;
        struct disk *cut;
        uint32_t flags;
        char path[64], text[96];

        /* The open may wait for a lock, and others go on: what they do then is not in the image. */
        scheduler_quiet();
        snprintf(text, sizeof(text), "power cut %s", when);
        cut = disk_after_power_cut(world.disk, &rng);
        snprintf(path, sizeof(path), "/disk/%llu/store", U(cut->id));
        if (rng_one_in(&rng, 4))
                judge_sound(path, text);
        /* A reader finds the same, in half the time: that a writer agrees is for the simulator. */
        flags = rng_one_in(&rng, 4) ? 0 : LOGSTORE_READ_ONLY;
        store = open_cut(cut, flags, text);
        judge_acknowledged(text, now, judge_log(store, text, now));
        judge_batches(store, text, now);
        if (logstore_close(store) < 0)
                verdict("%s: close: %s", text, logstore_detail());
        disk_free(cut);
        scheduler_loud();
}
