/*
 * way_store.c - hold the decoded records in a logstore, under its default options
 *
 * settle syncs, so `taken` means durable here, and only here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <logstore.h>

#include "ways.h"

struct state {
        struct logstore *store;
        struct logstore_cursor *cursor;
};

static int told(const char *what, int r)
{
        if (r < 0)
                fprintf(stderr, "workload: %s: %s: %s\n", what, logstore_error_text(r),
                        logstore_detail());
        return r;
}

/* The driver removes the directory. */
static void store_close(struct task *task)
{
        struct state *s = task->state;

        logstore_cursor_close(s->cursor);
        told("close", logstore_close(s->store));
        free(s);
}

static int store_open(struct task *task)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct state *s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;

        options.flags = LOGSTORE_CREATE;
        task->state = s;
        int r = told("open", logstore_open(task->dir, &options, &s->store));
        if (r == 0)
                r = told("cursor", logstore_cursor_open(s->store, 0, &s->cursor));
        if (r < 0)
                store_close(task);
        return r;
}

static int store_take(struct task *task, uint64_t chunk)
{
        struct state *s = task->state;
        int r = task_read(task, chunk, task->chunk);

        for (uint64_t i = 0; r == 0 && i < CHUNK_RECORDS; i++)
                r = told("append", logstore_append(s->store, task->chunk + i * RECORD_WORDS,
                                                   RECORD_BYTES, NULL));
        return r;
}

static int store_settle(struct task *task)
{
        struct state *s = task->state;

        return told("sync", logstore_sync(s->store, 0));
}

/* Numbers start at 1. In order the cursor steps; else it jumps. */
static const uint64_t *store_get(struct task *task, uint64_t record)
{
        struct state *s = task->state;
        struct logstore_record found;
        int r = logstore_cursor_position(s->cursor) == record + 1
                        ? logstore_cursor_next(s->cursor, &found)
                        : logstore_cursor_get(s->cursor, record + 1, &found);

        if (told("get", r) < 0 || found.number != record + 1 || found.size != RECORD_BYTES)
                return NULL;
        return found.data;
}

const struct way way_store = {
        "store", store_open, store_take, store_get, store_settle, store_close,
};
