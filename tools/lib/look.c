/*
 * look.c - what the verbs that describe a store have in common
 */
#include "lib/look.h"

#include <errno.h>
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
