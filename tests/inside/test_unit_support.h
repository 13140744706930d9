/*
 * test_unit_support.h - what tests of single modules share: a directory, an account of memory, and
 * segments whose frames are written by hand
 */
#ifndef TEST_UNIT_SUPPORT_H
#define TEST_UNIT_SUPPORT_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain/control.h"
#include "segment/segment.h"
#include "test_public_support.h"

static struct memory memory;
static int directory = -1;
static const uint8_t uuid[16] = "test test test!";

/* Begin with an empty account and the test's own directory open. */
static inline void begin(void)
{
        memset(&memory, 0, sizeof(memory));
        memory_init(&memory);
        memory.anonymous_budget_bytes = UINT64_C(64) << 20;
        directory = os_open_directory(scratch("."));
        ck_assert_int_ge(directory, 0);
}

#define expect_ok(call) expect_ok_at((call), #call, __FILE__, __LINE__)
static inline void expect_ok_at(int64_t got, const char *call, const char *file, int line)
{
        ck_assert_msg(got >= 0, "%s:%d: %s gave %" PRId64 ": %s", file, line, call, got,
                      logstore_detail());
}

/* The same, with the control page of a new store, in epoch 1. */
static inline void begin_with_control(struct control *ret)
{
        const struct control_options options = { SEGMENT_BYTES_MIN, 1, 0600 };
        struct control_slot slot;

        begin();
        expect_ok(control_create(directory, &options));
        expect_ok(control_open(&memory, directory, true, ret));
        memcpy(ret->page->fixed.uuid, uuid, sizeof(uuid));
        expect_ok(control_read(ret, &slot));
        control_adopt(ret, &slot);
        control_set_head(ret, 1, ret->current.first_number, ret->current.mark_number,
                         ret->current.mark_id, ret->current.mark_offset);
}

/* A segment under construction: the next frame goes to @offset with @ordinal. */
struct draft {
        struct segment *segment;
        uint64_t offset;
        uint32_t ordinal;
};

static inline struct draft draft_new_sized(uint64_t id, uint64_t bytes,
                                           const struct start_payload *start)
{
        struct draft draft = { .offset = FRAMES_OFFSET, .ordinal = 1 };

        expect_ok(segment_prepare(directory, uuid, id, bytes, 0600));
        expect_ok(segment_open(&memory, directory, uuid, id, OS_SHARED_WRITE, &draft.segment));
        expect_ok(os_grow(draft.segment->fd, bytes));
        atomic_store(&draft.segment->file_bytes, bytes);
        if (start)
                segment_start(draft.segment, start, 1000);
        return draft;
}

static inline struct draft draft_new(uint64_t id, uint64_t first_number)
{
        const struct start_payload start = { .first_number = first_number, .epoch = 1 };

        return draft_new_sized(id, SEGMENT_BYTES_MIN, &start);
}

/* Write a frame of @size times @byte as the next one; returns where. */
static inline uint64_t draft_put(struct draft *draft, enum frame_kind kind, uint32_t size,
                                 uint8_t byte, int64_t time_ns)
{
        struct frame *frame = (struct frame *)((char *)draft->segment->map.base + draft->offset);
        uint64_t offset = draft->offset;
        uint32_t word = record_word(kind, size);

        if (kind == FRAME_PAD) {
                record_pad(&draft->segment->key, draft->segment->map.base, offset, size);
                draft->offset += size;
                return offset;
        }
        memset(frame->payload, byte, size);
        record_encode(&draft->segment->key, frame, offset, word, draft->ordinal++, time_ns);
        atomic_store(&frame->commit, word);
        draft->offset += record_frame_bytes(size);
        return offset;
}

static inline uint64_t draft_record(struct draft *draft, uint32_t size)
{
        return draft_put(draft, FRAME_RECORD, size, (uint8_t)draft->ordinal, draft->ordinal);
}

static inline void draft_close(struct draft *draft)
{
        segment_close(draft->segment);
        draft->segment = NULL;
}

/* A segment of @records one-byte records that continues @before (may be NULL), closed again. */
static inline struct start_payload chain_segment(uint64_t id, const struct start_payload *start,
                                                 unsigned records, bool sealed)
{
        struct draft draft = draft_new_sized(id, SEGMENT_BYTES_MIN, start);
        struct start_payload next = { .epoch = start->epoch, .previous_id = id };

        for (unsigned i = 0; i < records; i++)
                draft_record(&draft, 1);
        next.first_number = start->first_number + records;
        next.previous_salt = draft.segment->brief.salt;
        next.previous_end = draft.offset;
        next.previous_records = records;
        next.greatest_ns = records;
        if (sealed)
                segment_seal(draft.segment, records, draft.offset, records);
        draft_close(&draft);
        return next;
}

#endif
