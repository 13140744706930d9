/*
 * s3.h - a bucket of S3: what its operations share
 *
 * An operation makes one or several calls. A call is one signed request and its answer:
 *     prepare: takes keys, reads the clock once, hashes the body, signs;
 *     perform: sends, and waits for the answer;
 *     judge:   turns the answer into an outcome.
 */
#ifndef LOGSTORE_S3_H
#define LOGSTORE_S3_H

#include "remote/bucket.h"
#include "remote/http.h"
#include "remote/s3_credentials.h"
#include "remote/s3_place.h"
#include "remote/s3_sign.h"

#define S3_ANSWER_MAX_BYTES (64 << 10)
#define S3_LIST_MAX_BYTES (8 << 20)

struct s3 {
        struct bucket bucket;
        struct s3_place place;
        struct s3_credentials *credentials;
        struct http *http;
        bool borrows; /* credentials and http are another's */
        uint32_t connections;
        uint64_t part_bytes;
};

struct s3_call {
        /* Set by the caller, the rest being 0. */
        struct s3 *s3;
        const char *method;
        const char *name; /* of the object; "": the bucket */
        const char *query;
        struct sign_header more[3]; /* headers, name NULL: the end */
        bool unsigned_body;         /* over TLS it is not read twice, else has its MD5 signed */
        int64_t not_after_ns;       /* 0, or -ESTALE after that */
        struct http_job job;        /* its request: source, begin(), sink, keep_bytes */
        /* Set by s3_call_prepare(). */
        int64_t sent_ns;
        struct s3_keys keys;
        struct text path, url, authorization;
        char time[SIGN_TIME_BYTES], hash[SHA256_TEXT_BYTES], md5[25];
        struct sign_header headers[SIGN_HEADERS_MAX];
        struct http_header sent[SIGN_HEADERS_MAX];
};

int s3_call_prepare(struct s3_call *call);

/* @result is that of the transport. @ret_reply may be NULL. */
int s3_call_judge(struct s3_call *call, int result, struct bucket_reply *ret_reply);

/* All three steps. */
int s3_call(struct s3_call *call, struct bucket_reply *ret_reply);

void s3_call_free(struct s3_call *call);

int s3_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
               struct bucket_reply *ret_reply);
int s3_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
           struct bucket_reply *ret_reply);
int s3_put_parts(struct s3 *s3, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply);
int s3_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
           const struct bucket_sink *sink, struct bucket_reply *ret_reply);
int s3_list(struct bucket *bucket, const char *prefix, const char *after, size_t most,
            int (*each)(void *context, const struct bucket_listed *listed), void *context,
            struct bucket_reply *ret_reply);
int s3_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply);

#endif
