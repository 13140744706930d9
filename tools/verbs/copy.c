/*
 * copy.c - logstore copy: the log as it is now, into a new store
 *
 * Through a snapshot: the writer may go on meanwhile. Numbers and times are kept. With --redact
 * what matches is covered in private copies of the pages first, which count against --budget. Where
 * there are more segments than a process may map, the log is copied record by record.
 */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/numbers.h"
#include "lib/pattern.h"
#include "lib/progress.h"
#include "lib/report.h"
#include "records/destination.h"
#include "records/redact.h"
#include "records/session.h"
#include "records/stream_copy.h"
#include "verbs/verbs.h"

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

struct copying {
        char **arguments;
        struct logstore *store;
        struct logstore_snapshot *snapshot; /* NULL: record by record */
        const regex_t *pattern;
        struct progress *progress;
        const struct logstore_options *options;
        struct logstore_bounds bounds;
        uint64_t redacted;
};

/* A status. What is damaged, or gone, is so in the store that is copied. */
static int fail(const struct copying *copying, int error, bool writing)
{
        bool reading = !writing || error == -EBADMSG || error == -ESTALE;

        return report_open(error, copying->arguments[reading ? 0 : 1]);
}

static int write_to(struct copying *copying, const char *path, bool *ret_writing)
{
        struct stream_copy stream = {
                .from = copying->store,
                .bounds = copying->bounds,
                .pattern = copying->pattern,
                .progress = copying->progress,
        };
        int r;

        *ret_writing = true;
        if (copying->snapshot)
                return logstore_snapshot_export(copying->snapshot, path, copying->options);
        r = stream_copy(&stream, path, copying->options, ret_writing);
        progress_clear(copying->progress);
        copying->redacted = stream.redacted;
        return r;
}

static int write_all(struct copying *copying)
{
        struct destination destination;
        int status = destination_open(&destination, copying->arguments[1]), r;
        bool writing;

        if (status == STATUS_DONE) {
                r = write_to(copying, destination.partial, &writing);
                status = r < 0 ? fail(copying, r, writing) : destination_keep(&destination);
                if (r < 0 && r != -EEXIST && r != -EBUSY) /* then it is another copy's */
                        destination_discard(&destination);
        }
        destination_close(&destination);
        return status;
}

/* There are more segments than mappings or descriptors for them: no snapshot, then. */
static int open_snapshot(struct copying *copying, uint64_t budget_bytes)
{
        int r = logstore_snapshot_open(copying->store, budget_bytes, &copying->snapshot);

        if (r == -ENOMEM || r == -EMFILE)
                return logstore_bounds(copying->store, &copying->bounds);
        return r < 0 ? r : logstore_snapshot_bounds(copying->snapshot, &copying->bounds);
}

static int copy(struct copying *copying, uint64_t budget_bytes)
{
        int r = open_snapshot(copying, budget_bytes), status;

        if (r == 0 && copying->snapshot && copying->pattern)
                r = redact_all(copying->snapshot, copying->pattern, copying->progress,
                               &copying->redacted);
        progress_clear(copying->progress);
        status = r < 0 ? fail(copying, r, false) : write_all(copying);
        if (status == STATUS_DONE)
                report_note("%s: %llu records, %llu redacted", copying->arguments[1],
                            (unsigned long long)(copying->bounds.tail + 1 - copying->bounds.first),
                            (unsigned long long)copying->redacted);
        logstore_snapshot_close(copying->snapshot);
        return status;
}

int verb_copy(int count, char **arguments)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct progress progress;
        struct copying copying = {
                .arguments = arguments,
                .progress = &progress,
                .options = &options,
        };
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
        copying.pattern = redact_text ? &pattern : NULL;
        status = session_read(arguments[0], &copying.store);
        if (status == STATUS_DONE) {
                progress.total = session_bytes(copying.store);
                status = copy(&copying, budget_bytes);
                status = session_close(copying.store, arguments[0], status);
        }
        if (redact_text)
                regfree(&pattern);
        return status;
}
