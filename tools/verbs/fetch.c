/*
 * fetch.c - logstore fetch: make a store of the log in an object store
 */
#include <inttypes.h>
#include <stdio.h>

#include "lib/progress.h"
#include "lib/report.h"
#include "records/bucket_place.h"
#include "records/remote_words.h"
#include "verbs/verbs.h"

int verb_fetch(int count, char **arguments)
{
        struct logstore_remote_options remote = bucket_place();
        struct logstore_fetch_options options = LOGSTORE_FETCH_OPTIONS_INIT;
        struct logstore_fetch_report report = { .struct_bytes = sizeof(report) };
        struct progress progress;
        int r;

        (void)count;
        if (progress_open(&progress, remote_words.progress, "fetching", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never",
                                    remote_words.progress);
        options.progress = progress_hook;
        options.context = &progress;
        r = logstore_fetch(arguments[0], arguments[1], &remote, &options, &report);
        progress_clear(&progress);
        if (r < 0)
                return report_remote(r, arguments[0]);
        report_note("%s: up to record %" PRIu64 ", %" PRIu64 " segments, %" PRIu64
                    " bytes received",
                    arguments[1], report.end.number, report.segments, report.bytes);
        return STATUS_DONE;
}
