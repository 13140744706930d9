/*
 * http.c - a client: handles of libcurl that keep their connections, and what all of them share
 *
 * An idle handle waits in the pool with its connections open. A request takes one, or makes one, so
 * that no request waits for another. http_perform_many() keeps connections in handles of another
 * kind, which have a pool of their own.
 */
#include "remote/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "remote/http_exchange.h"
#include "remote/http_pool.h"
#include "remote/remote_detail.h"

struct http {
        pthread_mutex_t lock; /* of both pools */
        struct http_pool easy, multi;
        char *ca_file;
        uint32_t patience_ms;
        bool direct;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode ready;

static void prepare(void)
{
        ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_new(const struct http_options *options, struct http **ret)
{
        struct http *http;

        pthread_once(&once, prepare);
        if (ready != CURLE_OK)
                return remote_detail(-EIO, "libcurl: %s", curl_easy_strerror(ready));
        http = calloc(1, sizeof(*http));
        if (!http)
                return remote_detail(-ENOMEM, "out of memory");
        pthread_mutex_init(&http->lock, NULL);
        http->patience_ms = options->patience_ms;
        http->direct = options->direct;
        if (options->ca_file) {
                http->ca_file = strdup(options->ca_file);
                if (!http->ca_file) {
                        http_free(http);
                        return remote_detail(-ENOMEM, "out of memory");
                }
        }
        *ret = http;
        return 0;
}

void http_free(struct http *http)
{
        if (!http)
                return;
        for (void *one; (one = http_pool_take(&http->easy));)
                curl_easy_cleanup(one);
        for (void *one; (one = http_pool_take(&http->multi));)
                curl_multi_cleanup(one);
        pthread_mutex_destroy(&http->lock);
        free(http->ca_file);
        free(http);
}

static void *take(struct http *http, struct http_pool *pool)
{
        void *one;

        pthread_mutex_lock(&http->lock);
        one = http_pool_take(pool);
        pthread_mutex_unlock(&http->lock);
        return one;
}

static bool give(struct http *http, struct http_pool *pool, void *one)
{
        bool kept;

        pthread_mutex_lock(&http->lock);
        kept = http_pool_give(pool, one);
        pthread_mutex_unlock(&http->lock);
        return kept;
}

/* Answers come as they are: no redirect, no decoding, no other protocol, no other host. */
static void set_up(const struct http *http, CURL *easy)
{
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        if (http->ca_file)
                curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
        if (http->direct)
                curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

CURL *http_take_easy(struct http *http)
{
        CURL *easy = take(http, &http->easy);

        if (!easy)
                easy = curl_easy_init();
        if (easy)
                set_up(http, easy);
        return easy;
}

/* curl_easy_reset() keeps the connections. */
void http_give_easy(struct http *http, CURL *easy)
{
        curl_easy_reset(easy);
        if (!give(http, &http->easy, easy))
                curl_easy_cleanup(easy);
}

CURLM *http_take_multi(struct http *http)
{
        CURLM *multi = take(http, &http->multi);

        return multi ? multi : curl_multi_init();
}

void http_give_multi(struct http *http, CURLM *multi)
{
        if (!give(http, &http->multi, multi))
                curl_multi_cleanup(multi);
}

uint32_t http_patience_ms(const struct http *http)
{
        return http->patience_ms;
}

int http_perform(struct http *http, const struct http_request *request,
                 struct http_answer *ret_answer)
{
        CURL *easy = http_take_easy(http);
        struct http_exchange exchange;
        int r;

        if (!easy)
                return remote_detail(-ENOMEM, "out of memory");
        r = http_exchange_start(&exchange, easy, request, http->patience_ms, ret_answer);
        if (r == 0)
                r = http_exchange_end(&exchange, easy, curl_easy_perform(easy));
        else
                curl_slist_free_all(exchange.headers);
        http_give_easy(http, easy);
        return r;
}
