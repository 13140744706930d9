/* ours.c - the store, opened as the work at hand says */
#include "bench.h"

#include <errno.h>

int ours_open(const struct work *work, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = flags;
        options.segment_bytes = work->segment_bytes;
        options.sync_policy = work->sync_policy;
        if (work->burst) {
                options.segment_bytes = options.segment_bytes ? options.segment_bytes : GIB;
                options.dirty_soft_bytes = options.dirty_hard_bytes = 4 * GIB;
        }
        r = logstore_open(work->dir, &options, ret);
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
