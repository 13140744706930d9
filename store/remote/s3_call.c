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
#define MD5_BYTES 16

static int hash_source(const struct bucket_source *source, EVP_MD_CTX *context, char *bytes)
{
        for (uint64_t at = 0; at < source->size;) {
                uint64_t left = source->size - at;
                size_t size = left < HASH_STEP_BYTES ? left : HASH_STEP_BYTES;
                int r = source_read(source, at, bytes, size);

                if (r < 0)
                        return r;
                if (!EVP_DigestUpdate(context, bytes, size))
                        return remote_detail(-EIO, "libcrypto cannot hash");
                at += size;
        }
        return 0;
}

/* In steps, since it may be large. */
static int hash_file(const struct bucket_source *source, const EVP_MD *kind,
                     unsigned char ret[EVP_MAX_MD_SIZE])
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        char *bytes = malloc(HASH_STEP_BYTES);
        int r = 0;

        if (!context || !bytes || !EVP_DigestInit_ex(context, kind, NULL))
                r = remote_detail(-ENOMEM, "no memory to hash what is sent");
        if (r == 0)
                r = hash_source(source, context, bytes);
        if (r == 0 && !EVP_DigestFinal_ex(context, ret, NULL))
                r = remote_detail(-EIO, "libcrypto cannot hash");
        EVP_MD_CTX_free(context);
        free(bytes);
        return r;
}

/* NULL: of nothing. */
static int hash(const struct bucket_source *source, const EVP_MD *kind,
                unsigned char ret[EVP_MAX_MD_SIZE])
{
        if (source && !source->bytes)
                return hash_file(source, kind, ret);
        if (!EVP_Digest(source ? source->bytes : "", source ? source->size : 0, ret, NULL, kind,
                        NULL))
                return remote_detail(-EIO, "libcrypto cannot hash");
        return 0;
}

/* A server makes the MD5 of each object anyway, and a SHA-256 only for the signature. So without
 * TLS the MD5 protects a large body: it is signed, and the server compares it. */
static int hash_body(struct s3_call *call)
{
        const struct bucket_source *source = call->job.request.source;
        unsigned char bytes[EVP_MAX_MD_SIZE];
        int r;

        if (!call->unsigned_body) {
                r = hash(source, EVP_sha256(), bytes);
                if (r == 0)
                        sign_hex(bytes, call->hash);
                return r;
        }
        strcpy(call->hash, "UNSIGNED-PAYLOAD");
        if (call->s3->place.tls)
                return 0;
        r = hash(source, EVP_md5(), bytes);
        if (r == 0)
                EVP_EncodeBlock((unsigned char *)call->md5, bytes, MD5_BYTES);
        return r;
}

static size_t collect_headers(struct s3_call *call)
{
        size_t count = 0;

        call->headers[count++] = (struct sign_header){ "host", text_string(&call->s3->place.host) };
        call->headers[count++] = (struct sign_header){ "x-amz-content-sha256", call->hash };
        call->headers[count++] = (struct sign_header){ "x-amz-date", call->time };
        if (*call->md5)
                call->headers[count++] = (struct sign_header){ "content-md5", call->md5 };
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
