/*
 * remote_clock.h - this machine's two clocks, sleeping, and times as servers write them
 */
#ifndef LOGSTORE_REMOTE_CLOCK_H
#define LOGSTORE_REMOTE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t clock_boot_ns(void); /* goes on while the machine sleeps; nobody sets it */
int64_t clock_real_ns(void); /* since 1970 */

/* How long to wait before a request that got no answer so often is sent again: 50 ms, twice as long
 * each time, 6.4 s at most. */
int64_t clock_backoff_ns(unsigned tries);

/* Sleep so long, or until @stopped is not 0. NULL: nothing stops it. Returns whether it slept to
 * the end. */
bool clock_sleep(int64_t ns, const atomic_int *stopped);

/* "2026-01-02T03:04:05.678Z", the fraction may be absent. 0: it is nothing of the kind. */
int64_t clock_parse_iso(const char *text);

/* "Fri, 02 Jan 2026 03:04:05 GMT", the form of HTTP. 0: it is nothing of the kind. */
int64_t clock_parse_http(const char *text);

#endif
