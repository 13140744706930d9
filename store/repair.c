/*
 * repair.c - cut a damaged store back to the prefix before its first damage
 *
 * Lock:       what is to be cut is read under the writer's lock, which is held until it is cut: an
 *             append that was acknowledged in between would be cut with it. A dry run needs none.
 * Happy path: everything is read, nothing is damaged, nothing is done.
 * Cut:        what is cut is copied to quarantine/ and durable there; then a new segment says where
 *             the log ends, which is what recovery does as well; then files behind are unlinked.
 * Salvage:    every valid record, also behind the damage, goes to a new store under its number;
 *             numbers that are missing in between are voids there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "file.h"
#include "quarantine.h"
#include "reader.h"
#include "recovery.h"
#include "salvage.h"

/* Voids in a salvage may take so much, and so many times what the segments do. */
#define VOID_BYTES_MIN (UINT64_C(64) << 20)
#define VOID_SHARE 8

struct repair {
        const struct logstore_verify_hooks *hooks;
        struct logstore_repair_report report;
        struct logstore *store; /* opened read-only; locked, if anything may be changed */
        struct control_slot slot;
        bool known;     /* some slot is valid; */
        bool clean;     /* a writer goes on where it says, */
        bool misplaced; /* which is not where the mark's record ends */
        bool damaged;
        bool ended;           /* by a tail that no sync covered: what is behind is only salvaged */
        struct recovery keep; /* where the kept prefix ends */
        uint64_t last_known;  /* highest number that there is a trace of */
        uint64_t next_number; /* that is expected next */
        struct segment_brief before; /* of the last segment that could be read; id 0: of none */
        const char *salvage_path;    /* NULL: none is wanted */
        struct logstore *salvage;    /* once there is a record for it */
        uint64_t salvage_next;
        uint64_t disk_bytes; /* that the segments take */
        uint64_t done_bytes, total_bytes;
};

static void tell(struct repair *repair, const char *file, uint64_t offset, uint64_t number,
                 const char *what)
{
        struct logstore_fault fault = { file, offset, number, -EBADMSG, 1, what };

        if (repair->hooks && repair->hooks->fault)
                repair->hooks->fault(repair->hooks->context, &fault);
}

/* ---- salvage ---- */

/* How many voids may stand for what is missing: what the segments could have held, with what was
 * deleted of them. More come from a damaged first number, and would take for ever. */
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
        options.first_number = repair->salvage_next = first;
        return store_open_new(repair->salvage_path, &options, &repair->salvage);
}

/* Voids up to @until; none before the first record, if that is too far off: the salvage begins there. */
static int fill_missing(struct repair *repair, const char *file, uint64_t until)
{
        uint64_t first =
                repair->salvage ? repair->salvage_next : repair->store->catalog.first_number;
        uint64_t gap = until - first;
        bool fits = gap <= voids_left(repair);
        struct logstore_claim claim;
        char what[160];
        int r = 0;

        if (gap > 0) {
                snprintf(what, sizeof(what), "%llu numbers from here on are missing in the salvage",
                         (unsigned long long)gap);
                tell(repair, file, 0, first, what);
        }
        if (!fits && repair->salvage)
                return detail(
                        -EOVERFLOW,
                        "%s: %llu numbers are missing before record %llu, more than a salvage "
                        "can make up for: repair without a salvage, what is cut is kept",
                        file, (unsigned long long)gap, (unsigned long long)until);
        repair->report.missing += gap;
        if (!repair->salvage)
                r = open_salvage(repair, fits ? first : until);
        while (r == 0 && repair->salvage_next < until) {
                r = logstore_claim(repair->salvage, 0, &claim);
                if (r == 0)
                        r = logstore_abort(repair->salvage, &claim);
                repair->salvage_next++;
        }
        return r;
}

static int salvage_record(struct repair *repair, const struct segment *segment, uint64_t offset,
                          const struct record_view *view, uint64_t number)
{
        const struct frame *frame = segment_frame(segment, offset);
        struct logstore_entry entry = { frame->payload, view->size,
                                        store_entry_time(frame->time_ns) };
        int r;

        if (!repair->salvage_path || view->kind == FRAME_VOID || number < repair->salvage_next)
                return 0;
        r = fill_missing(repair, segment->name, number);
        if (r == 0)
                r = logstore_append_batch(repair->salvage, &entry, 1, NULL);
        if (r < 0)
                return r;
        repair->salvage_next = number + 1;
        repair->report.salvaged++;
        return 0;
}

/* ---- reading everything ---- */

/* As scan.c has it: the mark is not behind the frame of its number, though all frames are good. */
static void check_mark(struct repair *repair, const struct segment *segment, uint64_t offset,
                       const struct record_view *view, uint64_t number)
{
        const struct control_slot *slot = &repair->slot;

        if (!repair->clean || slot->mark_id != segment->brief.id || repair->misplaced)
                return;
        if (number <= slot->mark_number ? offset + view->frame_bytes <= slot->mark_offset
                                        : offset >= slot->mark_offset)
                return;
        repair->misplaced = true;
        tell(repair, segment->name, slot->mark_offset, slot->mark_number,
             "the control page says that the record ends here, its frame says otherwise");
}

static int on_record(void *context, const struct segment *segment, uint64_t offset,
                     const struct record_view *view)
{
        struct repair *repair = context;
        uint64_t number = segment_number(segment, view->ordinal);

        if (!repair->damaged && !repair->ended)
                check_mark(repair, segment, offset, view, number);
        if (number > repair->last_known)
                repair->last_known = number;
        if (repair->damaged)
                repair->report.valid_beyond += view->kind != FRAME_VOID;
        return salvage_record(repair, segment, offset, view, number);
}

static void damage_at(struct repair *repair, const char *file, uint64_t offset, uint64_t number,
                      const char *what)
{
        repair->damaged = true;
        tell(repair, file, offset, number, what);
}

static int on_damage(void *context, struct segment *segment, uint64_t offset, uint64_t number,
                     const char *what)
{
        struct repair *repair = context;
        /* Every frame is there up to where the next segment goes on, which tells another number. */
        bool miscounted = offset == atomic_load(&segment->end) &&
                          atomic_load(&segment->last_number) != UINT64_MAX;

        if (repair->ended)
                return 0;
        if (!miscounted && salvage_is_end(segment, &repair->slot, offset, number))
                repair->ended = !repair->damaged;
        else
                damage_at(repair, segment->name, offset, number, what);
        return 0;
}

/* The log is sound up to here. */
static void keep(struct repair *repair, const struct segment *segment,
                 const struct salvage_prefix *prefix)
{
        const struct start_payload *start = &segment->brief.start;
        struct tail *tail = &repair->keep.tail;

        tail->segment_id = segment->brief.id;
        tail->offset = prefix->end;
        tail->number = start->first_number + prefix->records - 1;
        if (start->greatest_ns > tail->greatest_ns) /* of what was trimmed, too */
                tail->greatest_ns = start->greatest_ns;
        if (prefix->greatest_ns > tail->greatest_ns)
                tail->greatest_ns = prefix->greatest_ns;
        repair->keep.records = prefix->records;
        if (start->epoch > repair->slot.epoch) /* epochs do not fall along the chain */
                repair->slot.epoch = start->epoch;
}

/* Where the segment ends, and with which number, UINT64_MAX if nothing says so: its successor does,
 * or, where the chain is broken, its seal. */
static uint64_t find_end(const struct repair *repair, struct segment *segment, uint64_t *ret_end)
{
        const struct segment_brief *brief = &segment->brief;

        *ret_end = atomic_load(&segment->end);
        if (!brief->sealed || repair->store->catalog.fault == 0 || *ret_end != brief->bytes)
                return atomic_load(&segment->last_number);
        *ret_end = brief->seal.end;
        return brief->seal.last_number;
}

/* Does the segment continue the one before it? Each of the two can be sound without that. */
static void check_link(struct repair *repair, const struct catalog_entry *entry,
                       const struct segment *segment)
{
        const struct segment_brief *before = &repair->before;

        if (!repair->ended && !repair->damaged && before->id != 0 && !catalog_fits(entry, before))
                damage_at(repair, segment->name, HEADER_BYTES, segment->brief.start.first_number,
                          "does not continue the segment before it");
        repair->before = segment->brief;
}

static int read_segment(struct repair *repair, const struct catalog_entry *entry)
{
        const struct salvage_hooks hooks = { on_record, on_damage, repair };
        struct salvage_prefix prefix;
        struct segment *segment;
        char name[32];
        uint64_t last, end;
        bool sound;
        int r;

        segment_name(entry->id, name);
        r = catalog_pin_id(&repair->store->catalog, entry->id, &segment);
        if (r < 0) {
                if (!repair->ended)
                        damage_at(repair, name, 0, repair->next_number, logstore_detail());
                repair->next_number = 0;
                return r == -EBADMSG || r == -EPERM ? 0 : r;
        }
        if (!repair->ended && repair->next_number &&
            segment->brief.start.first_number != repair->next_number)
                damage_at(repair, name, HEADER_BYTES, repair->next_number,
                          "records are missing before this segment");
        check_link(repair, entry, segment);
        sound = !repair->damaged && !repair->ended;
        last = find_end(repair, segment, &end);
        r = salvage_segment(segment, end, last + 1 - segment->brief.start.first_number,
                            last != UINT64_MAX, &hooks, &prefix);
        if (sound) /* also a newest one that ends by itself: what is behind it may be gone */
                keep(repair, segment, &prefix);
        repair->next_number = last == UINT64_MAX ? 0 : last + 1;
        catalog_unpin(&repair->store->catalog, segment);
        return r;
}

static int read_all(struct repair *repair)
{
        struct catalog *catalog = &repair->store->catalog;
        struct catalog_entry entry;
        int r = 0;

        repair->next_number = catalog->first_number;
        for (size_t at = 0; r == 0; at++) {
                int found = catalog_entry_at(catalog, at, &entry);
                if (found == -ENOENT || (repair->ended && !repair->salvage_path))
                        break;
                r = read_segment(repair, &entry);
                if (repair->hooks && repair->hooks->progress)
                        repair->hooks->progress(repair->hooks->context, at + 1, catalog->count);
        }
        if (r == 0 && !repair->damaged && catalog->fault) /* the newest segment is gone or bad */
                damage_at(repair, "", 0, repair->slot.mark_number, catalog->fault_text);
        return r;
}

/* ---- cutting ---- */

/* Count what is cut of a file and, with @aside, have it in the quarantine. One that is newer than the
 * head is none of the log, and nobody has mapped what is no file: it goes there itself. */
static int cut_file(struct repair *repair, uint64_t id, bool aside)
{
        struct logstore *store = repair->store;
        struct catalog *catalog = &store->catalog;
        uint64_t head = catalog->count ? catalog->entries[catalog->count - 1].id : 0;
        struct os_stat st;
        char name[32];
        int r;

        segment_name(id, name);
        r = os_stat_name(store->directory, name, &st);
        if (r < 0) /* it would be cut without a copy */
                return detail(r, "%s: cannot look at it: %s", name, logstore_error_text(r));
        if (id == repair->keep.tail.segment_id)
                st.bytes -= repair->keep.tail.offset;
        if (st.regular &&
            __builtin_add_overflow(repair->report.cut_bytes, st.bytes, &repair->report.cut_bytes))
                repair->report.cut_bytes = UINT64_MAX;
        if (!aside)
                return 0;
        return id > head || !st.regular ? quarantine_move(store->directory, name)
                                        : quarantine_copy(store->directory, name);
}

/* Sum up, or with @aside put into the quarantine, everything behind the kept prefix: the files that there
 * are. Ids may be far apart. */
static int each_cut_file(struct repair *repair, bool aside)
{
        struct memory *memory = &repair->store->memory;
        size_t count = 0;
        uint64_t *ids = NULL;
        int r = segment_list(memory, repair->store->directory, repair->keep.tail.segment_id, &ids,
                             &count);

        for (size_t i = 0; r == 0 && i < count; i++)
                r = cut_file(repair, ids[i], aside);
        memory_free(memory, ids);
        return r;
}

/* What is kept may be in the cache only, of a writer that was killed; a mark is set behind it. */
static int sync_kept(struct repair *repair, struct catalog *catalog)
{
        struct segment_brief brief;
        char name[32];
        int r = 0, fd;

        for (size_t i = 0; r == 0 && i < catalog->count; i++) {
                uint64_t id = catalog->entries[i].id;

                if (id > repair->keep.tail.segment_id ||
                    (segment_brief_read(catalog->directory, catalog->uuid, id, &brief) == 0 &&
                     brief.sealed))
                        continue;
                segment_name(id, name);
                fd = file_open(catalog->directory, name, OS_READ, NULL);
                r = fd < 0 ? fd : os_sync_file(fd);
                if (fd >= 0 && os_close(fd) < 0 && r == 0)
                        r = -EIO;
                if (r < 0)
                        detail(r, "%s: a sync failed: %s", name, logstore_error_text(r));
        }
        return r;
}

/* Become the writer of a chain that ends at the kept prefix. */
static int cut(struct repair *repair)
{
        struct logstore *store = repair->store;
        struct control control;
        struct catalog catalog;
        struct segment *segment;
        struct tail tail;
        int r = control_open(&store->memory, store->directory, true, &control);

        if (r < 0)
                return r;
        repair->slot.flags = 0;
        if (repair->slot.first_number < control.page->fixed.first_number)
                repair->slot.first_number = control.page->fixed.first_number;
        r = control_check_counts(&repair->slot);
        if (r < 0) {
                control_close(&control);
                return r;
        }
        control_adopt(&control, &repair->slot);
        catalog_init(&catalog, &store->memory, &control, store->directory, 8);
        catalog.highest_id = store->catalog.highest_id; /* also of what was moved away */
        r = catalog_load(&catalog);
        if (r == 0)
                r = sync_kept(repair, &catalog);
        if (r == 0)
                r = recovery_start(&catalog, &control,
                                   repair->keep.tail.segment_id ? &repair->keep : NULL, &segment,
                                   &tail);
        if (r == 0) {
                r = control_sync(&control);
                catalog_forget(&catalog, segment);
                catalog_unpin(&catalog, segment);
        }
        catalog_free(&catalog);
        control_close(&control);
        return r;
}

static int apply(struct repair *repair)
{
        int r = directory_clean(repair->store->directory); /* of what a crash left half made */

        if (r == 0)
                r = each_cut_file(repair, true);
        if (r == 0)
                r = cut(repair);
        return r;
}

/* ---- the whole ---- */

static void measure(struct repair *repair)
{
        struct catalog *catalog = &repair->store->catalog;
        struct catalog_entry entry;
        struct os_stat st;
        char name[32];

        for (size_t at = 0; catalog_entry_at(catalog, at, &entry) != -ENOENT; at++) {
                segment_name(entry.id, name);
                if (os_stat_name(repair->store->directory, name, &st) == 0 && st.regular)
                        repair->disk_bytes += st.disk_bytes;
        }
}

static int run(struct repair *repair, uint32_t flags, const char *salvage)
{
        struct logstore *store = repair->store;
        uint64_t first;
        int r, closed;

        if (store->catalog.fault == -EPROTONOSUPPORT) /* what is not understood is never cut */
                return detail(store->catalog.fault, "%s", store->catalog.fault_text);

        repair->known = control_read(&store->control, &repair->slot) == 0;
        if (!repair->known) {
                tell(repair, CONTROL_NAME, SECTOR_BYTES, 0, "neither slot is valid");
                repair->damaged = store->catalog.count == 0;
        }
        catalog_slot(&store->catalog, &repair->slot); /* what a later epoch cut off is not lost */
        repair->clean = catalog_closed_cleanly(&store->catalog, &repair->slot);
        if (catalog_newest_epoch(&store->catalog) > repair->slot.epoch)
                repair->slot.epoch = catalog_newest_epoch(&store->catalog);
        first = store->catalog.first_number;
        if (first < store->control.page->fixed.first_number) {
                damage_at(
                        repair, CONTROL_NAME, offsetof(struct control_static, first_number), first,
                        "the log begins before the first number ever: none of it is of this store");
                first = store->control.page->fixed.first_number;
        }
        repair->keep.tail.number = first - 1;
        repair->last_known = repair->slot.mark_number;
        repair->salvage_path = salvage;
        repair->salvage_next = store->catalog.first_number;
        measure(repair);
        r = read_all(repair);
        if (r == 0 && salvage && !repair->salvage) /* nothing to save */
                r = open_salvage(repair, store->catalog.first_number);
        if (repair->salvage) {
                closed = logstore_close(repair->salvage);
                r = r < 0 ? r : closed;
        }
        if (r < 0)
                return r;
        repair->report.kept_first = first;
        repair->report.kept_last = repair->keep.tail.number;
        if (!repair->damaged) /* a control page that is wrong is made good, and nothing is cut */
                return flags & LOGSTORE_REPAIR_APPLY && (!repair->known || repair->misplaced)
                               ? cut(repair)
                               : 0;
        repair->report.lost_records = repair->last_known > repair->keep.tail.number
                                              ? repair->last_known - repair->keep.tail.number
                                              : 0;
        return flags & LOGSTORE_REPAIR_APPLY ? apply(repair) : each_cut_file(repair, false);
}

/* Without the lock. Beside a writer the end might look torn; one that comes later is not seen. */
static int open_dry(const char *path, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(path, &options, ret);
        if (r < 0 || directory_locked((*ret)->directory) != 1)
                return r;
        r = directory_busy((*ret)->directory);
        detail_prefix(r, "%s", path);
        logstore_close(*ret); /* read-only, nothing open in it: cannot fail */
        return r;
}

int logstore_repair(const char *path, uint32_t flags, const char *salvage,
                    const struct logstore_verify_hooks *hooks, struct logstore_repair_report *ret)
{
        struct repair repair = { .hooks = hooks };
        int r = flags & LOGSTORE_REPAIR_APPLY ? store_open_locked(path, &repair.store)
                                              : open_dry(path, &repair.store);

        if (r < 0)
                return r;
        guard_enter();
        r = run(&repair, flags, salvage);
        guard_leave();
        if (r == 0 && ret)
                *ret = repair.report;
        logstore_close(repair.store); /* and the lock; nothing open in it: cannot fail */
        return r;
}
