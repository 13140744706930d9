/*
 * http_exchange.h - one request and its answer on a handle of libcurl
 *
 * It must stay where it is while libcurl works on it.
 */
#ifndef LOGSTORE_HTTP_EXCHANGE_H
#define LOGSTORE_HTTP_EXCHANGE_H

#include <curl/curl.h>

#include "remote/http.h"

struct http_exchange {
        const struct http_request *request;
        struct http_answer *answer;
        struct curl_slist *headers;
        uint64_t sent_bytes; /* of the source */
        uint64_t body_bytes; /* received */
        uint64_t want_bytes; /* for the sink */
        size_t header_bytes;
        bool begun, poured; /* the request's begin() was asked; the sink gets the body */
        int result;         /* not 0: a function of ours stopped it */
        char error[CURL_ERROR_SIZE];
        /* For the limits: */
        int64_t patience_ns, start_ns, moved_ns, sink_ns;
        uint64_t moved_bytes;
};

/* Set @easy up for it, which has the client's own options already. */
int http_exchange_start(struct http_exchange *exchange, CURL *easy,
                        const struct http_request *request, uint32_t patience_ms,
                        struct http_answer *answer);

/* After libcurl said @code. Also forgets what only the exchange needed. */
int http_exchange_end(struct http_exchange *exchange, CURL *easy, CURLcode code);

#endif
