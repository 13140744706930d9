/*
 * bucket_file_put.c - a bucket that is a directory: putting an object, whole or not at all
 *
 * The plan: open a temporary file; fill it; sync it; link it to the object's name; remove the
 * temporary name; sync the directory; sync those above it, unless that is known to have happened.
 * A failure before the link leaves nothing but a temporary file. One behind it leaves the object,
 * and the caller is told of the failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/bucket_file.h"
#include "remote/bucket_source.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define COPY_BYTES (256 << 10)

/* One object on its way. */
struct placing {
        int top, parent, fd;
        const char *rest; /* of the name, in the parent */
        char temporary[FILE_TEMPORARY_BYTES];
        int64_t not_after_ns;
        bool replace; /* put: what is there under its name is its own earlier try */
};

static int write_all(int fd, const char *bytes, size_t size)
{
        while (size) {
                ssize_t wrote = write(fd, bytes, size);

                if (wrote < 0 && errno == EINTR)
                        continue;
                if (wrote < 0)
                        return file_failed(errno, "write");
                bytes += wrote;
                size -= (size_t)wrote;
        }
        return 0;
}

static int fill(int fd, const struct bucket_source *source)
{
        char *bytes = malloc(COPY_BYTES);
        int r = bytes ? 0 : remote_detail(-ENOMEM, "out of memory");

        for (uint64_t at = 0; r == 0 && at < source->size;) {
                uint64_t left = source->size - at;
                size_t size = left < COPY_BYTES ? left : COPY_BYTES;

                r = source_read(source, at, bytes, size);
                if (r == 0)
                        r = write_all(fd, bytes, size);
                at += size;
        }
        free(bytes);
        if (r == 0 && fsync(fd) < 0)
                r = file_failed(errno, "sync");
        return r;
}

/* Over NFS the reply to a link can be lost, and its repetition then finds our own. */
static bool is_linked(const struct placing *p)
{
        struct stat st, there;

        return fstat(p->fd, &st) == 0 &&
               fstatat(p->parent, p->rest, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
               st.st_dev == there.st_dev && st.st_ino == there.st_ino;
}

static int move_new(const struct placing *p)
{
        if (renameat2(p->top, p->temporary, p->parent, p->rest, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno == EINVAL || errno == ENOSYS)
                return remote_detail(-EOPNOTSUPP,
                                     "this file system can neither link nor rename without "
                                     "replacing");
        return file_failed(errno, "rename");
}

static int check_other(const struct placing *p)
{
        struct stat st;

        if (fstatat(p->parent, p->rest, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
                return remote_detail(-EIO, "something that is no object is in the way");
        return remote_detail(-EEXIST, "it is there");
}

static int give_name_over(const struct placing *p)
{
        if (renameat(p->top, p->temporary, p->parent, p->rest) < 0)
                return file_failed(errno, "rename");
        return 0;
}

static int give_name(const struct placing *p)
{
        int r = 0;

        if (p->not_after_ns && clock_boot_ns() > p->not_after_ns)
                return remote_detail(-ESTALE, "too late");
        if (linkat(p->top, p->temporary, p->parent, p->rest, 0) < 0) {
                if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
                        r = move_new(p);
                else
                        r = file_failed(errno, "link");
        }
        if ((r == -EEXIST || r == -EAGAIN || r == -EIO) && is_linked(p))
                r = 0;
        if (r == -ENOENT)
                r = remote_detail(-EAGAIN, "the temporary file was removed");
        return r == -EEXIST ? check_other(p) : r;
}

/* Also if another was first: what we say of it must last. */
static int finish(const struct placing *p, int r)
{
        if (unlinkat(p->top, p->temporary, 0) < 0 && errno != ENOENT && r == 0)
                r = file_failed(errno, "unlink");
        if ((r == 0 || r == -EEXIST) && fsync(p->parent) < 0)
                r = file_failed(errno, "sync of the directory");
        return r;
}

/* When its names changed last. A process that slept before it gave the name must see that here:
 * only so it finds out that its confirmation is long past. */
static int64_t time_of(int fd)
{
        struct stat st;

        return fstat(fd, &st) < 0 ? 0 : st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec;
}

static int place(struct placing *p, const struct bucket_source *source,
                 struct bucket_reply *ret_reply)
{
        int r = file_open_temporary(p->top, p->temporary, &p->fd);

        if (r < 0)
                return r;
        r = fill(p->fd, source);
        if (r == 0)
                r = p->replace ? give_name_over(p) : give_name(p);
        r = finish(p, r);
        ret_reply->server_ns = time_of(p->fd);
        /* All was synced, so what close() says is no news. */
        close(p->fd);
        return r;
}

/* An outcome that may be told only once the names of the directories are durable. */
static int make_lasting(struct file_bucket *bucket, int top, const char *name, int outcome)
{
        int r = file_make_lasting(bucket, top, name);

        return r < 0 ? r : outcome;
}

static int put(struct bucket *bucket, const char *name, const struct bucket_source *source,
               bool replace, struct bucket_reply *ret_reply)
{
        struct file_bucket *own = file_bucket_of(bucket);
        struct placing p = { .not_after_ns = source->not_after_ns, .replace = replace };
        int r = file_open_top(own, true, &p.top);

        if (r < 0)
                return r;
        ret_reply->sent_ns = clock_boot_ns();
        if (!atomic_exchange(&own->cleaned, true))
                file_remove_leftovers(p.top);
        r = file_open_parent(p.top, name, true, &p.rest, &p.parent);
        if (r == 0) {
                r = place(&p, source, ret_reply);
                close(p.parent);
        }
        if (r == 0 || r == -EEXIST)
                r = make_lasting(own, p.top, name, r);
        close(p.top);
        return r;
}

int file_put_new(struct bucket *bucket, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply)
{
        return put(bucket, name, source, false, ret_reply);
}

int file_put(struct bucket *bucket, const char *name, const struct bucket_source *source,
             struct bucket_reply *ret_reply)
{
        return put(bucket, name, source, true, ret_reply);
}
