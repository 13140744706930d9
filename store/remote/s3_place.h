/*
 * s3_place.h - which URL a bucket's objects have
 *
 * The bucket is in the path (https://HOST/BUCKET/KEY) or in the host (https://BUCKET.HOST/KEY).
 * Servers of one's own mostly know the first only; S3 itself wants the second.
 */
#ifndef LOGSTORE_S3_PLACE_H
#define LOGSTORE_S3_PLACE_H

#include "remote/bucket_options.h"
#include "remote/remote_text.h"
#include "remote/s3_profile.h"

struct s3_place {
        struct text bucket;
        struct text prefix; /* of keys: "", or it ends in '/' */
        struct text origin; /* "https://HOST:PORT" */
        struct text host;   /* for the header */
        struct text base;   /* path before the key, without '/' at its end */
        struct text region;
        bool tls;
};

/* @place is "//BUCKET/PREFIX". -EINVAL: it is not, or the endpoint is no URL. */
int s3_place_init(const char *place, const struct bucket_options *options,
                  const struct profile *profile, struct s3_place *ret);

/* The same bucket, with @name and '/' behind its prefix. */
int s3_place_below(const struct s3_place *place, const char *name, struct s3_place *ret);
void s3_place_free(struct s3_place *place);

/* The path of the object @name; "": of the bucket. */
int s3_place_path(const struct s3_place *place, const char *name, struct text *ret);

#endif
