/*
 * bucket_file.c - a bucket that is a directory: opening, reading and removing
 */
#include "remote/bucket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define READ_BYTES (64 << 10)

/* Without slashes that say nothing: one directory has one name. */
static void squeeze(char *path)
{
        char *to = path;

        for (const char *from = path; *from; from++)
                if (*from != '/' || to == path || to[-1] != '/')
                        *to++ = *from;
        if (to > path + 1 && to[-1] == '/')
                to--;
        *to = '\0';
}

static int open_bucket(const char *place, const struct bucket_options *options, struct bucket **ret)
{
        struct file_bucket *bucket;

        (void)options;
        if (strncmp(place, "///", 3) == 0)
                place += 2; /* no host */
        if (place[0] != '/' || place[1] == '/')
                return remote_detail(-EINVAL, "a directory is named as file:/DIRECTORY");
        bucket = calloc(1, sizeof(*bucket));
        if (!bucket)
                return remote_detail(-ENOMEM, "out of memory");
        bucket->path = strdup(place);
        if (!bucket->path) {
                free(bucket);
                return remote_detail(-ENOMEM, "out of memory");
        }
        squeeze(bucket->path);
        atomic_init(&bucket->cleaned, false);
        pthread_mutex_init(&bucket->lock, NULL);
        *ret = &bucket->bucket;
        return 0;
}

static void close_bucket(struct bucket *bucket)
{
        pthread_mutex_destroy(&file_bucket_of(bucket)->lock);
        free(file_bucket_of(bucket)->path);
        free(bucket);
}

/* The size of a regular file; else it is no object. */
static int object_size(int fd, uint64_t *ret)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return file_failed(errno, "fstat");
        if (!S_ISREG(st.st_mode))
                return remote_detail(-ENOENT, "not a regular file, so no object");
        *ret = (uint64_t)st.st_size;
        return 0;
}

static int open_object(int top, const char *name, int *ret_fd, uint64_t *ret_size)
{
        const char *rest;
        int parent, fd, r = file_open_parent(top, name, false, &rest, &parent);

        if (r < 0)
                return r;
        /* A FIFO must not make us wait for its writer. */
        fd = openat(parent, rest, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                r = errno == ELOOP || errno == ENXIO
                            ? remote_detail(-ENOENT, "not a regular file, so no object")
                            : file_failed(errno, "open");
        close(parent);
        if (r < 0)
                return r;
        r = object_size(fd, ret_size);
        if (r < 0) {
                close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int read_some(int fd, uint64_t offset, char *bytes, size_t size)
{
        ssize_t got;

        do
                got = pread(fd, bytes, size, (off_t)offset);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return file_failed(errno, "read");
        if (got == 0)
                return remote_detail(-EIO, "the file became shorter while it was read");
        return (int)got;
}

static int pour(int fd, uint64_t offset, uint64_t size, const struct bucket_sink *sink)
{
        char *bytes = malloc(READ_BYTES);
        int r = bytes ? 0 : remote_detail(-ENOMEM, "out of memory");

        while (r == 0 && size) {
                int got = read_some(fd, offset, bytes, size < READ_BYTES ? size : READ_BYTES);

                if (got < 0)
                        r = got;
                else
                        r = sink->write(sink->context, bytes, (size_t)got);
                if (r == 0) {
                        offset += (uint64_t)got;
                        size -= (uint64_t)got;
                }
        }
        free(bytes);
        return r;
}

static void fill_reply(int top, struct bucket_reply *ret_reply)
{
        if (!ret_reply)
                return;
        ret_reply->sent_ns = clock_boot_ns();
        ret_reply->server_ns = file_time_ns(top);
}

static int get(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
               const struct bucket_sink *sink, struct bucket_reply *ret_reply)
{
        uint64_t object_bytes = 0;
        int top, fd = -1, r = file_open_top(file_bucket_of(bucket), false, &top);

        if (r < 0)
                return r;
        fill_reply(top, ret_reply);
        r = open_object(top, name, &fd, &object_bytes);
        if (r == 0)
                r = bucket_cut_range(object_bytes, offset, &size);
        if (r == 0)
                r = pour(fd, offset, size, sink);
        if (fd >= 0)
                close(fd);
        close(top);
        return r;
}

static int remove_in(int parent, const char *rest)
{
        struct stat st;

        if (fstatat(parent, rest, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : file_failed(errno, "stat");
        if (!S_ISREG(st.st_mode))
                return 0; /* no object */
        if (unlinkat(parent, rest, 0) < 0 && errno != ENOENT)
                return file_failed(errno, "unlink");
        if (fsync(parent) < 0)
                return file_failed(errno, "sync of the directory");
        return 0;
}

static int remove_object(struct bucket *bucket, const char *name, struct bucket_reply *ret_reply)
{
        const char *rest;
        int top, parent, r = file_open_top(file_bucket_of(bucket), false, &top);

        if (r < 0)
                return r;
        fill_reply(top, ret_reply);
        r = file_open_parent(top, name, false, &rest, &parent);
        if (r == 0) {
                r = remove_in(parent, rest);
                close(parent);
        } else if (r == -ENOENT) {
                r = 0;
        }
        close(top);
        return r;
}

static int open_below(struct bucket *bucket, const char *name, struct bucket **ret)
{
        char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s", ((const struct file_bucket *)bucket)->path, name) < 0)
                return remote_detail(-ENOMEM, "out of memory");
        r = open_bucket(path, NULL, ret);
        free(path);
        return r;
}

/* As snprintf(3). */
static int describe(const struct bucket *bucket, char *ret, size_t room)
{
        return snprintf(ret, room, "file:%s", ((const struct file_bucket *)bucket)->path);
}

const struct bucket_backend bucket_file_backend = {
        .scheme = "file",
        .open = open_bucket,
        .close = close_bucket,
        .put_new = file_put_new,
        .put = file_put,
        .get = get,
        .list = file_list,
        .place = describe,
        .below = open_below,
        .remove = remove_object,
};
