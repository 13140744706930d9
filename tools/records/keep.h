/*
 * keep.h - how much of the log is kept: --keep-size, --keep-time, --keep-count
 */
#ifndef TOOL_KEEP_H
#define TOOL_KEEP_H

#include <popt.h>
#include <stdbool.h>
#include <stdint.h>

struct keep {
        char *size_text, *time_text, *count_text; /* as given, or NULL */
        uint64_t bytes, records;                  /* 0: no limit */
        int64_t ns;
};

/* The options, into a struct keep of its own. */
#define KEEP_OPTIONS(keep)                                                                         \
        {                                                                                          \
                "keep-size", 0, POPT_ARG_STRING, &(keep).size_text, 0, "keep at most this much",   \
                "SIZE"                                                                             \
        },                                                                                         \
                { "keep-time",       0, POPT_ARG_STRING,                                           \
                  &(keep).time_text, 0, "keep what is younger than this",                          \
                  "DURATION" },                                                                    \
        {                                                                                          \
                "keep-count", 0, POPT_ARG_STRING, &(keep).count_text, 0, "keep at most N records", \
                        "N"                                                                        \
        }

/* A status. */
int keep_parse(struct keep *keep);

static inline bool keep_wanted(const struct keep *keep)
{
        return keep->bytes || keep->records || keep->ns;
}

#endif
