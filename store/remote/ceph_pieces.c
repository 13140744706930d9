/*
 * ceph_pieces.c - a bucket in RADOS: the pieces of larger objects, several at once
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "remote/bucket_source.h"
#include "remote/ceph.h"
#include "remote/remote_detail.h"

#define AT_ONCE_MAX 64
#define READ_BYTES (UINT32_C(1) << 20)
#define READ_AT_ONCE 4
#define PIECE_NAME_BYTES (BUCKET_NAME_MAX + CEPH_NONCE_BYTES + 24)

/* Requests that are alike, the oldest of which is waited for first. */
struct row {
        uint64_t count;
        unsigned at_once;
        /* Send number @which; @slot is free until its end. Not 0: nothing was sent. */
        int (*begin)(void *context, uint64_t which, unsigned slot, rados_completion_t done);
        int (*end)(void *context, uint64_t which, unsigned slot, int result);
        void *context;
};

static int end_one(const struct row *row, uint64_t which, rados_completion_t done, bool wanted)
{
        unsigned slot = (unsigned)(which % row->at_once);
        int result;

        librados.aio_wait_for_complete(done);
        result = librados.aio_get_return_value(done);
        librados.aio_release(done);
        return wanted ? row->end(row->context, which, slot, result) : 0;
}

static int begin_one(const struct row *row, uint64_t which, rados_completion_t *ret)
{
        int r = librados.aio_create_completion2(NULL, NULL, ret);

        if (r < 0)
                return ceph_failed(r, "librados");
        r = row->begin(row->context, which, (unsigned)(which % row->at_once), *ret);
        if (r != 0)
                librados.aio_release(*ret);
        return r;
}

/* After a failure no further one begins, and those on their way are waited for. */
static int run(const struct row *row)
{
        rados_completion_t done[AT_ONCE_MAX] = { NULL };
        uint64_t begun = 0, ended = 0;
        int r = 0;

        while (ended < begun || (r == 0 && begun < row->count)) {
                if (r == 0 && begun < row->count && begun - ended < row->at_once) {
                        r = begin_one(row, begun, &done[begun % row->at_once]);
                        begun += r == 0;
                } else {
                        int e = end_one(row, ended, done[ended % row->at_once], r == 0);

                        ended++;
                        r = r == 0 ? e : r;
                }
        }
        return r;
}

/* ---- names ---- */

struct job {
        struct ceph_bucket *bucket;
        rados_ioctx_t io;
        const struct ceph_pending *pieces;
        const struct bucket_source *source; /* of a write */
        char *bytes;
        uint64_t offset, size; /* of a read */
        const struct bucket_sink *sink;
};

static void name_piece(const struct job *job, uint64_t which, char ret[PIECE_NAME_BYTES])
{
        char nonce[CEPH_NONCE_BYTES];

        ceph_nonce(&job->pieces->entry, nonce);
        snprintf(ret, PIECE_NAME_BYTES, "%s.%s.%" PRIu64, job->pieces->name, nonce, which);
}

static uint64_t piece_count(const struct ceph_entry *entry)
{
        return entry->size / entry->piece_bytes + (entry->size % entry->piece_bytes != 0);
}

static int job_init(struct job *job, struct ceph_bucket *bucket, const struct ceph_pending *pieces)
{
        *job = (struct job){ .bucket = bucket, .pieces = pieces };
        return ceph_open(bucket, &job->io);
}

static int failed(int result, uint64_t which, const char *what)
{
        return remote_detail_within(ceph_failed(result, what), "piece %" PRIu64, which);
}

/* ---- writing ---- */

static int begin_write(void *context, uint64_t which, unsigned slot, rados_completion_t done)
{
        struct job *job = context;
        const struct ceph_entry *entry = &job->pieces->entry;
        uint64_t at = which * entry->piece_bytes, left = entry->size - at;
        size_t size = left < entry->piece_bytes ? (size_t)left : entry->piece_bytes;
        char name[PIECE_NAME_BYTES];
        int r = source_read(job->source, at, job->bytes, size);

        (void)slot; /* librados copies the bytes */
        if (r < 0)
                return r;
        name_piece(job, which, name);
        r = librados.aio_write_full(job->io, name, done, job->bytes, size);
        return r < 0 ? failed(r, which, "write") : 0;
}

static int end_write(void *context, uint64_t which, unsigned slot, int result)
{
        (void)context, (void)slot;
        return result < 0 ? failed(result, which, "write") : 0;
}

static unsigned at_once(const struct ceph_bucket *bucket, uint32_t wanted)
{
        uint32_t count = wanted ? wanted : bucket->connections;

        return count < AT_ONCE_MAX ? count : AT_ONCE_MAX;
}

int ceph_pieces_write(struct ceph_bucket *bucket, const struct ceph_pending *pieces,
                      const struct bucket_source *source)
{
        const struct ceph_entry *entry = &pieces->entry;
        struct job job;
        struct row row = { .count = piece_count(entry),
                           .at_once = at_once(bucket, source->connections),
                           .begin = begin_write,
                           .end = end_write,
                           .context = &job };
        int r = job_init(&job, bucket, pieces);

        if (r < 0)
                return r;
        job.source = source;
        job.bytes = malloc(entry->size < entry->piece_bytes ? entry->size + 1 : entry->piece_bytes);
        r = job.bytes ? run(&row) : remote_detail(-ENOMEM, "out of memory");
        free(job.bytes);
        return r;
}

/* ---- removing ---- */

static int begin_remove(void *context, uint64_t which, unsigned slot, rados_completion_t done)
{
        struct job *job = context;
        char name[PIECE_NAME_BYTES];
        int r;

        (void)slot;
        name_piece(job, which, name);
        r = librados.aio_remove(job->io, name, done);
        return r < 0 ? failed(r, which, "remove") : 0;
}

static int end_remove(void *context, uint64_t which, unsigned slot, int result)
{
        (void)context, (void)slot;
        return result < 0 && result != -ENOENT ? failed(result, which, "remove") : 0;
}

int ceph_pieces_remove(struct ceph_bucket *bucket, const struct ceph_pending *pieces)
{
        struct job job;
        struct row row = { .count = piece_count(&pieces->entry),
                           .at_once = at_once(bucket, 0),
                           .begin = begin_remove,
                           .end = end_remove,
                           .context = &job };
        int r = job_init(&job, bucket, pieces);

        return r < 0 ? r : run(&row);
}

/* ---- reading ---- */

/* One request reads up to 1 MiB that does not leave its piece. */
struct reach {
        uint64_t piece, offset;
        size_t size;
};

static uint64_t unit_of(const struct job *job)
{
        uint32_t piece_bytes = job->pieces->entry.piece_bytes; /* a power of 2 */

        return piece_bytes < READ_BYTES ? piece_bytes : READ_BYTES;
}

/* Number @which counts from the MiB with the first byte on. */
static struct reach reach_of(const struct job *job, uint64_t which)
{
        uint64_t unit = unit_of(job);
        uint64_t at = (job->offset / unit + which) * unit, end = at + unit;

        if (at < job->offset)
                at = job->offset;
        if (end > job->offset + job->size)
                end = job->offset + job->size;
        return (struct reach){ .piece = at / job->pieces->entry.piece_bytes,
                               .offset = at % job->pieces->entry.piece_bytes,
                               .size = (size_t)(end - at) };
}

static int begin_read(void *context, uint64_t which, unsigned slot, rados_completion_t done)
{
        struct job *job = context;
        struct reach reach = reach_of(job, which);
        char name[PIECE_NAME_BYTES];
        int r;

        name_piece(job, reach.piece, name);
        r = librados.aio_read(job->io, name, done, job->bytes + (size_t)slot * READ_BYTES,
                              reach.size, reach.offset);
        return r < 0 ? failed(r, reach.piece, "read") : 0;
}

static int end_read(void *context, uint64_t which, unsigned slot, int result)
{
        struct job *job = context;
        struct reach reach = reach_of(job, which);

        if (result < 0)
                return failed(result, reach.piece, "read");
        if ((size_t)result != reach.size)
                return remote_detail(-EBADMSG, "piece %" PRIu64 " is too short", reach.piece);
        return job->sink->write(job->sink->context, job->bytes + (size_t)slot * READ_BYTES,
                                reach.size);
}

int ceph_pieces_read(struct ceph_bucket *bucket, const struct ceph_pending *pieces, uint64_t offset,
                     uint64_t size, const struct bucket_sink *sink)
{
        struct job job;
        struct row row = { .begin = begin_read, .end = end_read, .context = &job };
        int r = job_init(&job, bucket, pieces);

        if (r < 0 || size == 0)
                return r;
        job.offset = offset;
        job.size = size;
        job.sink = sink;
        row.count = (offset + size - 1) / unit_of(&job) - offset / unit_of(&job) + 1;
        row.at_once = row.count < READ_AT_ONCE ? (unsigned)row.count : READ_AT_ONCE;
        job.bytes = malloc(row.at_once > 1 ? (size_t)row.at_once * READ_BYTES : (size_t)size);
        r = job.bytes ? run(&row) : remote_detail(-ENOMEM, "out of memory");
        free(job.bytes);
        return r;
}
