/*
 * look.c - what the verbs that describe a store have in common
 */
#include "lib/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *look_time_text(char to[TIME_TEXT_BYTES], int64_t time_ns)
{
        if (time_ns == 0)
                return strcpy(to, "-");
        time_format(to, time_ns);
        return to;
}

int look_format_parse(const char *text, bool *ret_json)
{
        *ret_json = text && strcmp(text, "json") == 0;
        return !text || *ret_json || strcmp(text, "table") == 0 ? 0 : -EINVAL;
}

void look_line_number(const char *name, uint64_t number)
{
        printf("%-14s %" PRIu64 "\n", name, number);
}

void look_line_size(const char *name, uint64_t bytes, bool exact)
{
        char text[SIZE_TEXT_BYTES];

        printf("%-14s %s\n", name, size_format(text, bytes, exact));
}
