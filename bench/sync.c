/*
 * sync.c - rows 3 and 4: every record is durable before the next one of its thread
 *
 * Limit: pwrite and fdatasync of the same bytes at the offsets that our frames have (small ones not
 * across two blocks), overwriting a file whose blocks are written and whose pages are cached in
 * single pages, so that nothing but those pages needs to reach the device. With threads it is that
 * rate times the threads: as if one sync could serve all of them. Beside it: the same with a store
 * into a shared mapping and msync, which is what a log in mapped files can reach.
 * Device bytes are what /sys/dev/block/M:N/stat counts, the file system's own included; whatever
 * else runs on the device is counted too.
 */
#include "bench.h"
#include "hist.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES_START = 4224, BLOCK = 4096 }; /* of the first record in a segment; of the disk */

#define LIMIT_BYTES (64 * MIB)

/* One durable append by whomever; @context is the store, the peer's handle or the limit's file. */
typedef int (*append_durable)(void *context, const struct work *work, uint64_t number);

struct team {
        const struct work *work;
        append_durable append;
        void *context;
        uint64_t stop_ns;
        _Atomic uint64_t next; /* number of the next record; relaxed, only a counter */
        _Atomic int error;
};

struct member {
        struct team *team;
        pthread_t thread;
        struct hist hist;
};

static void *member_main(void *argument)
{
        struct member *member = argument;
        struct team *team = member->team;
        uint64_t before = now_ns(), after;
        int r = 0;

        while (before < team->stop_ns && r == 0) {
                uint64_t number = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);

                r = team->append(team->context, team->work, number);
                after = now_ns();
                hist_add(&member->hist, after - before);
                before = after;
        }
        if (r < 0)
                atomic_store(&team->error, r);
        return NULL;
}

/* Rate, times and device bytes of @work->threads threads over the time of a run. */
static int team_run(const struct work *work, append_durable append, void *context,
                    struct sample *ret)
{
        unsigned threads = work->threads ? work->threads : 1;
        struct member *members = calloc(threads, sizeof(*members));
        uint64_t written = 0, written_after = 0, start = now_ns();
        struct team team = { .work = work, .append = append, .context = context, .next = 1 };
        double seconds;

        if (!members)
                return -ENOMEM;
        device_written(work->dir, &written);
        team.stop_ns = start + (work->options->quick ? NS_PER_S / 4 : NS_PER_S);
        for (unsigned i = 0; i < threads; i++) {
                members[i].team = &team;
                if (i && pthread_create(&members[i].thread, NULL, member_main, &members[i]))
                        abort();
        }
        member_main(&members[0]);
        for (unsigned i = 1; i < threads; i++) {
                pthread_join(members[i].thread, NULL);
                hist_merge(&members[0].hist, &members[i].hist);
        }
        seconds = (double)(now_ns() - start) / 1e9;
        device_written(work->dir, &written_after);
        ret->value[0] = (double)members[0].hist.count / seconds;
        ret->value[1] = hist_us(&members[0].hist, 0.5);
        ret->value[2] = hist_us(&members[0].hist, 0.99);
        ret->value[3] = hist_us(&members[0].hist, 1.0);
        ret->value[4] = (double)(written_after - written) / (double)members[0].hist.count;
        free(members);
        return team.error;
}

static int ours_append(void *context, const struct work *work, uint64_t number)
{
        return logstore_append(context, record_data(number), work->record_bytes, NULL);
}

static int sync_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        int r;

        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        return ours_close(store, team_run(work, ours_append, store, ret));
}

static int peer_append(void *context, const struct work *work, uint64_t number)
{
        return work->peer->append(context, number, record_data(number), work->record_bytes);
}

static int sync_peer(const struct work *work, struct sample *ret)
{
        int r, closed;
        void *db;

        r = work->peer->open(work->dir, true, &db);
        if (r < 0)
                return r;
        r = team_run(work, peer_append, db, ret);
        closed = work->peer->close(db);
        return r < 0 ? r : closed;
}

static uint64_t limit_place(const struct work *work, uint64_t number)
{
        uint64_t bytes = frame_bytes(work->record_bytes), per_block = BLOCK / bytes;

        if (bytes > BLOCK / 8)
                return FRAMES_START + (number - 1) * bytes;
        return 2 * BLOCK + (number - 1) / per_block * BLOCK + (number - 1) % per_block * bytes;
}

static int limit_append(void *context, const struct work *work, uint64_t number)
{
        uint64_t bytes = frame_bytes(work->record_bytes);
        off_t at = (off_t)limit_place(work, number);
        int fd = *(int *)context;

        if (pwrite(fd, record_data(number), bytes, at) != (ssize_t)bytes)
                return -EIO;
        return fdatasync(fd) < 0 ? -errno : 0;
}

static int mapped_append(void *context, const struct work *work, uint64_t number)
{
        uint64_t bytes = frame_bytes(work->record_bytes), at = limit_place(work, number);
        uint64_t page = at & ~(uint64_t)4095;
        uint8_t *base = context;

        memcpy(base + at, record_data(number), bytes);
        return msync(base + page, at + bytes - page, MS_SYNC) < 0 ? -errno : 0;
}

/* Zeros, page by page: a page cache filled by large writes is made of large folios, and one
 * overwritten byte would then write back a whole one. */
static int limit_prepare(const struct work *work, uint64_t bytes, int *ret_fd)
{
        static const uint8_t zeros[4096];
        char path[600];
        int fd, r = 0;

        snprintf(path, sizeof(path), "%s/limit", work->dir);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        for (uint64_t at = 0; at < bytes && r == 0; at += sizeof(zeros))
                if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != sizeof(zeros))
                        r = -EIO;
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                close(fd);
        else
                *ret_fd = fd;
        return r;
}

static int sync_mapped(const struct work *work, struct sample *ret)
{
        void *base;
        int fd, r;

        r = limit_prepare(work, LIMIT_BYTES, &fd);
        if (r < 0)
                return r;
        base = mmap(NULL, LIMIT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        r = base == MAP_FAILED ? -errno : team_run(work, mapped_append, base, ret);
        close(fd);
        return r;
}

static int sync_limit(const struct work *work, struct sample *ret)
{
        struct work alone = *work;
        int fd, r;

        alone.threads = 1;
        r = limit_prepare(work, LIMIT_BYTES, &fd);
        if (r < 0)
                return r;
        r = team_run(&alone, limit_append, &fd, ret);
        close(fd);
        if (work->threads > 1) {
                ret->value[0] *= work->threads;
                for (int i = 1; i < METRICS_MAX; i++)
                        ret->value[i] = NAN;
        }
        return r;
}

static struct variant sync_variant(const struct options *options, int row, size_t record_bytes,
                                   unsigned threads)
{
        return (struct variant){
                .row = row,
                .work = { .options = options,
                          .record_bytes = record_bytes,
                          .threads = threads,
                          .segment_bytes = options->segment_bytes,
                          .sync_policy = LOGSTORE_SYNC_EACH },
                .ours = sync_ours,
                .limit = sync_limit,
                .peer = sync_peer,
        };
}

static void row_sync_mapped(const struct options *options, size_t size)
{
        struct variant variant = sync_variant(options, 3, size, 1);

        variant.metrics[0] = (struct metric){ "", "syncs/s", "" };
        variant.metrics[1] = (struct metric){ "p50", "us", "" };
        variant.ours = sync_mapped;
        variant.peer = NULL;
        snprintf(variant.name, sizeof(variant.name), "no store, %zu B stored to a mapping, msync",
                 size);
        variant_run(&variant);
}

void row_sync_one(const struct options *options)
{
        const size_t sizes[] = { 128, 4 * KIB };

        for (int i = 0; i < (options->record_bytes ? 1 : 2); i++) {
                size_t size = options->record_bytes ? options->record_bytes : sizes[i];
                struct variant variant = sync_variant(options, 3, size, 1);

                variant.metrics[0] = (struct metric){ "", "syncs/s", "limit>=0.95 peer>=1.3" };
                variant.metrics[1] = (struct metric){ "p50", "us", "" };
                variant.metrics[2] = (struct metric){ "p99", "us", "limit<=1.2" };
                variant.metrics[3] = (struct metric){ "max", "us", "" };
                variant.metrics[4] = (struct metric){ "device", "bytes", "limit<=1.1" };
                snprintf(variant.name, sizeof(variant.name), "one sync per record, %zu B", size);
                variant_run(&variant);
                if (!options->quick)
                        row_sync_mapped(options, size);
        }
}

void row_sync_threads(const struct options *options)
{
        static const unsigned all[] = { 2, 4, 8, 16, 32, 64, 0 }, few[] = { 2, 32, 0 };
        const unsigned one[] = { options->threads, 0 };
        const unsigned *threads = options->threads ? one : options->quick ? few : all;

        for (; *threads; threads++) {
                struct variant variant = sync_variant(
                        options, 4, options->record_bytes ? options->record_bytes : 128, *threads);

                variant.metrics[0] = (struct metric){ "", "syncs/s",
                                                      *threads == 32 ? "limit>=0.4 peer>=2" : "" };
                snprintf(variant.name, sizeof(variant.name), "one sync per record, %u threads",
                         *threads);
                variant_run(&variant);
        }
}
