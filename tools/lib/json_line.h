/*
 * json_line.h - the few members of a JSON object that are wanted, whatever else it holds
 */
#ifndef TOOL_JSON_LINE_H
#define TOOL_JSON_LINE_H

#include <jansson.h>
#include <stddef.h>

#define JSON_LINE_DEPTH 2048 /* how deep a value may nest */

struct json_member {
        const char *name;
        const char *value; /* where it stands in the line; NULL: no such member */
        size_t size;
};

/* Check that @line is one JSON object and find the values of @count members in it; of two with the
 * same name the last. Takes no memory. Returns NULL, or what is wrong with the line. */
const char *json_line_find(const char *line, size_t size, struct json_member *members,
                           size_t count);

/*
 * Get the bytes of a value that must be a string. If the line holds them as they are, *ret_owner is
 * NULL; else it holds them, for json_decref(). No zero ends them. -EINVAL: no string, or not UTF-8.
 * -ENOMEM.
 */
int json_line_string(const struct json_member *member, json_t **ret_owner, const char **ret_data,
                     size_t *ret_size);

#endif
