/*
 * output.h - one record as bytes on standard output
 */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <stddef.h>

#include "lib/buffer.h"
#include "logstore.h"

enum output_format {
        OUTPUT_TEXT,   /* the payload and a newline */
        OUTPUT_SHORT,  /* time, number, and the same */
        OUTPUT_RAW,    /* the payload */
        OUTPUT_LENGTH, /* 4 bytes of little-endian length, then the payload */
        OUTPUT_JSON,   /* a line: {"number":N,"time":"...","data":"..."} */
        OUTPUT_HEX,    /* a line of lower-case hexadecimal digits */
};

#define RAW_CONTROL_OPTION(wanted)                                          \
        {                                                                   \
                "raw-control", 0, POPT_ARG_NONE, &(wanted), 0,              \
                        "print control characters to a terminal, too", NULL \
        }

struct output {
        struct buffer buffer;
        enum output_format format;
        char terminator; /* of OUTPUT_TEXT and OUTPUT_SHORT */
};

/* "text", "short", "raw", "len32", "jsonl", "hex"; NULL leaves *ret alone. -EINVAL. */
int output_format_parse(const char *name, enum output_format *ret);

/* Errors stay in output->buffer.error. */
void output_record(struct output *output, const struct logstore_record *record);
void output_number(struct output *output, uint64_t number); /* a line */

#endif
