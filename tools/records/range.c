/*
 * range.c - which records are meant: by number, by time, from the ends
 *
 * Times select by the greatest time so far: --since T starts at the first record where it reaches
 * T, --until T ends before the first where it exceeds T. So a range is one stretch of the log, also
 * where clocks went back.
 */
#include "records/range.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/numbers.h"
#include "lib/report.h"
#include "lib/times.h"

int range_number(const char *text, const struct logstore_bounds *bounds, uint64_t *ret)
{
        uint64_t count;

        if (strcmp(text, "first") == 0) {
                *ret = bounds->first;
        } else if (strcmp(text, "last") == 0) {
                *ret = bounds->tail;
        } else if (text[0] != '-') {
                return number_parse(text, ret);
        } else {
                if (number_parse(text + 1, &count) < 0 || count == 0)
                        return -EINVAL;
                *ret = count > bounds->tail - bounds->first + 1 ? bounds->first - 1
                                                                : bounds->tail - count + 1;
        }
        return 0;
}

static int check_number(const char *option, const char *text)
{
        const struct logstore_bounds any = { .first = 1 };
        uint64_t number;

        if (text && range_number(text, &any, &number) < 0)
                return report_usage("%s %s: wanted a number, first, last or -N", option, text);
        return STATUS_DONE;
}

static int check_time(const char *option, const char *text)
{
        int64_t ns;
        int r = text ? time_parse(text, &ns) : 0;

        if (r == -ERANGE)
                return report_usage("%s %s: " TIME_RANGE_TEXT, option, text);
        if (r < 0)
                return report_usage("%s %s: wanted a time like 2026-11-21T13:30:00Z, 13:30, "
                                    "yesterday, @SECONDS or -1h30m",
                                    option, text);
        return STATUS_DONE;
}

int range_check(const struct range_text *text)
{
        int status = check_number("--from", text->from);

        if (status == STATUS_DONE)
                status = check_number("--to", text->to);
        if (status == STATUS_DONE)
                status = check_time("--since", text->since);
        if (status == STATUS_DONE)
                status = check_time("--until", text->until);
        return status;
}

static int place_of_time(const struct source *source, int64_t time_ns, uint64_t *ret)
{
        int r = source_seek_time(source, time_ns);

        if (r < 0)
                return r;
        *ret = source_position(source);
        return 0;
}

/* A number said by the user must be there; what lies beyond the tail may come if we follow. */
static int check_first(uint64_t first, const struct logstore_bounds *bounds, const char *dir,
                       bool follow)
{
        if (first == 0)
                return report_no("%s: record numbers start at 1", dir);
        if (first < bounds->first)
                return report_no("%s: record %llu was trimmed, the first is %llu", dir,
                                 (unsigned long long)first, (unsigned long long)bounds->first);
        if (first > bounds->tail && !follow)
                return report_no("%s: no record %llu, the last is %llu", dir,
                                 (unsigned long long)first, (unsigned long long)bounds->tail);
        return STATUS_DONE;
}

static int resolve_numbers(const struct range_text *text, const struct logstore_bounds *bounds,
                           const char *dir, bool follow, struct range *range)
{
        range->first = bounds->first;
        range->last = follow ? UINT64_MAX : bounds->tail;
        if (text->to) {
                (void)range_number(text->to, bounds, &range->last); /* checked before */
                if (range->last > bounds->tail && !follow)
                        range->last = bounds->tail;
        }
        if (!text->from)
                return STATUS_DONE;
        (void)range_number(text->from, bounds, &range->first);
        if (strchr("0123456789", text->from[0]))
                return check_first(range->first, bounds, dir, follow);
        if (range->first < bounds->first)
                range->first = bounds->first; /* before the first, or "last" of an empty log */
        return STATUS_DONE;
}

int range_resolve(const struct range_text *text, const struct logstore_bounds *bounds,
                  const struct source *source, bool follow, struct range *ret)
{
        struct range range = { .since_ns = INT64_MIN, .until_ns = INT64_MAX };
        uint64_t place;
        int64_t ns;
        int r = resolve_numbers(text, bounds, source->name, follow, &range);

        if (r != STATUS_DONE)
                return r;
        if (text->since) {
                (void)time_parse(text->since, &ns);
                r = place_of_time(source, ns, &place);
                if (r < 0)
                        return source_report(source, r);
                if (place > range.first)
                        range.first = place;
                if (place > bounds->tail)
                        range.since_ns = ns;
        }
        if (text->until) {
                (void)time_parse(text->until, &range.until_ns);
                if (range.until_ns < INT64_MAX) {
                        r = place_of_time(source, range.until_ns + 1, &place);
                        if (r < 0)
                                return source_report(source, r);
                        if (place <= bounds->tail && place <= range.last)
                                range.last = place - 1;
                }
        }
        *ret = range;
        return STATUS_DONE;
}

int range_parse_both(const char *text, const struct logstore_bounds *bounds, struct range *ret)
{
        struct range range = { bounds->first, bounds->tail, INT64_MIN, INT64_MAX };
        char from[32];
        const char *dots = text ? strstr(text, "..") : NULL;
        size_t size;

        if (text && !dots) {
                if (range_number(text, bounds, &range.first) < 0)
                        return -EINVAL;
                range.last = range.first;
                if (range.first < bounds->first && text[0] == '-') /* no so many: empty */
                        range.first = bounds->first;
        } else if (text) {
                size = (size_t)(dots - text);
                if (size >= sizeof(from))
                        return -EINVAL;
                memcpy(from, text, size);
                from[size] = 0;
                if (size && range_number(from, bounds, &range.first) < 0)
                        return -EINVAL;
                if (range.first < bounds->first)
                        range.first = bounds->first;
                if (dots[2] && range_number(dots + 2, bounds, &range.last) < 0)
                        return -EINVAL;
        }
        *ret = range;
        return 0;
}
