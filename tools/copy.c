/*
 * copy.c - logstore copy: the log as it is now, into a new store
 *
 * Through a snapshot: the writer may go on meanwhile. Numbers and times are kept. With --redact
 * what matches is covered in private copies of the pages first, which count against --budget.
 */
#include <errno.h>
#include <regex.h>
#include <stdio.h>

#include "destination.h"
#include "numbers.h"
#include "pattern.h"
#include "progress.h"
#include "redact.h"
#include "report.h"
#include "session.h"
#include "verbs.h"

static char *redact_text, *segment_text, *budget_text, *progress_text;

struct poptOption copy_options[] = {
        { "redact", 0, POPT_ARG_STRING, &redact_text, 0,
          "write x for every byte that matches an extended regular expression", "REGEX" },
        { "budget", 0, POPT_ARG_STRING, &budget_text, 0,
          "most memory for pages changed by --redact; 64M if not said", "SIZE" },
        { "segment-size", 0, POPT_ARG_STRING, &segment_text, 0, "of the new store", "SIZE" },
        PROGRESS_OPTION(progress_text),
        POPT_TABLEEND,
};

static int redact_all(struct logstore_snapshot *snapshot, const regex_t *pattern,
                      struct progress *progress, uint64_t *ret_count)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t bytes = 0;
        int r = logstore_snapshot_cursor(snapshot, 0, &cursor);

        if (r < 0)
                return r;
        while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                bytes += record.size;
                progress_show(progress, bytes);
                r = redact_record(snapshot, pattern, &record);
                if (r < 0)
                        break;
                *ret_count += (uint64_t)r;
        }
        logstore_cursor_close(cursor);
        return r == -EAGAIN ? 0 : r;
}

/* What is damaged, or gone, is so in the store that is copied. */
static int export(struct logstore_snapshot *snapshot, char **arguments,
                  const struct logstore_options *options)
{
        struct destination destination;
        int status = destination_open(&destination, arguments[1]), r;

        if (status == STATUS_DONE) {
                r = logstore_snapshot_export(snapshot, destination.partial, options);
                if (r < 0) {
                        status = report_open(r, arguments[r == -EBADMSG || r == -ESTALE ? 0 : 1]);
                        if (r != -EEXIST && r != -EBUSY) /* then it is another copy's */
                                destination_discard(&destination);
                } else {
                        status = destination_keep(&destination);
                }
        }
        destination_close(&destination);
        return status;
}

static int copy(struct logstore *store, char **arguments, const regex_t *pattern,
                struct progress *progress, uint64_t budget_bytes,
                const struct logstore_options *options)
{
        struct logstore_snapshot *snapshot;
        struct logstore_bounds bounds;
        uint64_t redacted = 0;
        int r = logstore_snapshot_open(store, budget_bytes, &snapshot), status;

        if (r < 0)
                return report_store(r, arguments[0]);
        r = logstore_snapshot_bounds(snapshot, &bounds);
        if (r == 0 && pattern)
                r = redact_all(snapshot, pattern, progress, &redacted);
        progress_clear(progress);
        status = r < 0 ? report_open(r, arguments[0]) : export(snapshot, arguments, options);
        if (status == STATUS_DONE)
                report_note("%s: %llu records, %llu redacted", arguments[1],
                            (unsigned long long)(bounds.tail + 1 - bounds.first),
                            (unsigned long long)redacted);
        logstore_snapshot_close(snapshot);
        return status;
}

int verb_copy(int count, char **arguments)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct progress progress;
        struct logstore *store;
        uint64_t budget_bytes = 0;
        regex_t pattern;
        int status;

        (void)count;
        if (budget_text && size_parse(budget_text, &budget_bytes) < 0)
                return report_usage("--budget %s: wanted a size like 64M", budget_text);
        if (progress_open(&progress, progress_text, "redact", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
        options.flags = session_flags();
        status = session_segment_size(segment_text, &options);
        if (status != STATUS_DONE)
                return status;
        status = redact_text ? pattern_compile(&pattern, redact_text, 0, "--redact") : STATUS_DONE;
        if (status != STATUS_DONE)
                return status;
        status = session_read(arguments[0], &store);
        if (status == STATUS_DONE) {
                progress.total = session_bytes(store);
                status = copy(store, arguments, redact_text ? &pattern : NULL, &progress,
                              budget_bytes, &options);
                status = session_close(store, arguments[0], status);
        }
        if (redact_text)
                regfree(&pattern);
        return status;
}
