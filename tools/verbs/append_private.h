/*
 * append_private.h - what the files of the verb append share
 */
#ifndef TOOL_APPEND_PRIVATE_H
#define TOOL_APPEND_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buffer.h"
#include "lib/progress.h"
#include "logstore.h"
#include "records/appender.h"
#include "records/creation.h"
#include "records/input.h"
#include "records/keep.h"
#include "records/tee.h"

struct append_run {
        const char *dir;

        /* what was asked for */
        struct logstore_options options;
        struct input_format format;
        enum append_sync sync;
        uint64_t batch_records; /* 0: no batches */
        enum { ERROR_STOP, ERROR_SKIP, ERROR_SPLIT } on_error;
        bool acks, tees; /* on standard output */
        bool waits;      /* for the lock, */
        int64_t wait_ns; /* so long; negative: for ever */
        char *fifo;      /* or NULL */
        struct keep keep;
        struct creation creation;

        /* how far it has come */
        struct appender appender;
        struct buffer output; /* of --ack or -T */
        struct tee tee;
        struct progress progress;
        uint64_t skipped, cut; /* records */
        uint64_t done_bytes;   /* of the files before this one */
        int signal_fd;
        int signal; /* that ended the input, or 0 */
};

/* Take the options as given into @run; @files are named besides. A status, with one message. */
int append_options_parse(struct append_run *run, int files);

#endif
