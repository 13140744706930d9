/*
 * json_line.c - the few members of a JSON object that are wanted, whatever else it holds
 *
 * Why not one call of the JSON library: it builds everything that the line holds, which takes many
 * times the line's size. It follows nesting by recursion. It refuses values that we do not need
 * (numbers out of range, zero bytes in keys). So we walk over the line here, with one bit of memory
 * for each level of nesting. The library decodes only the wanted strings that have escapes.
 *
 * Each function moves `at` over one thing. If it is not there, it sets `problem` and returns false.
 */
#include "lib/json_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text.h"

#define NAME_BYTES 64 /* of a wanted name, each character as an escape, with its quotes */

struct walk {
        const char *at, *end;
        const char *problem;
        unsigned int depth;
        uint8_t objects[JSON_LINE_DEPTH / 8]; /* a bit for each level: object, else array */
};

static bool fail(struct walk *walk, const char *problem)
{
        walk->problem = walk->at == walk->end ? "it ends too early" : problem;
        return false;
}

static bool is_next(const struct walk *walk, char c)
{
        return walk->at < walk->end && *walk->at == c;
}

static bool take(struct walk *walk, char c)
{
        if (!is_next(walk, c))
                return false;
        walk->at++;
        return true;
}

static void space(struct walk *walk)
{
        while (is_next(walk, ' ') || is_next(walk, '\t') || is_next(walk, '\r') ||
               is_next(walk, '\n'))
                walk->at++;
}

/* ---- scalars ---- */

static bool escape(struct walk *walk)
{
        if (take(walk, 'u')) {
                for (int i = 0; i < 4; i++, walk->at++)
                        if (walk->at == walk->end ||
                            !memchr("0123456789abcdefABCDEF", *walk->at, 22))
                                return fail(walk, "an escape is wrong");
                return true;
        }
        if (walk->at == walk->end || !memchr("\"\\/bfnrt", *walk->at, 8))
                return fail(walk, "an escape is wrong");
        walk->at++;
        return true;
}

static bool string(struct walk *walk)
{
        if (!take(walk, '"'))
                return fail(walk, "wanted a string");
        while (walk->at < walk->end) {
                uint8_t byte = (uint8_t)*walk->at;

                if (byte < ' ')
                        return fail(walk, "a control character in a string");
                walk->at++;
                if (byte == '"')
                        return true;
                if (byte == '\\' && !escape(walk))
                        return false;
        }
        return fail(walk, "");
}

static bool digits(struct walk *walk)
{
        const char *from = walk->at;

        while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
                walk->at++;
        return walk->at > from || fail(walk, "a number is wrong");
}

static bool number(struct walk *walk)
{
        (void)take(walk, '-');
        if (!take(walk, '0') && !digits(walk))
                return false;
        if (take(walk, '.') && !digits(walk))
                return false;
        if (take(walk, 'e') || take(walk, 'E')) {
                if (!take(walk, '+'))
                        (void)take(walk, '-');
                return digits(walk);
        }
        return true;
}

static bool scalar(struct walk *walk)
{
        static const char *const words[] = { "true", "false", "null" };

        if (is_next(walk, '"'))
                return string(walk);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t size = strlen(words[i]);

                if ((size_t)(walk->end - walk->at) >= size &&
                    memcmp(walk->at, words[i], size) == 0) {
                        walk->at += size;
                        return true;
                }
        }
        if (walk->at < walk->end && memchr("-0123456789", *walk->at, 11))
                return number(walk);
        return fail(walk, "wanted a value");
}

/* ---- nesting ---- */

static bool in_object(const struct walk *walk)
{
        return walk->objects[walk->depth / 8] >> walk->depth % 8 & 1;
}

static bool enter(struct walk *walk, bool object)
{
        if (walk->depth == JSON_LINE_DEPTH - 1)
                return fail(walk, "it is nested too deep");
        walk->at++;
        walk->depth++;
        walk->objects[walk->depth / 8] &= (uint8_t) ~(1u << walk->depth % 8);
        walk->objects[walk->depth / 8] |= (uint8_t)(object << walk->depth % 8);
        return true;
}

/* A name and its colon. */
static bool name(struct walk *walk)
{
        space(walk);
        if (!string(walk))
                return false;
        space(walk);
        return take(walk, ':') || fail(walk, "wanted a colon");
}

/* After a value: leave what ends here, up to the level @outer. *ret_more: another value follows. */
static bool leave(struct walk *walk, unsigned int outer, bool *ret_more)
{
        *ret_more = false;
        for (; walk->depth > outer; walk->depth--) {
                space(walk);
                if (take(walk, ',')) {
                        *ret_more = true;
                        return !in_object(walk) || name(walk);
                }
                if (!take(walk, in_object(walk) ? '}' : ']'))
                        return fail(walk, "wanted a comma or an end");
        }
        return true;
}

static bool value(struct walk *walk)
{
        unsigned int outer = walk->depth;
        bool more = true;

        while (more) {
                space(walk);
                if (is_next(walk, '{') || is_next(walk, '[')) {
                        bool object = is_next(walk, '{');

                        if (!enter(walk, object))
                                return false;
                        space(walk);
                        if (!is_next(walk, object ? '}' : ']')) {
                                if (object && !name(walk))
                                        return false;
                                continue;
                        }
                } else if (!scalar(walk)) {
                        return false;
                }
                if (!leave(walk, outer, &more))
                        return false;
        }
        return true;
}

/* ---- what is wanted ---- */

/* A name in the line may be spelled with escapes. */
static bool is_name(const struct json_member *spelled, const char *name)
{
        json_t *owner;
        const char *data;
        size_t size;
        bool is;

        if (spelled->size > NAME_BYTES || json_line_string(spelled, &owner, &data, &size) < 0)
                return false;
        is = size == strlen(name) && memcmp(data, name, size) == 0;
        json_decref(owner);
        return is;
}

static bool member(struct walk *walk, struct json_member *members, size_t count)
{
        struct json_member spelled = { .name = NULL };
        const char *from;

        space(walk);
        spelled.value = walk->at;
        if (!string(walk))
                return false;
        spelled.size = (size_t)(walk->at - spelled.value);
        space(walk);
        if (!take(walk, ':'))
                return fail(walk, "wanted a colon");
        space(walk);
        from = walk->at;
        if (!value(walk))
                return false;
        for (size_t i = 0; i < count; i++)
                if (is_name(&spelled, members[i].name)) {
                        members[i].value = from;
                        members[i].size = (size_t)(walk->at - from);
                }
        return true;
}

static bool object(struct walk *walk, struct json_member *members, size_t count)
{
        space(walk);
        if (!take(walk, '{'))
                return fail(walk, "wanted an object");
        space(walk);
        if (take(walk, '}'))
                return true;
        do {
                if (!member(walk, members, count))
                        return false;
                space(walk);
        } while (take(walk, ','));
        return take(walk, '}') || fail(walk, "wanted a comma or an end");
}

const char *json_line_find(const char *line, size_t size, struct json_member *members, size_t count)
{
        struct walk walk = { .at = line, .end = line + size };

        for (size_t i = 0; i < count; i++)
                members[i].value = NULL;
        if (!object(&walk, members, count))
                return walk.problem;
        space(&walk);
        return walk.at == walk.end ? NULL : "something is behind the object";
}

int json_line_string(const struct json_member *member, json_t **ret_owner, const char **ret_data,
                     size_t *ret_size)
{
        json_error_t error;

        if (member->value[0] != '"')
                return -EINVAL;
        *ret_owner = NULL;
        *ret_data = member->value + 1;
        *ret_size = member->size - 2;
        if (!memchr(*ret_data, '\\', *ret_size))
                return text_is_utf8(*ret_data, *ret_size) ? 0 : -EINVAL;
        *ret_owner =
                json_loadb(member->value, member->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!*ret_owner)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
        *ret_data = json_string_value(*ret_owner);
        *ret_size = json_string_length(*ret_owner);
        return 0;
}
