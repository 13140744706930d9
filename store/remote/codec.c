/*
 * codec.c - packs a segment, frame by frame
 */
#include "remote/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/codec_private.h"
#include "remote/frames.h"
#include "remote/remote_detail.h"
#include "segment/hash.h"

struct packer {
        int from, to;
        const char *name;
        uint64_t bytes; /* of the segment */
        bool unsealed;
        ZSTD_CCtx *context;            /* NULL: nothing is packed */
        XXH3_state_t hash, plain_hash; /* of the object; of what is in it */
        uint8_t *plain, *packed;       /* one frame */
        struct seek_table table;
        uint64_t offset; /* in the object */
};

static int packer_init(struct packer *packer, int level)
{
        int r = seek_table_init(packer->bytes, &packer->table);

        if (r < 0)
                return r;
        XXH3_64bits_reset(&packer->hash);
        XXH3_64bits_reset(&packer->plain_hash);
        packer->plain = malloc(REMOTE_BLOCK_BYTES);
        packer->packed = malloc(FRAME_BYTES_MAX);
        packer->context = level ? ZSTD_createCCtx() : NULL;
        if (!packer->plain || !packer->packed || (level && !packer->context))
                return remote_detail(-ENOMEM, "no memory to pack %s", packer->name);
        if (level &&
            (ZSTD_isError(
                     ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, level)) ||
             ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_checksumFlag, 1))))
                return remote_detail(-EINVAL, "level %d is not known", level);
        return 0;
}

static void packer_free(struct packer *packer)
{
        seek_table_free(&packer->table);
        ZSTD_freeCCtx(packer->context);
        free(packer->plain);
        free(packer->packed);
}

static int write_on(struct packer *packer, const uint8_t *bytes, size_t size)
{
        XXH3_64bits_update(&packer->hash, bytes, size);
        while (size > 0) {
                ssize_t wrote = pwrite(packer->to, bytes, size, (off_t)packer->offset);

                if (wrote < 0 && errno == EINTR)
                        continue;
                if (wrote < 0)
                        return remote_detail(-errno, "%s: cannot write what is to be shipped: %s",
                                             packer->name, strerror(errno));
                bytes += wrote;
                size -= (size_t)wrote;
                packer->offset += (uint64_t)wrote;
        }
        return 0;
}

/* The next frame of the object, with the segment's bytes from @offset on. */
static int pack_frame(struct packer *packer, uint64_t offset)
{
        size_t size = seek_frame_bytes(packer->bytes, offset), packed;
        int r = frames_read(packer->from, packer->name, packer->plain, size, offset);

        if (r < 0)
                return r;
        if (packer->unsealed)
                frames_blank_seal(packer->plain, size, offset);
        XXH3_64bits_update(&packer->plain_hash, packer->plain, size);
        if (!packer->context)
                return write_on(packer, packer->plain, size);
        packed = ZSTD_compress2(packer->context, packer->packed, FRAME_BYTES_MAX, packer->plain,
                                size);
        if (ZSTD_isError(packed))
                return remote_detail(-ENOMEM, "%s: offset %" PRIu64 ": cannot pack: %s",
                                     packer->name, offset, ZSTD_getErrorName(packed));
        packer->table.lines[packer->table.count++] =
                (struct seek_line){ (uint32_t)packed, (uint32_t)size };
        return write_on(packer, packer->packed, packed);
}

static int write_table(struct packer *packer)
{
        size_t size = seek_table_bytes(packer->table.count);
        uint8_t *bytes = malloc(size);
        int r;

        if (!bytes)
                return remote_detail(-ENOMEM, "no memory to pack %s", packer->name);
        seek_table_write(&packer->table, bytes);
        r = write_on(packer, bytes, size);
        free(bytes);
        return r;
}

int codec_pack(int from, const char *name, uint64_t bytes, bool unsealed, int level, int to,
               struct remote_block *blocks, uint32_t block_count, struct codec_packed *ret)
{
        struct packer packer = {
                .from = from, .to = to, .name = name, .bytes = bytes, .unsealed = unsealed
        };
        int r = packer_init(&packer, level);

        for (uint64_t at = 0; r == 0 && at < bytes; at += REMOTE_BLOCK_BYTES) {
                if (at % BLOCK_SPAN == 0 && at / BLOCK_SPAN < block_count)
                        blocks[at / BLOCK_SPAN].object_offset = packer.offset;
                r = pack_frame(&packer, at);
        }
        if (r == 0 && level)
                r = write_table(&packer);
        if (r == 0)
                *ret = (struct codec_packed){ packer.offset, XXH3_64bits_digest(&packer.hash),
                                              XXH3_64bits_digest(&packer.plain_hash) };
        packer_free(&packer);
        return r;
}
