/*
 * numbers.c - numbers, sizes, durations and times as people write and read them
 */
#include "numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

struct unit {
        const char *name;
        uint64_t factor;
};

static const struct unit size_units[] = {
        { "", 1 },
        { "B", 1 },
        { "K", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { "T", UINT64_C(1) << 40 },
        { "KiB", UINT64_C(1) << 10 },
        { "MiB", UINT64_C(1) << 20 },
        { "GiB", UINT64_C(1) << 30 },
        { "TiB", UINT64_C(1) << 40 },
        { NULL, 0 },
};

static const struct unit duration_units[] = {
        { "ns", 1 },
        { "us", 1000 },
        { "ms", 1000000 },
        { "s", SECOND_NS },
        { "min", 60 * SECOND_NS },
        { "m", 60 * SECOND_NS },
        { "h", 3600 * SECOND_NS },
        { "d", 86400 * SECOND_NS },
        { "w", 7 * 86400 * SECOND_NS },
        { NULL, 0 },
};

static int digits_parse(const char *text, const char **ret_end, uint64_t *ret)
{
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        *ret_end = end;
        return errno ? -EINVAL : 0;
}

int number_parse(const char *text, uint64_t *ret)
{
        const char *end;
        uint64_t number;

        if (digits_parse(text, &end, &number) < 0 || *end)
                return -EINVAL;
        *ret = number;
        return 0;
}

/* "12.5" with @unit as a whole number of @factor; @most_digits after the point count. */
static int scaled_parse(const char *text, const struct unit *units, uint64_t *ret)
{
        const char *end;
        uint64_t whole, fraction = 0, scale = 1;

        if (digits_parse(text, &end, &whole) < 0)
                return -EINVAL;
        if (*end == '.')
                for (end++; *end >= '0' && *end <= '9'; end++)
                        if (scale < 1000000000) {
                                fraction = fraction * 10 + (uint64_t)(*end - '0');
                                scale *= 10;
                        }
        for (; units->name; units++) {
                if (strcmp(units->name, end) != 0)
                        continue;
                if (whole > (uint64_t)INT64_MAX / units->factor - 1)
                        return -EINVAL;
                *ret = whole * units->factor +
                       (uint64_t)((double)fraction / (double)scale * (double)units->factor);
                return 0;
        }
        return -EINVAL;
}

int size_parse(const char *text, uint64_t *ret)
{
        return scaled_parse(text, size_units, ret);
}

int duration_parse(const char *text, int64_t *ret)
{
        uint64_t ns;

        if (scaled_parse(text, duration_units, &ns) < 0)
                return -EINVAL;
        *ret = (int64_t)ns;
        return 0;
}

/* The digits behind a point, as nanoseconds. */
static const char *fraction_parse(const char *text, int64_t *ret_ns)
{
        int64_t unit = SECOND_NS / 10;

        *ret_ns = 0;
        for (; *text >= '0' && *text <= '9'; text++, unit /= 10)
                *ret_ns += (*text - '0') * unit;
        return text;
}

static int time_join(int64_t seconds, int64_t ns, int64_t *ret_ns)
{
        int64_t total;

        if (__builtin_mul_overflow(seconds, SECOND_NS, &total) ||
            __builtin_add_overflow(total, ns, &total))
                return -EINVAL;
        *ret_ns = total;
        return 0;
}

static int zone_parse(const char *text, int64_t *ret_seconds)
{
        int hours, minutes, taken = 0;
        char sign;

        *ret_seconds = 0;
        if (*text == 0 || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
                return 0;
        if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &taken) != 3 || text[taken] ||
            taken != 6 || (sign != '+' && sign != '-') || hours < 0 || minutes < 0)
                return -EINVAL;
        *ret_seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
        return 0;
}

static int rfc3339_parse(const char *text, int64_t *ret_ns)
{
        struct tm tm = { 0 };
        int taken = 0;
        int64_t ns = 0, zone = 0;

        if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &taken) != 3 ||
            taken != 10)
                return -EINVAL;
        text += 10;
        if (*text == 'T' || *text == 't' || *text == ' ') {
                taken = 0;
                if (sscanf(text + 1, "%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
                           &taken) != 3 ||
                    taken != 8)
                        return -EINVAL;
                text += 9;
                if (*text == '.')
                        text = fraction_parse(text + 1, &ns);
        }
        if (zone_parse(text, &zone) < 0 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
            tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 ||
            tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0)
                return -EINVAL;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        return time_join(timegm(&tm) - zone, ns, ret_ns);
}

int time_parse(const char *text, int64_t *ret_ns)
{
        struct timespec now;
        const char *end;
        uint64_t seconds;
        int64_t ns = 0;

        clock_gettime(CLOCK_REALTIME, &now);
        if (strcmp(text, "now") == 0)
                return time_join(now.tv_sec, now.tv_nsec, ret_ns);
        if (text[0] == '-') {
                if (duration_parse(text + 1, &ns) < 0)
                        return -EINVAL;
                return time_join(now.tv_sec, now.tv_nsec - ns, ret_ns);
        }
        if (text[0] != '@')
                return rfc3339_parse(text, ret_ns);
        if (digits_parse(text + 1, &end, &seconds) < 0 || seconds > INT64_MAX)
                return -EINVAL;
        if (*end == '.')
                end = fraction_parse(end + 1, &ns);
        return *end ? -EINVAL : time_join((int64_t)seconds, ns, ret_ns);
}

static char *two_digits(char *to, int value)
{
        to[0] = (char)('0' + value / 10);
        to[1] = (char)('0' + value % 10);
        return to + 2;
}

static void seconds_format(char to[20], int64_t seconds)
{
        time_t time = (time_t)seconds;
        struct tm tm;
        char *c;

        gmtime_r(&time, &tm);
        c = two_digits(to, (tm.tm_year + 1900) / 100);
        c = two_digits(c, (tm.tm_year + 1900) % 100);
        *c++ = '-';
        c = two_digits(c, tm.tm_mon + 1);
        *c++ = '-';
        c = two_digits(c, tm.tm_mday);
        *c++ = 'T';
        c = two_digits(c, tm.tm_hour);
        *c++ = ':';
        c = two_digits(c, tm.tm_min);
        *c++ = ':';
        c = two_digits(c, tm.tm_sec);
        *c = '.';
}

char *time_format(char *to, int64_t time_ns)
{
        static int64_t last_seconds = INT64_MIN;
        static char last[20];
        int64_t seconds = time_ns / SECOND_NS, ns = time_ns % SECOND_NS;

        if (ns < 0) {
                ns += SECOND_NS;
                seconds--;
        }
        if (seconds != last_seconds) {
                seconds_format(last, seconds);
                last_seconds = seconds;
        }
        memcpy(to, last, 20);
        for (int i = 8; i >= 0; i--, ns /= 10)
                to[20 + i] = (char)('0' + ns % 10);
        to[29] = 'Z';
        to[30] = 0;
        return to + 30;
}

char *number_format(char *to, uint64_t number)
{
        char digits[20], *c = digits + sizeof(digits);
        size_t count;

        do {
                *--c = (char)('0' + number % 10);
                number /= 10;
        } while (number);
        count = (size_t)(digits + sizeof(digits) - c);
        memcpy(to, c, count);
        return to + count;
}

const char *size_format(char to[SIZE_TEXT_BYTES], uint64_t bytes, int exact)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double value = (double)bytes;
        int unit = 0;

        if (bytes == UINT64_MAX)
                return strcpy(to, "?");
        while (value >= 1023.95 && unit < 6) {
                value /= 1024;
                unit++;
        }
        if (exact || unit == 0)
                snprintf(to, SIZE_TEXT_BYTES, "%llu%s", (unsigned long long)bytes,
                         exact ? "" : " B");
        else
                snprintf(to, SIZE_TEXT_BYTES, "%.1f %s", value, units[unit]);
        return to;
}
