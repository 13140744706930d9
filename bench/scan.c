/*
 * scan.c - rows 5 and 8: read everything from the first record to the last
 *
 * Warm, the limit walks the frames of the same files in one mapping: XXH3 over each, or one load
 * of each. Cold, it is fio reading the same files in order, under the same memory limit.
 * Everybody adds up the first byte of each record, so nobody gets away without looking.
 */
#include "bench.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

static int scan_all(const struct work *work, struct logstore_cursor *cursor, uint64_t *ret_ns)
{
        uint64_t records = 0, sum = 0, start = now_ns();
        struct logstore_record record;
        static volatile uint64_t sink;
        int r;

        while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                records++;
                sum += *(const uint8_t *)record.data;
        }
        *ret_ns = now_ns() - start;
        sink = sum;
        (void)sink;
        if (r != -EAGAIN)
                return r;
        return records == work->records ? 0 : -EBADMSG;
}

/* Twice when warm, and the second time counts. */
static int scan_ours(const struct work *work, struct sample *ret)
{
        struct logstore_cursor *cursor;
        struct logstore *store;
        uint64_t ns = 0;
        int r;

        r = ours_reader(work, work->flags, &store, &cursor);
        if (r < 0)
                return r;
        r = scan_all(work, cursor, &ns);
        if (r == 0)
                r = logstore_cursor_seek(cursor, 0);
        if (r == 0)
                r = scan_all(work, cursor, &ns);
        ret->value[0] = (double)work->records * 1e9 / (double)ns;
        logstore_cursor_close(cursor);
        return ours_close(store, r);
}

static int scan_limit(const struct work *work, struct sample *ret)
{
        bool verified = !(work->flags & LOGSTORE_UNVERIFIED);
        struct frame_sum sum = { 0 };
        struct iovec *files;
        uint64_t start = 0;
        size_t count;
        int r;

        r = frames_map(work->ours_dir, &files, &count);
        if (r < 0)
                return r;
        for (int pass = 0; pass < 2; pass++) {
                sum = (struct frame_sum){ .sum = sum.sum };
                start = now_ns();
                for (size_t i = 0; i < count; i++)
                        frames_walk(&files[i], verified, &sum);
        }
        ret->value[0] = (double)sum.records * 1e9 / (double)(now_ns() - start);
        fprintf(stderr, "    limit: %llu records, sum %llx\n", (unsigned long long)sum.records,
                (unsigned long long)sum.sum);
        free(files);
        return sum.records == work->records ? 0 : -EBADMSG;
}

static void scan_warm_variant(const struct options *options, size_t record_bytes, uint32_t flags,
                              const char *required)
{
        uint64_t bytes = bytes_in_memory(options);
        bool unverified = flags & LOGSTORE_UNVERIFIED;
        struct variant variant = {
                .row = 5,
                .work = { .options = options,
                          .records = bytes / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .segment_bytes = options->segment_bytes,
                          .flags = flags },
                .metrics = { { "", "records/s", required } },
                .ours_prepare = ours_fill,
                .ours = scan_ours,
                .limit = scan_limit,
                .peer_prepare = unverified ? peer_fill : NULL,
                .peer = unverified ? peer_scan : NULL, /* peers check nothing, or not as much */
        };

        snprintf(variant.name, sizeof(variant.name), "scan %zu B, warm, %s", record_bytes,
                 unverified ? "unverified" : "verified");
        variant_run(&variant);
}

void row_scan_warm(const struct options *options)
{
        const size_t sizes[] = { 100, KIB };

        for (int i = 0; i < (options->record_bytes ? 1 : 2); i++) {
                size_t size = options->record_bytes ? options->record_bytes : sizes[i];

                scan_warm_variant(options, size, 0, "limit>=0.80");
                scan_warm_variant(options, size, LOGSTORE_UNVERIFIED, "limit>=0.60 peer>=1.5");
        }
}

static int scan_cold_ours(const struct work *work, struct sample *ret)
{
        struct logstore_cursor *cursor;
        struct logstore *store;
        uint64_t ns = 0;
        int r;

        r = directory_evict(work->ours_dir);
        if (r < 0)
                return r;
        r = ours_reader(work, work->flags, &store, &cursor);
        if (r < 0)
                return r;
        r = scan_all(work, cursor, &ns);
        ret->value[0] =
                (double)(work->records * frame_bytes(work->record_bytes)) * 1e9 / (double)ns;
        logstore_cursor_close(cursor);
        return ours_close(store, r);
}

static int scan_cold_limit(const struct work *work, struct sample *ret)
{
        int r = directory_evict(work->ours_dir);

        return r < 0 ? r : device_sequential_read(work->ours_dir, &ret->value[0]);
}

static int scan_cold_peer(const struct work *work, struct sample *ret)
{
        uint64_t records, sum, start;
        int r, closed;
        void *db;

        r = directory_evict(work->dir);
        if (r == 0)
                r = work->peer->open(work->dir, false, &db);
        if (r < 0)
                return r;
        start = now_ns();
        r = work->peer->scan(db, &records, &sum);
        ret->value[0] = (double)(work->records * frame_bytes(work->record_bytes)) * 1e9 /
                        (double)(now_ns() - start);
        closed = work->peer->close(db);
        return r < 0 ? r : closed;
}

void row_scan_cold(const struct options *options)
{
        uint64_t memory_bytes = options->quick ? 128 * MIB : GIB;
        uint64_t bytes = options->bytes ? options->bytes : 4 * memory_bytes;
        size_t record_bytes = options->record_bytes ? options->record_bytes : KIB;
        struct variant variant = {
                .row = 8,
                .name = "scan, cold, 4 x the memory limit",
                .work = { .options = options,
                          .records = bytes / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .memory_bytes = bytes / 4,
                          .segment_bytes = options->segment_bytes },
                .metrics = { { "", "bytes/s", "limit>=0.90" } },
                .ours_prepare = ours_fill,
                .ours = scan_cold_ours,
                .limit = scan_cold_limit,
                .peer_prepare = options->quick ? NULL : peer_fill,
                .peer = options->quick ? NULL : scan_cold_peer,
                .heavy = true,
        };

        variant_run(&variant);
}
