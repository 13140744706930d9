/*
 * times.c - points in time as people write and read them
 *
 * Parsing takes a calendar day, a time of the day and a zone one after the other, each with all of
 * its digits and only if there is such a day, time or zone; then it counts nanoseconds.
 */
#include "lib/times.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "lib/numbers.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_SECONDS 86400

static bool local;

void times_are_local(void)
{
        local = true;
        tzset();
}

/* ---- pieces ---- */

static int digits_parse(const char **text, int count, int *ret)
{
        int number = 0;

        for (; count > 0; count--, (*text)++) {
                if (**text < '0' || **text > '9')
                        return -EINVAL;
                number = number * 10 + (**text - '0');
        }
        *ret = number;
        return 0;
}

static int literal_parse(const char **text, char wanted)
{
        if (**text != wanted)
                return -EINVAL;
        (*text)++;
        return 0;
}

/* The digits behind a point, one at least; those after the ninth are dropped. */
static int fraction_parse(const char **text, int64_t *ret_ns)
{
        int64_t unit = SECOND_NS / 10, ns = 0;

        if (**text < '0' || **text > '9')
                return -EINVAL;
        for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
                ns += (**text - '0') * unit;
        *ret_ns = ns;
        return 0;
}

static int month_days(int year, int month)
{
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return days[month - 1] + (leap && month == 2);
}

static int date_parse(const char **text, struct tm *tm)
{
        if (digits_parse(text, 4, &tm->tm_year) < 0 || literal_parse(text, '-') < 0 ||
            digits_parse(text, 2, &tm->tm_mon) < 0 || literal_parse(text, '-') < 0 ||
            digits_parse(text, 2, &tm->tm_mday) < 0)
                return -EINVAL;
        if (tm->tm_year < 1 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 ||
            tm->tm_mday > month_days(tm->tm_year, tm->tm_mon))
                return -EINVAL;
        tm->tm_year -= 1900;
        tm->tm_mon -= 1;
        return 0;
}

/* HH:MM, HH:MM:SS or HH:MM:SS.FRACTION. */
static int clock_parse(const char **text, struct tm *tm, int64_t *ret_ns)
{
        *ret_ns = 0;
        if (digits_parse(text, 2, &tm->tm_hour) < 0 || literal_parse(text, ':') < 0 ||
            digits_parse(text, 2, &tm->tm_min) < 0)
                return -EINVAL;
        if (literal_parse(text, ':') == 0) {
                if (digits_parse(text, 2, &tm->tm_sec) < 0)
                        return -EINVAL;
                if (literal_parse(text, '.') == 0 && fraction_parse(text, ret_ns) < 0)
                        return -EINVAL;
        }
        return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -EINVAL : 0;
}

/* Z or +HH:MM up to the end of @text. */
static int zone_parse(const char *text, int *ret_seconds)
{
        int hours, minutes, sign = *text == '-' ? -1 : 1;

        *ret_seconds = 0;
        if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
                return 0;
        if (*text != '+' && *text != '-')
                return -EINVAL;
        text++;
        if (digits_parse(&text, 2, &hours) < 0 || literal_parse(&text, ':') < 0 ||
            digits_parse(&text, 2, &minutes) < 0 || *text || hours > 23 || minutes > 59)
                return -EINVAL;
        *ret_seconds = sign * (hours * 60 + minutes) * 60;
        return 0;
}

/* ---- whole ones ---- */

static int time_join(int64_t seconds, int64_t ns, int64_t *ret_ns)
{
        __int128 total = (__int128)seconds * SECOND_NS + ns;

        if (total < INT64_MIN || total > INT64_MAX)
                return -ERANGE;
        *ret_ns = (int64_t)total;
        return 0;
}

static bool is_same_hour(const struct tm *a, const struct tm *b)
{
        return a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour && a->tm_min == b->tm_min;
}

/* Seconds of @tm in the local zone. -EINVAL: clocks were set forward over it. */
static int local_seconds(const struct tm *tm, int64_t *ret)
{
        struct tm got = *tm, again;
        time_t time;

        got.tm_sec = 0; /* a leap second would begin the next minute */
        got.tm_isdst = -1;
        time = mktime(&got);
        localtime_r(&time, &again);
        if (!is_same_hour(&again, tm))
                return -EINVAL;
        *ret = time + tm->tm_sec;
        return 0;
}

static int zoneless_seconds(const struct tm *tm, bool in_local, int64_t *ret)
{
        struct tm copy = *tm;

        if (in_local)
                return local_seconds(tm, ret);
        *ret = timegm(&copy);
        return 0;
}

/* The first moment of a day: midnight, or the moment after it where clocks jump at midnight. */
static int day_seconds(struct tm *tm, bool in_local, int64_t *ret)
{
        int r = -EINVAL;

        for (int minutes = 0; r < 0 && minutes <= 120; minutes += 30) {
                tm->tm_hour = minutes / 60;
                tm->tm_min = minutes % 60;
                r = zoneless_seconds(tm, in_local, ret);
        }
        return r;
}

static int calendar_parse(const char *text, bool in_local, int64_t *ret_ns)
{
        struct tm tm = { 0 };
        bool is_day = true;
        int64_t ns = 0, seconds;
        int zone = 0, r;

        if (date_parse(&text, &tm) < 0)
                return -EINVAL;
        if (*text == 'T' || *text == 't' || *text == ' ') {
                text++;
                if (clock_parse(&text, &tm, &ns) < 0)
                        return -EINVAL;
                is_day = false;
        }
        if (*text) {
                if (zone_parse(text, &zone) < 0)
                        return -EINVAL;
                in_local = false;
        }
        r = is_day ? day_seconds(&tm, in_local, &seconds)
                   : zoneless_seconds(&tm, in_local, &seconds);
        if (r < 0)
                return r;
        seconds -= zone;
        if (tm.tm_sec == 60 && seconds % DAY_SECONDS != 0) /* a leap second ends a day, in UTC */
                return -EINVAL;
        return time_join(seconds, ns, ret_ns);
}

int time_parse_fixed(const char *text, int64_t *ret_ns)
{
        return calendar_parse(text, false, ret_ns);
}

/* The day so many days before now, in @tm; its hours are 0. */
static void day_before(time_t now, int days, struct tm *tm)
{
        struct tm today;

        if (local)
                localtime_r(&now, &today);
        else
                gmtime_r(&now, &today);
        *tm = (struct tm){ .tm_year = today.tm_year, .tm_mon = today.tm_mon };
        tm->tm_mday = today.tm_mday - days; /* 0 is the last of the month before */
        timegm(tm);                         /* which is what this makes of it */
}

static int day_parse(int days, time_t now, int64_t *ret_ns)
{
        int64_t seconds;
        struct tm tm;
        int r;

        day_before(now, days, &tm);
        r = day_seconds(&tm, local, &seconds);
        return r < 0 ? r : time_join(seconds, 0, ret_ns);
}

/* HH:MM of today. */
static int hour_parse(const char *text, time_t now, int64_t *ret_ns)
{
        int64_t ns, seconds;
        struct tm tm;
        int r;

        day_before(now, 0, &tm);
        if (clock_parse(&text, &tm, &ns) < 0 || *text || tm.tm_sec == 60)
                return -EINVAL;
        r = zoneless_seconds(&tm, local, &seconds);
        return r < 0 ? r : time_join(seconds, ns, ret_ns);
}

static int epoch_parse(const char *text, int64_t *ret_ns)
{
        int64_t ns = 0, seconds = 0;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        for (; *text >= '0' && *text <= '9'; text++)
                if (seconds < INT64_MAX / 100) /* beyond that it is out of range anyway */
                        seconds = seconds * 10 + (*text - '0');
        if (literal_parse(&text, '.') == 0 && fraction_parse(&text, &ns) < 0)
                return -EINVAL;
        return *text ? -EINVAL : time_join(seconds, ns, ret_ns);
}

/* So long before now. */
static int ago_parse(const char *text, const struct timespec *now, int64_t *ret_ns)
{
        int64_t ns;
        int r = duration_parse(text, &ns);

        return r < 0 ? r : time_join(now->tv_sec, now->tv_nsec - ns, ret_ns);
}

int time_parse(const char *text, int64_t *ret_ns)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        if (strcmp(text, "now") == 0)
                return time_join(now.tv_sec, now.tv_nsec, ret_ns);
        if (strcmp(text, "today") == 0)
                return day_parse(0, now.tv_sec, ret_ns);
        if (strcmp(text, "yesterday") == 0)
                return day_parse(1, now.tv_sec, ret_ns);
        if (text[0] == '@')
                return epoch_parse(text + 1, ret_ns);
        if (text[0] == '-')
                return ago_parse(text + 1, &now, ret_ns);
        if (text[0] && text[1] && text[2] == ':')
                return hour_parse(text, now.tv_sec, ret_ns);
        return calendar_parse(text, local, ret_ns);
}

/* ---- printing ---- */

static char *put_digits(char *to, int value, int count)
{
        for (int i = count - 1; i >= 0; i--, value /= 10)
                to[i] = (char)('0' + value % 10);
        return to + count;
}

static char *put_pair(char *to, int value, char behind)
{
        to = put_digits(to, value, 2);
        *to = behind;
        return to + 1;
}

/* Whole minutes, which is all that a printed zone can say: once zones had seconds, too. */
static int offset_minutes(time_t time)
{
        struct tm tm;

        if (!local || !localtime_r(&time, &tm))
                return 0;
        return (int)(tm.tm_gmtoff / 60);
}

/* "2026-11-21T13:33:11." to @to, and the zone. */
static void seconds_format(char to[20], char zone[7], int64_t seconds)
{
        int minutes = offset_minutes((time_t)seconds);
        time_t time = (time_t)seconds + minutes * 60;
        struct tm tm;

        gmtime_r(&time, &tm);
        to = put_digits(to, tm.tm_year + 1900, 4);
        *to++ = '-';
        to = put_pair(to, tm.tm_mon + 1, '-');
        to = put_pair(to, tm.tm_mday, 'T');
        to = put_pair(to, tm.tm_hour, ':');
        to = put_pair(to, tm.tm_min, ':');
        put_pair(to, tm.tm_sec, '.');
        if (!local) {
                memcpy(zone, "Z", 2);
                return;
        }
        zone[0] = minutes < 0 ? '-' : '+';
        minutes = minutes < 0 ? -minutes : minutes;
        put_pair(put_pair(zone + 1, minutes / 60, ':'), minutes % 60, 0);
}

char *time_format(char *to, int64_t time_ns)
{
        static int64_t last_seconds = INT64_MIN;
        static char last[20], zone[7];
        int64_t seconds = time_ns / SECOND_NS, ns = time_ns % SECOND_NS;
        size_t size;

        if (ns < 0) {
                ns += SECOND_NS;
                seconds--;
        }
        if (seconds != last_seconds) {
                seconds_format(last, zone, seconds);
                last_seconds = seconds;
        }
        memcpy(to, last, sizeof(last));
        put_digits(to + sizeof(last), (int)ns, 9);
        size = strlen(zone);
        memcpy(to + sizeof(last) + 9, zone, size + 1);
        return to + sizeof(last) + 9 + size;
}

int64_t times_monotonic(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
