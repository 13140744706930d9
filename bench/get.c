/*
 * get.c - rows 6 and 7: records by number, in random order
 *
 * Warm, one after the other: which record is next depends on a byte of the one before, so no two
 * gets overlap, for nobody. Limit: an array of offsets and the records' memory, two cache misses.
 * Cold, in batches of 128, the limit is fio with io_uring and 4 KiB reads at depth 128.
 */
#include "bench.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCH = 128 };

static uint64_t gets(const struct work *work)
{
        return work->options->quick ? 100000 : 500000;
}

static int get_ours(const struct work *work, struct sample *ret)
{
        uint64_t start = 0, number = 1, count = gets(work);
        static uint8_t buffer[RECORD_BYTES_MAX];
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *store;
        int r;

        r = ours_reader(work, 0, &store, &cursor);
        if (r < 0)
                return r;
        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                ; /* warms */
        r = r == -EAGAIN ? 0 : r;
        logstore_cursor_close(cursor);
        for (uint64_t i = 0; i < 2 * count && r == 0; i++) {
                if (i == count)
                        start = now_ns();
                r = logstore_get(store, number, buffer, sizeof(buffer), &record);
                number = random_number(i, buffer[0], work->records);
        }
        ret->value[0] = (double)count * 1e9 / (double)(now_ns() - start);
        return ours_close(store, r);
}

static int get_limit(const struct work *work, struct sample *ret)
{
        uint64_t bytes = frame_bytes(work->record_bytes), start = 0, number = 1;
        uint64_t count = gets(work);
        uint8_t *memory = memory_ready(work->records * bytes), *at = memory;
        uint32_t *index = (uint32_t *)memory_ready(work->records * sizeof(*index));
        uint8_t byte;

        if (!memory || !index)
                return -ENOMEM;
        for (uint64_t i = 0; i < work->records; i++) {
                index[i] = (uint32_t)((uint64_t)(at - memory) / 8);
                at = frame_put(at, record_data(i), work->record_bytes, (uint32_t)i + 1);
        }
        for (uint64_t i = 0; i < 2 * count; i++) {
                if (i == count)
                        start = now_ns();
                byte = memory[(uint64_t)index[number - 1] * 8 + 24];
                number = random_number(i, byte, work->records);
        }
        ret->value[0] = (double)count * 1e9 / (double)(now_ns() - start);
        ret->value[1] = (double)number; /* told to nobody, but so the work is done */
        return 0;
}

static int get_peer(const struct work *work, struct sample *ret)
{
        uint64_t start = 0, number = 1, records, sum, count = gets(work);
        static uint8_t buffer[RECORD_BYTES_MAX];
        int r, closed;
        void *db;

        r = work->peer->open(work->dir, false, &db);
        if (r < 0)
                return r;
        r = work->peer->scan(db, &records, &sum); /* warms */
        for (uint64_t i = 0; i < 2 * count && r == 0; i++) {
                if (i == count)
                        start = now_ns();
                r = work->peer->get(db, number, buffer, sizeof(buffer));
                number = random_number(i, buffer[0], work->records);
        }
        ret->value[0] = (double)count * 1e9 / (double)(now_ns() - start);
        closed = work->peer->close(db);
        return r < 0 ? r : closed;
}

static uint64_t get_records(const struct options *options)
{
        if (options->bytes)
                return options->bytes / frame_bytes(100);
        return options->quick ? 1000000 : 10000000;
}

void row_get_warm(const struct options *options)
{
        struct variant variant = {
                .row = 6,
                .name = "random get 100 B, warm",
                .work = { .options = options,
                          .records = get_records(options),
                          .record_bytes = 100,
                          .segment_bytes = options->segment_bytes },
                .metrics = { { "", "gets/s", "limit>=0.5 peer>=3" } },
                .ours_prepare = ours_fill,
                .ours = get_ours,
                .limit = get_limit,
                .peer_prepare = peer_fill,
                .peer = get_peer,
        };

        variant_run(&variant);
}

/* Of those asked for, each must be there and be itself. */
static int check_batch(const uint64_t *numbers, const struct logstore_record *records, int count)
{
        if (count != BATCH)
                return count < 0 ? count : -EIO;
        for (int i = 0; i < BATCH; i++)
                if (!records[i].data || records[i].number != numbers[i])
                        return records[i].data ? -EBADMSG : (int)(ssize_t)records[i].size;
        return 0;
}

static int get_cold_ours(const struct work *work, struct sample *ret)
{
        uint64_t count = work->options->quick ? 20000 : 100000, done = 0, start;
        static struct logstore_record records[BATCH];
        static uint8_t buffer[BATCH * 256];
        uint64_t numbers[BATCH];
        struct logstore *store;
        int r;

        r = directory_evict(work->dir);
        if (r == 0)
                r = ours_open(work, LOGSTORE_READ_ONLY, &store);
        if (r < 0)
                return r;
        start = now_ns();
        for (; done < count && r == 0; done += BATCH) {
                for (unsigned i = 0; i < BATCH; i++)
                        numbers[i] = random_number(done + i, 0, work->records);
                r = check_batch(
                        numbers, records,
                        logstore_get_many(store, numbers, BATCH, buffer, sizeof(buffer), records));
        }
        ret->value[0] = (double)done * 1e9 / (double)(now_ns() - start);
        return ours_close(store, r);
}

static int get_cold_limit(const struct work *work, struct sample *ret)
{
        int r = directory_evict(work->ours_dir);

        return r < 0 ? r : device_random_reads(work->ours_dir, BATCH, &ret->value[0]);
}

void row_get_cold(const struct options *options)
{
        struct variant variant = {
                .row = 7,
                .name = "random get 100 B, cold, batches of 128",
                .work = { .options = options,
                          .takes_bytes = options->quick ? 512 * MIB : 2 * GIB,
                          .records = options->bytes ? get_records(options)
                                                    : (options->quick ? 4000000 : 32000000),
                          .record_bytes = 100,
                          .segment_bytes = options->segment_bytes },
                .metrics = { { "", "gets/s", "limit>=0.80" } },
                .ours_prepare = ours_fill,
                .ours = get_cold_ours,
                .limit = get_cold_limit,
                .heavy = true,
        };

        variant_run(&variant);
}
