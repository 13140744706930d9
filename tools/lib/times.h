/*
 * times.h - points in time as people write and read them
 */
#ifndef TOOL_TIMES_H
#define TOOL_TIMES_H

#include <stdint.h>

/* In the option table of a verb, which then calls times_are_local() if it was said. */
#define LOCAL_TIME_OPTION(variable)                                        \
        {                                                                  \
                "local-time", 0, POPT_ARG_NONE, &(variable), 0,            \
                        "times are in the local zone instead of UTC", NULL \
        }

/* From now on times are printed in the system's zone (TZ), and words without a zone are in it. */
void times_are_local(void);

/*
 * RFC 3339, with or without seconds and zone; a date; HH:MM of today; today, yesterday (their first
 * moment), now; @SECONDS[.FRACTION]; -DURATION before now. -EINVAL: none of these. -ERANGE: a time
 * that 64 bits of nanoseconds do not reach, see TIME_RANGE_TEXT.
 */
int time_parse(const char *text, int64_t *ret_ns);

/* Only those words that mean the same at any time: RFC 3339 and dates. Without a zone: UTC. */
int time_parse_fixed(const char *text, int64_t *ret_ns);

#define TIME_RANGE_TEXT "times go from 1677-09-21T00:12:44Z to 2262-04-11T23:47:16Z"

#define TIME_TEXT_BYTES 36 /* "2026-11-21T14:33:11.123456789+01:00" and the zero */

/* Write RFC 3339 with nine digits, in UTC unless times are local, and a zero. Returns its place. */
char *time_format(char *to, int64_t time_ns);

/* For measuring; ns. */
int64_t times_monotonic(void);

#endif
