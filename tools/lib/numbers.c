/*
 * numbers.c - numbers, sizes and durations as people write and read them
 *
 * Every number of the command line is parsed here: decimal, whole, to the last character.
 */
#include "lib/numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

struct unit {
        const char *name;
        uint64_t factor;
};

static const struct unit size_units[] = {
        { "", 1 },
        { "B", 1 },
        { "K", UINT64_C(1) << 10 },
        { "k", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "m", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { "g", UINT64_C(1) << 30 },
        { "T", UINT64_C(1) << 40 },
        { "t", UINT64_C(1) << 40 },
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

static int digits_parse(const char **text, uint64_t *ret)
{
        uint64_t number = 0;

        if (**text < '0' || **text > '9')
                return -EINVAL;
        for (; **text >= '0' && **text <= '9'; (*text)++)
                if (__builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, (uint64_t)(**text - '0'), &number))
                        return -ERANGE;
        *ret = number;
        return 0;
}

int number_parse(const char *text, uint64_t *ret)
{
        uint64_t number;
        int r = digits_parse(&text, &number);

        if (r < 0 || *text)
                return r < 0 ? r : -EINVAL;
        *ret = number;
        return 0;
}

int mode_parse(const char *text, uint32_t *ret)
{
        size_t digits = strspn(text, "01234567");

        if (digits == 0 || digits > 5 || text[digits])
                return -EINVAL;
        *ret = (uint32_t)strtoul(text, NULL, 8);
        return 0;
}

#define FRACTION_ONE UINT64_C(1000000000000000000)

/* Read the digits after a point, at least one, as a part of FRACTION_ONE. Those after the 18th do
 * not count. */
static int fraction_parse(const char **text, uint64_t *ret)
{
        uint64_t unit = FRACTION_ONE / 10, sum = 0;

        if (**text < '0' || **text > '9')
                return -EINVAL;
        for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
                sum += (uint64_t)(**text - '0') * unit;
        *ret = sum;
        return 0;
}

/* The unit that @text begins with: its letters, all of them. */
static const struct unit *unit_parse(const char **text, const struct unit *units)
{
        size_t size = 0;

        while ((*text)[size] && !strchr("0123456789.", (*text)[size]))
                size++;
        for (; units->name; units++)
                if (strlen(units->name) == size && strncmp(units->name, *text, size) == 0) {
                        *text += size;
                        return units;
                }
        return NULL;
}

/* "12.5" and one of @units; rounded down to a whole number. -ERANGE if that is no int64_t. */
static int scaled_parse(const char **text, const struct unit *units, uint64_t *ret)
{
        const struct unit *unit;
        uint64_t whole, fraction = 0;
        unsigned __int128 sum;
        int r = digits_parse(text, &whole);

        if (r < 0)
                return r;
        if (**text == '.') {
                (*text)++;
                if (fraction_parse(text, &fraction) < 0)
                        return -EINVAL;
        }
        unit = unit_parse(text, units);
        if (!unit)
                return -EINVAL;
        sum = (unsigned __int128)whole * unit->factor +
              (unsigned __int128)fraction * unit->factor / FRACTION_ONE;
        if (sum > INT64_MAX)
                return -ERANGE;
        *ret = (uint64_t)sum;
        return 0;
}

int size_parse(const char *text, uint64_t *ret)
{
        uint64_t bytes;
        int r = scaled_parse(&text, size_units, &bytes);

        if (r < 0 || *text)
                return r < 0 ? r : -EINVAL;
        *ret = bytes;
        return 0;
}

int duration_parse(const char *text, int64_t *ret)
{
        int64_t sum = 0;
        uint64_t ns;

        do {
                int r = scaled_parse(&text, duration_units, &ns);

                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, (int64_t)ns, &sum))
                        return -ERANGE;
        } while (*text);
        *ret = sum;
        return 0;
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
