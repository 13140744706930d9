/*
 * bucket_file_place.c - a bucket that is a directory: its directories, temporary files and clock
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/bucket_file.h"
#include "remote/remote_clock.h"
#include "remote/remote_detail.h"

#define LEFTOVER_AGE_NS (INT64_C(24) * 3600 * NS_PER_S)
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int outcome_of(int error)
{
        switch (error) {
        case ENOENT:
        case EEXIST:
        case ENOMEM:
        case EOPNOTSUPP:
                return -error;
        case ENOSPC:
        case EDQUOT:
                return -ENOSPC;
        case EACCES:
        case EPERM:
        case EROFS:
                return -EACCES;
        case EFBIG:
                return -EMSGSIZE;
        case EINTR:
        case EAGAIN:
        case ESTALE:
        case ETIMEDOUT:
        case EMFILE:
        case ENFILE:
                return -EAGAIN;
        default:
                return -EIO;
        }
}

int file_failed(int error, const char *what)
{
        return remote_detail(outcome_of(error), "%s: %s", what, strerrordesc_np(error));
}

/* Objects are for whom the directory is for; one that we make is for its owner. */
static mode_t mode_in(int top, mode_t most)
{
        struct stat st;

        return fstat(top, &st) < 0 ? most & 0700 : st.st_mode & most;
}

int file_open_top(const struct file_bucket *bucket, bool create, int *ret_fd)
{
        int fd = open(bucket->path, DIRECTORY_FLAGS);

        if (fd < 0 && errno == ENOENT && create) {
                if (mkdir(bucket->path, 0700) < 0 && errno != EEXIST)
                        return file_failed(errno, "mkdir");
                fd = open(bucket->path, DIRECTORY_FLAGS);
        }
        if (fd < 0)
                return file_failed(errno, "the directory");
        *ret_fd = fd;
        return 0;
}

static int open_below(int top, const char *name, bool create, int *ret_fd)
{
        int fd = openat(top, name, DIRECTORY_FLAGS | O_NOFOLLOW);

        if (fd < 0 && errno == ENOENT && create) {
                if (mkdirat(top, name, mode_in(top, 0777)) < 0 && errno != EEXIST)
                        return file_failed(errno, "mkdir");
                fd = openat(top, name, DIRECTORY_FLAGS | O_NOFOLLOW);
        }
        if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
                return create ? remote_detail(-EIO, "%s is not a directory", name)
                              : remote_detail(-ENOENT, "%s is not a directory", name);
        if (fd < 0)
                return file_failed(errno, "open");
        *ret_fd = fd;
        return 0;
}

/* Who may not read the directory above has not made this one there. */
static int sync_above(int top)
{
        int fd = openat(top, "..", DIRECTORY_FLAGS), r = 0;

        if (fd < 0)
                return errno == EACCES || errno == EPERM ? 0 : file_failed(errno, "open");
        if (fsync(fd) < 0)
                r = file_failed(errno, "sync of the directory above");
        close(fd);
        return r;
}

/* With the lock. @below: "", or a directory in the bucket. */
static int make_one_lasting(struct file_bucket *bucket, int top, const char *below)
{
        int r = 0;

        for (size_t i = 0; i < bucket->lasting_count; i++)
                if (strcmp(bucket->lasting[i], below) == 0)
                        return 0;
        if (!*below)
                r = sync_above(top);
        else if (fsync(top) < 0)
                r = file_failed(errno, "sync of the directory");
        if (r == 0 && bucket->lasting_count < FILE_LASTING_MAX)
                strcpy(bucket->lasting[bucket->lasting_count++], below);
        return r;
}

int file_make_lasting(struct file_bucket *bucket, int top, const char *name)
{
        const char *slash = strchr(name, '/');
        char below[BUCKET_NAME_MAX + 1];
        int r;

        pthread_mutex_lock(&bucket->lock);
        r = make_one_lasting(bucket, top, "");
        if (r == 0 && slash) {
                snprintf(below, sizeof(below), "%.*s", (int)(slash - name), name);
                r = make_one_lasting(bucket, top, below);
        }
        pthread_mutex_unlock(&bucket->lock);
        return r;
}

int file_open_parent(int top, const char *name, bool create, const char **ret_rest, int *ret_fd)
{
        const char *slash = strchr(name, '/');
        char below[BUCKET_NAME_MAX + 1];
        int r;

        if (slash) {
                memcpy(below, name, (size_t)(slash - name));
                below[slash - name] = 0;
                r = open_below(top, below, create, ret_fd);
                if (r == 0)
                        *ret_rest = slash + 1;
                return r;
        }
        r = fcntl(top, F_DUPFD_CLOEXEC, 3);
        if (r < 0)
                return file_failed(errno, "dup");
        *ret_rest = name;
        *ret_fd = r;
        return 0;
}

int file_open_temporary(int top, char ret_name[FILE_TEMPORARY_BYTES], int *ret_fd)
{
        uint64_t dice[2];
        int fd;

        if (getrandom(dice, sizeof(dice), 0) != sizeof(dice))
                return file_failed(errno, "getrandom");
        snprintf(ret_name, FILE_TEMPORARY_BYTES, "~%016jx%016jx", (uintmax_t)dice[0],
                 (uintmax_t)dice[1]);
        fd = openat(top, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    mode_in(top, 0666) | 0600);
        if (fd < 0)
                return file_failed(errno, "create");
        *ret_fd = fd;
        return 0;
}

static int64_t changed_ns(const struct stat *st)
{
        return st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

int64_t file_time_ns(int top)
{
        char name[FILE_TEMPORARY_BYTES];
        struct stat st;
        int64_t ns = 0;
        int fd;

        if (file_open_temporary(top, name, &fd) < 0)
                return 0;
        if (fstat(fd, &st) == 0)
                ns = changed_ns(&st);
        close(fd);
        unlinkat(top, name, 0); /* else it goes with the leftovers */
        return ns;
}

static bool is_leftover(int top, const char *name, int64_t now_ns)
{
        struct stat st;

        return name[0] == '~' && strlen(name) == 33 && strspn(name + 1, "0123456789abcdef") == 32 &&
               fstatat(top, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
               now_ns - changed_ns(&st) > LEFTOVER_AGE_NS;
}

void file_remove_leftovers(int top)
{
        int64_t now_ns = file_time_ns(top);
        int fd = openat(top, ".", DIRECTORY_FLAGS);
        DIR *directory = fd < 0 || now_ns == 0 ? NULL : fdopendir(fd);

        if (!directory) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        for (struct dirent *entry; (entry = readdir(directory));)
                if (is_leftover(top, entry->d_name, now_ns))
                        unlinkat(top, entry->d_name, 0);
        closedir(directory);
}
