/*
 * append.c - row 1: one thread appends, nothing is synced
 *
 * Limit: the same frames, made by memcpy and XXH3, into anonymous memory whose pages are there.
 * From the first append to the return of the last; opening and closing are not counted. A burst:
 * see ours.c. The store makes its space ready meanwhile, on the other processor, or has it ready as
 * the limit has (option ready_bytes): both are shown.
 */
#include "bench.h"
#include "peer.h"

#include <errno.h>
#include <string.h>

static void rate(const struct work *work, uint64_t start_ns, struct sample *ret)
{
        ret->value[0] = (double)work->records * 1e9 / (double)(now_ns() - start_ns);
}

static int append_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        uint64_t start;
        int r;

        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        start = now_ns();
        for (uint64_t i = 0; i < work->records && r == 0; i++)
                r = logstore_append(store, record_data(i), work->record_bytes, NULL);
        rate(work, start, ret);
        return ours_close(store, r);
}

static int append_limit(const struct work *work, struct sample *ret)
{
        uint8_t *memory = memory_ready(work->records * frame_bytes(work->record_bytes));
        uint8_t *at = memory;
        uint64_t start;

        if (!memory)
                return -ENOMEM;
        start = now_ns();
        for (uint64_t i = 0; i < work->records; i++)
                at = frame_put(at, record_data(i), work->record_bytes, (uint32_t)i + 1);
        rate(work, start, ret);
        return 0;
}

static int append_peer(const struct work *work, struct sample *ret)
{
        const struct peer *peer = work->peer;
        uint64_t start;
        int r, closed;
        void *db;

        r = peer->open(work->dir, work->sync_policy == LOGSTORE_SYNC_EACH, &db);
        if (r < 0)
                return r;
        start = now_ns();
        for (uint64_t i = 0; i < work->records && r == 0; i++)
                r = peer->append(db, i + 1, record_data(i), work->record_bytes);
        rate(work, start, ret);
        closed = peer->close(db);
        return r < 0 ? r : closed;
}

static void append_variant(const struct options *options, const char *label, size_t record_bytes,
                           bool ready, const char *required)
{
        uint64_t bytes = bytes_in_memory(options);
        struct variant variant = {
                .row = 1,
                .work = { .options = options,
                          .records = bytes / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .segment_bytes = options->segment_bytes,
                          .takes_bytes = 2 * bytes,
                          .ready_bytes = ready ? bytes + 2 * MIB : 0,
                          .burst = true,
                          .sync_policy = options->sync_policy },
                .metrics = { { "", "records/s", required } },
                .ours = append_ours,
                .limit = append_limit,
                .peer = ready ? NULL : append_peer,
        };

        snprintf(variant.name, sizeof(variant.name), "append %s, no sync%s", label,
                 ready ? ", space ready" : "");
        variant_run(&variant);
}

void row_append(const struct options *options)
{
        const struct {
                const char *label;
                size_t record_bytes;
                const char *required, *required_ready;
        } sizes[] = {
                { "100 B", 100, "limit>=0.70 peer>=8", "limit>=0.70" },
                { "1 KiB", KIB, "limit>=0.80", "limit>=0.80" },
                { "64 KiB", 64 * KIB, "limit>=0.85", "limit>=0.85" },
        };
        char label[32];

        if (options->record_bytes) {
                snprintf(label, sizeof(label), "%zu B", options->record_bytes);
                append_variant(options, label, options->record_bytes, false, "");
                append_variant(options, label, options->record_bytes, true, "");
                return;
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                append_variant(options, sizes[i].label, sizes[i].record_bytes, false,
                               sizes[i].required);
                append_variant(options, sizes[i].label, sizes[i].record_bytes, true,
                               sizes[i].required_ready);
        }
}
