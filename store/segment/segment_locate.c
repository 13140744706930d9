/*
 * segment_locate.c - from a number to its frame: what of the file may be touched, and its index
 *
 * The index file of a sealed segment is used if it is good. If it is not, or has led astray, an
 * anonymous index is extended on demand, within the budget. Beyond the budget frames are walked
 * from the segment's start.
 */
#include <errno.h>
#include <stdio.h>

#include "logstore.h"
#include "os/detail.h"
#include "segment/segment.h"

int segment_reach(struct segment *segment, uint64_t end)
{
        struct os_stat st = { 0 };
        int r = segment->fd >= 0 ? os_stat(segment->fd, &st) : 0;

        if (r < 0)
                return detail(r, "%s: cannot stat: %s", segment->name, logstore_error_text(r));
        if (segment->fd >= 0)
                atomic_store(&segment->file_bytes, st.bytes);
        if (end <= atomic_load(&segment->file_bytes) && end <= segment->brief.bytes)
                return 0;
        return -EBADMSG;
}

int segment_peek(struct segment *segment, uint64_t offset, struct record_view *ret)
{
        int r;

        if (offset > segment->end || segment_readable(segment, offset + PAD_HEADER_BYTES) < 0)
                return -EAGAIN; /* the writer grows the file before it commits */
        r = record_peek(segment->map.base, offset, segment->end, ret);
        return r < 0 ? r : segment_readable(segment, offset + ret->frame_bytes);
}

/* What a step says of a place where the walk does not go on. */
static int stopped(int step)
{
        return step < 0 ? step : step == WALK_END ? -EAGAIN : -EBADMSG;
}

/* Walk on from where @index ends, until it knows @ordinal. A read of a record checks it, so this
 * checks pads alone. */
static int extend_index(struct segment *segment, struct index *index, uint32_t ordinal)
{
        struct walk *walk = &segment->indexed;
        int step;

        while (walk->at.due <= ordinal) {
                step = walk_next(walk, &segment_frames, segment);
                if (step == WALK_FRAME)
                        index_set(index, walk->view.ordinal, walk->offset);
                else if (step != WALK_PAD)
                        return stopped(step);
        }
        return 0;
}

static int open_sealed_index(struct segment *segment)
{
        struct segment_brief *brief = &segment->brief;
        int r = brief->sealed ? index_open(segment->memory, segment->directory, brief->id,
                                           brief->salt, brief->seal.records, &segment->index)
                              : -ENOENT;

        if (r == 0) /* pairs with the load in segment_locate() */
                __atomic_store_n(&segment->index_shared, true, __ATOMIC_RELEASE);
        return r;
}

/* A trim may unlink the segment meanwhile. It unlinks the index after the segment: either it finds
 * this index file, or we find the segment gone. */
int segment_write_index(const struct segment *segment, const struct index *index, uint32_t mode,
                        uint64_t records, uint64_t end)
{
        const struct segment_brief *brief = &segment->brief;
        struct os_stat st;
        char name[32];
        int r = index_write(index, segment->directory, mode, brief->id, brief->salt, records, end);

        if (r < 0 || os_stat_name(segment->directory, segment->name, &st) != -ENOENT)
                return r;
        index_name(brief->id, name);
        os_unlink(segment->directory, name);
        return -ENOENT;
}

/* Write an index file in the place of one that was deleted or garbled. If that fails, the next open
 * only has to walk again. */
static bool save_index(struct segment *segment, struct index *built)
{
        struct segment_brief *brief = &segment->brief;

        return segment->index_mode && brief->sealed && brief->seal.records <= UINT32_MAX &&
               extend_index(segment, built, (uint32_t)brief->seal.records) == 0 &&
               segment_write_index(segment, built, segment->index_mode, brief->seal.records,
                                   brief->seal.end) == 0;
}

/* Make an empty index, to be extended. */
static int new_index(struct segment *segment, struct index *ret)
{
        int r;

        if (atomic_load(&segment->memory->mapped_bytes[MEMORY_ANONYMOUS]) +
                    index_bytes(segment->brief.bytes) >
            segment->memory->anonymous_budget_bytes)
                return -ENOBUFS; /* then frames are walked from the segment's start */
        r = index_new(segment->memory, segment->brief.bytes, ret);
        if (r < 0)
                return detail(r, "%s: no memory for an index", segment->name);
        segment->indexed = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_PADS);
        return 0;
}

/* Open the index file if there is a good one; else make an index, and a file if we may. */
static int open_index(struct segment *segment)
{
        struct index built;
        int r;

        if (open_sealed_index(segment) == 0)
                return 0;
        r = new_index(segment, &segment->index);
        if (r < 0 || !save_index(segment, &segment->index))
                return r;
        built = segment->index;
        if (open_sealed_index(segment) == 0)
                index_close(&built);
        else
                segment->index = built;
        return 0;
}

/* Make the index reach @ordinal. *ret_offset: how far it reaches, if it does not. */
static int index_ready(struct segment *segment, uint32_t ordinal, uint64_t *ret_offset)
{
        int r = 0;

        pthread_mutex_lock(&segment->index_lock);
        if (!segment->index.map.base)
                r = open_index(segment);
        if (r == 0 && !segment->index_shared)
                r = extend_index(segment, &segment->index, ordinal);
        *ret_offset = segment->indexed.at.offset;
        pthread_mutex_unlock(&segment->index_lock);
        return r;
}

int segment_walk_to(struct segment *segment, uint32_t at, uint64_t offset, uint32_t ordinal,
                    uint64_t *ret_offset, struct record_view *ret_view)
{
        struct walk walk = walk_from(offset, at, WALK_CHECK_PADS);
        int step = WALK_PAD;

        *ret_offset = offset;
        if (offset < FRAMES_OFFSET)
                return -EBADMSG;
        while (step == WALK_PAD || (step == WALK_FRAME && walk.view.ordinal != ordinal))
                step = walk_next(&walk, &segment_frames, segment);
        *ret_offset = walk.offset;
        *ret_view = walk.view;
        return step == WALK_FRAME ? 0 : stopped(step);
}

/* Did the index come from a file? */
static bool is_from_file(const struct segment *segment)
{
        return __atomic_load_n(&segment->index_shared, __ATOMIC_ACQUIRE) && segment->brief.sealed;
}

/* The writer writes an index file anew that it found wrong, once. */
static void mend_index(struct segment *segment)
{
        pthread_mutex_lock(&segment->index_lock);
        if (segment->own.map.base && !segment->mended)
                save_index(segment, &segment->own);
        segment->mended = true;
        pthread_mutex_unlock(&segment->index_lock);
}

int segment_relocate(struct segment *segment, uint32_t ordinal, uint64_t *ret_offset,
                     struct record_view *ret_view)
{
        uint64_t led_to = *ret_offset, offset = FRAMES_OFFSET;
        uint32_t at = 1;
        int r = 0;

        if (!is_from_file(segment)) /* it was made from the frames */
                return -EBADMSG;
        pthread_mutex_lock(&segment->index_lock);
        if (!segment->own.map.base)
                r = new_index(segment, &segment->own);
        if (r == 0)
                r = extend_index(segment, &segment->own, ordinal);
        *ret_offset = segment->indexed.at.offset;
        pthread_mutex_unlock(&segment->index_lock);
        if (r < 0 && r != -ENOBUFS)
                return r;
        if (r == 0)
                offset = index_floor(&segment->own, ordinal, &at);
        r = segment_walk_to(segment, at, offset, ordinal, ret_offset, ret_view);
        if (r == 0 && *ret_offset != led_to)
                mend_index(segment);
        return r;
}

int segment_locate(struct segment *segment, uint32_t ordinal, uint64_t *ret_offset,
                   struct record_view *ret_view)
{
        uint32_t at;
        uint64_t offset;
        int r = 0;

        /* Pairs with the store in open_sealed_index(). */
        if (!__atomic_load_n(&segment->index_shared, __ATOMIC_ACQUIRE)) {
                r = index_ready(segment, ordinal, ret_offset);
                if (r < 0 && r != -ENOBUFS)
                        return r;
        }
        if (r == -ENOBUFS) /* over the budget */
                return segment_walk_to(segment, 1, FRAMES_OFFSET, ordinal, ret_offset, ret_view);
        offset = index_floor(&segment->index, ordinal, &at);
        r = segment_walk_to(segment, at, offset, ordinal, ret_offset, ret_view);
        /* What an index says is never evidence: the frames decide. */
        return r < 0 && is_from_file(segment)
                       ? segment_relocate(segment, ordinal, ret_offset, ret_view)
                       : r;
}

int segment_span(struct segment *segment, uint64_t number, struct segment_span *ret)
{
        uint64_t ordinal = number - segment->brief.start.first_number + 1, behind, reached;
        uint32_t unused;

        if (!segment->brief.sealed || ordinal > segment->brief.seal.records)
                return -ENOENT;
        if (!__atomic_load_n(&segment->index_shared, __ATOMIC_ACQUIRE) &&
            (index_ready(segment, 1, &reached) < 0 || !segment->index_shared))
                return -ENOENT;
        ret->offset = index_floor(&segment->index, (uint32_t)ordinal, &ret->ordinal);
        behind = ret->ordinal + (UINT64_C(1) << segment->index.stride_shift);
        ret->end = behind <= segment->brief.seal.records
                           ? index_floor(&segment->index, (uint32_t)behind, &unused)
                           : segment->brief.seal.end;
        return FRAMES_OFFSET <= ret->offset && ret->offset < ret->end && ret->end <= segment->end
                       ? 0
                       : -ENOENT;
}

int segment_descriptor(struct segment *segment)
{
        pthread_mutex_lock(&segment->index_lock);
        if (segment->fd < 0)
                segment->fd = os_open(segment->directory, segment->name, OS_READ, 0);
        pthread_mutex_unlock(&segment->index_lock);
        return segment->fd;
}
