/*
 * verdict_segment.c - one segment of the chain: its link, its frames, its seal, its index
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "chain/directory.h"
#include "os/file.h"
#include "segment/salvage.h"
#include "segment/scan.h"
#include "verify/verdict_private.h"

static void compare_index(struct verification *v, const struct scan_frame *frame)
{
        uint64_t offset;
        uint32_t at;

        if (!v->index.entries || frame->number == 0)
                return;
        offset = index_floor(&v->index, frame->view->ordinal, &at);
        if (at == frame->view->ordinal && offset != frame->offset)
                v->index_error = -EBADMSG;
}

static int on_frame(void *context, const struct scan_frame *frame)
{
        struct verification *v = context;
        uint64_t before = v->done_bytes;

        compare_index(v, frame);
        v->done_bytes += frame->view->frame_bytes;
        v->found.report.bytes += frame->view->frame_bytes;
        if (frame->number >= v->found.begin) { /* else a pad, or trimmed within a segment */
                v->found.report.voids += frame->view->kind == FRAME_VOID;
                v->found.report.records += frame->view->kind != FRAME_VOID;
        }
        if (v->hooks && v->hooks->progress && before >> 22 != v->done_bytes >> 22)
                v->hooks->progress(v->hooks->context, v->done_bytes, v->total_bytes);
        return 0;
}

static void open_index(struct verification *v, const struct segment_brief *brief)
{
        int r;

        v->index_error = 0;
        if (!brief->sealed)
                return;
        r = index_open(&v->store->memory, v->store->directory, brief->id, brief->salt,
                       brief->seal.records, &v->index);
        v->index_error = r == -ENOENT ? 0 : r;
}

static void close_index(struct verification *v, uint64_t id)
{
        char name[32];

        index_close(&v->index);
        if (v->index_error == 0)
                return;
        index_name(id, name);
        verdict_tell(v, name, 0, 0, v->index_error, false,
                     "the index is not that of its segment; it is rebuilt on use, delete it");
}

/* Is a writer at work there? Beside one a frame may be committed, for a moment, before the one in
 * front of it. */
static bool is_written(struct verification *v, struct segment *segment, uint64_t offset)
{
        struct record_view view;

        return directory_locked(v->store->directory) == 1 ||
               segment_peek(segment, offset, &view) != -EAGAIN;
}

/* What the next open for writing drops: all from @from on, where @number is due. */
struct torn {
        uint64_t from, number, limit;
        uint64_t place; /* the offset that is told */
        bool gap;       /* nothing is committed there: perhaps there is nothing to drop */
        const char *what;
};

static void tell_torn(struct verification *v, uint64_t id, const struct torn *torn)
{
        struct salvage_dropped dropped = { 0 };
        struct segment *segment;
        char text[160], name[32];
        bool none;

        if (chain_pin_id(v->chain, id, &segment) < 0)
                return;
        salvage_count(segment, torn->from, torn->number, torn->limit, &dropped);
        none = torn->gap && (dropped.bytes == 0 || is_written(v, segment, torn->from));
        chain_unpin(v->chain, segment);
        if (none)
                return;
        v->found.report.torn_bytes += dropped.bytes;
        segment_name(id, name);
        snprintf(text, sizeof(text), "%s; the next open for writing drops it", torn->what);
        if (dropped.records)
                snprintf(text, sizeof(text),
                         "%s; the next open for writing drops it, with %" PRIu64 " valid records",
                         torn->what, dropped.records);
        verdict_tell(v, name, torn->place, torn->place ? torn->number : 0, 0, false, text);
}

/* Was the store closed cleanly at @offset? Then a writer goes on there. */
static bool is_closed_at(const struct verification *v, const struct segment_brief *brief,
                         uint64_t offset)
{
        return v->clean && v->found.slot.mark_id == brief->id &&
               v->found.slot.mark_offset == offset;
}

/* The log ends before frames that no sync covered: tell what a writer drops of them. */
static void judge_torn(struct verification *v, const struct segment_brief *brief,
                       const struct scan *scan, uint64_t number)
{
        struct torn torn = { .from = scan->end,
                             .number = number,
                             .limit = scan->limit,
                             .place = scan->stop,
                             .gap = scan->uncommitted && scan->stop == scan->end,
                             .what = "a tail that no sync covered is torn" };

        v->torn = true;
        v->next_number = number;
        if (!is_closed_at(v, brief, scan->stop))
                tell_torn(v, brief->id, &torn);
}

/* Judge where the scan of a segment ended. Of a batch that was durable, frames before the bad one
 * are records; of any other batch, none are. */
static void judge_scan(struct verification *v, const char *name, const struct scan *scan,
                       const struct segment_brief *brief, const struct chain_entry *next)
{
        const char *why = scan->why ? scan->why : "the segment ends before its records do";
        uint64_t number = brief->start.first_number + scan->records;

        switch (chain_judge_scan(v->chain, &v->found.slot, brief, scan, next->id ? next : NULL,
                                 &number)) {
        case JUDGE_D1:
        case JUDGE_D2:
        case JUDGE_D3:
                verdict_tell(v, name, scan->stop, number, -EBADMSG, true, why);
                break;
        case JUDGE_D4_COUNTS:
                verdict_tell(v, name, scan->stop, number, -EBADMSG, true,
                             "the next segment tells another number of records");
                break;
        case JUDGE_D4_D5_LINK: /* told as the first that is behind the segment */
                v->next_number = number;
                break;
        case JUDGE_GOES_ON:
        case JUDGE_END: /* what the end means is told behind all segments */
        case JUDGE_D6:
                break;
        default: /* torn, or nobody can look whether it is more than that */
                judge_torn(v, brief, scan, number);
                break;
        }
}

/* Where the log begins in a sealed segment, found as a reader finds it. What was trimmed before
 * need not be whole. */
static struct scan_place find_begin(struct verification *v, const struct segment_brief *brief)
{
        struct scan_place place = { 0 };
        struct record_view view;
        struct segment *segment;
        int r;

        if (!brief->sealed || v->found.begin <= brief->start.first_number ||
            v->found.begin > brief->seal.last_number ||
            chain_pin_id(v->chain, brief->id, &segment) < 0)
                return place;
        place.ordinal = (uint32_t)(v->found.begin - brief->start.first_number + 1);
        r = segment_locate(segment, place.ordinal, &place.offset, &view);
        if (salvage_from_first(segment, v->found.begin, v->found.begin, r, &place.offset, &view) <
            0)
                place.offset = 0;
        chain_unpin(v->chain, segment);
        return place;
}

static int scan_entry(struct verification *v, const struct segment_brief *brief, uint64_t limit,
                      uint64_t next_number, struct scan *scan)
{
        struct hash_key key;
        char name[32];
        int r;

        segment_name(brief->id, name);
        hash_key_init(&key, brief->salt);
        *scan = (struct scan){
                .memory = &v->store->memory,
                .key = &key,
                .first_number = brief->start.first_number,
                .limit = limit,
                .begin = v->found.begin,
                .ahead = !(v->store->options.flags & LOGSTORE_NO_RING),
                .mark_number = v->found.slot.mark_number,
                .mark_offset = v->clean && v->found.slot.mark_id == brief->id
                                       ? v->found.slot.mark_offset
                                       : 0,
                .next_number = next_number,
                .each = on_frame,
                .context = v,
                .greatest_ns = v->greatest_ns,
                .from = find_begin(v, brief),
        };
        scan->fd = file_open(v->store->directory, name, OS_READ, NULL);
        if (scan->fd < 0)
                return scan->fd;
        r = scan_segment(scan);
        os_close(scan->fd); /* only read */
        scan->key = NULL;
        return r;
}

/* There is no fault so far: the log is sound up to the end of the segment's last whole batch. */
static void keep(struct verification *v, const struct segment_brief *brief, const struct scan *scan)
{
        int64_t greatest = v->found.keep.tail.greatest_ns;

        if (brief->start.greatest_ns > greatest) /* also of what was trimmed */
                greatest = brief->start.greatest_ns;
        if (brief->start.epoch > v->found.epoch)
                v->found.epoch = brief->start.epoch;
        v->found.keep.records = (uint32_t)scan->records;
        v->found.keep.tail = (struct tail){
                .segment_id = brief->id,
                .offset = scan->end,
                .number = brief->start.first_number + scan->records - 1,
                .greatest_ns = scan->greatest_ns > greatest ? scan->greatest_ns : greatest,
        };
}

/* Judge the scan of a segment whose first page is good, up to where @next or its seal lets it
 * end. */
static void judge_segment(struct verification *v, const struct segment_brief *brief,
                          const struct chain_entry *next, const struct scan *scan, int r)
{
        char name[32];

        segment_name(brief->id, name);
        if (r < 0) {
                verdict_tell_last(v, name, scan->due, r);
        } else {
                judge_scan(v, name, scan, brief, next);
        }
        if (scan->misplaced) {
                v->found.misplaced = true;
                verdict_tell(v, CONTROL_NAME, 0, v->found.slot.mark_number, 0, false,
                             "the record that was durable last does not end where the control page "
                             "says; the next open for writing makes it good");
        }
        close_index(v, brief->id);
}

static int read_segment(struct verification *v, const struct segment_brief *brief,
                        const struct chain_entry *entry, const struct chain_entry *next)
{
        bool has_next = next->id && chain_fits(next, brief);
        uint64_t limit = has_next                           ? next->previous_end
                         : brief->sealed                    ? brief->seal.end
                         : brief->file_bytes < brief->bytes ? brief->file_bytes
                                                            : brief->bytes;
        struct scan scan;
        int r;

        open_index(v, brief);
        r = scan_entry(v, brief, limit,
                       has_next                         ? next->first_number
                       : next->id != 0 && brief->sealed ? brief->seal.last_number + 1
                                                        : 0,
                       &scan);
        if (r == -ENOENT && verdict_trimmed_since(v, entry, next)) {
                index_close(&v->index);
                return 0;
        }
        if (v->found.report.faults == v->begun)
                keep(v, brief, &scan);
        v->greatest_ns = scan.greatest_ns;
        v->end.offset = scan.end;
        segment_name(brief->id, v->end.file);
        v->next_number = has_next ? next->first_number
                         : scan.miscounted
                                 ? scan.due /* sealed: the part of a batch before it counts */
                                 : brief->start.first_number + scan.records;
        judge_segment(v, brief, next, &scan, r);
        return 0;
}

/* Tell that the next open for writing drops the segment: the log ends before it. */
static void drop_segment(struct verification *v, const struct chain_entry *entry,
                         const struct chain_entry *next)
{
        struct torn torn = { .from = FRAMES_OFFSET,
                             .number = entry->first_number,
                             .limit = next->id ? next->previous_end : UINT64_MAX,
                             .what = "the log ends before this segment" };

        tell_torn(v, entry->id, &torn);
}

int verdict_segment(struct verification *v, size_t at)
{
        struct chain *chain = v->chain;
        struct chain_entry entry = { 0 }, next = { 0 };
        struct segment_brief brief;
        char name[32];
        int r = chain_entry_at(chain, at, &entry);

        if (r == -ENOENT)
                return r;
        segment_name(entry.id, name);
        verdict_tell_break(v, entry.id);
        if (at == 0 && v->found.report.faults > 0 &&
            entry.first_number > chain->control->page->fixed.first_number) {
                v->found.begin = entry.first_number; /* the log can begin here */
                v->begun = v->found.report.faults;
        }
        v->found.report.segments++;
        chain_entry_at(chain, at + 1, &next);
        if (v->torn) {
                drop_segment(v, &entry, &next);
                return 0;
        }
        r = r < 0 ? r : segment_brief_read(v->store->directory, chain->uuid, entry.id, &brief);
        if (r == -ENOENT && verdict_trimmed_since(v, &entry, &next))
                return 0;
        if (r < 0) {
                verdict_tell_last(v, name, v->next_number, r);
                v->next_number = 0;
                return 0;
        }
        if (v->unsealed && brief.sealed) {
                v->next_number = 0;
                return 0;
        }
        if (v->next_number != 0 && v->next_number != brief.start.first_number)
                verdict_tell(v, name, HEADER_BYTES, v->next_number, -EBADMSG, true,
                             "records are missing before this segment");
        return read_segment(v, &brief, &entry, &next);
}
