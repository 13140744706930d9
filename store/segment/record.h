/*
 * record.h - one frame: its length, its check, its header; no I/O, no allocation
 *
 * All of it is inline, because an append and a scan spend most of their time here.
 */
#ifndef LOGSTORE_RECORD_H
#define LOGSTORE_RECORD_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "format.h"
#include "segment/hash.h"

static inline uint64_t record_align(uint64_t bytes)
{
        return (bytes + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
}

/* Bytes that a numbered frame with @size bytes of payload takes. */
static inline uint64_t record_frame_bytes(uint64_t size)
{
        return record_align(FRAME_HEADER_BYTES + size);
}

static inline uint32_t record_word(enum frame_kind kind, uint32_t size)
{
        return (uint32_t)kind << FRAME_KIND_SHIFT | size;
}

/* What a commit word says. */
struct record_view {
        uint32_t word;
        uint32_t size;    /* of the payload; pad: of the frame */
        uint32_t ordinal; /* pad: its check */
        enum frame_kind kind;
        uint64_t frame_bytes;
};

/* The check of a numbered frame at @offset. It covers word, ordinal, offset, time and, unless the
 * frame is a void, the payload. */
static inline uint64_t record_check(const struct hash_key *key, const struct frame *frame,
                                    uint64_t offset, uint32_t word)
{
        uint32_t size = word >> FRAME_KIND_SHIFT == FRAME_VOID ? 0 : word & FRAME_SIZE_MASK;
        uint64_t place = word | (uint64_t)frame->ordinal << 32;

        return hash_bytes(key, &frame->time_ns, sizeof(frame->time_ns) + size) ^
               place * CHECK_WORD_FACTOR ^ offset * CHECK_OFFSET_FACTOR;
}

/* Write the header of a frame whose payload is in place. The caller stores the commit word last. */
static inline void record_encode(const struct hash_key *key, struct frame *frame, uint64_t offset,
                                 uint32_t word, uint32_t ordinal, int64_t time_ns)
{
        frame->ordinal = ordinal;
        frame->time_ns = time_ns;
        frame->check = record_check(key, frame, offset, word);
}

static inline uint32_t record_pad_check(const struct hash_key *key, uint64_t offset, uint32_t word)
{
        struct {
                uint32_t word, zero;
                uint64_t offset;
        } text = { word, 0, offset };

        return (uint32_t)hash_bytes(key, &text, sizeof(text));
}

/* Fill @bytes (a multiple of 8, from 8) at @offset with a committed pad. */
static inline void record_pad(const struct hash_key *key, void *base, uint64_t offset,
                              uint64_t bytes)
{
        struct frame *frame = (struct frame *)((char *)base + offset);
        uint32_t word = record_word(FRAME_PAD, (uint32_t)bytes);

        frame->ordinal = record_pad_check(key, offset, word);
        /* Publish: pairs with the acquire load in record_peek(). */
        atomic_store_explicit(&frame->commit, word, memory_order_release);
}

/*
 * Look at the frame at @offset of a mapping whose frames end at @end at the latest.
 *
 * -EAGAIN: no frame is committed there. -EBADMSG: it does not fit, or its length is impossible;
 * ret->frame_bytes is then of no use. The check is not looked at.
 */
static inline int record_peek(const void *base, uint64_t offset, uint64_t end,
                              struct record_view *ret)
{
        const struct frame *frame = (const struct frame *)((const char *)base + offset);

        if (offset + PAD_HEADER_BYTES > end)
                return -EAGAIN;
        /* Loaded once. Pairs with the store that commits a frame. */
        ret->word = atomic_load_explicit(&frame->commit, memory_order_acquire);
        if (ret->word == 0)
                return -EAGAIN;
        ret->kind = (enum frame_kind)(ret->word >> FRAME_KIND_SHIFT);
        ret->size = ret->word & FRAME_SIZE_MASK;
        ret->ordinal = frame->ordinal;
        ret->frame_bytes = ret->kind == FRAME_PAD ? ret->size : record_frame_bytes(ret->size);
        if (ret->frame_bytes > end - offset || ret->frame_bytes < PAD_HEADER_BYTES ||
            ret->frame_bytes % FRAME_ALIGN != 0)
                return -EBADMSG;
        return 0;
}

/* Does the check of a peeked frame hold? */
static inline bool record_valid(const struct hash_key *key, const void *base, uint64_t offset,
                                const struct record_view *view)
{
        const struct frame *frame = (const struct frame *)((const char *)base + offset);

        if (view->kind == FRAME_PAD)
                return view->ordinal == record_pad_check(key, offset, view->word);
        return frame->check == record_check(key, frame, offset, view->word);
}

#endif
