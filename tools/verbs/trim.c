/*
 * trim.c - logstore trim: delete the oldest segments
 *
 * Only whole segments go, never the active one, so more records may stay than were asked for. The
 * verb prints the first number that is left, or would be. A dry run opens the store for reading, so
 * it may run beside a writer.
 */
#include <errno.h>
#include <stdio.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "records/keep.h"
#include "records/range.h"
#include "records/session.h"
#include "records/source.h"
#ifdef LOGSTORE_IS_REMOTE
#include "verbs/remote_trim.h"
#endif
#include "verbs/verbs.h"

static struct keep keep;
static char *before_text;
static int dry_run;

struct poptOption trim_options[] = {
        KEEP_OPTIONS(keep),
        { "before", 0, POPT_ARG_STRING, &before_text, 0, "delete what lies before record N", "N" },
        { "dry-run", 0, POPT_ARG_NONE, &dry_run, 0, "only say what would be left", NULL },
        POPT_TABLEEND,
};

static int options_parse(uint64_t *ret_before)
{
        int status = keep_parse(&keep);

        if (status != STATUS_DONE)
                return status;
        if (before_text && (number_parse(before_text, ret_before) < 0 || !*ret_before))
                return report_usage("--before %s: wanted a record number", before_text);
        if (!keep_wanted(&keep) && !before_text)
                return report_usage("say what to keep: --keep-size, --keep-time, --keep-count or "
                                    "--before");
        return STATUS_DONE;
}

/* What logstore_trim_before() would leave. */
struct plan {
        uint64_t before, first;
};

static int plan_segment(void *context, const struct logstore_segment_info *segment)
{
        struct plan *plan = context;
        uint64_t next = segment->first_number + segment->records;

        if (segment->state != LOGSTORE_SEGMENT_ACTIVE && segment->first_number == plan->first &&
            next <= plan->before)
                plan->first = next;
        return 0;
}

static int trim_before(struct logstore *store, uint64_t before, uint64_t *ret_first)
{
        struct plan plan = { .before = before };
        struct logstore_bounds bounds;
        int r;

        if (!dry_run)
                return logstore_trim_before(store, before, ret_first);
        r = logstore_bounds(store, &bounds);
        if (r < 0)
                return r;
        plan.first = bounds.first;
        r = logstore_segments(store, plan_segment, &plan);
        if (r == 0 && plan.first > *ret_first)
                *ret_first = plan.first;
        return r;
}

struct outcome {
        uint64_t before, first; /* the first number that was there, and that is left */
};

static int apply(struct logstore *store, uint64_t before, struct outcome *ret)
{
        struct logstore_bounds bounds;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                return r;
        ret->before = ret->first = bounds.first;
        if (keep_wanted(&keep)) {
                if (!dry_run) /* opened with them it would begin to trim before bounds are known */
                        r = logstore_set_retention(store, keep.bytes, keep.records, keep.ns);
                if (r == 0)
                        r = logstore_apply_retention(store, dry_run, &ret->first);
        }
        return r == 0 && before ? trim_before(store, before, &ret->first) : r;
}

static int print_outcome(const char *dir, const struct outcome *outcome)
{
        printf("%llu\n", (unsigned long long)outcome->first);
        report_note("%s: %s %llu records, the first %s %llu", dir,
                    dry_run ? "would delete" : "deleted",
                    (unsigned long long)(outcome->first - outcome->before),
                    dry_run ? "would be" : "is", (unsigned long long)outcome->first);
        return report_stdout();
}

/* Prints when the store is closed, so that no writer has to wait until somebody reads that. */
static int trim(struct logstore *store, const char *dir, uint64_t before)
{
        struct outcome outcome;
        int r = apply(store, before, &outcome);
        int status = session_close(store, dir, r < 0 ? report_store(r, dir) : STATUS_DONE);

        return r < 0 ? status : status_first(status, print_outcome(dir, &outcome));
}

int verb_trim(int count, char **arguments)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *store;
        uint64_t before = 0;
        int status = options_parse(&before);

        (void)count;
        if (status != STATUS_DONE)
                return status;
#ifdef LOGSTORE_IS_REMOTE
        if (source_is_url(arguments[0]))
                return remote_trim(arguments[0], before, &keep, dry_run != 0);
#endif
        options.flags = LOGSTORE_NO_THREAD; /* it would apply retention again, after we said what is
                                               left */
        if (dry_run) {
                options.flags = LOGSTORE_READ_ONLY;
                options.keep_bytes = keep.bytes;
                options.keep_records = keep.records;
                options.keep_ns = keep.ns;
        }
        status = session_write(arguments[0], &options, &store);
        if (status != STATUS_DONE)
                return status;
        return trim(store, arguments[0], before);
}
