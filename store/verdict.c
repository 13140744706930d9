/*
 * verdict.c - read everything and check it, changing nothing
 *
 * Every segment is read with read(2) from its first frame to where the log says that it ends, so a
 * dying disk is reported and not a signal. Behind the durable mark a crash may have torn the end:
 * that is mentioned and is no fault. Beside a writer the tail moves; what was there at the start is
 * what is checked. What is trimmed meanwhile is no fault; a truncation makes it begin again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "reader.h"
#include "salvage.h"
#include "scan.h"
#include "verdict.h"

#define VERIFY_TRIES 20

struct verification {
        struct logstore *store;
        const struct logstore_verify_hooks *hooks;
        struct logstore_verify_report report;
        struct fault first, unknown;
        uint64_t begin, kept_epoch;
        struct recovery keep;
        struct control_slot slot; /* as it was before the chain was read */
        uint64_t epoch;
        uint64_t total_bytes, done_bytes;
        int64_t greatest_ns;  /* greatest time so far */
        uint64_t next_number; /* that the next segment must begin with; 0: unknown */
        bool clean;           /* a writer goes on at the mark */
        bool unsealed;        /* only what is not sealed is read */
        struct fault end;     /* where the last segment ends */
        bool torn;            /* the log ended before this segment */
        bool overtaken;       /* a truncation came in between: nothing that is seen counts */
        uint64_t begun;       /* faults before the first segment, which the log can begin with */
        bool misplaced;
        bool damaged; /* some fault is one, and no mere other version */
};

static bool truncated_since(struct verification *v)
{
        struct control_slot now;

        return v->slot.generation != 0 && control_read(&v->store->control, &now) == 0 &&
               now.epoch != v->epoch;
}

/* A file is gone: is the chain whole without it? A recovery drops an empty segment before the control
 * page tells of the epoch that has begun. */
static bool recovered_since(struct verification *v)
{
        struct control_slot slot;
        struct catalog now;
        bool since;

        catalog_init(&now, &v->store->memory, &v->store->control, v->store->directory, 1);
        since = catalog_load_slot(&now, &slot) > 0 && now.fault == 0;
        catalog_free(&now);
        return since;
}

/* The file of @entry is gone: is all that it held before the first number of now? */
static bool trimmed_since(struct verification *v, const struct catalog_entry *entry,
                          const struct catalog_entry *next)
{
        uint64_t behind = next->id ? next->first_number : entry->first_number + 1;
        struct control_slot now;

        if (control_read(&v->store->control, &now) < 0 || now.first_number < behind)
                return false;
        v->report.trimmed_to = now.first_number;
        v->next_number = next->id ? next->first_number : 0;
        return true;
}

static void tell_fault(struct verification *v, const struct fault *fault, bool fatal)
{
        struct logstore_fault told = {
                .file = fault->file,
                .offset = fault->offset,
                .number = fault->number,
                .error = fault->error,
                .fatal = fatal,
                .what = fault->what,
        };

        v->overtaken = v->overtaken || truncated_since(v) ||
                       (fault->error == -ENOENT && recovered_since(v));
        if (v->overtaken)
                return;
        v->report.faults += fatal;
        if (fatal && v->first.error == 0)
                v->first = *fault;
        if (fatal && fault->error == -EPROTONOSUPPORT)
                v->unknown = *fault;
        else
                v->damaged |= fatal;
        if (v->hooks && v->hooks->fault)
                v->hooks->fault(v->hooks->context, &told);
}

/* What was trimmed is none of the log, though the frames of its end are still there. */
static uint64_t not_served(const struct verification *v, uint64_t number)
{
        uint64_t first = v->store->catalog.first_number;

        return number != 0 && number < first ? first : number;
}

static void tell(struct verification *v, const char *file, uint64_t offset, uint64_t number,
                 int error, bool fatal, const char *what)
{
        struct fault fault = { .error = error, .offset = offset, .number = not_served(v, number) };

        snprintf(fault.file, sizeof(fault.file), "%s", file);
        snprintf(fault.what, sizeof(fault.what), "%s", what);
        tell_fault(v, &fault, fatal);
}

/* The last failure, of the file @name. */
static void tell_last(struct verification *v, const char *name, uint64_t number, int error)
{
        struct fault fault;

        fault_last(error, &fault);
        if (fault.file[0] == '\0')
                snprintf(fault.file, sizeof(fault.file), "%s", name);
        fault.number = not_served(v, number);
        tell_fault(v, &fault, true);
}

/* Is the chain broken before the segment @id? Whatever is there of it ends with the number before the
 * one that is due now. */
static void tell_break(struct verification *v, uint64_t id)
{
        struct fault fault;

        if (!catalog_fault_before(&v->store->catalog, id, &fault))
                return;
        if (fault.number == 0)
                fault.number = not_served(v, v->next_number ? v->next_number : 1);
        tell_fault(v, &fault, true);
        v->next_number = 0;
        v->torn = false;
}

static int on_frame(void *context, const struct scan_frame *frame)
{
        struct verification *v = context;
        uint64_t before = v->done_bytes;

        v->done_bytes += frame->view.frame_bytes;
        v->report.bytes += frame->view.frame_bytes;
        if (frame->view.kind == FRAME_VOID)
                v->report.voids++;
        else if (frame->number != 0)
                v->report.records++;
        if (v->hooks && v->hooks->progress && before >> 22 != v->done_bytes >> 22)
                v->hooks->progress(v->hooks->context, v->done_bytes, v->total_bytes);
        return 0;
}

static void check_index(struct verification *v, const struct segment_brief *brief)
{
        struct index index;
        char name[32];
        int r = index_open(&v->store->memory, v->store->directory, brief->id, brief->salt,
                           brief->seal.records, &index);

        if (r == 0) {
                index_close(&index);
        } else if (r != -ENOENT) {
                snprintf(name, sizeof(name), INDEX_NAME_FORMAT, (unsigned long long)brief->id);
                tell(v, name, 0, 0, r, false,
                     "the index is not that of its segment; it is rebuilt "
                     "on use, delete it");
        }
}

/* Without a mark: are there good frames behind the place where the scan stopped? */
static bool goes_on(struct verification *v, const struct segment_brief *brief,
                    const struct scan *scan)
{
        struct segment *segment;
        bool end;

        if (catalog_pin_id(&v->store->catalog, brief->id, &segment) < 0)
                return false;
        end = salvage_is_end(segment, &v->slot, scan->stop,
                             brief->start.first_number + scan->records);
        catalog_unpin(&v->store->catalog, segment);
        return !end;
}

/* The scan stopped before the log says that the segment ends. Frames of a batch that was durable are
 * records up to the one that is bad; else none of the batch is. As reader_judge(). */
static void judge_stop(struct verification *v, const char *name, const struct scan *scan,
                       const struct segment_brief *brief, uint64_t next_id)
{
        const char *why = scan->why ? scan->why : "the segment ends before its records do";
        bool known = v->slot.generation != 0;
        struct fault behind;

        if (brief->sealed && scan->stop < brief->seal.end) {
                tell(v, name, scan->stop, scan->due, -EBADMSG, true, why);
                return;
        }
        if (catalog_fault_before(&v->store->catalog, next_id, &behind)) {
                v->next_number = scan->due <= v->slot.mark_number
                                         ? scan->due
                                         : brief->start.first_number + scan->records;
                return;
        }
        if (known && scan->due <= v->slot.mark_number) {
                tell(v, name, scan->stop, scan->due, -EBADMSG, true, why);
                return;
        }
        if (!known && (next_id != UINT64_MAX || goes_on(v, brief, scan))) {
                tell(v, name, scan->stop, brief->start.first_number + scan->records, -EBADMSG, true,
                     why);
                return;
        }
        v->torn = true;
        if (scan->uncommitted && scan->stop == scan->end)
                return; /* simply the end */
        v->report.torn_bytes += scan->limit - scan->end;
        tell(v, name, scan->stop, brief->start.first_number + scan->records, 0, false,
             "a tail that no sync covered is torn; the next open for writing drops it");
}

static int scan_entry(struct verification *v, const struct segment_brief *brief, uint64_t limit,
                      struct scan *scan)
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
                .ahead = !(v->store->options.flags & LOGSTORE_NO_RING),
                .mark_number = v->slot.mark_number,
                .mark_offset = v->clean && v->slot.mark_id == brief->id ? v->slot.mark_offset : 0,
                .each = on_frame,
                .context = v,
                .greatest_ns = v->greatest_ns,
        };
        scan->fd = file_open(v->store->directory, name, OS_READ, NULL);
        if (scan->fd < 0)
                return scan->fd;
        r = scan_segment(scan);
        os_close(scan->fd); /* only read */
        scan->key = NULL;
        return r;
}

static void check_seal(struct verification *v, const char *name, const struct segment_brief *brief,
                       const struct scan *scan, bool whole)
{
        if (!brief->sealed || !whole)
                return;
        if (brief->seal.records != scan->records || brief->seal.end != scan->end)
                tell(v, name, SECTOR_BYTES, 0, -EBADMSG, true,
                     "the seal tells another number of records or another end");
}

/* No fault so far: the log is sound up to where the segment's last whole batch ends. */
static void keep(struct verification *v, const struct segment_brief *brief, const struct scan *scan)
{
        int64_t greatest = v->keep.tail.greatest_ns;

        if (brief->start.greatest_ns > greatest) /* of what was trimmed, too */
                greatest = brief->start.greatest_ns;
        if (brief->start.epoch > v->kept_epoch)
                v->kept_epoch = brief->start.epoch;
        v->keep.records = (uint32_t)scan->records;
        v->keep.tail = (struct tail){
                .segment_id = brief->id,
                .offset = scan->end,
                .number = brief->start.first_number + scan->records - 1,
                .greatest_ns = scan->greatest_ns > greatest ? scan->greatest_ns : greatest,
        };
}

static int verify_segment(struct verification *v, size_t at)
{
        struct catalog *catalog = &v->store->catalog;
        struct catalog_entry entry = { 0 }, next = { 0 };
        struct segment_brief brief;
        struct scan scan;
        char name[32];
        int r = catalog_entry_at(catalog, at, &entry), has_next;
        uint64_t limit;
        bool sound, begins_later;

        if (r == -ENOENT)
                return r;
        segment_name(entry.id, name);
        tell_break(v, entry.id);
        begins_later = at == 0 && v->report.faults > 0 &&
                       entry.first_number > catalog->control->page->fixed.first_number;
        if (begins_later)
                v->begin = entry.first_number;
        v->report.segments++;
        if (v->torn) {
                tell(v, name, 0, 0, 0, false,
                     "the log ends before this segment; the next open for writing drops it");
                return 0;
        }
        has_next = catalog_entry_at(catalog, at + 1, &next);
        r = r < 0 ? r : segment_brief_read(v->store->directory, catalog->uuid, entry.id, &brief);
        if (r == -ENOENT && trimmed_since(v, &entry, &next))
                return 0;
        if (r < 0) {
                tell_last(v, name, v->next_number, r);
                v->next_number = 0;
                return 0;
        }
        if (v->unsealed && brief.sealed) {
                v->next_number = 0;
                return 0;
        }
        if (v->next_number != 0 && v->next_number != brief.start.first_number)
                tell(v, name, HEADER_BYTES, v->next_number, -EBADMSG, true,
                     "records are missing before this segment");
        r = has_next;
        has_next = r == 0 && catalog_fits(&next, &brief);
        limit = has_next       ? next.previous_end
                : brief.sealed ? brief.seal.end
                               : (brief.file_bytes < brief.bytes ? brief.file_bytes : brief.bytes);
        sound = v->report.faults == 0 || begins_later || v->begun == v->report.faults;
        if (begins_later)
                v->begun = v->report.faults;
        r = scan_entry(v, &brief, limit, &scan);
        if (r == -ENOENT && trimmed_since(v, &entry, &next))
                return 0;
        if (sound)
                keep(v, &brief, &scan);
        v->greatest_ns = scan.greatest_ns;
        v->end.offset = scan.end;
        snprintf(v->end.file, sizeof(v->end.file), "%s", name);
        v->next_number = has_next ? next.first_number : brief.start.first_number + scan.records;
        if (r < 0) {
                tell_last(v, name, scan.due, r);
        } else if (scan.end < limit || scan.why) {
                judge_stop(v, name, &scan, &brief, next.id ? next.id : UINT64_MAX);
        } else if (has_next && scan.records != next.previous_records) {
                tell(v, name, scan.end, scan.due, -EBADMSG, true,
                     "the next segment tells another number of records");
        }
        if (scan.misplaced) {
                v->misplaced = true;
                tell(v, CONTROL_NAME, 0, v->slot.mark_number, 0, false,
                     "the record that was durable last does not end where the control page says; "
                     "the "
                     "next open for writing makes it good");
        }
        check_seal(v, name, &brief, &scan, r == 0 && !has_next);
        if (brief.sealed)
                check_index(v, &brief);
        return 0;
}

static void measure(struct verification *v)
{
        struct catalog_entry entry;
        struct os_stat st;
        char name[32];

        for (size_t at = 0; catalog_entry_at(&v->store->catalog, at, &entry) != -ENOENT; at++) {
                segment_name(entry.id, name);
                if (os_stat_name(v->store->directory, name, &st) == 0 && st.regular)
                        v->total_bytes += st.bytes;
        }
}

/* What a writer would write, and will not, because the file has a second name: no damage. */
static void check_names(struct verification *v)
{
        const struct catalog *catalog = &v->store->catalog;
        const char *names[] = { CONTROL_NAME, WAKE_NAME, NULL };
        struct os_stat st;
        char head[32];

        if (catalog->count) {
                segment_name(catalog->entries[catalog->count - 1].id, head);
                names[2] = head;
        }
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (names[i] && os_stat_name(v->store->directory, names[i], &st) == 0 &&
                    st.regular && st.links > 1)
                        tell(v, names[i], 0, 0, -EPERM, false,
                             "the file has a second name (a hard link): nobody may write here "
                             "until a copy is in its place");
}

/* Behind the last segment. */
static void verify_end(struct verification *v)
{
        uint64_t due = v->next_number;
        struct fault beyond = { -EBADMSG, CONTROL_NAME, 0, due, "" };

        tell_break(v, UINT64_MAX);
        if (v->slot.generation == 0 || due == 0 || v->next_number == 0)
                return;
        if (due <= v->slot.mark_number && v->report.faults == 0)
                tell(v, v->end.file, v->end.offset, due, -EBADMSG, true,
                     "records that were durable are missing at the end");
        else if (due < v->slot.first_number) {
                snprintf(beyond.what, sizeof(beyond.what),
                         "the first number, %llu, lies beyond the log",
                         (unsigned long long)v->slot.first_number);
                tell_fault(v, &beyond, true);
        }
}

static int verify_once(struct verification *v)
{
        struct catalog *catalog = &v->store->catalog;
        int known = catalog_load_slot(catalog, &v->slot);

        if (known < 0)
                return known;
        v->epoch = v->slot.epoch;
        v->clean = catalog_closed_cleanly(catalog, &v->slot);
        v->begin = catalog->first_number;
        v->keep.tail.number = catalog->first_number - 1;
        if (!known)
                tell(v, CONTROL_NAME, SECTOR_BYTES, 0, 0, false,
                     "neither slot is valid: what was durable is not known; the next open for "
                     "writing makes it good");
        measure(v);
        check_names(v);
        for (size_t at = 0; !v->overtaken && verify_segment(v, at) != -ENOENT; at++)
                ;
        verify_end(v);
        if (v->overtaken)
                return -EAGAIN;
        if (v->hooks && v->hooks->progress)
                v->hooks->progress(v->hooks->context, v->total_bytes, v->total_bytes);
        if (v->damaged)
                return detail(-EBADMSG, "%llu faults", (unsigned long long)v->report.faults);
        return v->report.faults ? fault_tell(&v->first) : 0;
}

/* From the start, if the log was truncated meanwhile. */
int verify_store(struct logstore *store, const struct logstore_verify_hooks *hooks,
                 struct verdict *ret)
{
        struct verification v;
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < VERIFY_TRIES; i++) {
                v = (struct verification){ .store = store, .hooks = hooks };
                r = verify_once(&v);
        }
        *ret = (struct verdict){ v.report,     v.first,
                                 v.unknown,    v.begun > 0 && v.begun == v.report.faults,
                                 v.begin,      v.keep,
                                 v.kept_epoch, v.slot,
                                 v.misplaced };
        return r == -EAGAIN ? detail(r, "the log is truncated again and again while it is read")
                            : r;
}

int verify_unsealed(struct logstore *store)
{
        struct verification v = { .store = store, .unsealed = true };
        int r = verify_once(&v);

        return r == -EBADMSG ? fault_tell(&v.first) : r;
}

int verify_tell_first(struct logstore *store, int error)
{
        struct verdict verdict;
        struct fault fault;

        fault_last(error, &fault);
        if (verify_store(store, NULL, &verdict) == -EBADMSG && verdict.first.error == error)
                fault = verdict.first;
        return fault_tell(&fault);
}
