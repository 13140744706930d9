/*
 * test_bad_input_support.h - where records lie in a store's files, and how to forge them
 */
#ifndef TEST_BAD_INPUT_SUPPORT_H
#define TEST_BAD_INPUT_SUPPORT_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format.h"
#include "test_public_support.h"

struct place {
        char file[32]; /* name inside the store */
        size_t offset; /* of the frame */
        size_t bytes;  /* header and payload, without the padding behind it */
};

static inline const char *segment_path(uint64_t id)
{
        return scratch("store/" SEGMENT_NAME_FORMAT, id);
}

static inline const char *index_path(uint64_t id)
{
        return scratch("store/" INDEX_NAME_FORMAT, id);
}

static inline uint32_t word_at(struct bytes file, size_t offset)
{
        uint32_t word = 0;

        if (offset + sizeof(word) <= file.size)
                memcpy(&word, file.data + offset, sizeof(word));
        return word;
}

/* Find @number in one segment by walking its frames as docs/FORMAT.md says. */
static inline bool find_in_segment(struct bytes file, uint64_t number, struct place *ret)
{
        size_t offset = FRAMES_OFFSET;
        struct start_payload start;
        uint64_t at;

        memcpy(&start, file.data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        at = start.first_number;
        for (uint32_t word; word_at(file, HEADER_BYTES) && (word = word_at(file, offset));) {
                size_t size = word & FRAME_SIZE_MASK;

                if (word >> FRAME_KIND_SHIFT == FRAME_PAD) {
                        offset += size;
                        continue;
                }
                ret->offset = offset;
                ret->bytes = FRAME_HEADER_BYTES + size;
                if (at++ == number)
                        return true;
                offset += (ret->bytes + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
        }
        return false;
}

static inline struct place place_of(uint64_t number)
{
        struct place place = { 0 };
        bool found = false;

        for (uint64_t id = 1; !found && file_exists(segment_path(id)); id++) {
                struct bytes file = load_file(segment_path(id));

                snprintf(place.file, sizeof(place.file), SEGMENT_NAME_FORMAT, id);
                found = find_in_segment(file, number, &place);
                free(file.data);
        }
        ck_assert_msg(found, "no frame of record %" PRIu64, number);
        return place;
}

/* Change @size bytes at @offset of a structure whose last 8 bytes check the @checked before them,
 * and make the check true again. */
static inline void forge(const char *path, size_t start, size_t checked, size_t offset,
                         const void *data, size_t size)
{
        struct bytes file = load_file(path);
        uint64_t check;

        memcpy(file.data + start + offset, data, size);
        check = XXH3_64bits(file.data + start, checked);
        memcpy(file.data + start + checked, &check, sizeof(check));
        save_file(path, file.data, file.size);
        free(file.data);
}

static inline struct start_payload start_of(uint64_t id)
{
        struct bytes file = load_file(segment_path(id));
        struct start_payload start;

        memcpy(&start, file.data + HEADER_BYTES + FRAME_HEADER_BYTES, sizeof(start));
        free(file.data);
        return start;
}

/* Give the segment another start frame, with a check that holds. */
static inline void forge_start(uint64_t id, const struct start_payload *start)
{
        struct bytes file = load_file(segment_path(id));
        struct segment_header header;
        unsigned char *frame = file.data + HEADER_BYTES;
        uint64_t check, word;

        memcpy(&header, file.data, sizeof(header));
        memcpy(frame + FRAME_HEADER_BYTES, start, sizeof(*start));
        memcpy(&word, frame, sizeof(word));
        check = XXH3_64bits_withSeed(frame + offsetof(struct frame, time_ns), 8 + sizeof(*start),
                                     header.salt) ^
                word * CHECK_WORD_FACTOR ^ HEADER_BYTES * CHECK_OFFSET_FACTOR;
        memcpy(frame + offsetof(struct frame, check), &check, sizeof(check));
        save_file(segment_path(id), file.data, file.size);
        free(file.data);
}

static inline struct segment_seal read_seal(uint64_t id)
{
        struct bytes file = load_file(segment_path(id));
        struct segment_seal seal;

        memcpy(&seal, file.data + SECTOR_BYTES, sizeof(seal));
        free(file.data);
        return seal;
}

/* As far as the seal says anything about itself. */
static inline void write_seal(uint64_t id, struct segment_seal *seal)
{
        struct bytes file = load_file(segment_path(id));
        struct segment_header header;

        memcpy(&header, file.data, sizeof(header));
        seal->last_number = seal->first_number + seal->records - 1;
        seal->check = XXH3_64bits_withSeed(seal, offsetof(struct segment_seal, check), header.salt);
        memcpy(file.data + SECTOR_BYTES, seal, sizeof(*seal));
        save_file(segment_path(id), file.data, file.size);
        free(file.data);
}

/* Change one field of both slots of the control page. */
static inline void forge_slots(size_t offset, uint64_t value)
{
        for (unsigned slot = 1; slot <= 2; slot++)
                forge(scratch("store/control"), slot * SECTOR_BYTES,
                      offsetof(struct control_slot, check), offset, &value, sizeof(value));
}

static inline int read_to_end(uint32_t flags, uint64_t *ret_records)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *reader = NULL;
        int r = try_open(LOGSTORE_READ_ONLY, &reader);

        *ret_records = 0;
        if (r < 0)
                return r;
        ck_assert_int_eq(logstore_cursor_open(reader, flags, &cursor), 0);
        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                ++*ret_records;
        logstore_cursor_close(cursor);
        ck_assert_int_eq(logstore_close(reader), 0);
        return r;
}

#endif
