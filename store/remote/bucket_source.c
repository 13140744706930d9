/*
 * bucket_source.c - reads what is to be put, from memory or from a file
 */
#include "remote/bucket_source.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "remote/remote_detail.h"

static int read_file(int fd, uint64_t offset, char *ret, size_t size)
{
        while (size) {
                ssize_t got = pread(fd, ret, size, (off_t)offset);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return remote_detail(-EIO, "cannot read what is to be put: %s",
                                             strerrordesc_np(errno));
                if (got == 0)
                        return remote_detail(-EIO, "the file to be put is too short");
                ret += got;
                offset += (uint64_t)got;
                size -= (size_t)got;
        }
        return 0;
}

int source_read(const struct bucket_source *source, uint64_t at, void *ret, size_t size)
{
        assert(at <= source->size && size <= source->size - at);
        if (!source->bytes)
                return read_file(source->fd, source->offset + at, ret, size);
        if (size)
                memcpy(ret, (const char *)source->bytes + at, size);
        return 0;
}

struct bucket_source source_part(const struct bucket_source *source, uint64_t at, uint64_t size)
{
        struct bucket_source part = *source;

        assert(at <= source->size && size <= source->size - at);
        if (part.bytes)
                part.bytes = (const char *)part.bytes + at;
        else
                part.offset += at;
        part.size = size;
        return part;
}
