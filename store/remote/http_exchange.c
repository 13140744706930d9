/*
 * http_exchange.c - one request and its answer on a handle of libcurl
 */
#include "remote/http_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "remote/bucket_source.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define HEADERS_MAX_BYTES (64 << 10)
#define DRIP_BYTES_PER_MS 16
#define ASK_FIRST_BYTES (UINT64_C(1) << 20)

static size_t send_bytes(char *to, size_t size, size_t count, void *context)
{
        struct http_exchange *x = context;
        uint64_t left = x->request->source->size - x->sent_bytes;
        size_t room = size * count < left ? size * count : left;

        x->result = source_read(x->request->source, x->sent_bytes, to, room);
        if (x->result < 0)
                return CURL_READFUNC_ABORT;
        x->sent_bytes += room;
        return room;
}

static int rewind_source(void *context, curl_off_t offset, int origin)
{
        struct http_exchange *x = context;

        if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->request->source->size)
                return CURL_SEEKFUNC_FAIL;
        x->sent_bytes = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

/* The value of a header line, if that is @name. */
static bool header_value(const char *line, size_t size, const char *name, char *ret, size_t room)
{
        size_t skip = strlen(name);

        if (size <= skip || line[skip] != ':' || strncasecmp(line, name, skip) != 0)
                return false;
        for (skip++; skip < size && (line[skip] == ' ' || line[skip] == '\t');)
                skip++;
        while (size > skip && strchr("\r\n \t", line[size - 1]))
                size--;
        if (size - skip < room && !memchr(line + skip, 0, size - skip)) {
                memcpy(ret, line + skip, size - skip);
                ret[size - skip] = 0;
        } else {
                *ret = 0;
        }
        return true;
}

/* A status line begins another answer: there may be some "100 Continue" before. */
static void forget_answer(struct http_exchange *x)
{
        struct http_answer *answer = x->answer;

        answer->date_ns = 0;
        answer->content_range[0] = answer->etag[0] = answer->region[0] = 0;
        text_clear(&answer->body);
        x->body_bytes = 0;
}

static size_t take_header(char *line, size_t unit, size_t count, void *context)
{
        struct http_exchange *x = context;
        struct http_answer *answer = x->answer;
        size_t size = unit * count;
        char date[40];

        x->header_bytes += size;
        if (x->header_bytes > HEADERS_MAX_BYTES) {
                x->result = remote_detail(-EIO, "headers of more than 64 KiB");
                return 0;
        }
        if (size > 5 && strncmp(line, "HTTP/", 5) == 0)
                forget_answer(x);
        else if (header_value(line, size, "date", date, sizeof(date)))
                answer->date_ns = clock_parse_http(date);
        else if (!header_value(line, size, "content-range", answer->content_range,
                               sizeof(answer->content_range)) &&
                 !header_value(line, size, "etag", answer->etag, sizeof(answer->etag)))
                header_value(line, size, "x-amz-bucket-region", answer->region,
                             sizeof(answer->region));
        return size;
}

static void take_status(struct http_exchange *x, CURL *easy)
{
        curl_off_t length = -1;
        long status = 0;

        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        x->answer->status = (int)status;
        x->answer->length = length;
}

/* Once the headers are there: whom is the body for? */
static int begin_body(struct http_exchange *x, CURL *easy)
{
        int r = 1;

        if (x->begun)
                return x->result;
        x->begun = true;
        take_status(x, easy);
        if (x->request->begin)
                r = x->request->begin(x->request->context, x->answer, &x->want_bytes);
        x->poured = r == 0;
        x->result = r < 0 ? r : 0;
        return x->result;
}

static int pour(struct http_exchange *x, const char *bytes, size_t size)
{
        int64_t before_ns = clock_boot_ns();
        int r;

        if (size > x->want_bytes - (x->body_bytes - size))
                return remote_detail(-EIO, "more bytes came than were announced");
        r = x->request->sink->write(x->request->sink->context, bytes, size);
        x->sink_ns += clock_boot_ns() - before_ns;
        x->moved_ns = clock_boot_ns();
        return r;
}

static int keep(struct http_exchange *x, const char *bytes, size_t size)
{
        if (x->body_bytes > x->request->keep_bytes)
                return remote_detail(-EIO, "status %d with an answer of more than %zu bytes",
                                     x->answer->status, x->request->keep_bytes);
        text_add_bytes(&x->answer->body, bytes, size);
        return text_check(&x->answer->body);
}

static struct http_exchange *exchange_of(CURL *easy)
{
        char *private = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        return (struct http_exchange *)(void *)private;
}

static size_t take_bytes(char *bytes, size_t unit, size_t count, void *context)
{
        CURL *easy = context;
        struct http_exchange *x = exchange_of(easy);
        size_t size = unit * count;
        int r = begin_body(x, easy);

        x->body_bytes += size;
        if (r == 0)
                r = x->poured ? pour(x, bytes, size) : keep(x, bytes, size);
        x->result = r;
        return r == 0 ? size : 0;
}

/* libcurl calls this about once a second and after each step. */
static int watch(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                 curl_off_t up)
{
        struct http_exchange *x = context;
        int64_t now_ns = clock_boot_ns(), allowed_ns;
        uint64_t moved = (uint64_t)down + (uint64_t)up + x->header_bytes;
        uint64_t body_bytes = x->want_bytes + (x->request->source ? x->request->source->size : 0);

        (void)down_all, (void)up_all;
        if (moved != x->moved_bytes) {
                x->moved_bytes = moved;
                x->moved_ns = now_ns;
        }
        allowed_ns = 10 * x->patience_ns + (int64_t)(body_bytes / DRIP_BYTES_PER_MS) * NS_PER_MS;
        if (now_ns - x->moved_ns > x->patience_ns)
                x->result = remote_detail(-EAGAIN, "nothing came for %d ms",
                                          (int)(x->patience_ns / NS_PER_MS));
        else if (now_ns - x->start_ns - x->sink_ns > allowed_ns)
                x->result = remote_detail(-EAGAIN, "no end after %d s",
                                          (int)((now_ns - x->start_ns) / NS_PER_S));
        return x->result != 0;
}

static int add_header(struct http_exchange *x, const char *line)
{
        struct curl_slist *longer = curl_slist_append(x->headers, line);

        if (!longer)
                return remote_detail(-ENOMEM, "out of memory");
        x->headers = longer;
        return 0;
}

static int set_headers(struct http_exchange *x, CURL *easy)
{
        const struct bucket_source *source = x->request->source;
        struct text line = { 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && i < x->request->header_count; i++) {
                const struct http_header *header = &x->request->headers[i];

                text_clear(&line);
                text_printf(&line, "%s: %s", header->name, header->value);
                r = text_check(&line);
                if (r == 0)
                        r = add_header(x, text_string(&line));
        }
        text_free(&line);
        /* A small body goes at once: to ask first if it is wanted costs a way there and back. */
        if (r == 0 && source && source->size <= ASK_FIRST_BYTES)
                r = add_header(x, "Expect:");
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
        return r;
}

static void set_method(struct http_exchange *x, CURL *easy)
{
        const struct http_request *request = x->request;

        if (request->source) {
                curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->source->size);
                curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_bytes);
                curl_easy_setopt(easy, CURLOPT_READDATA, x);
                curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_source);
                curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
        } else {
                curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

int http_exchange_start(struct http_exchange *exchange, CURL *easy,
                        const struct http_request *request, uint32_t patience_ms,
                        struct http_answer *answer)
{
        int64_t now_ns = clock_boot_ns();

        *exchange = (struct http_exchange){
                .request = request,
                .answer = answer,
                .patience_ns = patience_ms * NS_PER_MS,
                .start_ns = now_ns,
                .moved_ns = now_ns,
        };
        answer->length = -1;
        set_method(exchange, easy);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, easy);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)patience_ms / 2);
        if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
                return remote_detail(-ENOMEM, "out of memory");
        return set_headers(exchange, easy);
}

/* What waiting does not mend. All else may be the network's fault. */
static int outcome_of(CURLcode code)
{
        switch (code) {
        case CURLE_OUT_OF_MEMORY: /* also said of a header line of more than 100 KiB */
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_COULDNT_RESOLVE_PROXY:
                return -EIO;
        default:
                return -EAGAIN;
        }
}

static int judge(struct http_exchange *x, CURL *easy, CURLcode code)
{
        if (x->result)
                return x->result;
        if (code != CURLE_OK)
                return remote_detail(outcome_of(code), "%s%s",
                                     *x->error ? x->error : curl_easy_strerror(code),
                                     code == CURLE_OUT_OF_MEMORY ? ", or too long a header" : "");
        begin_body(x, easy); /* there may have been none */
        if (x->result)
                return x->result;
        if (x->poured && x->body_bytes != x->want_bytes)
                return remote_detail(-EAGAIN, "%ju of %ju bytes came", (uintmax_t)x->body_bytes,
                                     (uintmax_t)x->want_bytes);
        return 0;
}

int http_exchange_end(struct http_exchange *exchange, CURL *easy, CURLcode code)
{
        int r = judge(exchange, easy, code);

        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
        curl_slist_free_all(exchange->headers); /* has the signature, which is worth little */
        exchange->headers = NULL;
        return r;
}

void http_answer_free(struct http_answer *answer)
{
        text_free(&answer->body);
}
