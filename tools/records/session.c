/*
 * session.c - the store that a verb works on
 */
#include "records/session.h"

#include <errno.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/times.h"

#define WAIT_LEAST_MS 2 /* between two looks at a lock */
#define WAIT_MOST_MS 50

static int network_ok, shared_ok;

struct poptOption session_options[] = {
        { "network-ok", 0, POPT_ARG_NONE, &network_ok, 0,
          "allow a network file system, where mappings promise less", NULL },
        { "shared-dir-ok", 0, POPT_ARG_NONE, &shared_ok, 0,
          "allow a directory that everyone may write", NULL },
        POPT_TABLEEND,
};

const char *session_option_given(void)
{
        return network_ok ? "--network-ok" : shared_ok ? "--shared-dir-ok" : NULL;
}

uint32_t session_flags(void)
{
        return (network_ok ? LOGSTORE_NETWORK_OK : 0u) | (shared_ok ? LOGSTORE_SHARED_DIR_OK : 0u);
}

int session_segment_size(const char *text, struct logstore_options *options)
{
        if (text &&
            (size_parse(text, &options->segment_bytes) < 0 || options->segment_bytes < 65536 ||
             options->segment_bytes > UINT64_C(4) << 30 || options->segment_bytes % 65536))
                return report_usage("--segment-size %s: wanted 64K to 4G, a multiple of 64K", text);
        return STATUS_DONE;
}

int session_write(const char *dir, const struct logstore_options *options, struct logstore **ret)
{
        struct logstore_options allowed = *options;
        int r;

        allowed.flags |= session_flags();
        r = logstore_open(dir, &allowed, ret);
        return r < 0 ? report_open(r, dir) : STATUS_DONE;
}

int session_write_waiting(const char *dir, const struct logstore_options *options, int64_t wait_ns,
                          struct logstore **ret)
{
        struct logstore_options allowed = *options;
        int64_t end_ns = times_monotonic() + wait_ns;
        int pause_ms = WAIT_LEAST_MS, r;

        allowed.flags |= session_flags();
        while ((r = logstore_open(dir, &allowed, ret)) == -EBUSY) {
                int64_t left_ns = wait_ns < 0 ? INT64_MAX : end_ns - times_monotonic();

                if (left_ns <= 0)
                        break;
                if (left_ns / 1000000 < pause_ms)
                        pause_ms = (int)(left_ns / 1000000) + 1;
                if (signals_sleep(pause_ms))
                        return STATUS_STORE; /* the signal says enough */
                pause_ms = pause_ms * 2 < WAIT_MOST_MS ? pause_ms * 2 : WAIT_MOST_MS;
        }
        return r < 0 ? report_open(r, dir) : STATUS_DONE;
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
