/*
 * cursor_file.h - the last record that was printed, kept in a file between runs
 */
#ifndef TOOL_CURSOR_FILE_H
#define TOOL_CURSOR_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buffer.h"
#include "records/source.h"

/* As a time: no run has printed anything yet. */
#define CURSOR_FILE_NONE LOGSTORE_TIME_ZERO

struct cursor_file {
        const char *path;
        int fd;          /* -1 until the file is there */
        bool found;      /* it was there, and number and time_ns are from it */
        char store[33];  /* UUID of the store, in hexadecimal */
        uint64_t number; /* of the last record printed */
        int64_t time_ns; /* its time: a record put in its place later has another */
        bool output_is_file;
        uint64_t device, inode; /* of the output, if it is a file; else 0 */
        uint64_t offset;        /* in the output, behind that record */
};

/* Read @path if it is there, and lock it. A status, its line printed: STATUS_STORE if it is of
 * another store, STATUS_IO if it is no regular file or another run has it. */
int cursor_file_open(struct cursor_file *file, const char *path, const struct source *source);
void cursor_file_close(struct cursor_file *file);

/* Check that the record printed last is still in the log, and is the same. A status. */
int cursor_file_check(const struct cursor_file *file, const struct source *source,
                      const struct logstore_bounds *bounds);

/* If the output is the same file as in the last run, have @buffer leave out what that run wrote
 * there after it had saved its position for the last time. A status: STATUS_IO if they cannot be
 * compared. */
int cursor_file_skip_printed(const struct cursor_file *file, struct buffer *buffer);

/* What is printed from now on is of @source: the file says so from the next saving on. */
int cursor_file_go_over(struct cursor_file *file, const struct source *source);

/* Everything up to record @number has been written by @buffer, which is empty. To be called before
 * the first record too, so that even the first block is known to the next run. A status, its line
 * printed. */
int cursor_file_save(struct cursor_file *file, const struct buffer *buffer, uint64_t number,
                     int64_t time_ns);

#endif
