/*
 * json_print.c - one JSON value on standard output, member by member
 *
 * Why not the JSON library: its integers are signed, sizes and numbers are not.
 */
#include "lib/json_print.h"

#include <stdio.h>

#include "lib/text.h"
#include "lib/times.h"

#define TEXT_BYTES 1024 /* names and reasons are shorter */

static void begin(struct json_print *print, const char *name)
{
        fputs(print->between, stdout);
        print->between = ", ";
        if (name)
                printf("\"%s\": ", name);
}

void json_print_open(struct json_print *print, const char *name, char bracket)
{
        begin(print, name);
        putchar(bracket);
        print->between = "";
}

void json_print_close(struct json_print *print, char bracket)
{
        putchar(bracket);
        print->between = ", ";
}

void json_print_number(struct json_print *print, const char *name, uint64_t number)
{
        begin(print, name);
        if (number == UINT64_MAX)
                fputs("null", stdout);
        else
                printf("%llu", (unsigned long long)number);
}

/* What is visible needs no escapes but those of the quote and of the backslash. */
static void put_string(const char *text)
{
        char cut[TEXT_BYTES], visible[TEXT_VISIBLE_BYTES(TEXT_BYTES)];

        snprintf(cut, sizeof(cut), "%s", text);
        putchar('"');
        for (const char *c = text_visible_line(visible, cut); *c; c++) {
                if (*c == '"' || *c == '\\')
                        putchar('\\');
                putchar(*c);
        }
        putchar('"');
}

void json_print_text(struct json_print *print, const char *name, const char *text)
{
        begin(print, name);
        if (text)
                put_string(text);
        else
                fputs("null", stdout);
}

void json_print_time(struct json_print *print, const char *name, int64_t time_ns)
{
        char text[TIME_TEXT_BYTES];

        if (time_ns)
                time_format(text, time_ns);
        json_print_text(print, name, time_ns ? text : NULL);
}

void json_print_truth(struct json_print *print, const char *name, int truth)
{
        begin(print, name);
        fputs(truth < 0 ? "null" : truth ? "true" : "false", stdout);
}
