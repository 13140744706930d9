/*
 * input_private.h - what the files of the input share
 */
#ifndef TOOL_INPUT_PRIVATE_H
#define TOOL_INPUT_PRIVATE_H

#include "records/input.h"

/* Say in in->problem what is wrong with the record that is looked at, and return @error. */
int input_problem(struct input *in, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* It is longer than a record of this store: -EMSGSIZE. */
int input_too_long(struct input *in, const char *at_least, size_t size);

/* Take up to the delimiter, or all that is left at the end of the input. @limit is in bytes.
 * Returns 1, 0 or an error as input_take(). */
int input_take_line(struct input *in, size_t limit, const char **ret_data, size_t *ret_size);

/* The next line that is not blank, as JSON. */
int input_take_json(struct input *in, struct logstore_entry *ret);

#endif
