/*
 * sustained.c - row 2: append far more than fits, to the last byte durable
 *
 * Limit: what dd bs=1M conv=fsync does with as many bytes, one file, write and fsync. Both sides
 * under the same memory cgroup in the first variant. Each append is timed from the return of the
 * one before (closed loop), so a stall is one long append.
 */
#include "bench.h"
#include "hist.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct hist hist;

/* All bytes of the frames by the whole time, sync included; then the appends' own times. */
static void tell(const struct work *work, uint64_t start_ns, struct sample *ret)
{
        double bytes = (double)(work->records * frame_bytes(work->record_bytes));

        ret->value[0] = bytes * 1e9 / (double)(now_ns() - start_ns);
        if (!hist.count)
                return;
        hist_print(&hist, work->peer ? work->peer->name : "append");
        ret->value[1] = hist_us(&hist, 0.5);
        ret->value[2] = hist_us(&hist, 0.999);
        ret->value[3] = hist_us(&hist, 0.9999);
        ret->value[4] = hist_us(&hist, 1.0);
}

static int sustained_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        uint64_t start, before, after;
        int r;

        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        before = start = now_ns();
        for (uint64_t i = 0; i < work->records && r == 0; i++) {
                r = logstore_append(store, record_data(i), work->record_bytes, NULL);
                after = now_ns();
                hist_add(&hist, after - before);
                before = after;
        }
        if (r == 0)
                r = logstore_sync(store, 0);
        tell(work, start, ret);
        return ours_close(store, r);
}

static int sustained_peer(const struct work *work, struct sample *ret)
{
        const struct peer *peer = work->peer;
        uint64_t start, before, after;
        int r, closed;
        void *db;

        r = peer->open(work->dir, false, &db);
        if (r < 0)
                return r;
        before = start = now_ns();
        for (uint64_t i = 0; i < work->records && r == 0; i++) {
                r = peer->append(db, i + 1, record_data(i), work->record_bytes);
                after = now_ns();
                hist_add(&hist, after - before);
                before = after;
        }
        if (r == 0)
                r = peer->sync(db);
        tell(work, start, ret);
        closed = peer->close(db);
        return r < 0 ? r : closed;
}

static int sustained_limit(const struct work *work, struct sample *ret)
{
        uint64_t left = work->records * frame_bytes(work->record_bytes), start = now_ns();
        char path[600];
        int fd, r = 0;

        snprintf(path, sizeof(path), "%s/dd", work->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        while (left && r == 0) {
                ssize_t n = write(fd, data_pool, left < MIB ? left : MIB);

                if (n < 0)
                        r = -errno;
                else
                        left -= (uint64_t)n;
        }
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        tell(work, start, ret);
        close(fd);
        return r;
}

static void size_text(char ret[16], uint64_t bytes)
{
        bool large = bytes % GIB == 0;

        snprintf(ret, 16, "%llu %s", (unsigned long long)(bytes / (large ? GIB : MIB)),
                 large ? "GiB" : "MiB");
}

/* With @segment_bytes the store has those, and the peers were compared in the variant without. */
static void sustained_variant(const struct options *options, uint64_t bytes, uint64_t memory_bytes,
                              uint64_t segment_bytes, const char *required)
{
        size_t record_bytes = options->record_bytes ? options->record_bytes : KIB;
        uint64_t given = options->bytes ? options->bytes : bytes;
        struct variant variant = {
                .row = 2,
                .work = { .options = options,
                          .records = given / frame_bytes(record_bytes),
                          .record_bytes = record_bytes,
                          .memory_bytes = memory_bytes,
                          .takes_bytes = memory_bytes ? memory_bytes : given + given / 8,
                          .segment_bytes = segment_bytes ? segment_bytes : options->segment_bytes },
                .metrics = { { "", "bytes/s", required },
                             { "p50", "us", "" },
                             { "p99.9", "us", "ours<=10" },
                             { "p99.99", "us", "" },
                             { "longest stall", "us", "" } },
                .ours = sustained_ours,
                .limit = sustained_limit,
                .peer = options->quick || segment_bytes ? NULL : sustained_peer,
                .heavy = true,
        };
        char size[16], memory[16], segment[16];

        size_text(size, bytes);
        size_text(memory, memory_bytes);
        size_text(segment, segment_bytes);
        snprintf(variant.name, sizeof(variant.name), "sustained %s%s%s%s%s", size,
                 memory_bytes ? " in " : "", memory_bytes ? memory : "",
                 segment_bytes ? ", segments of " : "", segment_bytes ? segment : "");
        variant_run(&variant);
}

void row_sustained(const struct options *options)
{
        uint64_t limit = options->quick ? 256 * MIB : GIB;
        uint64_t bytes = options->quick ? GIB : 8 * GIB;

        sustained_variant(options, 4 * limit, limit, 0, "limit>=0.95");
        sustained_variant(options, bytes, 0, 0, "limit>=1.2");
        if (options->segment_bytes || options->quick)
                return;
        sustained_variant(options, 4 * limit, limit, 256 * MIB, "limit>=0.95");
        sustained_variant(options, bytes, 0, 256 * MIB, "limit>=1.2");
}
