/*
 * repair_salvage.c - reading behind damage: every valid record goes to a new store
 *
 * A record keeps its number; numbers that are missing in between become voids. The counts that are
 * taken on the way say how much a repair would cut.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "care/repair_private.h"
#include "chain/directory.h"
#include "read/reader.h"
#include "segment/salvage.h"
#include "verify/verdict.h"

/* Voids in a salvage may take so many bytes, and so many times what the segments take. */
#define VOID_BYTES_MIN (UINT64_C(64) << 20)
#define VOID_SHARE 8

/* How many more voids may stand for missing numbers: what the segments could have held, with those
 * that were deleted. More come from a damaged first number, and would take for ever. */
static uint64_t voids_left(const struct repair *repair)
{
        uint64_t most = (VOID_BYTES_MIN + VOID_SHARE * repair->disk_bytes) / FRAME_HEADER_BYTES;

        return most > repair->report.missing ? most - repair->report.missing : 0;
}

static int open_salvage(struct repair *repair, uint64_t first)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = repair->store->control.page->fixed.segment_bytes;
        options.file_mode = control_file_mode(repair->store->control.page);
        options.first_number = first;
        return copy_begin(&repair->salvage, repair->salvage_path, &options);
}

/* Before record @until is copied: tell the numbers that are missing before it. They become voids.
 * If they are too many and this is the first record, the salvage begins with it. */
static int prepare(struct repair *repair, const char *file, uint64_t until)
{
        uint64_t first = repair->salvage.next;
        uint64_t gap = until - first;
        bool fits = gap <= voids_left(repair);
        struct fault missing = { .number = first };
        int r = 0;

        if (gap > 0) {
                snprintf(missing.file, sizeof(missing.file), "%s", file);
                snprintf(missing.what, sizeof(missing.what),
                         "%" PRIu64 " numbers from here on are missing in the salvage", gap);
                verdict_hook(repair->hooks, &missing, false);
        }
        if (!fits && repair->salvage.to)
                return detail(-EOVERFLOW,
                              "%s: %" PRIu64 " numbers are missing before record %" PRIu64
                              ", more than a salvage can make up for: repair without a salvage, "
                              "what is cut is kept",
                              file, gap, until);
        repair->report.missing += gap;
        if (!repair->salvage.to)
                r = open_salvage(repair, fits ? first : until);
        return r;
}

static int salvage_record(struct repair *repair, const struct segment *segment, uint64_t offset,
                          const struct record_view *view, uint64_t number)
{
        const struct frame *frame = segment_frame(segment, offset);
        int r;

        if (!repair->salvage_path || view->kind == FRAME_VOID || number < repair->salvage.next)
                return 0;
        r = prepare(repair, segment->name, number);
        if (r == 0)
                r = copy_record(&repair->salvage, number, frame->time_ns, frame->payload,
                                view->size);
        repair->report.salvaged += r == 0;
        return r;
}

static int on_record(void *context, const struct segment *segment, uint64_t offset,
                     const struct record_view *view)
{
        struct repair *repair = context;
        uint64_t number = segment_number(segment, view->ordinal);

        if (number > repair->last_known)
                repair->last_known = number;
        if (repair->damaged && number > repair->keep.tail.number && number >= repair->begin)
                repair->report.valid_beyond += view->kind != FRAME_VOID;
        return salvage_record(repair, segment, offset, view, number);
}

/* The verdict has told of it. */
static int on_damage(void *context, struct segment *segment, uint64_t offset, uint64_t number,
                     const char *what)
{
        (void)context;
        (void)segment;
        (void)offset;
        (void)number;
        (void)what;
        return 0;
}

/* Where the segment ends, and with which number, as its successor says or, where the chain is
 * broken, its seal. UINT64_MAX: nothing says so. */
static uint64_t find_end(const struct repair *repair, struct segment *segment, uint64_t *ret_end)
{
        const struct segment_brief *brief = &segment->brief;

        *ret_end = atomic_load(&segment->end);
        if (!brief->sealed || repair->store->chain.fault == 0 || *ret_end != brief->bytes)
                return atomic_load(&segment->last_number);
        *ret_end = brief->seal.end;
        return brief->seal.last_number;
}

static int read_segment(struct repair *repair, uint64_t id)
{
        const struct salvage_hooks hooks = { on_record, on_damage, repair };
        struct salvage_prefix prefix;
        struct segment *segment;
        uint64_t last, end;
        int r = chain_pin_id(&repair->store->chain, id, &segment);

        if (r < 0)
                return chain_is_damage(r) ? 0 : r;
        last = find_end(repair, segment, &end);
        r = salvage_segment(segment, end, last + 1 - segment->brief.start.first_number,
                            last != UINT64_MAX, &hooks, &prefix);
        chain_unpin(&repair->store->chain, segment);
        return r;
}

int repair_read(struct repair *repair)
{
        struct chain *chain = &repair->store->chain;
        struct chain_entry entry;
        uint64_t bytes;
        int r = 0, closed;

        repair->salvage.next = chain->first_number;
        chain_measure(chain, &bytes, &repair->disk_bytes);
        for (size_t at = 0; r == 0 && chain_entry_at(chain, at, &entry) != -ENOENT; at++) {
                r = read_segment(repair, entry.id);
                if (repair->hooks && repair->hooks->progress)
                        repair->hooks->progress(repair->hooks->context, at + 1, chain->count);
        }
        if (r == 0 && repair->salvage_path && !repair->salvage.to) /* there is nothing to save */
                r = open_salvage(repair, chain->first_number);
        if (repair->salvage.to) {
                closed = logstore_close(repair->salvage.to);
                r = r < 0 ? r : closed;
        }
        return r;
}
