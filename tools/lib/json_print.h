/*
 * json_print.h - one JSON value on standard output, member by member
 */
#ifndef TOOL_JSON_PRINT_H
#define TOOL_JSON_PRINT_H

#include <stdint.h>

/* Begin with { "" }. */
struct json_print {
        const char *between; /* what goes before the next value */
};

/* @name: of the member; NULL in an array, and for the whole. @bracket: { or [. */
void json_print_open(struct json_print *print, const char *name, char bracket);
void json_print_close(struct json_print *print, char bracket);

/* Unknown (UINT64_MAX) is null. */
void json_print_number(struct json_print *print, const char *name, uint64_t number);

/* What a terminal would act on, and what is no UTF-8, is \xHH in it. NULL is null. */
void json_print_text(struct json_print *print, const char *name, const char *text);

/* RFC 3339; 0 is null. */
void json_print_time(struct json_print *print, const char *name, int64_t time_ns);

/* 0 is false, below 0 is null. */
void json_print_truth(struct json_print *print, const char *name, int truth);

#endif
