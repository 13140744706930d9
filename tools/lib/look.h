/*
 * look.h - what the verbs that describe a store have in common: -o table|json and -b
 */
#ifndef TOOL_LOOK_H
#define TOOL_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/numbers.h"
#include "lib/times.h"

/* RFC 3339, or "-" for 0. Returns @to. */
const char *look_time_text(char to[TIME_TEXT_BYTES], int64_t time_ns);

/* @text is NULL or "table" (false) or "json" (true). -EINVAL otherwise. */
int look_format_parse(const char *text, bool *ret_json);

/* One line of a table: "NAME  NUMBER". */
void look_line_number(const char *name, uint64_t number);
void look_line_size(const char *name, uint64_t bytes, bool exact);

#define LOOK_OPTIONS(format_variable, bytes_variable)                                           \
        {                                                                                       \
                "output",    'o', POPT_ARG_STRING, &(format_variable), 0, "how it is printed",  \
                "table|json"                                                                    \
        },                                                                                      \
        {                                                                                       \
                "bytes", 'b', POPT_ARG_NONE, &(bytes_variable), 0, "sizes in exact bytes", NULL \
        }

#endif
