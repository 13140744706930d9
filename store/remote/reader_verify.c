/*
 * reader_verify.c - is all in the bucket that should be, and is it sound?
 *
 * Segment after segment, piece after piece: a piece is hashed for the checksum of its object, then
 * the frames that begin in it are walked. Behind damage the walk goes on at the next mark.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote/reader_private.h"
#include "remote/remote_detail.h"
#include "remote/verify_names.h"

/* The view was replaced while a segment was checked: that segment is to be checked again. */
enum { VIEW_CHANGED = 1 };

struct check {
        struct logstore_remote *remote;
        const struct logstore_verify_hooks *hooks;
        struct logstore_verify_report report;
        uint64_t done_bytes, total_bytes;
        /* Of one segment: */
        size_t which;
        struct window window;
        struct walk walk;
        uint64_t faults; /* in it */
        XXH3_state_t *hash;
};

static int tell(struct check *check, const struct table_line *line, uint64_t offset,
                uint64_t number, const char *what)
{
        char name[BUCKET_NAME_MAX] = "";
        struct logstore_fault fault = { .file = name,
                                        .offset = offset,
                                        .number = number,
                                        .error = -EBADMSG,
                                        .fatal = 1,
                                        .what = what };

        if (line)
                span_name(&line->entry, name);
        check->faults++;
        check->report.faults++;
        if (check->hooks && check->hooks->fault)
                check->hooks->fault(check->hooks->context, &fault);
        return 0;
}

static void tell_progress(struct check *check, uint64_t bytes)
{
        check->done_bytes += bytes;
        if (check->hooks && check->hooks->progress)
                check->hooks->progress(check->hooks->context, check->done_bytes,
                                       check->total_bytes);
}

static const struct remote_segment *segment_of(const struct check *check)
{
        return &check->remote->log.segments[check->which];
}

/* ---- one segment ---- */

/* A failure of the bucket. What is missing or too short is a fault; all else ends the check. */
static int judge(struct check *check, const struct table_line *line, int r)
{
        struct remote_entry entry = line->entry;
        uint64_t id = segment_of(check)->id;
        unsigned tries = 0;
        char what[400];

        if (r == -ENOENT) {
                window_leave(&check->window); /* of a view that goes */
                r = reader_again(check->remote, r, &tries);
                if (r == 1)
                        return VIEW_CHANGED;
                if (r != -EBADMSG)
                        return r;
                snprintf(what, sizeof(what),
                         "it is missing, with records %" PRIu64 "..%" PRIu64 " of segment %" PRIu64,
                         entry.first_number, entry.last_number, id);
                return tell(check, &(struct table_line){ .entry = entry }, 0, entry.first_number,
                            what);
        }
        if (r != -EBADMSG)
                return r;
        snprintf(what, sizeof(what), "%s", remote_detail_line());
        return tell(check, line, 0, entry.first_number, what);
}

/* Go on behind what cannot be read. */
static void skip_to_mark(struct check *check, uint64_t offset)
{
        const struct remote_segment *segment = segment_of(check);
        struct mark mark;

        if (!reader_mark_behind(segment, offset, &mark) || mark.offset > segment->leave_offset)
                mark = (struct mark){ segment->leave_offset,
                                      walk_ordinal_from(segment->first_number,
                                                        segment->leave_number + 1) };
        check->walk = walk_from(mark.offset, mark.ordinal, WALK_CHECK_ALL);
}

/* Walk the frames that begin before @end. */
static int walk_until(struct check *check, uint64_t end)
{
        const struct remote_segment *segment = segment_of(check);
        struct walk *walk = &check->walk;

        if (end > segment->leave_offset)
                end = segment->leave_offset;
        while (walk->at.offset < end) {
                int step = walk_next(walk, &window_frames, &check->window);
                const struct table_line *line = window_line(segment, walk->at.offset);
                int r;

                if (step == WALK_FRAME && walk->view.kind == FRAME_VOID)
                        check->report.voids++;
                else if (step == WALK_FRAME)
                        check->report.records++;
                if (step == WALK_FRAME || step == WALK_PAD)
                        continue;
                if (check->window.error < 0) /* of the next piece, which tells it */
                        return 0;
                r = tell(check, line, walk->at.offset, segment->first_number + walk->at.due - 1,
                         step == WALK_END ? "no frame is committed here" : walk->why);
                if (r < 0)
                        return r;
                skip_to_mark(check, walk->at.offset);
        }
        return 0;
}

/* The first page, and that the log leads from the segment before to this one. */
static int check_start(struct check *check)
{
        const struct remote_segment *segment = segment_of(check), *before = segment - 1;
        const struct table_line *line = &segment->lines[0];
        struct segment_brief brief;
        int r = reader_start(check->remote, check->which, &check->window, &brief);
        char what[400];

        if (r == -EBADMSG && check->window.error == 0) {
                snprintf(what, sizeof(what), "%s", remote_detail_line());
                return tell(check, line, 0, segment->first_number, what);
        }
        if (r < 0)
                return check->window.error < 0 ? 0 : r; /* the first piece tells it */
        if (line->entry.sealed && (!brief.sealed || brief.seal.end != line->entry.to))
                return tell(check, line, SECTOR_BYTES, segment->first_number,
                            "its seal is damaged, or of another end");
        if (check->which > 0 &&
            (brief.start.previous_id != before->id || brief.start.previous_salt != before->salt ||
             brief.start.previous_end != before->leave_offset))
                return tell(check, line, HEADER_BYTES, segment->first_number,
                            "its start frame names another end of the log before it");
        return 0;
}

static int check_piece(struct check *check, const struct table_line *line, uint64_t offset,
                       uint64_t *ret_to)
{
        uint64_t end = (offset / BLOCK_SPAN + 1) * BLOCK_SPAN;
        const struct piece *piece;
        int r;

        if (end > line->entry.to || line->entry.object_bytes == 0)
                end = line->entry.to;
        *ret_to = end;
        reader_ask_forward(check->remote, check->which, end,
                           pieces_ahead_bytes(check->remote->pieces));
        r = pieces_get(check->remote->pieces, &line->entry, line->blocks, offset, end, &piece);
        if (r == -EAGAIN)
                return -EREMOTEIO;
        if (r < 0) {
                r = judge(check, line, r);
                *ret_to = UINT64_MAX; /* nothing more of this line */
                return r;
        }
        XXH3_64bits_update(check->hash, piece->bytes + (offset - piece->from), end - offset);
        pieces_release(check->remote->pieces, piece);
        return offset == 0 ? check_start(check) : 0;
}

/* All pieces of one line. */
static int check_line(struct check *check, size_t number)
{
        const struct table_line *line = &segment_of(check)->lines[number];
        const struct remote_entry entry = line->entry;
        uint64_t faults = check->faults, to;
        int r = 0;

        XXH3_64bits_reset(check->hash);
        for (uint64_t offset = entry.from; r == 0 && offset < entry.to; offset = to) {
                line = &segment_of(check)->lines[number];
                r = check_piece(check, line, offset, &to);
                if (r != 0)
                        return r;
                if (to == UINT64_MAX) { /* a view with the same commit, perhaps read anew */
                        window_begin(&check->window, check->remote->pieces, segment_of(check));
                        if (check->walk.at.offset < entry.to)
                                skip_to_mark(check, entry.to - 1);
                        return 0;
                }
                r = walk_until(check, to);
                tell_progress(check, to - offset);
        }
        if (r == 0 && faults == check->faults && entry.object_bytes &&
            XXH3_64bits_digest(check->hash) != entry.bytes_check)
                r = tell(check, &segment_of(check)->lines[number], 0, entry.first_number,
                         "its checksum is not that of its commit");
        return r;
}

static int check_segment(struct check *check)
{
        const struct remote_segment *segment = segment_of(check);
        size_t lines = segment->line_count;
        int r = segment->lines[0].entry.object_bytes ? reader_directory(check->remote, check->which)
                                                     : 0;

        if (r < 0 && r != -EBADMSG && r != -ENOENT)
                return r;
        check->faults = 0;
        window_begin(&check->window, check->remote->pieces, segment);
        check->walk = walk_from(FRAMES_OFFSET, 1, WALK_CHECK_ALL);
        for (size_t i = 0; i < lines; i++) {
                r = check_line(check, i);
                if (r != 0)
                        return r;
        }
        segment = segment_of(check);
        if (check->faults == 0 &&
            (check->walk.at.offset != segment->leave_offset ||
             segment->first_number + check->walk.at.due - 1 != segment->leave_number + 1))
                r = tell(check, &segment->lines[lines - 1], check->walk.at.offset,
                         segment->first_number + check->walk.at.due - 1,
                         "the log does not leave the segment here, as its commits say");
        check->report.segments++;
        check->report.bytes += segment->leave_offset;
        return r;
}

/* ---- all ---- */

static size_t find_id(const struct remote_log *log, uint64_t id)
{
        size_t i = 0;

        while (i < log->segment_count && log->segments[i].id < id)
                i++;
        return i;
}

static int check_all(struct check *check)
{
        const struct remote_log *log = &check->remote->log;
        int r = 0;

        for (size_t i = 0; i < log->segment_count; i++)
                check->total_bytes += log->segments[i].end;
        while (r == 0 && check->which < log->segment_count) {
                uint64_t id = segment_of(check)->id;

                r = check_segment(check);
                check->which = find_id(log, r == 0 ? id + 1 : id);
                if (r == VIEW_CHANGED)
                        r = 0;
        }
        return r;
}

static int tell_name(void *context, const struct table_line *line, const char *what)
{
        return tell(context, line, 0, line->entry.first_number, what);
}

int logstore_remote_verify(struct logstore_remote *remote, uint32_t flags,
                           const struct logstore_verify_hooks *hooks,
                           struct logstore_verify_report *ret)
{
        struct check check = { .remote = remote, .hooks = hooks };
        int r;

        if (!remote || flags & ~(uint32_t)LOGSTORE_REMOTE_QUICK)
                return remote_detail(-EINVAL, "an argument is NULL, or a flag is unknown");
        check.hash = XXH3_createState();
        r = check.hash ? logstore_remote_look(remote) : remote_detail(-ENOMEM, "no memory");
        if (r == 0 && flags & LOGSTORE_REMOTE_QUICK) {
                check.report.segments = remote->log.segment_count;
                r = verify_names(remote->bucket, &remote->log.table, tell_name, &check);
        } else if (r == 0) {
                r = check_all(&check);
        }
        window_free(&check.window);
        XXH3_freeState(check.hash);
        if (r < 0)
                return r;
        if (ret)
                *ret = check.report;
        return check.report.faults == 0 ? 0
                                        : remote_detail(-EBADMSG, "%s: %" PRIu64 " faults",
                                                        remote->bucket->url, check.report.faults);
}
