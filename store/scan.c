/*
 * scan.c - read one segment file from its first frame on and check every frame
 *
 * Reads with read(2) into one buffer of 1 MiB, whatever the size of segment and records, so that a
 * failing disk is an errno and not a signal, and so that the page cache can be gone around: after a
 * failed sync the cache shows what the disk does not have. A frame larger than the buffer is hashed
 * as it streams through.
 */
#include "scan.h"

#include <errno.h>

#include "detail.h"
#include "logstore.h"

#define BUFFER_BYTES (UINT64_C(1) << 20)
#define READ_ALIGN 4096u /* of offset and memory, for OS_DIRECT */

struct window {
        const struct scan *scan;
        struct map map;  /* the buffer; page-aligned */
        uint64_t offset; /* in the file, of the buffer's first byte; aligned */
        uint64_t bytes;  /* valid ones */
        uint64_t file_bytes;
};

/* Make [offset, offset + bytes) available if the file has it; -ENODATA: it ends before. */
static int need(struct window *window, uint64_t offset, uint64_t bytes, const uint8_t **ret)
{
        size_t got;
        int r;

        if (offset < window->offset || offset + bytes > window->offset + window->bytes) {
                window->offset = offset & ~(uint64_t)(READ_ALIGN - 1);
                window->bytes = 0;
                r = os_read(window->scan->fd, window->map.base, window->map.bytes, window->offset,
                            &got);
                if (r < 0)
                        return detail(r, "offset %llu: cannot read: %s",
                                      (unsigned long long)window->offset, logstore_error_text(r));
                window->bytes = got;
        }
        if (offset + bytes > window->offset + window->bytes)
                return -ENODATA;
        *ret = (const uint8_t *)window->map.base + (offset - window->offset);
        return 0;
}

/* Hash a stretch of the file that may be longer than the buffer. */
static int hash_stretch(struct window *window, uint64_t offset, uint64_t bytes, uint64_t *ret)
{
        const struct hash_key *key = window->scan->key;
        const uint8_t *at;
        XXH3_state_t *state;
        int r = 0;

        if (bytes + READ_ALIGN <= window->map.bytes) {
                r = need(window, offset, bytes, &at);
                if (r == 0)
                        *ret = hash_bytes(key, at, bytes);
                return r;
        }
        state = XXH3_createState();
        if (!state)
                return detail(-ENOMEM, "no memory for a hash");
        XXH3_64bits_reset_withSeed(state, key->seed);
        while (r == 0 && bytes > 0) {
                uint64_t piece = window->map.bytes - READ_ALIGN;
                piece = piece < bytes ? piece : bytes;
                r = need(window, offset, piece, &at);
                if (r == 0)
                        XXH3_64bits_update(state, at, piece);
                offset += piece;
                bytes -= piece;
        }
        *ret = XXH3_64bits_digest(state);
        XXH3_freeState(state);
        return r;
}

/* Check the frame at @offset. 0: good; 1: it does not count, scan->why says why. */
static int check_frame(struct scan *scan, struct window *window, uint64_t offset,
                       uint32_t want_ordinal, bool in_batch, struct scan_frame *ret)
{
        struct record_view *view = &ret->view;
        struct frame header = { 0 };
        const uint8_t *at;
        uint64_t hash = 0, place;
        int r = need(window, offset, PAD_HEADER_BYTES, &at);

        scan->why = "the frame is cut off by the end of the file";
        if (r < 0)
                return r == -ENODATA ? 1 : r;
        memcpy(&header, at, PAD_HEADER_BYTES);
        *ret = (struct scan_frame){ .offset = offset };
        r = record_peek(&header, 0, scan->limit - offset, view);
        scan->uncommitted = r == -EAGAIN;
        scan->why =
                r == -EAGAIN ? "no frame is committed here" : "the frame's length is impossible";
        if (r < 0)
                return 1;
        scan->why = "the frame is cut off by the end of the file";
        if (offset + view->frame_bytes > window->file_bytes)
                return 1;
        scan->why = "a pad or void stands inside a batch";
        if (in_batch && (view->kind == FRAME_PAD || view->kind == FRAME_VOID))
                return 1;
        scan->why = "the frame's checksum does not hold";
        if (view->kind == FRAME_PAD)
                return view->ordinal != record_pad_check(scan->key, offset, view->word);
        r = need(window, offset, FRAME_HEADER_BYTES, &at);
        if (r < 0)
                return r == -ENODATA ? 1 : r;
        memcpy(&header, at, FRAME_HEADER_BYTES);
        r = hash_stretch(window, offset + 16, 8 + (view->kind == FRAME_VOID ? 0 : view->size),
                         &hash);
        if (r < 0)
                return r == -ENODATA ? 1 : r;
        place = view->word | (uint64_t)view->ordinal << 32;
        if (header.check != (hash ^ place * CHECK_WORD_FACTOR ^ offset * CHECK_OFFSET_FACTOR))
                return 1;
        scan->why = "the frame's ordinal is out of order";
        if (view->ordinal != want_ordinal)
                return 1;
        ret->number = scan->first_number + view->ordinal - 1;
        ret->time_ns = header.time_ns;
        return 0;
}

static int scan_frames(struct scan *scan, struct window *window)
{
        uint64_t offset = FRAMES_OFFSET;
        uint32_t ordinal = 1;
        int64_t greatest = scan->greatest_ns;
        struct scan_frame frame;
        bool in_batch = false;
        int r = 0;

        scan->end = offset;
        scan->records = 0;
        for (;;) {
                scan->stop = offset;
                scan->why = NULL;
                scan->uncommitted = false;
                if (offset + PAD_HEADER_BYTES > scan->limit)
                        return 0;
                r = check_frame(scan, window, offset, ordinal, in_batch, &frame);
                if (r != 0)
                        return r < 0 ? r : 0;
                scan->why = NULL;
                if (scan->each && (r = scan->each(scan->context, &frame)) != 0)
                        return r;
                offset += frame.view.frame_bytes;
                if (frame.number != 0) {
                        ordinal++;
                        if (frame.view.kind != FRAME_VOID && frame.time_ns > greatest)
                                greatest = frame.time_ns;
                }
                in_batch = frame.view.kind == FRAME_MORE;
                if (in_batch)
                        continue;
                scan->end = offset;
                scan->records = ordinal - 1;
                scan->greatest_ns = greatest;
        }
}

int scan_segment(struct scan *scan)
{
        struct window window = { .scan = scan };
        struct os_stat st = { 0 };
        int r = map_anonymous(scan->memory, BUFFER_BYTES, &window.map);

        if (r < 0)
                return detail(r, "no memory to read a segment");
        r = os_stat(scan->fd, &st);
        window.file_bytes = st.bytes;
        if (r == 0)
                r = scan_frames(scan, &window);
        else
                detail(r, "cannot stat: %s", logstore_error_text(r));
        map_close(&window.map);
        return r;
}
