/*
 * remote_detail.c - one line about the last failure in this thread
 */
#include "remote/remote_detail.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char line[512];

int remote_detail(int error, const char *format, ...)
{
        char text[sizeof(line)]; /* an argument may be the line itself */
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        memcpy(line, text, sizeof(line));
        return error;
}

int remote_detail_within(int error, const char *format, ...)
{
        char prefix[sizeof(line)], before[sizeof(line)];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(prefix, sizeof(prefix), format, arguments);
        va_end(arguments);
        memcpy(before, line, sizeof(before));
        return remote_detail(error, "%s: %s", prefix, before);
}

const char *remote_detail_line(void)
{
        return line;
}
