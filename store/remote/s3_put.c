/*
 * s3_put.c - putting an object with one request
 *
 * A plain PutObject is the only request whose condition all servers know that know any:
 * If-None-Match is not looked at when parts are completed.
 */
#include "remote/s3.h"

/* Where one part at a time would go, all go at once: parts cost the server more than they save. A
 * request without answer is sent again from the start, so not the largest. */
#define ALONE_MAX_BYTES (UINT64_C(128) << 20)

static int put_whole(struct bucket *bucket, const char *name, const struct bucket_source *source,
                     bool is_new, struct bucket_reply *ret_reply)
{
        struct s3_call call = { .s3 = (struct s3 *)bucket,
                                .method = "PUT",
                                .name = name,
                                .unsigned_body = !is_new,
                                .not_after_ns = source->not_after_ns,
                                .job.request.source = source };
        int r;

        if (is_new)
                call.more[0] = (struct sign_header){ "if-none-match", "*" };
        r = s3_call(&call, ret_reply);
        s3_call_free(&call);
        return r;
}

int s3_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
               struct bucket_reply *ret_reply)
{
        return put_whole(bucket, name, source, true, ret_reply);
}

int s3_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
           struct bucket_reply *ret_reply)
{
        struct s3 *s3 = (struct s3 *)bucket;
        uint32_t connections = source->connections ? source->connections : s3->connections;

        if (source->size > s3->part_bytes && (connections > 1 || source->size > ALONE_MAX_BYTES))
                return s3_put_parts(s3, name, source, ret_reply);
        return put_whole(bucket, name, source, false, ret_reply);
}
