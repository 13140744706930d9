/*
 * index.c - from a record's ordinal to its place inside one segment
 *
 * Life:  the index of an active segment is anonymous, so that an append only stores four bytes in
 *        every fourth record. At the seal it is written to a file and mapped shared, so that the
 *        kernel may evict it. Only indexes that are rebuilt to read are anonymous besides.
 * Trust: the file is never evidence. It is checked as a whole when it is mapped. Its entries lead
 *        to frames whose ordinals are compared. It is rebuilt when it is missing or wrong.
 */
#include "segment/index.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "segment/hash.h"

void index_name(uint64_t id, char name[32])
{
        snprintf(name, 32, INDEX_NAME_FORMAT, id);
}

static uint64_t entries_for(uint64_t segment_bytes)
{
        return (segment_bytes - FRAMES_OFFSET) / FRAME_HEADER_BYTES / INDEX_STRIDE + 1;
}

uint64_t index_bytes(uint64_t segment_bytes)
{
        return entries_for(segment_bytes) * sizeof(uint32_t);
}

int index_new(struct memory *memory, uint64_t segment_bytes, struct index *ret)
{
        struct index index = { .stride_shift = (uint32_t)__builtin_ctz(INDEX_STRIDE) };
        int r;

        index.count = entries_for(segment_bytes);
        r = map_anonymous(memory, index.count * sizeof(uint32_t), &index.map);
        if (r < 0)
                return r;
        index.entries = index.map.base;
        *ret = index;
        return 0;
}

void index_populate(struct index *index, uint64_t records)
{
        uint64_t page = os_page_bytes();
        uint64_t bytes =
                ((records >> index->stride_shift) * sizeof(uint32_t) + page - 1) & ~(page - 1);

        bytes = bytes < index->map.bytes ? bytes : index->map.bytes;
        if (bytes > index->populated_bytes &&
            os_populate((char *)index->map.base + index->populated_bytes,
                        bytes - index->populated_bytes) == 0)
                index->populated_bytes = bytes;
}

static bool header_valid(const struct index_header *header, uint64_t file_bytes, uint64_t id,
                         uint64_t salt, uint64_t records)
{
        return memcmp(header->magic, INDEX_MAGIC, sizeof(header->magic)) == 0 &&
               header->version == FORMAT_VERSION && header->id == id && header->salt == salt &&
               header->check == hash_seeded(salt, header, offsetof(struct index_header, check)) &&
               header->records >= records && header->records <= UINT32_MAX && header->stride != 0 &&
               (header->stride & (header->stride - 1)) == 0 && header->stride <= 1024 &&
               header->entries == (header->records + header->stride - 1) / header->stride &&
               file_bytes == sizeof(*header) + header->entries * sizeof(uint32_t);
}

/* No entry is 0, so no page of an index file is a hole. A file with a hole is wrong, and could be
 * far larger than what it takes on the disk. */
static bool has_hole(int fd, uint64_t bytes)
{
        uint64_t from, to;
        int r = os_next_data(fd, 0, &from, &to);

        return r == -ENXIO || (r == 0 && (from != 0 || to < bytes));
}

int index_open(struct memory *memory, int directory, uint64_t id, uint64_t salt, uint64_t records,
               struct index *ret)
{
        const struct index_header *header;
        struct index index = { 0 };
        struct os_stat st;
        char name[32];
        int fd, r;

        index_name(id, name);
        fd = os_open(directory, name, OS_READ, 0);
        if (fd < 0)
                return fd;
        r = os_stat(fd, &st);
        if (r == 0 && (!st.regular || st.bytes < sizeof(*header) ||
                       st.bytes > sizeof(*header) + SEGMENT_BYTES_MAX))
                r = -EBADMSG;
        if (r == 0 && has_hole(fd, st.bytes))
                r = -EBADMSG;
        if (r == 0)
                r = map_file(memory, fd, OS_SHARED_READ, st.bytes, &index.map);
        os_close(fd); /* only read */
        if (r < 0)
                return r;
        header = index.map.base;
        if (header_valid(header, st.bytes, id, salt, records) &&
            header->entries_check == hash_seeded(salt, header + 1, header->entries * 4)) {
                index.entries = (const _Atomic uint32_t *)(header + 1);
                index.count = header->entries;
                index.stride_shift = (uint32_t)__builtin_ctz(header->stride);
                *ret = index;
                return 0;
        }
        map_close(&index.map);
        return -EBADMSG;
}

int index_write(const struct index *index, int directory, uint32_t mode, uint64_t id, uint64_t salt,
                uint64_t records, uint64_t end)
{
        char name[32], temporary[40];
        struct index_header header = {
                .magic = INDEX_MAGIC,
                .version = FORMAT_VERSION,
                .stride = 1u << index->stride_shift,
                .id = id,
                .salt = salt,
                .records = records,
                .end = end,
                .entries = (records + (1u << index->stride_shift) - 1) >> index->stride_shift,
        };
        int fd, r;

        header.entries_check = hash_seeded(salt, (const void *)index->entries, header.entries * 4);
        header.check = hash_seeded(salt, &header, offsetof(struct index_header, check));
        index_name(id, name);
        snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX "%s", name);
        fd = os_open(directory, temporary, OS_WRITE | OS_CREATE, mode);
        if (fd < 0)
                return fd;
        r = os_write(fd, &header, sizeof(header), 0);
        if (r == 0)
                r = os_write(fd, (const void *)index->entries, header.entries * 4, sizeof(header));
        if (os_close(fd) < 0 && r == 0)
                r = -EIO;
        if (r == 0)
                r = os_rename(directory, temporary, name);
        if (r < 0)
                os_unlink(directory, temporary);
        return r;
}

void index_close(struct index *index)
{
        map_close(&index->map);
        *index = (struct index){ 0 };
}
