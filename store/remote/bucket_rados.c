/*
 * bucket_rados.c - a bucket in RADOS: opening and closing
 *
 * rados:POOL/PREFIX is the namespace PREFIX of that pool; without a prefix, the namespace that has
 * no name. Nothing is asked of the cluster before the first operation.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/bucket_options.h"
#include "remote/ceph.h"
#include "remote/remote_detail.h"
#include "remote/remote_text.h"

#define CONNECTIONS_USUAL 4
#define NAME_MAX_BYTES 700

static struct ceph_bucket *ceph_of(struct bucket *bucket)
{
        return (struct ceph_bucket *)bucket;
}

/* As in S3, though RADOS takes any characters: a log may move from one to the other. */
static bool prefix_is_good(const char *prefix)
{
        while (*prefix) {
                size_t size = strcspn(prefix, "/");

                if (!size || strncmp(prefix, "..", size) == 0 ||
                    !text_only_has(prefix, size, "-._~"))
                        return false;
                prefix += size + (prefix[size] == '/');
        }
        return true;
}

static int split(const char *place, struct ceph_bucket *bucket)
{
        size_t size = strcspn(place, "/"), end = strlen(place);

        if (!size || !text_only_has(place, size, "-._"))
                return remote_detail(-EINVAL, "not rados:POOL/PREFIX");
        bucket->pool = strndup(place, size);
        place += size + (place[size] == '/');
        if (!prefix_is_good(place) || end > NAME_MAX_BYTES)
                return remote_detail(-EINVAL, "a prefix has letters, digits, '-', '.', '_', '~' "
                                              "and single '/'");
        end = strlen(place);
        bucket->prefix = strndup(place, end && place[end - 1] == '/' ? end - 1 : end);
        if (!bucket->pool || !bucket->prefix)
                return remote_detail(-ENOMEM, "out of memory");
        return 0;
}

static void close_bucket(struct bucket *bucket)
{
        struct ceph_bucket *own = ceph_of(bucket);

        if (own->io)
                librados.ioctx_destroy(own->io);
        if (!own->borrows)
                ceph_cluster_free(own->cluster);
        pthread_mutex_destroy(&own->lock);
        free(own->pool);
        free(own->prefix);
        free(own);
}

static struct ceph_bucket *new_bucket(void)
{
        struct ceph_bucket *bucket = calloc(1, sizeof(*bucket));

        if (!bucket)
                return NULL;
        atomic_init(&bucket->cleaned, false);
        atomic_init(&bucket->clock_denied, false);
        pthread_mutex_init(&bucket->lock, NULL);
        return bucket;
}

static int open_bucket(const char *place, const struct bucket_options *options, struct bucket **ret)
{
        struct ceph_bucket *bucket = new_bucket();
        int r;

        if (!bucket)
                return remote_detail(-ENOMEM, "out of memory");
        bucket->connections = options->connections ? options->connections : CONNECTIONS_USUAL;
        r = split(place, bucket);
        if (r == 0)
                r = ceph_cluster_new(options->patience_ms ? options->patience_ms
                                                          : BUCKET_PATIENCE_MS,
                                     &bucket->cluster);
        if (r < 0) {
                close_bucket(&bucket->bucket);
                return r;
        }
        *ret = &bucket->bucket;
        return 0;
}

static int open_below(struct bucket *bucket, const char *name, struct bucket **ret)
{
        const struct ceph_bucket *above = ceph_of(bucket);
        struct ceph_bucket *below = new_bucket();
        int size;

        if (!below)
                return remote_detail(-ENOMEM, "out of memory");
        below->cluster = above->cluster;
        below->borrows = true;
        below->connections = above->connections;
        below->pool = strdup(above->pool);
        size = asprintf(&below->prefix, "%s%s%s", above->prefix, *above->prefix ? "/" : "", name);
        if (size < 0)
                below->prefix = NULL;
        if (!below->pool || !below->prefix) {
                close_bucket(&below->bucket);
                return remote_detail(-ENOMEM, "out of memory");
        }
        *ret = &below->bucket;
        return 0;
}

/* As snprintf(3). */
static int describe(const struct bucket *bucket, char *ret, size_t room)
{
        const struct ceph_bucket *own = (const struct ceph_bucket *)bucket;
        char fsid[CEPH_FSID_BYTES];
        int r = ceph_cluster_fsid(own->cluster, fsid);

        return r < 0 ? r : snprintf(ret, room, "rados:%s/%s/%s", fsid, own->pool, own->prefix);
}

const struct bucket_backend bucket_rados_backend = {
        .scheme = "rados",
        .open = open_bucket,
        .close = close_bucket,
        .put_new = ceph_put_new,
        .put = ceph_put,
        .get = ceph_get,
        .list = ceph_list,
        .remove = ceph_remove,
        .place = describe,
        .below = open_below,
};
