/*
 * s3_sign.c - the Authorization header of a request: AWS Signature Version 4
 *
 * libcurl can sign, too, but up to 7.88 without x-amz-content-sha256 and with the query unsorted.
 */
#include "remote/s3_sign.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define QUERY_PARTS_MAX 16

struct hash {
        unsigned char bytes[32];
};

void sign_hex(const unsigned char hash[32], char ret[SHA256_TEXT_BYTES])
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < sizeof(struct hash); i++) {
                ret[2 * i] = digits[hash[i] >> 4];
                ret[2 * i + 1] = digits[hash[i] & 15];
        }
        ret[SHA256_TEXT_BYTES - 1] = 0;
}

int sign_sha256(const void *bytes, size_t size, char ret[SHA256_TEXT_BYTES])
{
        struct hash hash;

        if (!EVP_Digest(bytes, size, hash.bytes, NULL, EVP_sha256(), NULL))
                return remote_detail(-EIO, "libcrypto has no SHA-256");
        sign_hex(hash.bytes, ret);
        return 0;
}

static int keyed(const void *key, size_t key_bytes, const char *message, struct hash *ret)
{
        unsigned size = sizeof(ret->bytes);

        if (!HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)message,
                  strlen(message), ret->bytes, &size))
                return remote_detail(-EIO, "libcrypto has no HMAC with SHA-256");
        return 0;
}

void sign_time(int64_t time_ns, char ret[SIGN_TIME_BYTES])
{
        time_t seconds = time_ns / NS_PER_S;
        struct tm parts = { 0 };

        gmtime_r(&seconds, &parts);
        strftime(ret, SIGN_TIME_BYTES, "%Y%m%dT%H%M%SZ", &parts);
}

/* Parameters sort by name, then by value. So '=' comes before every character of a name. */
static int compare_parts(const void *a, const void *b)
{
        const unsigned char *x = *(const unsigned char *const *)a;
        const unsigned char *y = *(const unsigned char *const *)b;

        while (*x == *y && *x)
                x++, y++;
        return (*x == '=' ? 0 : *x) - (*y == '=' ? 0 : *y);
}

static int add_query(const char *query, struct text *ret)
{
        char *copy = strdup(query), *parts[QUERY_PARTS_MAX], *rest = NULL;
        size_t count = 0;

        if (!copy)
                return remote_detail(-ENOMEM, "out of memory");
        for (char *at = strtok_r(copy, "&", &rest); at; at = strtok_r(NULL, "&", &rest)) {
                assert(count < QUERY_PARTS_MAX);
                parts[count++] = at;
        }
        qsort(parts, count, sizeof(*parts), compare_parts);
        for (size_t i = 0; i < count; i++)
                text_printf(ret, "%s%s%s", i ? "&" : "", parts[i],
                            strchr(parts[i], '=') ? "" : "=");
        free(copy);
        text_add(ret, "\n");
        return 0;
}

static int compare_headers(const void *a, const void *b)
{
        const struct sign_header *x = a, *y = b;

        return strcmp(x->name, y->name);
}

/* Without spaces at both ends, and with one space for several. */
static void add_value(const char *value, struct text *ret)
{
        const char *gap = "";

        for (value += strspn(value, " "); *value; value += strspn(value, " ")) {
                size_t size = strcspn(value, " ");

                text_add(ret, gap);
                text_add_bytes(ret, value, size);
                value += size;
                gap = " ";
        }
}

static void add_names(const struct sign_header *sorted, size_t count, struct text *ret)
{
        for (size_t i = 0; i < count; i++)
                text_printf(ret, "%s%s", i ? ";" : "", sorted[i].name);
}

static void sort_headers(const struct sign_request *request,
                         struct sign_header ret[SIGN_HEADERS_MAX])
{
        assert(request->header_count <= SIGN_HEADERS_MAX);
        memcpy(ret, request->headers, request->header_count * sizeof(*ret));
        qsort(ret, request->header_count, sizeof(*ret), compare_headers);
}

int sign_canonical(const struct sign_request *request, struct text *ret)
{
        struct sign_header sorted[SIGN_HEADERS_MAX];
        int r;

        sort_headers(request, sorted);
        text_printf(ret, "%s\n%s\n", request->method, request->path);
        r = add_query(request->query, ret);
        if (r < 0)
                return r;
        for (size_t i = 0; i < request->header_count; i++) {
                text_printf(ret, "%s:", sorted[i].name);
                add_value(sorted[i].value, ret);
                text_add(ret, "\n");
        }
        text_add(ret, "\n");
        add_names(sorted, request->header_count, ret);
        text_printf(ret, "\n%s", request->body_hash);
        return text_check(ret);
}

/* The key of one day, region and service. */
static int signing_key(const struct sign_scope *scope, const char *day, struct hash *ret)
{
        const char *const steps[] = { day, scope->region, scope->service, "aws4_request" };
        struct text secret = { 0 };
        int r;

        text_printf(&secret, "AWS4%s", scope->secret_key);
        r = text_check(&secret);
        for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(*steps); i++)
                r = i == 0 ? keyed(text_string(&secret), secret.size, steps[i], ret)
                           : keyed(ret->bytes, sizeof(ret->bytes), steps[i], ret);
        text_free(&secret);
        return r;
}

static int sign_text(const struct sign_scope *scope, const char *day, const char *text,
                     char ret[SHA256_TEXT_BYTES])
{
        struct hash key, signature;
        int r = signing_key(scope, day, &key);

        if (r == 0)
                r = keyed(key.bytes, sizeof(key.bytes), text, &signature);
        if (r == 0)
                sign_hex(signature.bytes, ret);
        explicit_bzero(&key, sizeof(key));
        return r;
}

static int signature_of(const struct sign_scope *scope, const struct sign_request *request,
                        const char *time, const char *day, char ret[SHA256_TEXT_BYTES])
{
        struct text canonical = { 0 }, text = { 0 };
        char hash[SHA256_TEXT_BYTES];
        int r = sign_canonical(request, &canonical);

        if (r == 0)
                r = sign_sha256(canonical.bytes, canonical.size, hash);
        if (r == 0) {
                text_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", time, day,
                            scope->region, scope->service, hash);
                r = text_check(&text);
        }
        if (r == 0)
                r = sign_text(scope, day, text_string(&text), ret);
        text_free(&canonical);
        text_free(&text);
        return r;
}

int sign_authorization(const struct sign_scope *scope, const struct sign_request *request,
                       struct text *ret)
{
        struct sign_header sorted[SIGN_HEADERS_MAX];
        char time[SIGN_TIME_BYTES], day[9], signature[SHA256_TEXT_BYTES];
        int r;

        sign_time(scope->time_ns, time);
        memcpy(day, time, 8);
        day[8] = 0;
        r = signature_of(scope, request, time, day, signature);
        if (r < 0)
                return r;
        sort_headers(request, sorted);
        text_printf(ret, "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=",
                    scope->access_key, day, scope->region, scope->service);
        add_names(sorted, request->header_count, ret);
        text_printf(ret, ", Signature=%s", signature);
        return text_check(ret);
}
