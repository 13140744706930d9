/*
 * repair.c - logstore repair: cut a damaged store back to what is sound
 *
 * Without --yes nothing is changed: it says what would be cut and what would be lost, and the
 * status is 1 if there is damage. What is cut is kept in quarantine/ inside the store.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "lib/text.h"
#include "records/destination.h"
#include "verbs/verbs.h"
#include "verbs/verify.h"

static char *salvage_path, *progress_text;
static int apply;

struct poptOption repair_options[] = {
        { "yes", 0, POPT_ARG_NONE, &apply, 0, "do it; without this it is a dry run", NULL },
        { "salvage", 0, POPT_ARG_STRING, &salvage_path, 0,
          "write every valid record, also beyond the damage, to a new store", "DESTINATION" },
        PROGRESS_OPTION(progress_text),
        POPT_TABLEEND,
};

static void print_salvaged(const struct logstore_repair_report *report)
{
        char *name = malloc(TEXT_VISIBLE_BYTES(strlen(salvage_path)));

        printf("%s: salvaged %llu records", name ? text_visible_line(name, salvage_path) : "?",
               (unsigned long long)report->salvaged);
        if (report->missing)
                printf(", %llu numbers are missing", (unsigned long long)report->missing);
        putchar('\n');
        free(name);
}

static void print_report(const struct logstore_repair_report *report)
{
        char bytes[SIZE_TEXT_BYTES];

        if (report->kept_last + 1 == report->kept_first)
                printf("%s no records\n", apply ? "kept" : "would keep");
        else
                printf("%s records %llu to %llu\n", apply ? "kept" : "would keep",
                       (unsigned long long)report->kept_first,
                       (unsigned long long)report->kept_last);
        if (report->lost_records)
                printf("%s %llu records, %llu of them still valid\n", apply ? "lost" : "would lose",
                       (unsigned long long)report->lost_records,
                       (unsigned long long)report->valid_beyond);
        if (report->cut_bytes)
                printf("%s %s to quarantine/\n", apply ? "moved" : "would move",
                       size_format(bytes, report->cut_bytes, 0));
        if (salvage_path)
                print_salvaged(report);
}

/* What was salvaged before a failure may be all that there is: keep it under its partial name. */
static int keep_salvage(struct destination *salvage, int status)
{
        if (access(salvage->partial, F_OK) < 0)
                return status; /* there was nothing to salvage */
        if (status == STATUS_DONE)
                return destination_keep(salvage);
        report_note("%s: has what was salvaged before that", salvage->partial);
        return status;
}

int verb_repair(int count, char **arguments)
{
        struct logstore_repair_report report = { 0 };
        struct verify_hooks hooks = { 0 };
        struct logstore_verify_hooks calls = { verify_fault, verify_progress, &hooks };
        struct destination salvage = { 0 };
        int status, r;

        (void)count;
        if (progress_open(&hooks.progress, progress_text, "repair", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
        if (salvage_path && salvage_path[0] == 0)
                return report_usage("--salvage: wanted the directory of a new store");
        status = salvage_path ? destination_open(&salvage, salvage_path) : STATUS_DONE;
        if (status == STATUS_DONE) {
                r = logstore_repair(arguments[0], apply ? LOGSTORE_REPAIR_APPLY : 0,
                                    salvage.partial, &calls, &report);
                progress_clear(&hooks.progress);
                status = r < 0 ? report_store(r, arguments[0]) : STATUS_DONE;
                if (salvage_path)
                        status = keep_salvage(&salvage, status);
        }
        destination_close(&salvage);
        if (status != STATUS_DONE)
                return status;
        print_report(&report);
        status = report_stdout();
        if (!hooks.fatal)
                report_note("%s: nothing to repair", arguments[0]);
        else if (!apply)
                return report_no("%s: nothing was changed; --yes does it", arguments[0]);
        else
                report_note("%s: repaired", arguments[0]);
        return status;
}
