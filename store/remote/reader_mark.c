/*
 * reader_mark.c - where in a segment a walk may begin
 *
 * A tail begins with a mark. An object's marks are the lines of its directory, which comes from a
 * checkpoint or from the commit that brought the object. If both are gone we walk it once. A mark
 * is no evidence: a wrong one leads to frames that do not count.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/codec.h"
#include "remote/frames.h"
#include "remote/reader_private.h"
#include "remote/remote_detail.h"

/* ---- a directory that nobody has ---- */

/* As far as its frames are sound. Who reads what is behind them is told. */
static int walk_all(struct logstore_remote *remote, size_t which, struct frames_directory *learnt)
{
        const struct remote_segment *segment = &remote->log.segments[which];
        uint64_t end = segment->lines[0].entry.to;
        struct walk walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
        struct window window = { 0 };
        int step = WALK_FRAME, r = 0;

        window_begin(&window, remote->pieces, segment);
        while (r == 0 && walk.at.offset < end && (step == WALK_FRAME || step == WALK_PAD)) {
                if (!walk.in_batch)
                        r = frames_note_place(learnt, walk.at.offset, &walk.at);
                if (walk.at.offset + PAD_HEADER_BYTES > window.to)
                        reader_ask_forward(remote, which, walk.at.offset,
                                           pieces_ahead_bytes(remote->pieces));
                step = r == 0 ? walk_next(&walk, &window_frames, &window) : r;
        }
        r = r == 0 && window.error < 0 ? window.error : r;
        if (r == 0 && walk.at.offset == end)
                r = frames_note_place(learnt, end - 1, &walk.at);
        window_free(&window);
        return r;
}

/* Where the object's frames are, if it is packed: without that nothing of it can be read. */
static int find_frames(struct logstore_remote *remote, struct table_line *line)
{
        char name[BUCKET_NAME_MAX];
        struct patience patience = { 0 };
        uint64_t *offsets;
        uint32_t count;
        int r;

        span_name(&line->entry, name);
        do
                r = codec_read_spans(remote->bucket, name, &line->entry, &offsets, &count);
        while (reader_ask_again(remote, r, &patience));
        if (r < 0)
                return r == -EAGAIN ? -EREMOTEIO : r;
        line->blocks = calloc(count, sizeof(*line->blocks));
        line->entry.blocks = count;
        for (uint32_t i = 0; line->blocks && i < count; i++)
                line->blocks[i] =
                        (struct remote_block){ FRAMES_OFFSET / FRAME_ALIGN, 1, offsets[i] };
        free(offsets);
        return line->blocks ? 0 : remote_detail(-ENOMEM, "no memory for a directory");
}

/* Walk the object of segment @which once, and make its directory. */
static int learn(struct logstore_remote *remote, size_t which)
{
        struct table_line *line = (struct table_line *)remote->log.segments[which].lines;
        struct frames_directory learnt = { 0 };
        int r = line->entry.codec == CODEC_PLAIN ? 0 : find_frames(remote, line);

        if (r == 0)
                r = walk_all(remote, which, &learnt);
        for (uint32_t i = 0; r == 0 && line->blocks && i < learnt.count; i++)
                learnt.blocks[i].object_offset =
                        i < line->entry.blocks ? line->blocks[i].object_offset : 0;
        if (r < 0 || (line->blocks && learnt.count < line->entry.blocks)) {
                free(learnt.blocks); /* what is known of a damaged one is where its frames are */
        } else {
                free(line->blocks);
                line->blocks = learnt.blocks;
                line->entry.blocks = learnt.count;
        }
        if (r < 0) {
                free(line->blocks);
                line->blocks = NULL;
                line->entry.blocks = 0;
        }
        return r;
}

/* The directory is kept with the line in the table, which owns it, and in its copy by segment. */
int reader_directory(struct logstore_remote *remote, size_t which)
{
        const struct remote_segment *segment = &remote->log.segments[which];
        struct table_line *copy = (struct table_line *)segment->lines; /* the log's own */
        struct table *table = &remote->log.table;
        struct patience patience = { 0 };
        size_t i = 0;
        int r;

        if (copy->blocks || copy->entry.object_bytes == 0)
                return 0;
        while (table->lines[i].entry.seq != copy->entry.seq)
                i++;
        do
                r = table_read_directory(remote->bucket, &table->lines[i]);
        while (reader_ask_again(remote, r, &patience));
        if (r == -EAGAIN)
                return -EREMOTEIO;
        if (!table->lines[i].blocks) {
                r = learn(remote, which);
                if (r < 0)
                        return r;
                table->lines[i].blocks = copy->blocks;
                table->lines[i].entry.blocks = copy->entry.blocks;
        }
        copy->blocks = table->lines[i].blocks;
        copy->entry.blocks = table->lines[i].entry.blocks;
        return r == -EBADMSG && copy->blocks ? 0 : r;
}

/* ---- the mark ---- */

static const struct table_line *line_of(const struct remote_segment *segment, uint64_t number)
{
        size_t low = 0, high = segment->line_count;

        while (low + 1 < high) { /* the last one that begins at or before it */
                size_t middle = low + (high - low) / 2;

                if (segment->lines[middle].entry.first_number <= number)
                        low = middle;
                else
                        high = middle;
        }
        return &segment->lines[low];
}

static struct mark mark_of(const struct remote_entry *entry, const struct remote_block *block)
{
        struct mark mark = { (uint64_t)block->offset8 * FRAME_ALIGN, block->ordinal };

        if (mark.offset < FRAMES_OFFSET || mark.offset >= entry->to || mark.ordinal == 0)
                return (struct mark){ FRAMES_OFFSET, 1 }; /* it is wrong, or begins at the end */
        return mark;
}

static struct mark floor_of_object(const struct table_line *line, uint32_t ordinal,
                                   uint64_t *ret_next)
{
        const struct remote_block *blocks = line->blocks;
        uint32_t low = 0, high = blocks ? line->entry.blocks : 0;

        while (low < high) { /* the first line behind it */
                uint32_t middle = low + (high - low) / 2;

                if (blocks[middle].ordinal <= ordinal)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_next = line->entry.to;
        if (blocks && low < line->entry.blocks &&
            (uint64_t)blocks[low].offset8 * FRAME_ALIGN < line->entry.to)
                *ret_next = (uint64_t)blocks[low].offset8 * FRAME_ALIGN;
        return low > 0 ? mark_of(&line->entry, &blocks[low - 1])
                       : (struct mark){ FRAMES_OFFSET, 1 };
}

int reader_floor(struct logstore_remote *remote, size_t which, uint64_t number, struct mark *ret,
                 uint64_t *ret_next)
{
        const struct remote_segment *segment = &remote->log.segments[which];
        const struct table_line *line = line_of(segment, number);
        uint32_t ordinal = walk_ordinal_from(segment->first_number, number);
        int r;

        if (line->entry.object_bytes) {
                r = reader_directory(remote, which);
                if (r == 0)
                        *ret = floor_of_object(line, ordinal, ret_next);
                return r;
        }
        *ret = (struct mark){ line->entry.from ? line->entry.from : FRAMES_OFFSET,
                              walk_ordinal_from(segment->first_number, line->entry.first_number) };
        *ret_next = line->entry.to;
        return 0;
}

bool reader_mark_behind(const struct remote_segment *segment, uint64_t offset, struct mark *ret)
{
        const struct table_line *line = window_line(segment, offset);

        for (uint32_t i = 0; line->blocks && i < line->entry.blocks; i++) {
                *ret = mark_of(&line->entry, &line->blocks[i]);
                if (ret->offset > offset)
                        return true;
        }
        if (++line == segment->lines + segment->line_count)
                return false;
        ret->offset = line->entry.from;
        ret->ordinal = walk_ordinal_from(segment->first_number, line->entry.first_number);
        return true;
}

/* ---- the first page ---- */

int reader_start(struct logstore_remote *remote, size_t which, struct window *window,
                 struct segment_brief *ret)
{
        const struct remote_segment *segment = &remote->log.segments[which];
        _Alignas(8) char page[FRAMES_OFFSET];
        struct brief_fault fault = { .offset = HEADER_BYTES, .what = "its start frame is damaged" };
        char name[BUCKET_NAME_MAX];
        int r = window_need(window, 0, FRAMES_OFFSET);

        if (r < 0)
                return r;
        memcpy(page, window_at(window, 0), sizeof(page));
        r = brief_read(page, sizeof(page), segment->end, remote->uuid, segment->id, ret, &fault);
        if (r == 0 && ret->started && ret->salt == segment->salt &&
            ret->start.first_number == segment->first_number)
                return 0;
        span_name(&segment->lines[0].entry, name);
        return remote_detail(r < 0 ? r : -EBADMSG,
                             "%s/%s: segment %" PRIu64 ", offset %" PRIu64 ", record %" PRIu64
                             ": %s",
                             remote->bucket->url, name, segment->id, fault.offset,
                             segment->first_number, fault.what);
}
