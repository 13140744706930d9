/* ours.c - the store, opened as the work at hand says */
#include "bench.h"

#include <errno.h>
#include <unistd.h>

static int newest_bytes(void *context, const struct logstore_segment_info *info)
{
        *(uint64_t *)context = info->file_bytes;
        return 0;
}

/* The background thread makes space ready; what this row measures begins when it has. */
static int wait_ready(struct logstore *store, uint64_t bytes)
{
        uint64_t ready = 0;
        int r = 0;

        while (r == 0 && ready < bytes) {
                usleep(1000);
                r = logstore_segments(store, newest_bytes, &ready);
        }
        return r;
}

int ours_open(const struct work *work, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = flags;
        options.segment_bytes = work->segment_bytes;
        options.sync_policy = work->sync_policy;
        if (work->burst) {
                if (options.segment_bytes == 0) /* what is ready is all: none is made meanwhile */
                        options.segment_bytes =
                                work->ready_bytes ? (work->ready_bytes + MIB - 1) / MIB * MIB : GIB;
                options.dirty_soft_bytes = options.dirty_hard_bytes = 4 * GIB;
        }
        options.ready_bytes = work->ready_bytes;
        r = logstore_open(work->dir, &options, ret);
        if (r == 0 && work->ready_bytes)
                r = wait_ready(*ret, work->ready_bytes < options.segment_bytes
                                             ? work->ready_bytes
                                             : options.segment_bytes);
        if (r < 0)
                fprintf(stderr, "open %s: %s\n", work->dir, logstore_detail());
        return r;
}

/* Closes and gives the first error: @r, or that of the close. */
int ours_close(struct logstore *store, int r)
{
        int closed;

        if (r < 0)
                fprintf(stderr, "logstore: %s\n", logstore_detail());
        closed = logstore_close(store);
        return r < 0 ? r : closed;
}

int ours_fill(const struct work *work, struct sample *unused)
{
        struct logstore *store;
        int r;

        (void)unused;
        r = ours_open(work, LOGSTORE_CREATE, &store);
        if (r < 0)
                return r;
        for (uint64_t i = 0; i < work->records && r == 0; i++)
                r = logstore_append(store, record_data(i), work->record_bytes, NULL);
        return ours_close(store, r);
}

int ours_reader(const struct work *work, uint32_t cursor_flags, struct logstore **ret,
                struct logstore_cursor **ret_cursor)
{
        struct logstore *store;
        int r;

        r = ours_open(work, LOGSTORE_READ_ONLY, &store);
        if (r < 0)
                return r;
        r = logstore_cursor_open(store, cursor_flags, ret_cursor);
        if (r < 0)
                return ours_close(store, r);
        *ret = store;
        return 0;
}
