/*
 * range.h - which records are meant: by number, by time, from the ends
 */
#ifndef TOOL_RANGE_H
#define TOOL_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "records/source.h"

/* As written by the user; NULL where nothing was said. */
struct range_text {
        const char *from, *to, *since, *until;
};

/* Numbers, both included; empty if last < first. */
struct range {
        uint64_t first, last;
        int64_t since_ns; /* if the log has not reached --since: that, else INT64_MIN */
        int64_t until_ns; /* INT64_MAX: no end in time */
};

/* first, last, N, or -N for the Nth from the end. -EINVAL not one of these. N is taken as it is; -N
 * of a log that has no so many is the number before the first. */
int range_number(const char *text, const struct logstore_bounds *bounds, uint64_t *ret);

/* Check the words alone; a status, its line printed. */
int range_check(const struct range_text *text);

/*
 * The numbers that @text means in the log as it is. With @follow the end is open unless --to or
 * --until says it, and the start may be beyond the tail. A status, its line printed: STATUS_NO if
 * the first number is not there.
 */
int range_resolve(const struct range_text *text, const struct logstore_bounds *bounds,
                  const struct source *source, bool follow, struct range *ret);

/* FROM..TO, FROM.. or ..TO or one number, of the words above, for warm and evict; NULL is all. */
int range_parse_both(const char *text, const struct logstore_bounds *bounds, struct range *ret);

#endif
