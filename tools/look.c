/*
 * look.c - what the verbs that describe a store have in common
 */
#include "look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

int look_print_json(json_t *value)
{
        int r = value ? json_dumpf(value, stdout, JSON_PRESERVE_ORDER) : -1;

        json_decref(value);
        if (r < 0)
                return report_file(-ENOMEM, "JSON");
        putchar('\n');
        return report_stdout();
}

json_t *look_number(uint64_t number)
{
        return number == UINT64_MAX ? json_null() : json_integer((json_int_t)number);
}

json_t *look_time(int64_t time_ns)
{
        char text[TIME_TEXT_BYTES];

        if (time_ns == 0)
                return json_null();
        time_format(text, time_ns);
        return json_string(text);
}

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
