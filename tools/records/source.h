/*
 * source.h - where records come from: a store in a directory, or a log in a bucket that a URL names
 *
 * What verbs do with records they do with a source. For a store each call is the library's own; for
 * a URL it goes through a table of functions, which only logstore-remote has.
 */
#ifndef TOOL_SOURCE_H
#define TOOL_SOURCE_H

#include <stdbool.h>

#include "logstore.h"

/* What a log at a URL does. Errors are those of the store's functions. */
struct source_calls {
        int (*bounds)(void *log, struct logstore_bounds *ret);
        int (*uuid)(void *log, uint8_t ret[16]);
        int (*next)(void *log, struct logstore_record *ret);
        int (*prev)(void *log, struct logstore_record *ret);
        int (*get)(void *log, uint64_t number, struct logstore_record *ret);
        int (*seek)(void *log, uint64_t number);
        int (*seek_time)(void *log, int64_t time_ns);
        uint64_t (*position)(const void *log);
        int (*wait)(void *log, int timeout_ms);
        int (*report)(int error, const char *name);
        void (*close)(void *log);
};

struct source {
        const char *name;       /* DIR or URL, for messages */
        struct logstore *store; /* of a directory, with */
        struct logstore_cursor *cursor;
        const struct source_calls *calls; /* of a URL; NULL: it is a directory */
        void *log;
};

/* Does the word name a log in a bucket? A directory of such a name is ./NAME. */
bool source_is_url(const char *word);

/* Open for reading. A status, its line printed. @follow: a log at a URL that is not there yet is
 * waited for, or until nobody reads standard output; then nothing is open. */
int source_open(struct source *source, const char *name, bool follow);

/* The cursor of a store that is open; a URL has one. @flags are those of logstore_cursor_open(). A
 * status. */
int source_open_cursor(struct source *source, uint32_t flags);

/* Close all that is open. Returns @status, or what closing met. */
int source_close(struct source *source, int status);

/* A line about a failure; its status. */
int source_report(const struct source *source, int error);

int source_bounds(const struct source *source, struct logstore_bounds *ret);
int source_uuid(const struct source *source, uint8_t ret[16]);

/* ---- as the functions of logstore_cursor ---- */

static inline int source_next(const struct source *source, struct logstore_record *ret)
{
        return __builtin_expect(source->calls != NULL, 0)
                       ? source->calls->next(source->log, ret)
                       : logstore_cursor_next(source->cursor, ret);
}

static inline int source_prev(const struct source *source, struct logstore_record *ret)
{
        return __builtin_expect(source->calls != NULL, 0)
                       ? source->calls->prev(source->log, ret)
                       : logstore_cursor_prev(source->cursor, ret);
}

int source_get(const struct source *source, uint64_t number, struct logstore_record *ret);
int source_seek(const struct source *source, uint64_t number);
int source_seek_time(const struct source *source, int64_t time_ns);
uint64_t source_position(const struct source *source);
int source_wait(const struct source *source, int timeout_ms);

#endif
