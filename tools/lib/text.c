/*
 * text.c - bytes as JSON strings, base64, hexadecimal digits, and what a terminal may be shown
 *
 * Why not the JSON library, which the tool uses to read JSON: its dump of an object for each record
 * walks a string character by character and allocates; docs/TOOL.md has the figures. What is
 * written here is what that library would write, byte for byte, and a test holds it to that.
 */
#include "lib/text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define EVERY_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load8(const uint8_t *bytes)
{
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        return word;
}

/* High bits are set where a byte of @word is 0; may also be set above such a byte. */
static uint64_t zero_bytes(uint64_t word)
{
        return (word - EVERY_BYTE) & ~word;
}

/* Not 0 if a byte of @word is below space, above ASCII, a quote or a backslash. */
static uint64_t special_bytes(uint64_t word)
{
        return (word | (word - EVERY_BYTE * ' ') | zero_bytes(word ^ (EVERY_BYTE * '"')) |
                zero_bytes(word ^ (EVERY_BYTE * '\\'))) &
               HIGH_BITS;
}

static bool is_special(uint8_t byte)
{
        return byte < ' ' || byte >= 0x80 || byte == '"' || byte == '\\';
}

bool text_is_plain(const void *data, size_t size)
{
        const uint8_t *c = data, *end = c + size;

        for (; end - c >= 8; c += 8)
                if (special_bytes(load8(c)))
                        return false;
        for (; c < end; c++)
                if (is_special(*c))
                        return false;
        return true;
}

/* Length of the well-formed character at @c, 0 if there is none. Not for ASCII. */
static size_t character_bytes(const uint8_t *c, const uint8_t *end)
{
        size_t size = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
        uint8_t low = 0x80, high = 0xbf;

        if (c[0] < 0xc2 || c[0] > 0xf4 || (size_t)(end - c) < size)
                return 0;
        if (c[0] == 0xe0)
                low = 0xa0;
        else if (c[0] == 0xed)
                high = 0x9f;
        else if (c[0] == 0xf0)
                low = 0x90;
        else if (c[0] == 0xf4)
                high = 0x8f;
        if (c[1] < low || c[1] > high)
                return 0;
        for (size_t i = 2; i < size; i++)
                if ((c[i] & 0xc0) != 0x80)
                        return 0;
        return size;
}

bool text_is_utf8(const void *data, size_t size)
{
        const uint8_t *c = data, *end = c + size;

        while (c < end) {
                size_t bytes = 1;

                if (end - c >= 8 && !(load8(c) & HIGH_BITS)) {
                        c += 8;
                        continue;
                }
                if (*c >= 0x80)
                        bytes = character_bytes(c, end);
                if (bytes == 0)
                        return false;
                c += bytes;
        }
        return true;
}

static char *escape(char *to, uint8_t byte)
{
        static const char names[] = "btn.fr"; /* of 8 to 13 */

        *to++ = '\\';
        if (byte == '"' || byte == '\\') {
                *to++ = (char)byte;
        } else if (byte >= 8 && byte <= 13 && byte != 11) {
                *to++ = names[byte - 8];
        } else {
                memcpy(to, "u00", 3);
                to[3] = "01"[byte >> 4];
                to[4] = "0123456789ABCDEF"[byte & 15];
                to += 5;
        }
        return to;
}

char *text_json(char *to, const void *data, size_t size)
{
        const uint8_t *c = data, *end = c + size;

        while (c < end) {
                if (end - c >= 8 && !special_bytes(load8(c))) {
                        memcpy(to, c, 8);
                        to += 8;
                        c += 8;
                } else if (!is_special(*c) || *c >= 0x80) {
                        *to++ = (char)*c++;
                } else {
                        to = escape(to, *c++);
                }
        }
        return to;
}

/* Of a character of several bytes: does a terminal act on it? */
static bool is_acted_on(const uint8_t *c, size_t bytes)
{
        if (bytes == 2)
                return c[0] == 0xc2 && c[1] < 0xa0; /* U+0080 to U+009F */
        if (bytes == 3 && c[0] == 0xe2)
                return (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) || /* U+2028 to U+202E */
                       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);   /* U+2066 to U+2069 */
        return false;
}

/* How many bytes from @c on can be shown as they are; 0: the first cannot. */
static size_t shown_bytes(const uint8_t *c, const uint8_t *end, const char *allowed)
{
        size_t bytes;

        if (*c < 0x80)
                return (*c >= ' ' && *c < 0x7f) || (*c && strchr(allowed, *c));
        bytes = character_bytes(c, end);
        return bytes && !is_acted_on(c, bytes) ? bytes : 0;
}

char *text_visible(char *to, const void *data, size_t size, const char *allowed)
{
        const uint8_t *c = data, *end = c + size;

        while (c < end) {
                size_t bytes = shown_bytes(c, end, allowed);

                if (bytes) {
                        memcpy(to, c, bytes);
                        to += bytes;
                        c += bytes;
                } else {
                        *to++ = '\\';
                        *to++ = 'x';
                        *to++ = hex_digits[*c >> 4];
                        *to++ = hex_digits[*c++ & 15];
                }
        }
        return to;
}

size_t text_cut_bytes(const void *data, size_t size)
{
        const uint8_t *end = (const uint8_t *)data + size;

        for (size_t bytes = 1; bytes <= 3 && bytes <= size; bytes++)
                if (end[-(ptrdiff_t)bytes] >= 0xc0)
                        return bytes;
        return 0;
}

char *text_visible_line(char *to, const char *text)
{
        *text_visible(to, text, strlen(text), "") = 0;
        return to;
}

char *text_base64(char *to, const void *data, size_t size)
{
        const uint8_t *c = data;

        for (; size >= 3; size -= 3, c += 3) {
                uint32_t bits = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];

                *to++ = base64_digits[bits >> 18];
                *to++ = base64_digits[bits >> 12 & 63];
                *to++ = base64_digits[bits >> 6 & 63];
                *to++ = base64_digits[bits & 63];
        }
        if (size) {
                uint32_t bits = (uint32_t)c[0] << 16 | (size == 2 ? (uint32_t)c[1] << 8 : 0);

                *to++ = base64_digits[bits >> 18];
                *to++ = base64_digits[bits >> 12 & 63];
                *to++ = size == 2 ? base64_digits[bits >> 6 & 63] : '=';
                *to++ = '=';
        }
        return to;
}

static int base64_value(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int text_base64_decode(void *to, const char *data, size_t size, size_t *ret_size)
{
        uint8_t *out = to;
        uint32_t bits = 0;
        size_t digits;

        if (size % 4)
                return -EINVAL;
        for (digits = size; digits && size - digits < 2 && data[digits - 1] == '='; digits--)
                ;
        for (size_t i = 0; i < digits; i++) {
                int value = base64_value(data[i]);

                if (value < 0)
                        return -EINVAL;
                bits = bits << 6 | (uint32_t)value;
                if (i % 4)
                        *out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
        *ret_size = (size_t)(out - (uint8_t *)to);
        return 0;
}

char *text_hex(char *to, const void *data, size_t size)
{
        const uint8_t *c = data;

        for (size_t i = 0; i < size; i++) {
                *to++ = hex_digits[c[i] >> 4];
                *to++ = hex_digits[c[i] & 15];
        }
        return to;
}
