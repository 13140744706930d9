/*
 * read_private.h - what the files of the verb read share
 */
#ifndef TOOL_READ_PRIVATE_H
#define TOOL_READ_PRIVATE_H

#include <regex.h>
#include <stdbool.h>

#include "lib/progress.h"
#include "records/cursor_file.h"
#include "records/filter.h"
#include "records/follow.h"
#include "records/output.h"
#include "records/range.h"
#include "records/redact.h"

struct reading {
        struct source source;
        uint32_t cursor_flags;
        struct output output;
        struct cursor_file position; /* of --cursor-file, */
        const char *cursor_path;     /* if it is not NULL */
        struct range range;
        bool follows; /* -f: as this says */
        struct follow follow;
        struct filter filter;
        regex_t redact;
        struct redact_copy redacted;
        struct progress progress;
        uint64_t first;  /* of the log when reading began, */
        uint64_t tail;   /* and its last */
        bool begun;      /* some step was made */
        int passed;      /* status of what was passed over before */
        uint64_t left;   /* records still to print */
        uint64_t seen;   /* last record walked over, at first the one before the range */
        int64_t seen_ns; /* its time; CURSOR_FILE_NONE: not walked over in any run */
        uint64_t count;  /* of -c */
        uint64_t payload_bytes;
};

/* All return a status of the tool. */
int read_output_status(const struct reading *run);

/* Let everything out, then note how far that was. */
int read_flush(struct reading *run);

int read_open_cursor(struct reading *run);

/* The place where a follower stood is gone: stand where the log begins, or ends, now. */
int read_catch_up(struct reading *run, uint64_t stood);

/* Files that somebody takes away look damaged: then a follower waits for the store. */
int read_failed(struct reading *run, int error);

/* Flush, and wait until there is more. */
int read_wait(struct reading *run);

#endif
