/*
 * read.c - logstore read: print records, forward or backward, once or for ever
 *
 * Happy path: open read-only, find the range, walk a cursor over it, print into one buffer; at the
 * end of the log (with -f) flush, save the position, sleep until there is more.
 *
 * Failures: damage ends the reading; the verb first prints what is before it, then file, offset and
 * number. A follower that was overtaken by a trim says which records it missed and goes on. Signals
 * need no care: nothing is held open that a death could harm.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/numbers.h"
#include "lib/pattern.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/times.h"
#include "records/remote_words.h"
#include "records/session.h"
#include "verbs/read_private.h"
#include "verbs/verbs.h"

static char *format_text, *from_text, *to_text, *since_text, *until_text, *pattern_text;
static char *count_text;
static char *cursor_path, *redact_text, *progress_text;
static int zero_wanted, backward, follow, unverified, drop_behind, raw_control;
static int ignore_case, invert_match, count_wanted, own_time, local_time;

struct poptOption read_options[] = {
        { "output", 'o', POPT_ARG_STRING, &format_text, 0, "how records are printed",
          "text|short|raw|len32|jsonl|hex" },
        { "zero", 'z', POPT_ARG_NONE, &zero_wanted, 0, "end each record by a zero byte", NULL },
        { "from", 0, POPT_ARG_STRING, &from_text, 0, "start at this record; -N: Nth from the end",
          "N|first|last|-N" },
        { "to", 0, POPT_ARG_STRING, &to_text, 0, "end with this record", "N|first|last|-N" },
        { "records", 'n', POPT_ARG_STRING, &count_text, 0, "print N records at most", "N" },
        { "since", 'S', POPT_ARG_STRING, &since_text, 0, "start where the log reached this time",
          "TIME" },
        { "until", 'U', POPT_ARG_STRING, &until_text, 0, "end where the log passed this time",
          "TIME" },
        { "own-time", 0, POPT_ARG_NONE, &own_time, 0,
          "compare --since and --until with each record's own time", NULL },
        LOCAL_TIME_OPTION(local_time),
        { "reverse", 'r', POPT_ARG_NONE, &backward, 0, "print the newest first", NULL },
        { "grep", 'g', POPT_ARG_STRING, &pattern_text, 0,
          "only records that match an extended regular expression", "REGEX" },
        { "ignore-case", 'i', POPT_ARG_NONE, &ignore_case, 0, "-g: letters match in either case",
          NULL },
        { "invert-match", 'v', POPT_ARG_NONE, &invert_match, 0, "-g: only what does not match",
          NULL },
        { "count", 'c', POPT_ARG_NONE, &count_wanted, 0, "print only how many records there are",
          NULL },
        { "follow", 'f', POPT_ARG_NONE, &follow, 0, "wait for more at the end of the log", NULL },
        { "cursor-file", 0, POPT_ARG_STRING, &cursor_path, 0,
          "go on behind the last record printed, which is kept in FILE", "FILE" },
        { "redact", 0, POPT_ARG_STRING, &redact_text, 0, "print x for every byte that matches",
          "REGEX" },
        { "unverified", 0, POPT_ARG_NONE, &unverified, 0,
          "do not check checksums of durable records", NULL },
        { "drop-behind", 0, POPT_ARG_NONE, &drop_behind, 0,
          "let go of pages once read, so that nothing else is pushed out of memory", NULL },
        RAW_CONTROL_OPTION(raw_control),
        PROGRESS_OPTION(progress_text),
        POPT_TABLEEND,
};

/* ---- one record ---- */

static int print(struct reading *run, struct logstore_record *record)
{
        int wanted = filter_wants(&run->filter, record);

        if (wanted < 0)
                return report_file(wanted, "-g");
        run->payload_bytes += record->size;
        progress_show(&run->progress, run->payload_bytes);
        if (wanted) {
                int r = redact_text ? redact_in_copy(&run->redacted, &run->redact, record) : 0;

                if (r < 0)
                        return report_file(r, "--redact");
                if (!count_wanted)
                        output_record(&run->output, record);
                run->count++;
                run->left--;
        }
        run->seen = record->number;
        run->seen_ns = record->time_ns;
        if (cursor_path && run->output.buffer.used > BUFFER_BYTES / 2)
                return read_flush(run);
        return read_output_status(run);
}

/* ---- walking ---- */

/* --since is in the future: what comes until then is passed over, and left to the next run. */
static bool is_early(struct reading *run, const struct logstore_record *record)
{
        if (record->time_ns < run->range.since_ns)
                return true;
        run->range.since_ns = INT64_MIN; /* reached */
        return false;
}

/* A broken chain shows behind the last record that is there: then that was not the end. */
static int check_end(struct reading *run)
{
        struct logstore_record record;
        int r = run->seen >= run->tail ? source_next(&run->source, &record) : 0;

        return r < 0 && r != -EAGAIN && r != -ESTALE ? source_report(&run->source, r) : STATUS_DONE;
}

static int take_oldest(void *context, const struct logstore_segment_info *segment)
{
        if (segment->state == LOGSTORE_SEGMENT_DAMAGED)
                return 0;
        *(uint64_t *)context = segment->first_number;
        return 1;
}

/* Are the segments missing that begin the log? */
static bool begins_later(const struct reading *run)
{
        uint64_t oldest = 0;

        return logstore_segments(run->source.store, take_oldest, &oldest) == 1 &&
               oldest > run->first;
}

/* Records that are missing at an end of the log, where reading begins, do not keep back those that
 * are there. We report them, and they decide the status. Damage amid the log ends the reading. */
static bool passes_over(struct reading *run, int r)
{
        if (r != -EBADMSG || run->source.calls || run->begun || follow ||
            (!backward && !begins_later(run)))
                return false;
        run->passed = source_report(&run->source, r);
        return true;
}

static int walk_forward(struct reading *run)
{
        struct logstore_record record;
        int status = STATUS_DONE, r;

        while (run->left && status == STATUS_DONE) {
                r = source_next(&run->source, &record);
                if (run->range.first <= run->first && passes_over(run, r))
                        r = source_next(&run->source, &record);
                run->begun = true;
                if (r == -EAGAIN && follow)
                        status = read_wait(run);
                else if (r == -ESTALE && follow)
                        status = read_catch_up(run, source_position(&run->source));
                else if (r == -EAGAIN)
                        break;
                else if (r < 0)
                        status = read_failed(run, r);
                else if (record.number > run->range.last || record.time_ns > run->range.until_ns)
                        break;
                else if (record.number >= run->range.first && !is_early(run, &record))
                        status = print(run, &record);
                if (run->seen >= run->range.last)
                        break;
        }
        status = status == STATUS_DONE && run->passed == STATUS_DONE ? check_end(run) : status;
        return status_first(run->passed, status);
}

static int walk_backward(struct reading *run)
{
        struct logstore_record record;
        int status = STATUS_DONE, r;

        while (run->left && status == STATUS_DONE) {
                r = source_prev(&run->source, &record);
                if (run->range.last >= run->tail && passes_over(run, r))
                        r = source_prev(&run->source, &record);
                run->begun = true;
                if (r == -EAGAIN)
                        break;
                if (r < 0)
                        return source_report(&run->source, r);
                if (record.number < run->range.first)
                        break;
                status = print(run, &record);
        }
        return status_first(run->passed, status);
}

static int walk(struct reading *run)
{
        uint64_t place = backward ? run->range.last + 1 : run->range.first;
        int r;

        if (run->range.last < run->range.first)
                return check_end(run);
        r = source_seek(&run->source, place);
        if (r == -EAGAIN && follow)
                r = source_seek(&run->source, UINT64_MAX);
        if (r < 0)
                return source_report(&run->source, r);
        return backward ? walk_backward(run) : walk_forward(run);
}

/* ---- from where to where ---- */

static int find_range(struct reading *run)
{
        struct range_text text = { from_text, to_text, since_text, until_text };
        bool resume = cursor_path && run->position.found;
        struct logstore_bounds bounds;
        int r = source_bounds(&run->source, &bounds);

        if (r < 0)
                return source_report(&run->source, r);
        if (own_time)
                text.since = text.until = NULL;
        run->seen_ns = CURSOR_FILE_NONE;
        if (resume) {
                text.from = NULL;
                if (run->position.time_ns != CURSOR_FILE_NONE)
                        text.since = NULL;
                r = cursor_file_check(&run->position, &run->source, &bounds);
                if (r != STATUS_DONE)
                        return r;
        }
        run->first = bounds.first;
        run->tail = bounds.tail;
        r = range_resolve(&text, &bounds, &run->source, follow, &run->range);
        if (resume) {
                if (run->range.first <= run->position.number || !text.since)
                        run->range.first = run->position.number + 1;
                run->seen_ns = run->position.time_ns;
        }
        run->seen = run->range.first - 1;
        return r;
}

/* ---- all of it ---- */

static int read_range(struct reading *run)
{
        int status = find_range(run);

        if (status == STATUS_DONE && cursor_path) {
                status = cursor_file_skip_printed(&run->position, &run->output.buffer);
                if (status == STATUS_DONE)
                        status = read_flush(run);
        }
        if (status == STATUS_DONE) {
                status = walk(run);
                if (count_wanted && status == STATUS_DONE)
                        output_number(&run->output, run->count);
                status = status_first(status, read_flush(run));
        }
        progress_clear(&run->progress);
        if (run->output.buffer.error)
                return report_file(run->output.buffer.error, "standard output");
        return status;
}

static int read_store(struct reading *run)
{
        int status = read_open_cursor(run), r;

        if (status == STATUS_DONE && cursor_path)
                status = cursor_file_open(&run->position, cursor_path, &run->source);
        if (status == STATUS_DONE) {
                r = buffer_open(&run->output.buffer, STDOUT_FILENO);
                if (raw_control)
                        run->output.buffer.visible = false;
                status = r < 0 ? report_file(r, "output") : read_range(run);
        }
        if (cursor_path)
                cursor_file_close(&run->position);
        redact_copy_free(&run->redacted);
        return status;
}

static int options_parse(struct reading *run)
{
        struct range_text text = { from_text, to_text, since_text, until_text };
        int status;

        if (output_format_parse(format_text, &run->output.format) < 0)
                return report_usage("-o %s: wanted text, short, raw, len32, jsonl or hex",
                                    format_text);
        if (zero_wanted && run->output.format != OUTPUT_TEXT && run->output.format != OUTPUT_SHORT)
                return report_usage("-z is for -o text and -o short");
        if ((ignore_case || invert_match) && !pattern_text)
                return report_usage("-i and -v go with -g");
        if (count_wanted && (follow || cursor_path || format_text || zero_wanted))
                return report_usage("-c goes with none of -f, --cursor-file, -o and -z");
        if (own_time && !since_text && !until_text)
                return report_usage("--own-time goes with --since or --until");
        if (local_time)
                times_are_local();
        if (backward && (follow || cursor_path))
                return report_usage("-r goes with neither -f nor --cursor-file");
        if (cursor_path && cursor_path[0] == 0)
                return report_usage("--cursor-file: wanted a file");
        if ((unverified || drop_behind) && source_is_url(run->source.name))
                return report_usage("--unverified and --drop-behind go with a DIR");
        if (remote_words.interval && !follow)
                return report_usage("--interval goes with -f");
        run->cursor_path = cursor_path;
        run->follows = follow;
        run->cursor_flags = (follow ? 0u : LOGSTORE_SKIP_DAMAGE) | /* told, then it is left to us */
                            (unverified ? LOGSTORE_UNVERIFIED : 0u) |
                            (drop_behind ? LOGSTORE_DROP_BEHIND : 0u);
        run->left = UINT64_MAX;
        if (count_text && number_parse(count_text, &run->left) < 0)
                return report_usage("-n %s: wanted a number", count_text);
        status = range_check(&text);
        if (status == STATUS_DONE && own_time)
                filter_set_times(&run->filter, since_text, until_text);
        if (status == STATUS_DONE && pattern_text)
                status = filter_set_pattern(&run->filter, pattern_text, ignore_case, invert_match);
        if (status == STATUS_DONE && redact_text)
                status = pattern_compile(&run->redact, redact_text, 0, "--redact");
        if (status == STATUS_DONE && progress_open(&run->progress, progress_text, "read", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never", progress_text);
        return status;
}

int verb_read(int count, char **arguments)
{
        struct reading run = { .source.name = arguments[0],
                               .position = { .fd = -1 },
                               .filter = FILTER_INIT };
        int status = options_parse(&run);
        bool gone;

        (void)count;
        if (status != STATUS_DONE)
                return status;
        run.output.terminator = zero_wanted ? '\0' : '\n';
        status = follow && !source_is_url(arguments[0])
                         ? follow_open(&run.follow, arguments[0], &run.source.store)
                         : source_open(&run.source, arguments[0], follow);
        if (!run.source.store && !run.source.calls)
                return status;
        if (follow || isatty(STDOUT_FILENO))
                progress_quiet(&run.progress); /* the records themselves are the progress */
        if (run.source.store)
                run.progress.total = session_bytes(run.source.store);
        status = read_store(&run);
        gone = run.output.buffer.error == -EPIPE && signals_pipe_kills();
        buffer_close(&run.output.buffer);
        filter_free(&run.filter);
        if (redact_text)
                regfree(&run.redact);
        status = source_close(&run.source, status);
        if (gone)
                signals_die(SIGPIPE);
        return status;
}
