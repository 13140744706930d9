/*
 * session.c - the store that a verb works on
 */
#include "session.h"

#include "report.h"

int session_write(const char *dir, const struct logstore_options *options, struct logstore **ret)
{
        int r = logstore_open(dir, options, ret);

        return r < 0 ? report_store(r, dir) : STATUS_DONE;
}

int session_read(const char *dir, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_READ_ONLY;
        return session_write(dir, &options, ret);
}

int session_close(struct logstore *store, const char *dir, int status)
{
        int r = logstore_close(store);

        return r < 0 ? status_first(status, report_store(r, dir)) : status;
}

static int add_bytes(void *context, const struct logstore_segment_info *segment)
{
        uint64_t *bytes = context;

        *bytes += segment->used_bytes;
        return 0;
}

uint64_t session_bytes(struct logstore *store)
{
        uint64_t bytes = 0;

        return logstore_segments(store, add_bytes, &bytes) < 0 ? 0 : bytes;
}
