/*
 * ceph_get.c - a bucket in RADOS: reading a range of an object
 *
 * The entry comes first, and small objects with it. The others' pieces follow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/ceph.h"
#include "remote/remote_detail.h"

/* A piece is missing. Has the object been removed meanwhile? */
static int judge_missing(struct ceph_bucket *bucket, const struct ceph_pending *object)
{
        struct ceph_entry now;
        char line[512];
        int r;

        snprintf(line, sizeof(line), "%s", remote_detail_line());
        r = ceph_look(bucket, object->name, &now, NULL, NULL);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && memcmp(now.nonce, object->entry.nonce, sizeof(now.nonce)) == 0)
                return remote_detail(-EBADMSG, "%s", line);
        return remote_detail(-ENOENT, "it was removed while it was read");
}

static int get_pieces(struct ceph_bucket *bucket, const char *name, const struct ceph_entry *entry,
                      uint64_t offset, uint64_t size, const struct bucket_sink *sink)
{
        struct ceph_pending object = { .entry = *entry };
        int r;

        snprintf(object.name, sizeof(object.name), "%s", name);
        r = ceph_pieces_read(bucket, &object, offset, size, sink);
        return r == -ENOENT ? judge_missing(bucket, &object) : r;
}

int ceph_get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
             const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        struct ceph_bucket *own = (struct ceph_bucket *)bucket;
        struct ceph_entry entry;
        char *bytes = NULL;
        int r = ceph_look(own, name, &entry, &bytes, ret_reply);

        if (r == 0)
                r = bucket_cut_range(entry.size, offset, &size);
        if (r == 0 && size)
                r = entry.piece_bytes ? get_pieces(own, name, &entry, offset, size, sink)
                                      : sink->write(sink->context, bytes + offset, (size_t)size);
        free(bytes);
        return r;
}
