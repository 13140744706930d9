/*
 * scan.c - read one segment file from its first frame on and check every frame
 *
 * read(2) fills windows of 1 MiB, whatever the size of segment and records. So a failing disk is an
 * errno and not a signal, and the page cache can be gone around: after a failed sync it shows what
 * the disk does not have. While one window is checked, io_uring reads the next, where it is to be
 * had, as a check takes about as long as a read. A frame larger than a window is hashed as it
 * streams through.
 */
#include "segment/scan.h"

#include <errno.h>
#include <inttypes.h>

#include "logstore.h"
#include "os/detail.h"
#include "os/ring.h"

#define WINDOW_BYTES (UINT64_C(1) << 20)
/* The next window begins before the end of this one, where the frame that does not fit will begin.
 * Larger frames are read by themselves. */
#define OVERLAP_BYTES (UINT64_C(32) << 10)
#define READ_ALIGN 4096u /* of offset and memory, for OS_DIRECT */

struct window {
        const struct scan *scan;
        struct map map;         /* two windows; page-aligned */
        uint8_t *bytes, *spare; /* the halves of it */
        uint64_t offset;        /* in the file, of the window's first byte; aligned */
        uint64_t length;        /* valid bytes */
        uint64_t file_bytes;
        int64_t time_ns;       /* of the frame that was checked last */
        struct ring *ring;     /* NULL: nothing is read ahead */
        bool ahead;            /* into @spare, */
        uint64_t ahead_offset; /* from here */
};

static void start_ahead(struct window *window)
{
        uint64_t offset = window->offset + window->length - OVERLAP_BYTES;

        if (!window->ring || window->ahead || window->length < WINDOW_BYTES)
                return; /* it is the file's last window */
        window->ahead_offset = offset;
        window->ahead = ring_read(window->ring, window->scan->fd, window->spare, WINDOW_BYTES,
                                  offset, 0) == 0 &&
                        ring_submit(window->ring) == 1;
}

/* Wait for the window that was read ahead, and go on in it if it holds @offset. A read that failed
 * does not count: read(2) repeats it. */
static bool take_ahead(struct window *window, uint64_t offset)
{
        uint8_t *bytes = window->spare;
        uint64_t tag;
        int length;

        if (!window->ahead || ring_reap(window->ring, 1, &tag, &length) != RING_TAKEN)
                return false;
        window->ahead = false;
        if (length <= 0 || offset < window->ahead_offset ||
            offset >= window->ahead_offset + (unsigned)length)
                return false;
        window->spare = window->bytes;
        window->bytes = bytes;
        window->offset = window->ahead_offset;
        window->length = (unsigned)length;
        return true;
}

static bool holds(const struct window *window, uint64_t offset, uint64_t bytes)
{
        return offset >= window->offset && offset + bytes <= window->offset + window->length;
}

static int move(struct window *window, uint64_t offset, uint64_t bytes)
{
        size_t got;
        int r;

        if (!take_ahead(window, offset) || !holds(window, offset, bytes)) {
                window->offset = offset & ~(uint64_t)(READ_ALIGN - 1);
                window->length = 0;
                r = os_read(window->scan->fd, window->bytes, WINDOW_BYTES, window->offset, &got);
                if (r < 0)
                        return detail(r, "offset %" PRIu64 ": cannot read: %s", window->offset,
                                      logstore_error_text(r));
                window->length = got;
        }
        start_ahead(window);
        return 0;
}

/* Make [offset, offset + bytes) available if the file has it. -ENODATA: the file ends before. */
static inline int need(struct window *window, uint64_t offset, uint64_t bytes, const uint8_t **ret)
{
        int r = __builtin_expect(holds(window, offset, bytes), 1) ? 0 : move(window, offset, bytes);

        if (r < 0)
                return r;
        if (!holds(window, offset, bytes))
                return -ENODATA;
        *ret = window->bytes + (offset - window->offset);
        return 0;
}

/* The check of a frame that is larger than a window. */
static int check_in_pieces(struct window *window, uint64_t offset, const struct record_view *view,
                           uint64_t *ret)
{
        const struct hash_key *key = window->scan->key;
        uint64_t place = view->word | (uint64_t)view->ordinal << 32;
        uint64_t at_offset = offset + offsetof(struct frame, time_ns);
        uint64_t bytes = sizeof(int64_t) + (view->kind == FRAME_VOID ? 0 : view->size);
        XXH3_state_t *state = XXH3_createState();
        const uint8_t *at;
        int r = 0;

        if (!state)
                return detail(-ENOMEM, "no memory for a hash");
        XXH3_64bits_reset_withSeed(state, key->seed);
        while (r == 0 && bytes > 0) {
                uint64_t piece = WINDOW_BYTES - READ_ALIGN;
                piece = piece < bytes ? piece : bytes;
                r = need(window, at_offset, piece, &at);
                if (r == 0)
                        XXH3_64bits_update(state, at, piece);
                at_offset += piece;
                bytes -= piece;
        }
        *ret = XXH3_64bits_digest(state) ^ place * CHECK_WORD_FACTOR ^ offset * CHECK_OFFSET_FACTOR;
        XXH3_freeState(state);
        return r;
}

static int window_peek(void *from, uint64_t offset, struct record_view *ret)
{
        struct window *window = from;
        const uint8_t *at;
        int r = need(window, offset, PAD_HEADER_BYTES, &at);

        if (r == 0)
                r = record_peek(at, 0, window->scan->limit - offset, ret);
        return r == 0 && offset + ret->frame_bytes > window->file_bytes ? -ENODATA : r;
}

static int window_check(void *from, uint64_t offset, const struct record_view *view)
{
        struct window *window = from;
        bool whole = view->frame_bytes + READ_ALIGN <= WINDOW_BYTES;
        const struct frame *frame;
        const uint8_t *at;
        uint64_t want, check = 0;
        int r;

        if (view->kind == FRAME_PAD)
                return view->ordinal == record_pad_check(window->scan->key, offset, view->word);
        r = need(window, offset, whole ? view->frame_bytes : FRAME_HEADER_BYTES, &at);
        if (r < 0)
                return r;
        frame = (const struct frame *)at;
        window->time_ns = frame->time_ns;
        want = frame->check;
        if (whole)
                return want == record_check(window->scan->key, frame, offset, view->word);
        r = check_in_pieces(window, offset, view, &check);
        return r < 0 ? r : want == check;
}

static const struct frame_source window_frames = { window_peek, window_check };

/* Describe the frame that the walk passed. */
static int describe(struct window *window, const struct walk *walk, struct scan_frame *ret)
{
        const uint8_t *at;
        int r = 0;

        *ret = (struct scan_frame){ .offset = walk->offset, .view = &walk->view };
        if (walk->view.kind == FRAME_PAD)
                return 0;
        ret->number = window->scan->first_number + walk->view.ordinal - 1;
        if (walk->view.ordinal < walk->checked) { /* it was trimmed, and nobody looked at it */
                r = need(window, walk->offset, FRAME_HEADER_BYTES, &at);
                window->time_ns = r == 0 ? ((const struct frame *)at)->time_ns : 0;
        }
        ret->time_ns = window->time_ns;
        return r == -ENODATA ? -EIO : r; /* it was there */
}

/* Does the frame contradict the mark? That lies behind its own frame, before the next number. */
static bool contradicts_mark(const struct scan *scan, const struct scan_frame *frame)
{
        if (scan->mark_offset == 0 || frame->number == 0)
                return false;
        if (frame->number <= scan->mark_number)
                return frame->offset + frame->view->frame_bytes > scan->mark_offset;
        return frame->offset < scan->mark_offset;
}

/* The walk has ended before the first frame that does not count, or at the limit. */
static void conclude(struct scan *scan, const struct walk *walk, int step)
{
        scan->end = walk->whole.offset;
        scan->records = walk->whole.due - 1;
        scan->stop = walk->at.offset;
        scan->due = scan->first_number + walk->at.due - 1;
        scan->uncommitted = step == WALK_END;
        scan->why = step == WALK_FRAME || step == WALK_PAD ? NULL : walk->why;
}

static int scan_frames(struct scan *scan, struct window *window)
{
        uint64_t first = scan->first_number;
        uint64_t numbers = scan->next_number == 0      ? UINT64_MAX
                           : scan->next_number > first ? scan->next_number - first
                                                       : 0;
        struct walk walk = walk_from(scan->from.offset ? scan->from.offset : FRAMES_OFFSET,
                                     scan->from.offset ? scan->from.ordinal : 1,
                                     walk_ordinal_from(first, scan->begin));
        int64_t greatest = scan->greatest_ns;
        struct scan_frame frame;
        struct walk before;
        int step = WALK_PAD, r = 0;

        while (walk.at.offset + PAD_HEADER_BYTES <= scan->limit) {
                bool all = walk.at.due > numbers; /* were passed: only a pad may follow */

                if (all)
                        before = walk;
                step = walk_next(&walk, &window_frames, window);
                if (all && step == WALK_FRAME) {
                        walk = before;
                        step = walk_stop(&walk, WALK_BAD,
                                         "the next segment tells another number of records");
                        scan->miscounted = true;
                }
                if (step != WALK_FRAME && step != WALK_PAD)
                        break;
                r = describe(window, &walk, &frame);
                if (r == 0 && scan->each)
                        r = scan->each(scan->context, &frame);
                if (r != 0)
                        break;
                scan->misplaced |= contradicts_mark(scan, &frame);
                if (frame.number != 0 && walk.view.kind != FRAME_VOID && frame.time_ns > greatest)
                        greatest = frame.time_ns;
                if (!walk.in_batch)
                        scan->greatest_ns = greatest;
        }
        conclude(scan, &walk, step);
        return r != 0 ? r : step < 0 ? step : 0;
}

/* Having no ring is no failure: each window is then read when it is needed. */
static void begin_ahead(struct window *window)
{
        if (!window->scan->ahead || window->file_bytes <= WINDOW_BYTES ||
            ring_new(1, &window->ring) < 0)
                window->ring = NULL;
}

static void end_ahead(struct window *window)
{
        uint64_t tag;
        int length;

        if (window->ahead) /* the kernel still writes to the window */
                ring_reap(window->ring, 1, &tag, &length);
        ring_free(window->ring);
}

int scan_segment(struct scan *scan)
{
        struct window window = { .scan = scan };
        struct os_stat st = { 0 };
        int r = map_anonymous(scan->memory, 2 * WINDOW_BYTES, &window.map);

        if (r < 0)
                return detail(r, "no memory to read a segment");
        window.bytes = window.map.base;
        window.spare = window.bytes + WINDOW_BYTES;
        r = os_stat(scan->fd, &st);
        window.file_bytes = st.bytes;
        if (r == 0) {
                begin_ahead(&window);
                r = scan_frames(scan, &window);
                end_ahead(&window);
        } else {
                detail(r, "cannot stat: %s", logstore_error_text(r));
        }
        map_close(&window.map);
        return r;
}
