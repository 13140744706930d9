/*
 * segment.c - one append-only file of frames
 *
 * Life:  prepared (header, durable under its name) -> started (start frame) -> full -> sealed.
 *        A committed frame never changes; files are only ever unlinked whole.
 * Trust: read(2) reads the first page, which is checked before anything is mapped. No access goes
 *        beyond the length that fstat(2) gave.
 * Locks: only index_lock, for an index that a reader extends (segment_locate.c).
 */
#include "segment/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/file.h"

static int write_header(int fd, const uint8_t uuid[16], uint64_t id, uint64_t bytes)
{
        struct segment_header header = {
                .magic = SEGMENT_MAGIC,
                .version = FORMAT_VERSION,
                .header_bytes = HEADER_BYTES,
                .compatible = FORMAT_COMPATIBLE,
                .incompatible = FORMAT_INCOMPATIBLE,
                .id = id,
                .bytes = bytes,
                .created_ns = os_now(),
        };
        int r = os_random(&header.salt, sizeof(header.salt));

        if (r < 0)
                return r;
        memcpy(header.uuid, uuid, sizeof(header.uuid));
        header.check = brief_header_check(&header);
        r = os_write(fd, &header, sizeof(header), 0);
        if (r == 0)
                r = os_grow(fd, GROW_BYTES);
        return r < 0 ? r : os_sync_file(fd);
}

int segment_prepare(int directory, const uint8_t uuid[16], uint64_t id, uint64_t bytes,
                    uint32_t mode)
{
        char name[32], temporary[40];
        int fd, r;

        segment_name(id, name);
        if (id > ID_MAX) /* nobody would find it */
                return detail(-EOVERFLOW,
                              "%s: ids end at %" PRIu64 ": remove the file that has that name",
                              name, ID_MAX);
        snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX "%s", name);
        fd = os_open(directory, temporary, OS_WRITE | OS_CREATE, mode);
        if (fd < 0)
                return detail(fd, "%s: cannot create the file: %s", temporary,
                              logstore_error_text(fd));
        r = write_header(fd, uuid, id, bytes);
        if (os_close(fd) < 0 && r == 0)
                r = -EIO;
        if (r == 0)
                r = os_rename_fresh(directory, temporary, name);
        if (r < 0) {
                os_unlink(directory, temporary);
                return detail(r, "%s: cannot prepare a segment: %s", name, logstore_error_text(r));
        }
        r = os_sync_directory(directory);
        return detail_sync_directory(r, name);
}

/* Tell the file what is wrong with its first page. */
static int tell(const char *name, const struct brief_fault *fault)
{
        return damaged(fault->error, name, fault->offset, 0, "%s", fault->what);
}

static int brief_from_file(int fd, uint64_t file_bytes, const char *name, const uint8_t uuid[16],
                           uint64_t id, struct segment_brief *ret)
{
        _Alignas(8) char page[FRAMES_OFFSET] = { 0 };
        struct brief_fault fault;
        size_t got;
        int r = os_read(fd, page, sizeof(page), 0, &got);

        if (r < 0)
                return detail(r, "%s: offset 0: cannot read: %s", name, logstore_error_text(r));
        r = brief_read(page, got, file_bytes, uuid, id, ret, &fault);
        return r < 0 ? tell(name, &fault) : 0;
}

static int open_named(int directory, uint64_t id, bool writable, char name[32], struct os_stat *ret)
{
        int fd;

        segment_name(id, name);
        fd = file_open(directory, name, writable ? OS_WRITE : OS_READ, ret);
        if (fd == -EPERM && !writable) /* the same as a file without magic */
                return damaged(-EBADMSG, name, 0, 0, "not a regular file");
        return fd == -ENOENT ? detail(fd, "%s: the segment is missing", name) : fd;
}

int segment_brief_read(int directory, const uint8_t uuid[16], uint64_t id,
                       struct segment_brief *ret)
{
        struct os_stat st;
        char name[32];
        int fd = open_named(directory, id, false, name, &st), r;

        if (fd < 0)
                return fd;
        r = brief_from_file(fd, st.bytes, name, uuid, id, ret);
        os_close(fd); /* only read */
        return r;
}

int segment_identify(int directory, uint64_t id, struct segment_identity *ret)
{
        struct segment_header header;
        struct brief_fault fault;
        struct os_stat st;
        char name[32];
        size_t got = 0;
        int fd = open_named(directory, id, false, name, &st);
        int r = fd < 0 ? fd : os_read(fd, &header, sizeof(header), 0, &got);

        if (fd >= 0)
                os_close(fd); /* only read */
        if (r == 0 && got < sizeof(header))
                r = -EBADMSG;
        if (r < 0)
                return r;
        r = brief_check_header(&header, header.uuid, header.id, &fault);
        if (r < 0)
                return tell(name, &fault);
        memcpy(ret->uuid, header.uuid, sizeof(ret->uuid));
        ret->bytes = header.bytes;
        ret->created_ns = header.created_ns;
        ret->mode = st.mode & 0004 ? 0644 : st.mode & 0040 ? 0640 : 0600;
        return 0;
}

bool segment_is_sealed(int directory, const uint8_t uuid[16], uint64_t id)
{
        struct segment_brief brief;

        return segment_brief_read(directory, uuid, id, &brief) == 0 && brief.sealed;
}

int segment_check_writable(int directory, uint64_t id)
{
        char name[32];
        int fd = open_named(directory, id, true, name, NULL);

        if (fd >= 0)
                os_close(fd); /* nothing was written */
        return fd < 0 ? fd : 0;
}

int segment_open(struct memory *memory, int directory, const uint8_t uuid[16], uint64_t id,
                 enum os_map_kind kind, struct segment **ret)
{
        bool writable = kind == OS_SHARED_WRITE;
        struct segment *segment = memory_new(memory, sizeof(*segment));
        struct os_stat st;
        int r;

        if (!segment)
                return detail(-ENOMEM, "no memory for a segment");
        segment->memory = memory;
        segment->directory = directory;
        pthread_mutex_init(&segment->index_lock, NULL);
        segment->fd = open_named(directory, id, writable, segment->name, &st);
        r = segment->fd < 0 ? segment->fd
                            : brief_from_file(segment->fd, st.bytes, segment->name, uuid, id,
                                              &segment->brief);
        if (r == 0) {
                r = map_file(memory, segment->fd, kind, segment->brief.bytes, &segment->map);
                if (r < 0)
                        detail(r, "%s: cannot map %" PRIu64 " bytes: %s", segment->name,
                               segment->brief.bytes, logstore_error_text(r));
        }
        if (r < 0) {
                segment_close(segment);
                return r;
        }
        hash_key_init(&segment->key, segment->brief.salt);
        segment->end = segment->brief.sealed ? segment->brief.seal.end : segment->brief.bytes;
        atomic_store(&segment->file_bytes, segment->brief.file_bytes);
        atomic_store(&segment->last_number, UINT64_MAX);
        if (kind == OS_PRIVATE || (segment->brief.sealed && !writable)) { /* the mapping stays */
                os_close(segment->fd);
                segment->fd = -1;
        }
        *ret = segment;
        return 0;
}

void segment_close(struct segment *segment)
{
        if (!segment)
                return;
        index_close(&segment->index);
        index_close(&segment->own);
        map_close(&segment->map);
        if (segment->fd >= 0)
                os_close(segment->fd); /* synced before, where it was written */
        pthread_mutex_destroy(&segment->index_lock);
        memory_free(segment->memory, segment);
}

void segment_start(struct segment *segment, const struct start_payload *start, int64_t time_ns)
{
        struct frame *frame = (struct frame *)((char *)segment->map.base + HEADER_BYTES);
        uint32_t word = record_word(FRAME_RECORD, sizeof(*start));

        memcpy(frame->payload, start, sizeof(*start));
        record_encode(&segment->key, frame, HEADER_BYTES, word, 0, time_ns);
        segment->brief.start = *start;
        segment->brief.started = true;
        segment->brief.started_ns = time_ns;
        /* Publish: pairs with the acquire load in record_peek(). */
        atomic_store_explicit(&frame->commit, word, memory_order_release);
}

void segment_seal(struct segment *segment, uint64_t records, uint64_t end, int64_t greatest_ns)
{
        struct segment_seal seal = {
                .magic = SEAL_MAGIC,
                .records = records,
                .end = end,
                .first_number = segment->brief.start.first_number,
                .last_number = segment->brief.start.first_number + records - 1,
                .greatest_ns = greatest_ns,
        };

        seal.check = hash_seeded(segment->brief.salt, &seal, offsetof(struct segment_seal, check));
        memcpy((char *)segment->map.base + SECTOR_BYTES, &seal, sizeof(seal));
}

int segment_sync_start(const struct segment *segment, size_t bytes)
{
        int r = map_sync(&segment->map, bytes);

        return r < 0 ? detail(r, "%s: offset 0: a sync failed: %s", segment->name,
                              logstore_error_text(r))
                     : 0;
}

int segment_store_start(const struct segment *segment)
{
        uint8_t frame[FRAMES_OFFSET - HEADER_BYTES];
        int r;

        memcpy(frame, (const uint8_t *)segment->map.base + HEADER_BYTES, sizeof(frame));
        r = os_write(segment->fd, frame, sizeof(frame), HEADER_BYTES);
        if (r < 0)
                return detail(r, "%s: offset %u: cannot write: %s", segment->name, HEADER_BYTES,
                              logstore_error_text(r));
        return segment_sync_start(segment, FRAMES_OFFSET);
}

int segment_damage(const struct segment *segment, uint64_t offset, uint64_t number,
                   const char *what)
{
        if (map_faulted(&segment->map))
                return damaged(-EIO, segment->name, offset, number,
                               "the disk or the file's length failed under the mapping: close, "
                               "check the disk, reopen");
        return damaged(-EBADMSG, segment->name, offset, number, "%s", what);
}

void segment_drop(struct segment *segment, uint64_t from, uint64_t to)
{
        int fd = segment->fd >= 0 ? segment->fd
                                  : os_open(segment->directory, segment->name, OS_READ, 0);

        if (fd < 0)
                return; /* deleted since: its pages go with it */
        os_zap((char *)segment->map.base + from, to - from);
        os_drop_cache(fd, from, to - from);
        if (fd != segment->fd)
                os_close(fd); /* only read */
}
