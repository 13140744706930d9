/*
 * walk.h - one step along the frames of a segment: what follows what
 *
 * Everything that goes from frame to frame goes by walk_next(). Only two do not: a cursor's fast
 * step and the writer's tail. Both go over frames that are known to be good; a test holds them
 * against this.
 *
 * Law (FORMAT.md, "Walking"):
 * - the next frame begins where this one ends;
 * - a pad has no number, every other frame has the ordinal that is due;
 * - inside a batch stands neither a pad nor a void;
 * - a frame counts if its check holds. A frame that was trimmed need only lead on;
 * - a batch counts as a whole.
 */
#ifndef LOGSTORE_WALK_H
#define LOGSTORE_WALK_H

#include "segment/record.h"

/*
 * Where the bytes of a segment come from: a mapping, a window that read(2) fills, a piece that
 * io_uring fetched. Nothing above a source knows which. A source for sealed segments in another
 * form, such as compressed blocks or ranges of a remote object, implements these two functions:
 * - offsets are those of the segment as it was written, since each frame's check covers its own;
 * - header, seal and start frame (the first FRAMES_OFFSET bytes) make a struct segment_brief first;
 * - a frame may span two blocks; its bytes must lie together while it is peeked at and checked;
 * - it touches nothing behind the file's end, and knows where its frames end at the latest.
 */
struct frame_source {
        /* Look at the frame at @offset, whose commit word is loaded once. In memory record_peek()
         * does that, and its errors are the ones to return. -ENODATA: the file ends within the
         * frame. Other errors are failures of the disk. */
        int (*peek)(void *from, uint64_t offset, struct record_view *ret);
        /* Does the check of the peeked frame hold, as of record_valid()? 1, 0, or an error as of
         * peek. */
        int (*check)(void *from, uint64_t offset, const struct record_view *view);
};

enum walk_step {
        WALK_FRAME, /* the frame that is due */
        WALK_PAD,   /* and one is still due behind it */
        WALK_END,   /* no frame is committed here */
        WALK_TORN,  /* what is committed here does not fit into the segment or the file */
        WALK_BAD,   /* the frame here is not what is due, or its check does not hold */
};

/* Between two frames. */
struct walk_place {
        uint64_t offset;
        uint32_t due; /* ordinal of the next frame that is no pad */
};

/* Checks from an ordinal on: those of all frames, or of pads alone, which nothing else checks. */
#define WALK_CHECK_ALL 1u
#define WALK_CHECK_PADS UINT32_MAX

struct walk {
        struct walk_place at;    /* where the next step goes from */
        struct walk_place whole; /* the same, but never inside a batch */
        bool in_batch;
        uint32_t checked; /* frames with smaller ordinals need only lead on */
        /* Of the last step: its frame, and if it ended the walk, why. The walk then stands before
         * that place. */
        uint64_t offset;
        struct record_view view;
        const char *why;
};

#define WALK_CUT_OFF "the frame is cut off by the end of the file"

static inline struct walk walk_from(uint64_t offset, uint32_t due, uint32_t checked)
{
        return (struct walk){ .at = { offset, due }, .whole = { offset, due }, .checked = checked };
}

/* The ordinal of @number in a segment that begins with @first; 1 if it lies before the segment.
 * Frames before the log's first number need only lead on, so this is where a walk begins to check
 * them. */
static inline uint32_t walk_ordinal_from(uint64_t first, uint64_t number)
{
        if (number <= first)
                return 1;
        return number - first < UINT32_MAX - 1 ? (uint32_t)(number - first) + 1 : UINT32_MAX;
}

static inline int walk_stop(struct walk *walk, enum walk_step step, const char *why)
{
        walk->why = why;
        return (int)step;
}

static inline void walk_pass(struct walk *walk, const struct record_view *view)
{
        walk->at.offset += view->frame_bytes;
        walk->at.due += view->kind != FRAME_PAD;
        walk->in_batch = view->kind == FRAME_MORE;
        if (!walk->in_batch)
                walk->whole = walk->at;
}

/* One step. Returns enum walk_step, or a failure of the source. @source is a constant where this
 * is called, so the compiler leaves no call through a pointer. */
static inline __attribute__((always_inline)) int
walk_next(struct walk *walk, const struct frame_source *source, void *from)
{
        struct record_view *view = &walk->view;
        int r = source->peek(from, walk->at.offset, view);

        walk->offset = walk->at.offset;
        if (r == -EAGAIN)
                return walk_stop(walk, WALK_END, "no frame is committed here");
        if (r == -ENODATA)
                return walk_stop(walk, WALK_TORN, WALK_CUT_OFF);
        if (r == -EBADMSG)
                return walk_stop(walk, WALK_TORN, "the frame's length is impossible");
        if (r < 0)
                return r;
        if (walk->in_batch && (view->kind == FRAME_PAD || view->kind == FRAME_VOID))
                return walk_stop(walk, WALK_BAD, "a pad or void stands inside a batch");
        if (view->kind != FRAME_PAD && view->ordinal != walk->at.due)
                return walk_stop(walk, WALK_BAD, "the frame's ordinal is out of order");
        if (view->kind == FRAME_PAD || walk->at.due >= walk->checked) {
                r = source->check(from, walk->at.offset, view);
                if (r == -ENODATA)
                        return walk_stop(walk, WALK_TORN, WALK_CUT_OFF);
                if (r < 0)
                        return r;
                if (r == 0)
                        return walk_stop(walk, WALK_BAD, "the frame's checksum does not hold");
        }
        walk_pass(walk, view);
        return view->kind == FRAME_PAD ? WALK_PAD : WALK_FRAME;
}

/* Step over a pad, a record, a void, or the rest of a batch. On success walk->whole is where the
 * walk stands. Else the walk may stand inside a batch, before the place that is told. */
static inline __attribute__((always_inline)) int
walk_whole(struct walk *walk, const struct frame_source *source, void *from)
{
        int step;

        do
                step = walk_next(walk, source, from);
        while (step == WALK_FRAME && walk->in_batch);
        return step;
}

#endif
