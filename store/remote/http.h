/*
 * http.h - requests over HTTP, by libcurl
 *
 * Answers:  one with any status is an answer. What it means is the caller's matter. A redirect is
 *           not followed.
 * Limits:   a request ends by itself once nothing was sent or received for the client's patience.
 *           One that drips is ended, too: it has ten times the patience, and a second for each
 *           16 KB of body. Headers are 64 KiB at most. The caller limits a body that is kept.
 * Outcome:  -EAGAIN: no complete answer. -EIO: not HTTP, too long, or not trusted. Each has a line.
 * Threads:  any number may use a client. Connections are kept open for the next request.
 * Repeated: if a kept connection turns out to be closed before any answer, libcurl sends the same
 *           bytes once more on a new one.
 */
#ifndef LOGSTORE_HTTP_H
#define LOGSTORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/bucket.h"
#include "remote/remote_text.h"

struct http;

struct http_options {
        const char *ca_file; /* NULL: the system's */
        uint32_t patience_ms;
        bool direct; /* past any proxy */
};

int http_new(const struct http_options *options, struct http **ret);
void http_free(struct http *http); /* NULL is fine; no request is on its way */

struct http_header {
        const char *name, *value;
};

struct http_answer {
        int status;
        int64_t date_ns; /* of the header Date; 0: absent or nonsense */
        int64_t length;  /* of the body, as announced; -1: it was not */
        char content_range[64], etag[80], region[64]; /* "" if absent or longer */
        struct text body;                             /* unless it went to the sink */
};

struct http_request {
        const char *method;
        const char *url;
        const struct http_header *headers;
        size_t header_count;
        const struct bucket_source *source; /* the body; NULL: none */
        size_t keep_bytes;                  /* of the answer's body, at most */
        /* Where the body of an answer goes if @begin, which sees status and headers, returns 0 and
         * sets how long the body will be. 1: keep it as usual. Negative: give up, with that. */
        int (*begin)(void *context, const struct http_answer *answer, uint64_t *ret_bytes);
        void *context;
        const struct bucket_sink *sink;
};

/* *@ret_answer is all zero before; http_answer_free() it also after a failure. */
int http_perform(struct http *http, const struct http_request *request,
                 struct http_answer *ret_answer);
void http_answer_free(struct http_answer *answer);

/* Many requests, several at once. */
struct http_job {
        struct http_request request;
        struct http_answer answer;
};

struct http_batch {
        size_t at_once;
        /* The next job; NULL: there are no more. */
        int (*next)(void *context, struct http_job **ret_job);
        /* It has ended with @result; the job is the caller's again. Not 0: stop all. */
        int (*done)(void *context, struct http_job *job, int result);
        /* Dropped unfinished, because another failed. */
        void (*drop)(void *context, struct http_job *job);
        void *context;
};

/* Until all are done, or one of the functions returns non-zero, which is then returned. */
int http_perform_many(struct http *http, const struct http_batch *batch);

#endif
