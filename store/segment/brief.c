/*
 * brief.c - what the first page of a segment says, checked
 */
#include "segment/brief.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static int wrong(struct brief_fault *ret, int error,
                                                       uint64_t offset, const char *format, ...)
{
        va_list arguments;

        ret->error = error;
        ret->offset = offset;
        va_start(arguments, format);
        vsnprintf(ret->what, sizeof(ret->what), format, arguments);
        va_end(arguments);
        return error;
}

int brief_check_header(const struct segment_header *header, const uint8_t uuid[16], uint64_t id,
                       struct brief_fault *ret_fault)
{
        if (memcmp(header->magic, SEGMENT_MAGIC, sizeof(header->magic)) != 0)
                return wrong(ret_fault, -EBADMSG, 0, "not a segment: its header is damaged");
        if (header->check != brief_header_check(header))
                return wrong(ret_fault, -EBADMSG, 504, "header checksum does not hold");
        if (header->version != FORMAT_VERSION)
                return wrong(ret_fault, -EPROTONOSUPPORT, 8,
                             "format version %u, this library knows %u", header->version,
                             FORMAT_VERSION);
        if (header->header_bytes != HEADER_BYTES)
                return wrong(ret_fault, -EPROTONOSUPPORT, 8,
                             "a header of %u bytes, this library knows %u", header->header_bytes,
                             HEADER_BYTES);
        if (header->incompatible & ~FORMAT_INCOMPATIBLE)
                return wrong(ret_fault, -EPROTONOSUPPORT, 20, "incompatible flags %#x are unknown",
                             header->incompatible & ~FORMAT_INCOMPATIBLE);
        if (memcmp(header->uuid, uuid, sizeof(header->uuid)) != 0)
                return wrong(ret_fault, -EBADMSG, 24, "the segment belongs to another store");
        if (header->id != id)
                return wrong(ret_fault, -EBADMSG, 40,
                             "the segment was written as number %" PRIu64 ": the file was renamed",
                             header->id);
        if (header->bytes < SEGMENT_BYTES_MIN || header->bytes > SEGMENT_BYTES_MAX ||
            header->bytes % GROW_BYTES != 0)
                return wrong(ret_fault, -EBADMSG, 56, "impossible segment size %" PRIu64,
                             header->bytes);
        return 0;
}

static void read_start(const char *page, struct segment_brief *brief)
{
        struct hash_key key;
        struct record_view view;
        const struct frame *frame = (const struct frame *)(page + HEADER_BYTES);
        int r = record_peek(page, HEADER_BYTES, FRAMES_OFFSET, &view);

        if (r == -EAGAIN)
                return;
        hash_key_init(&key, brief->salt);
        memcpy(&brief->start, frame->payload, sizeof(brief->start));
        brief->started =
                r == 0 && view.kind == FRAME_RECORD && view.ordinal == 0 &&
                view.size == sizeof(brief->start) &&
                record_valid(&key, page, HEADER_BYTES, &view) && brief->start.first_number != 0 &&
                brief->start.first_number <= NUMBER_MAX && brief->start.epoch <= NUMBER_MAX;
        brief->torn_start = !brief->started;
        brief->started_ns = frame->time_ns;
}

static void read_seal(const char *page, struct segment_brief *brief)
{
        struct segment_seal seal;

        memcpy(&seal, page + SECTOR_BYTES, sizeof(seal));
        brief->seal = (struct seal_brief){ seal.records, seal.end, seal.first_number,
                                           seal.last_number, seal.greatest_ns };
        brief->sealed = brief->started && memcmp(seal.magic, SEAL_MAGIC, sizeof(seal.magic)) == 0 &&
                        seal.check == hash_seeded(brief->salt, &seal,
                                                  offsetof(struct segment_seal, check)) &&
                        seal.end >= FRAMES_OFFSET && seal.end <= brief->bytes &&
                        seal.end <= brief->file_bytes && seal.end % FRAME_ALIGN == 0 &&
                        seal.first_number == brief->start.first_number &&
                        seal.records <= (seal.end - FRAMES_OFFSET) / FRAME_HEADER_BYTES &&
                        seal.last_number == seal.first_number + seal.records - 1;
}

int brief_read(const char page[FRAMES_OFFSET], size_t got, uint64_t file_bytes,
               const uint8_t uuid[16], uint64_t id, struct segment_brief *ret,
               struct brief_fault *ret_fault)
{
        const struct segment_header *header = (const struct segment_header *)page;
        struct segment_brief brief = { .id = id };
        int r;

        if (got < HEADER_BYTES)
                return wrong(ret_fault, -EBADMSG, got, "the file was cut here");
        r = brief_check_header(header, uuid, id, ret_fault);
        if (r < 0)
                return r;
        brief.salt = header->salt;
        brief.bytes = header->bytes;
        brief.file_bytes = file_bytes;
        brief.created_ns = header->created_ns;
        if (got == FRAMES_OFFSET)
                read_start(page, &brief);
        read_seal(page, &brief);
        *ret = brief;
        return 0;
}
