/*
 * bucket_s3.c - a bucket of S3: opening, closing and removing
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "remote/bucket_options.h"
#include "remote/remote_detail.h"
#include "remote/s3.h"
#include "remote/s3_error.h"

#define PART_BYTES_USUAL (UINT64_C(16) << 20)
#define PART_BYTES_MIN (UINT64_C(5) << 20) /* a server refuses smaller ones, except the last */
#define CONNECTIONS_USUAL 4
#define CONNECTIONS_MAX 64

static struct s3 *s3_of(struct bucket *bucket)
{
        return (struct s3 *)bucket;
}

static void close_bucket(struct bucket *bucket)
{
        struct s3 *s3 = s3_of(bucket);

        if (!s3->borrows) {
                http_free(s3->http);
                s3_credentials_free(s3->credentials);
        }
        s3_place_free(&s3->place);
        free(s3);
}

static const char *find_ca_file(const struct bucket_options *options, const struct profile *profile)
{
        const char *environment = profile_environment("AWS_CA_BUNDLE");

        if (options->ca_file)
                return options->ca_file;
        return environment ? environment : profile_config(profile, "ca_bundle");
}

static int init(struct s3 *s3, const char *place, const struct bucket_options *options,
                const struct profile *profile)
{
        const struct http_options http = {
                .ca_file = find_ca_file(options, profile),
                .patience_ms = options->patience_ms ? options->patience_ms : BUCKET_PATIENCE_MS,
        };
        int r = s3_place_init(place, options, profile, &s3->place);

        if (r == 0)
                r = http_new(&http, &s3->http);
        if (r == 0)
                r = s3_credentials_new(options->profile, text_string(&s3->place.region),
                                       http.ca_file, http.patience_ms, &s3->credentials);
        s3->connections = options->connections ? options->connections : CONNECTIONS_USUAL;
        if (s3->connections > CONNECTIONS_MAX)
                s3->connections = CONNECTIONS_MAX;
        s3->part_bytes = options->part_bytes ? options->part_bytes : PART_BYTES_USUAL;
        if (s3->part_bytes < PART_BYTES_MIN)
                s3->part_bytes = PART_BYTES_MIN;
        return r;
}

static int open_bucket(const char *place, const struct bucket_options *options, struct bucket **ret)
{
        struct profile *profile;
        struct s3 *s3;
        int r = profile_load(options->profile, &profile);

        if (r < 0)
                return r;
        s3 = calloc(1, sizeof(*s3));
        r = s3 ? init(s3, place, options, profile) : remote_detail(-ENOMEM, "out of memory");
        profile_free(profile);
        if (r < 0) {
                if (s3)
                        close_bucket(&s3->bucket);
                return r;
        }
        *ret = &s3->bucket;
        return 0;
}

int s3_remove(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply)
{
        struct s3_call call = { .s3 = s3_of(bucket), .method = "DELETE", .name = name };
        int r = s3_call(&call, ret_reply);

        if (r == -ENOENT && !s3_error_is_bucket(&call.job.answer))
                r = 0;
        s3_call_free(&call);
        return r;
}

static int open_below(struct bucket *bucket, const char *name, struct bucket **ret)
{
        const struct s3 *above = s3_of(bucket);
        struct s3 *s3 = calloc(1, sizeof(*s3));
        int r;

        if (!s3)
                return remote_detail(-ENOMEM, "out of memory");
        r = s3_place_below(&above->place, name, &s3->place);
        if (r < 0) {
                free(s3);
                return r;
        }
        s3->credentials = above->credentials;
        s3->http = above->http;
        s3->borrows = true;
        s3->connections = above->connections;
        s3->part_bytes = above->part_bytes;
        *ret = &s3->bucket;
        return 0;
}

/* As snprintf(3). */
static int describe(const struct bucket *bucket, char *ret, size_t room)
{
        const struct s3_place *place = &((const struct s3 *)bucket)->place;

        return snprintf(ret, room, "s3:%s/%s/%s", text_string(&place->host),
                        text_string(&place->bucket), text_string(&place->prefix));
}

const struct bucket_backend bucket_s3_backend = {
        .scheme = "s3",
        .open = open_bucket,
        .close = close_bucket,
        .put_new = s3_put_new,
        .put = s3_put,
        .get = s3_get,
        .list = s3_list,
        .remove = s3_remove,
        .place = describe,
        .below = open_below,
};
