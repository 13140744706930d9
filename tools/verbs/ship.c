/*
 * ship.c - logstore ship: send the log to an object store, once or as it grows
 *
 * A signal ends it at any point: what was shipped stays, and the next one goes on from there.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/numbers.h"
#include "lib/progress.h"
#include "lib/report.h"
#include "records/bucket_place.h"
#include "records/remote_words.h"
#include "verbs/ship.h"
#include "verbs/verbs.h"

static void tell(const struct logstore_ship *ship, const char *dir, const char *url)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };

        if (logstore_ship_tell(ship, &report) < 0)
                return;
        report_note("%s: all up to record %" PRIu64 " is there, with commit %" PRIu64
                    "; sent %" PRIu64 " bytes",
                    url, report.shipped.number, report.commit, report.bytes);
        if (remote_words.repair)
                report_note("%s: %" PRIu64 " objects and tails were damaged or missing", url,
                            report.damaged);
        if (report.unprotected)
                report_note(
                        "%s: this user may not write there, so nothing keeps records from being "
                        "trimmed before they are shipped",
                        dir);
}

/* What is not shipped and not there any more. */
static void tell_gap(const struct logstore_ship *ship, const char *dir, uint64_t *missed)
{
        struct logstore_ship_report report = { .struct_bytes = sizeof(report) };

        if (logstore_ship_tell(ship, &report) < 0 || report.missed == *missed)
                return;
        report_note("%s: %" PRIu64 " records up to %" PRIu64
                    " were trimmed before they were shipped: what is there begins with %" PRIu64,
                    dir, report.missed - *missed, report.gap_last, report.gap_last + 1);
        *missed = report.missed;
}

static int ship_on(struct logstore_ship *ship, const char *dir, int64_t interval_ns,
                   struct progress *progress)
{
        struct timespec pause = { interval_ns / 1000000000, interval_ns % 1000000000 };
        uint64_t missed = 0;
        int r = logstore_ship_start(ship);

        while (r == 0) {
                r = logstore_ship_round(ship);
                progress_clear(progress);
                tell_gap(ship, dir, &missed);
                if (r < 0 || !remote_words.follow)
                        break;
                nanosleep(&pause, NULL);
        }
        return r;
}

#define USUAL_LEVEL 3

static int parse_level(const char *text, uint32_t *ret)
{
        uint64_t level = USUAL_LEVEL;

        if (text && text[0] &&
            (number_parse(text, &level) < 0 || level < 1 || level > LOGSTORE_SHIP_COMPRESS_MAX))
                return report_usage("--compress %s: wanted nothing, or a level from 1 to %d", text,
                                    LOGSTORE_SHIP_COMPRESS_MAX);
        *ret = text ? (uint32_t)level : 0;
        return STATUS_DONE;
}

static int parse_lag(const char *text, struct logstore_ship_options *ret)
{
        uint64_t bytes = 0;
        int64_t ns = 0;
        bool is_size, is_duration;

        if (!text)
                return STATUS_DONE;
        is_size = size_parse(text, &bytes) == 0 && bytes;
        is_duration = duration_parse(text, &ns) == 0 && ns > 0;
        if (is_size && is_duration) /* what is trimmed too early is lost */
                return report_usage("--max-lag %s: a size, or a duration? Write M, or min", text);
        ret->max_lag_bytes = is_size ? bytes : 0;
        ret->max_lag_ns = is_duration ? ns : 0;
        if (is_size || is_duration)
                return STATUS_DONE;
        return report_usage("--max-lag %s: wanted a size like 10G, or a duration like 2d", text);
}

static int parse(int64_t *ret_interval_ns, struct progress *progress)
{
        *ret_interval_ns = 1000000000;
        if (remote_words.interval &&
            (duration_parse(remote_words.interval, ret_interval_ns) < 0 ||
             *ret_interval_ns < 1000000 || *ret_interval_ns > INT64_C(86400000000000)))
                return report_usage("--interval %s: wanted 1ms to 1d", remote_words.interval);
        if (progress_open(progress, remote_words.progress, "shipping", 0) < 0)
                return report_usage("--progress %s: wanted auto, always or never",
                                    remote_words.progress);
        return STATUS_DONE;
}

int verb_ship(int count, char **arguments)
{
        struct logstore_remote_options remote = bucket_place();
        struct logstore_ship_options options = LOGSTORE_SHIP_OPTIONS_INIT;
        struct progress progress;
        struct logstore_ship *ship;
        int64_t interval_ns;
        int status = parse(&interval_ns, &progress), r;

        (void)count;
        if (status == STATUS_DONE)
                status = parse_level(remote_words.compress, &options.compress);
        if (status == STATUS_DONE)
                status = parse_lag(remote_words.max_lag, &options);
        if (status != STATUS_DONE)
                return status;
        options.flags = (remote_words.takeover ? LOGSTORE_SHIP_TAKEOVER : 0u) |
                        (remote_words.repair ? LOGSTORE_SHIP_REPAIR : 0u);
        options.interval_ms = (uint32_t)(interval_ns / 1000000);
        if (remote_words.all)
                return ship_all(arguments[0], arguments[1], &remote, &options);
        options.progress = progress_hook;
        options.context = &progress;
        r = logstore_ship_open(arguments[0], arguments[1], &remote, &options, &ship);
        if (r < 0)
                return report_remote(r, arguments[1]);
        r = ship_on(ship, arguments[0], interval_ns, &progress);
        if (r < 0)
                status = report_remote(r, arguments[1]);
        else
                tell(ship, arguments[0], arguments[1]);
        logstore_ship_close(ship);
        return status;
}
