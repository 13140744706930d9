/*
 * appender.h - records on their way into the store: batches, syncs and acknowledgements
 */
#ifndef TOOL_APPENDER_H
#define TOOL_APPENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buffer.h"
#include "logstore.h"

enum append_sync {
        APPEND_SYNC_NONE,     /* once, at the end */
        APPEND_SYNC_BATCH,    /* after each batch; without --batch, after each block of input */
        APPEND_SYNC_EACH,     /* before the next record is taken */
        APPEND_SYNC_INTERVAL, /* in the background */
};

struct appender {
        struct logstore *store;
        enum append_sync sync;
        struct buffer *acks;  /* durable numbers are printed there, or NULL */
        size_t batch_records; /* 0: each record on its own */
        uint64_t last;        /* last number appended here; 0: none */
        uint64_t durable;     /* last number known durable of these; 0: none */
        uint64_t acked;       /* last number printed; before the first, the end of the log */
        struct logstore_entry *entries;
        size_t entry_count;
        size_t refused; /* records of the last batch, if it was */
        char *bytes;    /* payloads of the batch, one behind the other */
        size_t bytes_used, bytes_capacity;
};

int appender_open(struct appender *appender, struct logstore *store, size_t batch_records);
void appender_close(struct appender *appender);

/* Append @entry, or keep a copy of it until its batch is full. */
int appender_add(struct appender *appender, const struct logstore_entry *entry);

/* The input has nothing more at the moment: sync or look at what became durable. */
int appender_pause(struct appender *appender);

/* Append a batch that is not full. */
int appender_flush(struct appender *appender);

/* Make everything durable, and say so. */
int appender_sync(struct appender *appender);

/* True: something was appended that may become durable by itself and is still to be printed. */
bool appender_waits(const struct appender *appender);

#endif
