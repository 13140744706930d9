/*
 * ship_all.c - logstore ship --all: one process for the stores of a service
 *
 * With --follow a signal ends it, as it ends ship of one store.
 */
#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>

#include "lib/report.h"
#include "records/bucket_place.h"
#include "records/remote_words.h"
#include "verbs/ship.h"

static void tell(void *context, const struct logstore_ship_event *event)
{
        (void)context;
        if (event->error < 0)
                report_note("%s: %s", event->name, event->detail);
        else if (event->missed)
                report_note("%s: all up to record %" PRIu64 " is there; %" PRIu64
                            " records were trimmed before they were shipped",
                            event->name, event->number, event->missed);
        else
                report_note("%s: all up to record %" PRIu64 " is there", event->name,
                            event->number);
}

/* Each store takes some. */
static void take_descriptors(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit); /* or a store says that there are none left */
        }
}

/* Large blocks are given back at once. Else the arena of each thread would keep some. */
static void keep_little_memory(void)
{
        mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

int ship_all(const char *parent, const char *url, const struct logstore_remote_options *remote,
             const struct logstore_ship_options *options)
{
        struct logstore_ship_all_options all = LOGSTORE_SHIP_ALL_OPTIONS_INIT;
        struct logstore_ship_all_report report = { .struct_bytes = sizeof(report) };
        struct logstore_ship_all *stores;
        int status = STATUS_DONE, r;

        all.threads = remote->connections;
        all.follow = (uint32_t)remote_words.follow;
        all.event = tell;
        take_descriptors();
        keep_little_memory();
        r = logstore_ship_all_open(parent, url, remote, options, &all, &stores);
        if (r < 0)
                return report_remote(r, url);
        r = logstore_ship_all_run(stores);
        if (r != 0)
                status = r < 0 ? report_remote(r, url) : STATUS_STORE;
        if (logstore_ship_all_tell(stores, &report) == 0)
                report_note("%s: %u stores, %u failed; sent %" PRIu64 " commits, %" PRIu64 " bytes",
                            parent, report.stores, report.failed, report.commits, report.bytes);
        logstore_ship_all_close(stores);
        return status;
}
