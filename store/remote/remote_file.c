/*
 * remote_file.c - reads a small file whole
 */
#include "remote/remote_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote/remote_detail.h"

static int failed(int error, const char *path)
{
        int r = error == ENOENT || error == ENOTDIR ? -ENOENT : error == EACCES ? -EACCES : -EIO;

        return remote_detail(r, "%.200s: %s", path, strerrordesc_np(error));
}

static int read_fd(int fd, const char *path, size_t most, struct text *ret)
{
        char bytes[4096];
        ssize_t got;

        for (;;) {
                got = read(fd, bytes, sizeof(bytes));
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        break;
                text_add_bytes(ret, bytes, (size_t)got);
                if (ret->size > most)
                        return remote_detail(-EIO, "%.200s: more than %zu bytes", path, most);
        }
        explicit_bzero(bytes, sizeof(bytes));
        if (got < 0)
                return failed(errno, path);
        if (memchr(text_string(ret), 0, ret->size))
                return remote_detail(-EIO, "%.200s: not a text", path);
        return text_check(ret);
}

int file_read_small(const char *path, size_t most, struct text *ret)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;
        struct stat st;

        if (fd < 0)
                return failed(errno, path);
        if (fstat(fd, &st) < 0)
                r = failed(errno, path);
        else if (!S_ISREG(st.st_mode))
                r = remote_detail(-EIO, "%.200s: not a regular file", path);
        else
                r = read_fd(fd, path, most, ret);
        close(fd);
        return r;
}
