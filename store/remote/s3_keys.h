/*
 * s3_keys.h - what a request is signed with, and where it comes from
 *
 * A source looks at its own settings only. Which is asked first, and when again, is the matter of
 * s3_credentials.h. No message has a key in it.
 */
#ifndef LOGSTORE_S3_KEYS_H
#define LOGSTORE_S3_KEYS_H

#include <stdint.h>

#include "remote/http.h"
#include "remote/s3_profile.h"

struct s3_keys {
        char *access, *secret;
        char *token;        /* "" if there is none */
        int64_t expires_ns; /* since 1970; 0: never */
};

void s3_keys_free(struct s3_keys *keys);
int s3_keys_copy(const struct s3_keys *keys, struct s3_keys *ret);

/* Copies what it is given. -EACCES: a part is missing, or has what no header may have: spaces and
 * control characters. @what names the source in the line. */
int s3_keys_set(const char *what, const char *access, const char *secret, const char *token,
                int64_t expires_ns, struct s3_keys *ret);

/* What sources work with. */
struct keys_context {
        const char *profile_given; /* by the caller; NULL: as the environment says */
        const char *region;
        struct profile *profile; /* read anew for each round */
        struct http *http;       /* for the world */
        struct http *near;       /* for services of the machine: past proxies, with less patience */
};

/* Each returns 0; or 1, if it is not set up; or -EACCES; or -EAGAIN. */
int s3_keys_from_environment(const struct keys_context *context, struct s3_keys *ret);
int s3_keys_from_profile(const struct keys_context *context, struct s3_keys *ret);
int s3_keys_from_web(const struct keys_context *context, struct s3_keys *ret);
int s3_keys_from_container(const struct keys_context *context, struct s3_keys *ret);
int s3_keys_from_instance(const struct keys_context *context, struct s3_keys *ret);

/* For sources that ask a service: one request, whose answer must have status 200. @what names the
 * service in the line. -EAGAIN: no answer, or 408, 429 or 5xx. -EACCES: any other. */
int s3_keys_ask(struct http *http, const struct http_request *request, const char *what,
                struct http_answer *ret_answer);

/* The JSON that containers and instances get. */
int s3_keys_from_json(const char *what, const struct text *json, struct s3_keys *ret);

#endif
