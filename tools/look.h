/*
 * look.h - what the verbs that describe a store have in common: -o table|json and -b
 */
#ifndef TOOL_LOOK_H
#define TOOL_LOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "numbers.h"
#include "times.h"

/* Print @value on one line, keys in the order they were set, and drop it. A status. */
int look_print_json(json_t *value);

/* Unknown (UINT64_MAX) is null. */
json_t *look_number(uint64_t number);

/* RFC 3339; 0 is null. */
json_t *look_time(int64_t time_ns);

/* RFC 3339, or "-" for 0. Returns @to. */
const char *look_time_text(char to[TIME_TEXT_BYTES], int64_t time_ns);

/* @text is NULL or "table" (false) or "json" (true). -EINVAL otherwise. */
int look_format_parse(const char *text, bool *ret_json);

#define LOOK_OPTIONS(format_variable, bytes_variable)                                           \
        {                                                                                       \
                "output",    'o', POPT_ARG_STRING, &(format_variable), 0, "how it is printed",  \
                "table|json"                                                                    \
        },                                                                                      \
        {                                                                                       \
                "bytes", 'b', POPT_ARG_NONE, &(bytes_variable), 0, "sizes in exact bytes", NULL \
        }

#endif
