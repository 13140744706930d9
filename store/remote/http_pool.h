/*
 * http_pool.h - idle handles of libcurl
 */
#ifndef LOGSTORE_HTTP_POOL_H
#define LOGSTORE_HTTP_POOL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;

/* The caller has the lock. */
struct http_pool {
        void *idle[64];
        size_t count;
};

static inline void *http_pool_take(struct http_pool *pool)
{
        return pool->count ? pool->idle[--pool->count] : NULL;
}

static inline bool http_pool_give(struct http_pool *pool, void *one)
{
        if (pool->count == sizeof(pool->idle) / sizeof(*pool->idle))
                return false;
        pool->idle[pool->count++] = one;
        return true;
}

/* A handle of the client; NULL: memory is short. Give it back when it is idle. */
CURL *http_take_easy(struct http *http);
void http_give_easy(struct http *http, CURL *easy);
CURLM *http_take_multi(struct http *http);
void http_give_multi(struct http *http, CURLM *multi);

uint32_t http_patience_ms(const struct http *http);

#endif
