/*
 * remote_text.c - a text that grows
 */
#include "remote/remote_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

/* realloc() would leave the old bytes behind somewhere. */
static bool grow(struct text *text, size_t room_bytes)
{
        char *bytes = malloc(room_bytes);

        if (!bytes)
                return false;
        if (text->bytes) {
                memcpy(bytes, text->bytes, text->size + 1);
                explicit_bzero(text->bytes, text->room_bytes);
                free(text->bytes);
        }
        text->bytes = bytes;
        text->room_bytes = room_bytes;
        return true;
}

static bool make_room(struct text *text, size_t more)
{
        size_t need;

        if (__builtin_add_overflow(text->size, more, &need) || need > SIZE_MAX / 2 - 1)
                text->failed = true;
        else if (need >= text->room_bytes && !grow(text, need + need / 2 + 64))
                text->failed = true;
        return !text->failed;
}

void text_add_bytes(struct text *text, const void *bytes, size_t size)
{
        if (text->failed || !make_room(text, size))
                return;
        if (size)
                memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
        text->bytes[text->size] = 0;
}

void text_add(struct text *text, const char *string)
{
        text_add_bytes(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
        va_list arguments;
        char *line;
        int size;

        va_start(arguments, format);
        size = vasprintf(&line, format, arguments);
        va_end(arguments);
        if (size < 0) {
                text->failed = true;
                return;
        }
        text_add_bytes(text, line, (size_t)size);
        explicit_bzero(line, (size_t)size);
        free(line);
}

static bool is_unreserved(unsigned char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("-._~", c));
}

void text_add_escaped(struct text *text, const char *string)
{
        for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
                if (is_unreserved(*c))
                        text_add_bytes(text, c, 1);
                else
                        text_printf(text, "%%%02X", *c);
        }
}

const char *text_string(const struct text *text)
{
        return text->bytes ? text->bytes : "";
}

int text_check(const struct text *text)
{
        return text->failed ? remote_detail(-ENOMEM, "out of memory") : 0;
}

void text_clear(struct text *text)
{
        text->size = 0;
        text->failed = false;
        if (text->bytes)
                text->bytes[0] = 0;
}

void text_free(struct text *text)
{
        if (text->bytes)
                explicit_bzero(text->bytes, text->room_bytes);
        free(text->bytes);
        *text = (struct text){ 0 };
}

bool text_only_has(const char *text, size_t size, const char *more)
{
        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c && strchr(more, c))))
                        return false;
        }
        return true;
}
