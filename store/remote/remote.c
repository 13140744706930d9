/*
 * remote.c - open the bucket of a public call
 */
#include "remote/remote.h"

#include <errno.h>

#include "remote/bucket_options.h"
#include "remote/remote_detail.h"

int remote_open(const char *url, const struct logstore_remote_options *options, struct bucket **ret)
{
        struct bucket_options bucket = { 0 };

        if (options && options->struct_bytes != sizeof(*options))
                return remote_detail(-EINVAL, "options: struct_bytes is %u, wanted %zu",
                                     options->struct_bytes, sizeof(*options));
        if (options) {
                bucket.endpoint = options->endpoint;
                bucket.region = options->region;
                bucket.profile = options->profile;
                bucket.ca_file = options->ca_file;
                bucket.path_style = options->path_style;
                bucket.connections = options->connections;
        }
        return bucket_open(url, &bucket, ret);
}

const char *logstore_remote_detail(void)
{
        return remote_detail_line();
}
