/*
 * input.h - bytes from a descriptor, cut into records
 *
 * The caller takes records until there is none in the buffer, does what it does between two reads,
 * and fills the buffer again:
 *
 *         do {
 *                 while ((r = input_take(in, &entry)) > 0)
 *                         ...
 *         } while (r == 0 && (r = input_fill(in)) > 0);
 */
#ifndef TOOL_INPUT_H
#define TOOL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logstore.h"

enum input_kind {
        INPUT_LINES,  /* ends in a delimiter; a last one without is a record all the same */
        INPUT_LENGTH, /* 4 bytes of little-endian length, then the record */
        INPUT_JSON,   /* a line of JSON: "data" or "data_b64", and "time" */
};

struct input_format {
        enum input_kind kind;
        char delimiter[32]; /* of INPUT_LINES */
        size_t delimiter_bytes;
};

struct input {
        struct input_format format;
        int fd;
        int signal_fd;        /* -1, or polled beside fd */
        bool ended;           /* fd has no more */
        size_t record_limit;  /* longest record, in bytes */
        uint64_t taken;       /* lines or records so far, blank lines too */
        uint64_t place;       /* of the one that is looked at, from 1 */
        uint64_t total_bytes; /* read so far */
        const char *raw;      /* the last record taken as it lies in the input, to the end of its */
        size_t raw_bytes;     /* delimiter; valid as long as the record */
        char *bytes;
        size_t capacity, start, end; /* what is not taken yet lies from start to end */
        size_t scanned;              /* no delimiter before it */
        char *scratch;               /* payload of a decoded record */
        size_t scratch_capacity;
        bool split;         /* lines longer than a record are cut into several, not refused */
        bool cut;           /* the last record was a piece of such a line, and more of it follows */
        uint64_t cut_lines; /* how many were */
        bool pass_line;     /* of what was refused the rest is to be passed over: up to a */
        uint64_t pass_bytes; /* delimiter, or so many bytes */
        const char *fifo;    /* opened anew when its last writer has gone; NULL: input ends there */
        char problem[256];   /* why the last input_take() failed */
};

/* Name of a format ("lines", "nul", "len32", "jsonl") and/or a delimiter with \n \t \0 \xHH
 * escapes; NULL for none. -EINVAL. */
int input_format_parse(const char *name, const char *delimiter, struct input_format *ret);

int input_open(struct input *in, int fd, const struct input_format *format, size_t record_limit);
void input_close(struct input *in); /* not the descriptor */

/* 1: a record, valid until the next call of take or fill. 0: none in the buffer. -EMSGSIZE: longer
 * than the limit. -EBADMSG: not in the format. After these two in->problem has a line, and the next
 * call goes on behind the record. */
int input_take(struct input *in, struct logstore_entry *ret);

/* Wait for bytes. 1: there are some, or it has ended and what is left is a record. 0: all taken;
 * never in a FIFO that is kept open, which is at each of its ends as if the input began anew.
 * -EINTR: a signal came. Other errors of read(2). */
int input_fill(struct input *in);

/* True while nothing can be read without waiting. Waits for @timeout_ms at most. */
bool input_idle(const struct input *in, int timeout_ms);

#endif
