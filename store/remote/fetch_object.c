/*
 * fetch_object.c - the bytes of a segment's object, unpacked and checked as they come
 */
#include <errno.h>
#include <inttypes.h>

#include "remote/codec.h"
#include "remote/fetch_private.h"
#include "remote/remote_detail.h"
#include "segment/hash.h"

struct receiver {
        const struct remote_entry *entry;
        const char *name;
        const struct bucket_sink *sink;
        XXH3_state_t object_hash, bytes_hash;
        struct codec_stream *stream; /* NULL: the object is the file */
        uint64_t object_bytes, bytes;
};

/* Of the segment. */
static int take_bytes(void *context, const void *bytes, size_t size)
{
        struct receiver *receiver = context;

        receiver->bytes += size;
        XXH3_64bits_update(&receiver->bytes_hash, bytes, size);
        return receiver->sink->write(receiver->sink->context, bytes, size);
}

/* Of the object. */
static int take_object(void *context, const void *bytes, size_t size)
{
        struct receiver *receiver = context;

        if (size > receiver->entry->object_bytes - receiver->object_bytes)
                return remote_detail(-EBADMSG,
                                     "%s: it has more than the %" PRIu64 " bytes that "
                                     "its commit says",
                                     receiver->name, receiver->entry->object_bytes);
        receiver->object_bytes += size;
        if (!receiver->stream)
                return take_bytes(receiver, bytes, size);
        XXH3_64bits_update(&receiver->object_hash, bytes, size);
        return codec_stream_write(receiver->stream, bytes, size);
}

static int check(const struct receiver *receiver)
{
        const struct remote_entry *entry = receiver->entry;

        if (receiver->object_bytes != entry->object_bytes)
                return remote_detail(-EBADMSG, "%s: it has %" PRIu64 " bytes of %" PRIu64,
                                     receiver->name, receiver->object_bytes, entry->object_bytes);
        if ((receiver->stream &&
             XXH3_64bits_digest(&receiver->object_hash) != entry->object_check) ||
            XXH3_64bits_digest(&receiver->bytes_hash) != entry->bytes_check)
                return remote_detail(-EBADMSG,
                                     "%s: its checksum is not that of commit %" PRIu64
                                     ", records %" PRIu64 "..%" PRIu64,
                                     receiver->name, entry->seq, entry->first_number,
                                     entry->last_number);
        return receiver->stream ? codec_stream_end(receiver->stream) : 0;
}

static int begin(struct receiver *receiver, const struct bucket_sink *bytes)
{
        XXH3_64bits_reset(&receiver->object_hash);
        XXH3_64bits_reset(&receiver->bytes_hash);
        return receiver->entry->codec == CODEC_PLAIN
                       ? 0
                       : codec_stream_new(receiver->name, receiver->entry->to, bytes,
                                          &receiver->stream);
}

int fetch_object(struct bucket *bucket, const struct remote_entry *entry,
                 const struct bucket_sink *sink, uint64_t *ret_received)
{
        char name[BUCKET_NAME_MAX];
        struct receiver receiver = { .entry = entry, .name = name, .sink = sink };
        const struct bucket_sink object = { take_object, &receiver },
                                 bytes = { take_bytes, &receiver };
        int r;

        segment_object_name(name, entry);
        r = begin(&receiver, &bytes);
        if (r == 0)
                r = bucket_get(bucket, name, 0, UINT64_MAX, &object, NULL);
        if (r == 0)
                r = check(&receiver);
        *ret_received = receiver.object_bytes;
        codec_stream_free(receiver.stream);
        return r;
}
