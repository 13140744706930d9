/*
 * salvage.c - every valid record of one segment file, also behind damage
 *
 * Behind a frame that does not count, the next one may begin at any multiple of 8. A frame there is
 * believed only if its check holds, which covers its offset and ordinal, and if so many frames had
 * room in the bytes before it.
 *
 * Time:  a payload may hold what looks like a frame at each of these places, each as long as the
 *        file. So bytes that are hashed in vain count against an allowance: as many as the file
 *        has, and ALLOWED_PER_PLACE for each place that was passed. Where it does not suffice, a
 *        place is passed over. What is due behind a valid frame has an allowance of its own. So
 *        has what leads to a frame with the next ordinal, as hardly any bytes do by chance. Thus a
 *        true frame is not passed over for what merely looks like one.
 */
#include "segment/salvage.h"

#include <errno.h>
#include <string.h>

#include "logstore.h"

#define ALLOWED_PER_PLACE 256 /* bytes: more than most records have */

struct allowance {
        uint64_t due, linked, lone;
};

static struct allowance allowance_new(uint64_t bytes)
{
        return (struct allowance){ bytes, bytes, bytes };
}

static void pass_place(struct allowance *allowance)
{
        allowance->due += ALLOWED_PER_PLACE;
        allowance->linked += ALLOWED_PER_PLACE;
        allowance->lone += ALLOWED_PER_PLACE;
}

/* Skip zeros: no frame begins with them, and space that was made ready is zeros. Stop at @end,
 * before which there is no hole: on a full tmpfs nobody can look into one. */
static uint64_t skip_zeros(const struct segment *segment, uint64_t offset, uint64_t end)
{
        static const char zeros[512];
        uint64_t bytes = atomic_load(&segment->file_bytes);

        if (bytes > segment->map.bytes)
                bytes = segment->map.bytes;
        while (offset + sizeof(zeros) <= (bytes < end ? bytes : end) &&
               memcmp((const char *)segment->map.base + offset, zeros, sizeof(zeros)) == 0)
                offset += sizeof(zeros);
        return offset;
}

/* The first place from @offset on where a frame may begin; UINT64_MAX: there is none. A file can be
 * far longer than what it takes on the disk, and no frame begins in a hole. *piece_end: where the
 * next hole begins, as far as known. */
static uint64_t next_place(struct segment *segment, uint64_t *piece_end, uint64_t offset)
{
        uint64_t from;
        int fd, r;

        while (offset >= *piece_end ||
               (offset = skip_zeros(segment, offset, *piece_end)) >= *piece_end) {
                from = offset;
                fd = segment_descriptor(segment);
                r = fd < 0 ? fd : os_next_data(fd, offset, &from, piece_end);
                if (r == -ENXIO)
                        return UINT64_MAX;
                if (r < 0) /* the file system does not say: look everywhere */
                        *piece_end = UINT64_MAX;
                if (from > offset)
                        offset = from & ~(uint64_t)(FRAME_ALIGN - 1);
        }
        return offset;
}

/* @limit, or the end of the file if that comes first. */
static uint64_t file_limit(struct segment *segment, uint64_t limit)
{
        uint64_t bytes = limit;

        if (segment_reach(segment, limit) < 0)
                bytes = atomic_load(&segment->file_bytes);
        return bytes < limit ? bytes : limit;
}

enum look { NO_FRAME, FRAME, PASSED_OVER };

/* Does the check of a peeked frame hold? Only a check that does not hold costs allowance. */
static enum look check(struct segment *segment, uint64_t offset, const struct record_view *view,
                       uint64_t *allowance)
{
        bool short_check = view->kind == FRAME_VOID || view->kind == FRAME_PAD;
        uint64_t cost = short_check ? FRAME_HEADER_BYTES : view->frame_bytes;

        if (cost > *allowance)
                return PASSED_OVER;
        if (record_valid(&segment->key, segment->map.base, offset, view))
                return FRAME;
        *allowance -= cost;
        return NO_FRAME;
}

static bool peek(struct segment *segment, uint64_t offset, uint64_t limit, uint64_t header_bytes,
                 struct record_view *view)
{
        return segment_readable(segment, offset + header_bytes) == 0 &&
               record_peek(segment->map.base, offset, limit, view) == 0 &&
               segment_readable(segment, offset + view->frame_bytes) == 0;
}

/* The frames of a segment up to a limit; looking in vain costs allowance. */
struct costly {
        struct segment *segment;
        uint64_t limit;
        uint64_t *allowance;
};

static int costly_peek(void *from, uint64_t offset, struct record_view *ret)
{
        const struct costly *costly = from;

        return peek(costly->segment, offset, costly->limit, PAD_HEADER_BYTES, ret) ? 0 : -EBADMSG;
}

static int costly_check(void *from, uint64_t offset, const struct record_view *view)
{
        const struct costly *costly = from;

        return check(costly->segment, offset, view, costly->allowance) == FRAME;
}

static const struct frame_source costly_frames = { costly_peek, costly_check };

/* Go on over the next frame of the log, if it is there. */
static bool follow(struct walk *walk, struct segment *segment, uint64_t limit,
                   struct allowance *allowance)
{
        struct costly costly = { segment, limit, &allowance->due };
        int step = walk_next(walk, &costly_frames, &costly);

        return step == WALK_FRAME || step == WALK_PAD;
}

/* Does what looks like a frame lead to another one, with the next ordinal? */
static bool is_linked(struct segment *segment, uint64_t offset, uint64_t limit,
                      const struct record_view *view)
{
        struct walk walk =
                walk_from(offset + view->frame_bytes, view->ordinal + 1, WALK_CHECK_PADS);
        uint64_t enough = UINT64_MAX;
        struct costly costly = { segment, limit, &enough };
        int step = walk_next(&walk, &costly_frames, &costly);

        return step == WALK_FRAME || step == WALK_PAD;
}

/* Is there a frame at @offset with an ordinal beyond @ordinal, and room for so many before it? */
static enum look find(struct segment *segment, uint64_t offset, uint64_t limit, uint32_t ordinal,
                      struct allowance *allowance, struct record_view *view)
{
        uint64_t most = (offset - FRAMES_OFFSET) / FRAME_HEADER_BYTES + 1;

        if (!peek(segment, offset, limit, FRAME_HEADER_BYTES, view) || view->kind == FRAME_PAD ||
            view->ordinal <= ordinal || view->ordinal > most)
                return NO_FRAME;
        return check(segment, offset, view,
                     is_linked(segment, offset, limit, view) ? &allowance->linked
                                                             : &allowance->lone);
}

/* Does the header of the damaged frame where the walk stands lead to the frame behind it? Then no
 * other frame can be between. Returns its bytes, or 0. */
static uint64_t damaged_bytes(const struct walk *walk, struct segment *segment, uint64_t limit,
                              struct allowance *allowance)
{
        struct record_view view;
        struct walk behind;

        if (!peek(segment, walk->at.offset, limit, FRAME_HEADER_BYTES, &view) ||
            view.kind == FRAME_PAD || view.ordinal != walk->at.due)
                return 0;
        behind = walk_from(walk->at.offset + view.frame_bytes, view.ordinal + 1, WALK_CHECK_ALL);
        return follow(&behind, segment, limit, allowance) ? view.frame_bytes : 0;
}

static const char *why(const struct segment *segment, const char *otherwise)
{
        return map_faulted(&segment->map) ? "a page cannot be read: check the disk" : otherwise;
}

/* Count the frame that the walk passed. A batch counts with its last frame. */
static void extend(const struct segment *segment, const struct walk *walk, int64_t *greatest_ns,
                   struct salvage_prefix *prefix)
{
        const struct record_view *view = &walk->view;

        if ((view->kind == FRAME_RECORD || view->kind == FRAME_MORE) &&
            segment_frame(segment, walk->offset)->time_ns > *greatest_ns)
                *greatest_ns = segment_frame(segment, walk->offset)->time_ns;
        if (!walk->in_batch)
                *prefix = (struct salvage_prefix){ walk->whole.offset, walk->whole.due - 1,
                                                   *greatest_ns };
}

int salvage_segment(struct segment *segment, uint64_t limit, uint64_t expected, bool exact,
                    const struct salvage_hooks *hooks, struct salvage_prefix *ret_prefix)
{
        struct salvage_prefix prefix = { .end = FRAMES_OFFSET };
        uint64_t first = segment->brief.start.first_number;
        struct walk walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
        uint64_t offset = FRAMES_OFFSET, until = file_limit(segment, limit), piece_end = 0, bytes;
        struct allowance allowance = allowance_new(until);
        int64_t greatest_ns = 0;
        bool damaged = false;
        int r = 0;

        while (r == 0 && offset != UINT64_MAX && offset + PAD_HEADER_BYTES <= until &&
               !map_faulted(&segment->map)) {
                bool due = offset == walk.at.offset;
                bool next = due && follow(&walk, segment, until, &allowance);

                if (!next && !damaged) {
                        damaged = true; /* or simply the end: the caller judges that */
                        r = hooks->damage(hooks->context, segment, offset, first + prefix.records,
                                          why(segment, "the frame does not validate"));
                        if (r != 0)
                                break;
                }
                bytes = due && !next ? damaged_bytes(&walk, segment, until, &allowance) : 0;
                if (bytes > 0) {
                        walk = walk_from(offset + bytes, walk.at.due + 1, WALK_CHECK_ALL);
                        offset = walk.at.offset;
                        continue;
                }
                if (!next) {
                        if (find(segment, offset, until, walk.at.due - 1, &allowance, &walk.view) !=
                            FRAME) {
                                offset = next_place(segment, &piece_end, offset + FRAME_ALIGN);
                                pass_place(&allowance);
                                continue;
                        }
                        walk.offset = offset;
                        walk.at = (struct walk_place){ offset, walk.view.ordinal };
                        walk_pass(&walk, &walk.view);
                }
                if (walk.view.kind != FRAME_PAD)
                        r = hooks->record(hooks->context, segment, offset, &walk.view);
                if (!damaged)
                        extend(segment, &walk, &greatest_ns, &prefix);
                offset = walk.at.offset;
        }
        if (r == 0 && !damaged &&
            (map_faulted(&segment->map) || until < limit || (exact && walk.at.due - 1 != expected)))
                r = hooks->damage(hooks->context, segment, offset, first + prefix.records,
                                  why(segment, "the segment ends before its records do"));
        *ret_prefix = prefix;
        return r;
}

/* The first valid frame with @ordinal behind @offset; 0: there is none. */
static uint64_t find_exactly(struct segment *segment, uint64_t offset, uint32_t ordinal,
                             struct record_view *view)
{
        uint64_t until = file_limit(segment, segment->brief.seal.end), piece_end = 0, at = offset;
        struct allowance allowance = allowance_new(until);

        while ((at = next_place(segment, &piece_end, at + FRAME_ALIGN)) != UINT64_MAX &&
               at + FRAME_HEADER_BYTES <= until) {
                if (segment_frame(segment, at)->ordinal == ordinal &&
                    find(segment, at, until, ordinal - 1, &allowance, view) == FRAME)
                        return at;
                pass_place(&allowance);
        }
        return 0;
}

int salvage_from_first(struct segment *segment, uint64_t first, uint64_t number, int error,
                       uint64_t *ret_offset, struct record_view *ret_view)
{
        uint64_t before = segment->brief.start.first_number - 1;
        uint32_t ordinal = (uint32_t)(first - before);
        uint64_t begin;

        if ((error != -EAGAIN && error != -EBADMSG) || !segment->brief.sealed ||
            first <= before + 1 || first > number)
                return error;
        begin = find_exactly(segment, *ret_offset, ordinal, ret_view);
        return begin ? segment_walk_to(segment, ordinal, begin, (uint32_t)(number - before),
                                       ret_offset, ret_view)
                     : error;
}

bool salvage_beyond(struct segment *segment, uint64_t offset, uint64_t number)
{
        uint32_t ordinal = (uint32_t)(number - segment->brief.start.first_number);
        uint64_t until = file_limit(segment, segment->brief.bytes);
        struct allowance allowance = allowance_new(until);
        uint64_t piece_end = 0;
        struct record_view view;

        for (uint64_t at = next_place(segment, &piece_end, offset + FRAME_ALIGN);
             at != UINT64_MAX && at + FRAME_HEADER_BYTES <= until;
             at = next_place(segment, &piece_end, at + FRAME_ALIGN)) {
                /* What cannot be looked at could be one: a false alarm is better than a loss. */
                if (find(segment, at, until, ordinal, &allowance, &view) != NO_FRAME)
                        return true;
                pass_place(&allowance);
        }
        return false;
}

/* The place behind the last of the eight bytes at @offset that is not zero, or @otherwise. */
static uint64_t used_until(const struct segment *segment, uint64_t offset, uint64_t otherwise)
{
        uint64_t word;

        memcpy(&word, (const char *)segment->map.base + offset, sizeof(word));
        return word ? offset + 8 - (uint64_t)__builtin_clzll(word) / 8 : otherwise;
}

void salvage_count(struct segment *segment, uint64_t offset, uint64_t number, uint64_t limit,
                   struct salvage_dropped *dropped)
{
        uint32_t ordinal = (uint32_t)(number - segment->brief.start.first_number);
        uint64_t until = file_limit(segment, limit), piece_end = 0, used = offset;
        struct allowance allowance = allowance_new(until);
        struct record_view view;
        uint64_t at = next_place(segment, &piece_end, offset);

        while (at != UINT64_MAX && at + FRAME_ALIGN <= until && !map_faulted(&segment->map)) {
                if (find(segment, at, until, ordinal, &allowance, &view) == FRAME) {
                        dropped->records++;
                        ordinal = view.ordinal;
                        used = at += view.frame_bytes;
                        continue;
                }
                used = used_until(segment, at, used);
                pass_place(&allowance);
                at = next_place(segment, &piece_end, at + FRAME_ALIGN);
        }
        dropped->bytes += used - offset;
}
