/*
 * s3_call.c - one signed request to S3, and its answer
 */
#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "remote/bucket_source.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"
#include "remote/s3.h"
#include "remote/s3_error.h"

#define HASH_STEP_BYTES (128 << 10)

static int hash_source(const struct bucket_source *source, EVP_MD_CTX *context, char *bytes)
{
        int r = 0;

        for (uint64_t at = 0; r == 0 && at < source->size;) {
                uint64_t left = source->size - at;
                size_t size = left < HASH_STEP_BYTES ? left : HASH_STEP_BYTES;

                r = source_read(source, at, bytes, size);
                if (r == 0 && !EVP_DigestUpdate(context, bytes, size))
                        r = remote_detail(-EIO, "libcrypto has no SHA-256");
                at += size;
        }
        return r;
}

/* Of a file: in steps, since it may be large. */
static int hash_file(const struct bucket_source *source, char ret[SHA256_TEXT_BYTES])
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        char *bytes = malloc(HASH_STEP_BYTES);
        unsigned char hash[32];
        int r = 0;

        if (!context || !bytes || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
                r = remote_detail(-ENOMEM, "out of memory");
        if (r == 0)
                r = hash_source(source, context, bytes);
        if (r == 0 && !EVP_DigestFinal_ex(context, hash, NULL))
                r = remote_detail(-EIO, "libcrypto has no SHA-256");
        if (r == 0)
                sign_hex(hash, ret);
        EVP_MD_CTX_free(context);
        free(bytes);
        return r;
}

static int hash_body(struct s3_call *call)
{
        const struct bucket_source *source = call->job.request.source;

        if (call->unsigned_body && call->s3->place.tls) {
                strcpy(call->hash, "UNSIGNED-PAYLOAD");
                return 0;
        }
        if (!source || source->bytes)
                return sign_sha256(source ? source->bytes : "", source ? source->size : 0,
                                   call->hash);
        return hash_file(source, call->hash);
}

static size_t collect_headers(struct s3_call *call)
{
        size_t count = 0;

        call->headers[count++] = (struct sign_header){ "host", text_string(&call->s3->place.host) };
        call->headers[count++] = (struct sign_header){ "x-amz-content-sha256", call->hash };
        call->headers[count++] = (struct sign_header){ "x-amz-date", call->time };
        if (*call->keys.token)
                call->headers[count++] =
                        (struct sign_header){ "x-amz-security-token", call->keys.token };
        for (size_t i = 0; i < sizeof(call->more) / sizeof(*call->more); i++)
                if (call->more[i].name)
                        call->headers[count++] = call->more[i];
        return count;
}

static int sign(struct s3_call *call, int64_t real_ns)
{
        const struct sign_scope scope = { .access_key = call->keys.access,
                                          .secret_key = call->keys.secret,
                                          .region = text_string(&call->s3->place.region),
                                          .service = "s3",
                                          .time_ns = real_ns };
        struct sign_request request = { .method = call->method,
                                        .path = text_string(&call->path),
                                        .query = call->query ? call->query : "",
                                        .headers = call->headers,
                                        .body_hash = call->hash };
        size_t count;
        int r;

        sign_time(real_ns, call->time);
        count = request.header_count = collect_headers(call);
        r = sign_authorization(&scope, &request, &call->authorization);
        for (size_t i = 0; i < count; i++)
                call->sent[i] =
                        (struct http_header){ call->headers[i].name, call->headers[i].value };
        call->sent[count] =
                (struct http_header){ "Authorization", text_string(&call->authorization) };
        call->job.request.headers = call->sent;
        call->job.request.header_count = count + 1;
        return r;
}

/* The boot clock is read behind the real one: what lies between makes a signature older, never
 * younger than the moment that is compared. All that may take long is done before. */
static int sign_now(struct s3_call *call)
{
        int64_t real_ns = clock_real_ns();

        call->sent_ns = clock_boot_ns();
        if (call->not_after_ns && call->sent_ns > call->not_after_ns)
                return remote_detail(-ESTALE, "too late");
        return sign(call, real_ns);
}

static int make_url(struct s3_call *call)
{
        int r = s3_place_path(&call->s3->place, call->name, &call->path);

        if (r < 0)
                return r;
        text_printf(&call->url, "%s%s", text_string(&call->s3->place.origin),
                    text_string(&call->path));
        if (call->query)
                text_printf(&call->url, "?%s", call->query);
        call->job.request.method = call->method;
        call->job.request.url = text_string(&call->url);
        if (!call->job.request.keep_bytes)
                call->job.request.keep_bytes = S3_ANSWER_MAX_BYTES;
        return text_check(&call->url);
}

int s3_call_prepare(struct s3_call *call)
{
        int r = make_url(call);

        if (r == 0)
                r = s3_credentials_get(call->s3->credentials, clock_real_ns(), &call->keys);
        if (r == 0)
                r = hash_body(call);
        return r == 0 ? sign_now(call) : r;
}

static int judge_error(struct s3_call *call)
{
        int r = s3_error(&call->job.answer, text_string(&call->s3->place.region));

        if (r > 0)
                r = s3_credentials_expired(call->s3->credentials, &call->keys) ? -EAGAIN : -EACCES;
        return r;
}

/* Which success fits the request. Another makes no sense. */
static bool is_success(const struct s3_call *call)
{
        int status = call->job.answer.status;

        return status == 200 || (status == 206 && strcmp(call->method, "GET") == 0) ||
               (status == 204 && strcmp(call->method, "DELETE") == 0);
}

int s3_call_judge(struct s3_call *call, int result, struct bucket_reply *ret_reply)
{
        if (ret_reply) {
                ret_reply->sent_ns = call->sent_ns;
                ret_reply->server_ns = call->job.answer.date_ns;
        }
        if (result)
                return result;
        return is_success(call) ? 0 : judge_error(call);
}

int s3_call(struct s3_call *call, struct bucket_reply *ret_reply)
{
        int r = s3_call_prepare(call);

        if (r < 0)
                return r;
        r = http_perform(call->s3->http, &call->job.request, &call->job.answer);
        return s3_call_judge(call, r, ret_reply);
}

void s3_call_free(struct s3_call *call)
{
        http_answer_free(&call->job.answer);
        s3_keys_free(&call->keys);
        text_free(&call->path);
        text_free(&call->url);
        text_free(&call->authorization);
}
