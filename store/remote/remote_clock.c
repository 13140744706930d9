/*
 * remote_clock.c - this machine's two clocks, and times as servers write them
 */
#include "remote/remote_clock.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
        struct timespec now = { 0 };

        clock_gettime(clock, &now); /* both clocks are always there */
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_boot_ns(void)
{
        return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_real_ns(void)
{
        return read_clock(CLOCK_REALTIME);
}

int64_t clock_backoff_ns(unsigned tries)
{
        return 50 * NS_PER_MS << (tries < 7 ? tries : 7);
}

/* In slices, since whoever stops it cannot wake it. */
bool clock_sleep(int64_t ns, const atomic_int *stopped)
{
        while (ns > 0 && !(stopped && *stopped)) {
                int64_t slice = ns < NS_PER_S / 10 ? ns : NS_PER_S / 10;

                nanosleep(&(struct timespec){ 0, slice }, NULL);
                ns -= slice;
        }
        return !(stopped && *stopped);
}

/* Exactly @digits digits at *@at, which moves on. -1: something else is there. */
static int number(const char **at, int digits)
{
        int value = 0;

        for (int i = 0; i < digits; i++, ++*at) {
                if (!isdigit((unsigned char)**at))
                        return -1;
                value = value * 10 + (**at - '0');
        }
        return value;
}

static int expect(const char **at, const char *word)
{
        if (strncmp(*at, word, strlen(word)) != 0)
                return -1;
        *at += strlen(word);
        return 0;
}

static int64_t seconds_to_ns(struct tm *parts)
{
        int day = parts->tm_mday;
        time_t seconds;

        if (parts->tm_year < 70 || parts->tm_mon < 0 || parts->tm_mon > 11 || day < 1 || day > 31 ||
            parts->tm_hour > 23 || parts->tm_min > 59 || parts->tm_sec > 60)
                return 0;
        seconds = timegm(parts);
        return seconds > 0 && seconds < INT64_C(9000000000) ? seconds * NS_PER_S : 0;
}

/* ".678": nanoseconds. -1: nothing of the kind. */
static int64_t fraction(const char **at)
{
        int64_t unit_ns = NS_PER_S, ns = 0;

        if (expect(at, ".") < 0)
                return 0;
        if (!isdigit((unsigned char)**at))
                return -1;
        for (; isdigit((unsigned char)**at); ++*at) {
                unit_ns /= 10;
                ns += (**at - '0') * unit_ns;
        }
        return ns;
}

int64_t clock_parse_iso(const char *text)
{
        struct tm parts = { 0 };
        const char *at = text;
        int64_t ns, more_ns;
        int bad = 0;

        bad |= (parts.tm_year = number(&at, 4)) < 0 || expect(&at, "-") < 0;
        bad |= (parts.tm_mon = number(&at, 2)) < 0 || expect(&at, "-") < 0;
        bad |= (parts.tm_mday = number(&at, 2)) < 0 || expect(&at, "T") < 0;
        bad |= (parts.tm_hour = number(&at, 2)) < 0 || expect(&at, ":") < 0;
        bad |= (parts.tm_min = number(&at, 2)) < 0 || expect(&at, ":") < 0;
        bad |= (parts.tm_sec = number(&at, 2)) < 0;
        more_ns = fraction(&at);
        bad |= more_ns < 0 || expect(&at, "Z") < 0 || *at;
        parts.tm_year -= 1900;
        parts.tm_mon -= 1;
        ns = bad ? 0 : seconds_to_ns(&parts);
        return ns ? ns + more_ns : 0;
}

static int month(const char **at)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

        for (int i = 0; i < 12; i++) {
                if (strncmp(*at, names + (ptrdiff_t)i * 3, 3) == 0) {
                        *at += 3;
                        return i;
                }
        }
        return -1;
}

int64_t clock_parse_http(const char *text)
{
        struct tm parts = { 0 };
        const char *at = strchr(text, ',');
        int bad = 0;

        if (!at || at - text != 3)
                return 0;
        bad |= expect(&at, ", ") < 0;
        bad |= (parts.tm_mday = number(&at, 2)) < 0 || expect(&at, " ") < 0;
        bad |= (parts.tm_mon = month(&at)) < 0 || expect(&at, " ") < 0;
        bad |= (parts.tm_year = number(&at, 4)) < 0 || expect(&at, " ") < 0;
        bad |= (parts.tm_hour = number(&at, 2)) < 0 || expect(&at, ":") < 0;
        bad |= (parts.tm_min = number(&at, 2)) < 0 || expect(&at, ":") < 0;
        bad |= (parts.tm_sec = number(&at, 2)) < 0 || expect(&at, " GMT") < 0 || *at;
        parts.tm_year -= 1900;
        return bad ? 0 : seconds_to_ns(&parts);
}
