/*
 * text.h - bytes as JSON strings, base64 and hexadecimal digits
 */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* No byte that JSON would escape and none outside of ASCII: can be copied as it is. */
bool text_is_plain(const void *data, size_t size);

/* Well-formed UTF-8 by Unicode's table 3-7: no overlong forms, no surrogates, up to U+10FFFF. */
bool text_is_utf8(const void *data, size_t size);

/* The inside of a JSON string for UTF-8 @data; at most 6 * @size characters. Returns their end. */
char *text_json(char *to, const void *data, size_t size);

/* 4 characters for every 3 bytes begun, with padding. Returns their end. */
char *text_base64(char *to, const void *data, size_t size);

/* The bytes of @size characters of base64 to @to (3 for every 4), their count to *ret_size.
 * -EINVAL: not base64. */
int text_base64_decode(void *to, const char *data, size_t size, size_t *ret_size);

/* At most so many characters for @size bytes, with a zero at the end. */
#define TEXT_VISIBLE_BYTES(size) (4 * (size) + 1)

/*
 * Write \xHH for each byte that a terminal would act on (control characters, also those of U+0080
 * to U+009F, and what turns the direction of writing) and for each that is not UTF-8. @allowed
 * lists characters that stay, "\n\t" for instance. Returns the end.
 */
char *text_visible(char *to, const void *data, size_t size, const char *allowed);

/* So many bytes at the end of @data (at most 3) may be the beginning of a character. */
size_t text_cut_bytes(const void *data, size_t size);

/* The same of a string that is to be part of a line, with a zero at its end. Returns @to. */
char *text_visible_line(char *to, const char *text);

/* Two lower-case digits a byte. Returns their end. */
char *text_hex(char *to, const void *data, size_t size);

#endif
