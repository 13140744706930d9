/*
 * object.c - an object, or a part of it, in memory
 */
#include "remote/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote_detail.h"

struct buffer {
        const char *name;
        uint8_t *bytes;
        size_t size, room, most;
};

static int take(void *context, const void *bytes, size_t size)
{
        struct buffer *buffer = context;

        if (size > buffer->most - buffer->size)
                return remote_detail(-EBADMSG, "%s: it has more than %zu bytes", buffer->name,
                                     buffer->most);
        if (size > buffer->room - buffer->size) {
                size_t room = buffer->size + size;
                uint8_t *grown;

                room = room > buffer->most / 2 ? buffer->most : 2 * room;
                grown = realloc(buffer->bytes, room);
                if (!grown)
                        return remote_detail(-ENOMEM, "%s: no memory for %zu bytes", buffer->name,
                                             room);
                buffer->bytes = grown;
                buffer->room = room;
        }
        memcpy(buffer->bytes + buffer->size, bytes, size);
        buffer->size += size;
        return 0;
}

int object_read(struct bucket *bucket, const char *name, uint64_t offset, uint64_t size,
                size_t most, uint8_t **ret_bytes, size_t *ret_size, struct bucket_reply *ret_reply)
{
        struct buffer buffer = { .name = name, .most = most };
        const struct bucket_sink sink = { take, &buffer };
        int r = bucket_get(bucket, name, offset, size, &sink, ret_reply);

        if (r < 0) {
                free(buffer.bytes);
                return r;
        }
        *ret_bytes = buffer.bytes;
        *ret_size = buffer.size;
        return 0;
}
