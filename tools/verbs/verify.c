/*
 * verify.c - logstore verify: read everything, change nothing, one line per fault
 *
 * Faults are the data of this verb and go to standard output; notes (a torn tail that nobody was
 * promised, a stale index) and the summary go to standard error.
 */
#include "verbs/verify.h"

#include <errno.h>
#include <stdio.h>

#include "lib/json_print.h"
#include "lib/look.h"
#include "lib/numbers.h"
#include "lib/report.h"
#include "lib/text.h"
#include "records/source.h"
#ifdef LOGSTORE_IS_REMOTE
#include "verbs/remote_look.h"
#endif
#include "verbs/verbs.h"

static char *format_text, *progress_text;
static int quick;

struct poptOption verify_options[] = {
        { "output", 'o', POPT_ARG_STRING, &format_text, 0, "how faults are printed", "table|json" },
        { "quick", 0, POPT_ARG_NONE, &quick, 0, "of a URL: only names and sizes of objects", NULL },
        PROGRESS_OPTION(progress_text),
        POPT_TABLEEND,
};

static void fault_json(const struct logstore_fault *fault)
{
        struct json_print o = { "" };

        json_print_open(&o, NULL, '{');
        json_print_text(&o, "file", fault->file[0] ? fault->file : NULL);
        json_print_number(&o, "offset", fault->offset);
        json_print_number(&o, "number", fault->number ? fault->number : LOGSTORE_UNKNOWN);
        json_print_text(&o, "error", logstore_error_text(fault->error));
        json_print_text(&o, "what", fault->what);
        json_print_close(&o, '}');
        putchar('\n');
}

static void fault_line(FILE *to, const struct logstore_fault *fault)
{
        char file[TEXT_VISIBLE_BYTES(256)], what[TEXT_VISIBLE_BYTES(1024)], text[1024];

        if (fault->file[0]) { /* else it is about one that is not there, which @what names */
                snprintf(text, 256, "%s", fault->file);
                fprintf(to, "%s: offset %llu: ", text_visible_line(file, text),
                        (unsigned long long)fault->offset);
        }
        if (fault->number)
                fprintf(to, "record %llu: ", (unsigned long long)fault->number);
        snprintf(text, sizeof(text), "%s", fault->what);
        fprintf(to, "%s\n", text_visible_line(what, text));
}

void verify_fault(void *context, const struct logstore_fault *fault)
{
        struct verify_hooks *hooks = context;

        progress_clear(&hooks->progress);
        hooks->fatal += fault->fatal != 0;
        if (!fault->fatal) {
                fputs("note: ", stderr);
                fault_line(stderr, fault);
        } else if (hooks->json) {
                fault_json(fault);
        } else {
                fault_line(stdout, fault);
        }
}

void verify_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
        struct verify_hooks *hooks = context;

        hooks->progress.total = total_bytes;
        progress_show(&hooks->progress, done_bytes);
}

static void summary(const char *dir, const struct logstore_verify_report *report)
{
        char bytes[SIZE_TEXT_BYTES];

        report_note("%s: %llu segments, %llu records, %llu voids, %s: %llu faults", dir,
                    (unsigned long long)report->segments, (unsigned long long)report->records,
                    (unsigned long long)report->voids, size_format(bytes, report->bytes, 0),
                    (unsigned long long)report->faults);
        if (report->torn_bytes)
                report_note("%s: behind the end, %llu bytes of a torn tail that was never "
                            "acknowledged; this is no damage",
                            dir, (unsigned long long)report->torn_bytes);
        if (report->trimmed_to)
                report_note("%s: trimmed meanwhile: the log begins with record %llu now", dir,
                            (unsigned long long)report->trimmed_to);
}

int verb_verify(int count, char **arguments)
{
        struct logstore_verify_report report = { 0 };
        struct verify_hooks hooks = { 0 };
        struct logstore_verify_hooks calls = { verify_fault, verify_progress, &hooks };
        int status, r;

        (void)count;
        if (look_format_parse(format_text, &hooks.json) < 0)
                return report_usage("-o %s: wanted table or json", format_text);
        if (progress_open(&hooks.progress, progress_text, "verify", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
#ifdef LOGSTORE_IS_REMOTE
        if (source_is_url(arguments[0]))
                return remote_verify(arguments[0], quick != 0, &hooks);
#endif
        if (quick)
                return report_usage("--quick goes with a URL");
        r = logstore_verify(arguments[0], &calls, &report);
        progress_clear(&hooks.progress);
        status = report_stdout();
        if (r < 0 && (r != -EBADMSG || report.faults == 0))
                return status_first(report_store(r, arguments[0]), status);
        summary(arguments[0], &report);
        return r < 0 ? STATUS_NO : status;
}
