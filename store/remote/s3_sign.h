/*
 * s3_sign.h - the Authorization header of a request: AWS Signature Version 4
 *
 * A signature covers method, path, query, the headers it is given, the hash of the body and a time.
 * Servers refuse it some 15 minutes after that time, so the caller decides which time that is.
 */
#ifndef LOGSTORE_S3_SIGN_H
#define LOGSTORE_S3_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "remote/remote_text.h"

#define SHA256_TEXT_BYTES 65 /* in hexadecimal, with the 0 */
#define SIGN_TIME_BYTES 17   /* 20260102T030405Z, with the 0 */
#define SIGN_HEADERS_MAX 16

struct sign_header {
        const char *name; /* lower case, each but once */
        const char *value;
};

/* Who signs, for what. */
struct sign_scope {
        const char *access_key, *secret_key;
        const char *region, *service;
        int64_t time_ns; /* since 1970; the header x-amz-date has the same, by sign_time() */
};

struct sign_request {
        const char *method;
        const char *path;  /* as it is sent; not normalized */
        const char *query; /* as it is sent, without '?'; in any order */
        const struct sign_header *headers;
        size_t header_count;
        const char *body_hash; /* hexadecimal, or UNSIGNED-PAYLOAD */
};

/* Add the value of the header Authorization to @ret. -ENOMEM; -EIO: libcrypto refused. */
int sign_authorization(const struct sign_scope *scope, const struct sign_request *request,
                       struct text *ret);

/* Add the canonical request, which is what gets hashed and signed. */
int sign_canonical(const struct sign_request *request, struct text *ret);

void sign_time(int64_t time_ns, char ret[SIGN_TIME_BYTES]);
void sign_hex(const unsigned char hash[32], char ret[SHA256_TEXT_BYTES]);
int sign_sha256(const void *bytes, size_t size, char ret[SHA256_TEXT_BYTES]);

#endif
