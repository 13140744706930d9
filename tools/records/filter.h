/*
 * filter.h - which records of a range are printed
 */
#ifndef TOOL_FILTER_H
#define TOOL_FILTER_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "logstore.h"

struct filter {
        bool has_pattern, invert;
        regex_t pattern;
        int64_t since_ns, until_ns; /* both included, of the record's own time */
};

#define FILTER_INIT                                          \
        {                                                    \
                .since_ns = INT64_MIN, .until_ns = INT64_MAX \
        }

void filter_free(struct filter *filter);

/* -g, -i and -v. A status, its line printed. */
int filter_set_pattern(struct filter *filter, const char *text, bool ignore_case, bool invert);

/* --own-time. Words of times that were checked before, or NULL. */
void filter_set_times(struct filter *filter, const char *since, const char *until);

/* 1 or 0, or as pattern_find(). */
int filter_wants(const struct filter *filter, const struct logstore_record *record);

#endif
