/*
 * remote_trim.c - trim of a log in a bucket
 *
 * As of a directory, the first number that is left is the data of the verb.
 */
#include "verbs/remote_trim.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/report.h"
#include "records/bucket_place.h"

static int print_outcome(const char *url, bool dry_run,
                         const struct logstore_remote_trim_report *report)
{
        printf("%" PRIu64 "\n", report->first);
        report_note("%s: %s %" PRIu64 " records in %" PRIu64 " segments, the first %s %" PRIu64,
                    url, dry_run ? "would take off" : "took off",
                    report->first - report->first_before, report->segments,
                    dry_run ? "would be" : "is", report->first);
        if (!dry_run)
                report_note("%s: removed %" PRIu64 " objects that nobody needs%s", url,
                            report->removed,
                            report->segments ? "; those of these segments go an hour from now or "
                                               "later, with another trim or by the shipper"
                                             : "");
        return report_stdout();
}

int remote_trim(const char *url, uint64_t before, const struct keep *keep, bool dry_run)
{
        const struct logstore_remote_options place = bucket_place();
        struct logstore_remote_trim_options options = LOGSTORE_REMOTE_TRIM_OPTIONS_INIT;
        struct logstore_remote_trim_report report = { .struct_bytes = sizeof(report) };
        int r, status = STATUS_DONE;

        options.flags = dry_run ? LOGSTORE_REMOTE_TRIM_DRY_RUN : 0;
        options.before = before;
        options.keep_bytes = keep->bytes;
        options.keep_records = keep->records;
        options.keep_ns = keep->ns;
        r = logstore_remote_trim(url, &place, &options, &report);
        if (r < 0)
                status = report_remote(r, url);
        return r == 0 || report.commit ? status_first(status, print_outcome(url, dry_run, &report))
                                       : status;
}
