/*
 * verify.c - read everything and check it, changing nothing
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
#include "scan.h"

#define VERIFY_TRIES 20

struct verification {
        struct logstore *store;
        const struct logstore_verify_hooks *hooks;
        struct logstore_verify_report report;
        struct control_slot slot; /* as it was before the chain was read */
        uint64_t epoch;
        uint64_t total_bytes, done_bytes;
        int64_t greatest_ns;  /* greatest time so far */
        uint64_t next_number; /* that the next segment must begin with; 0: unknown */
        bool clean;           /* a writer goes on at the mark */
        bool torn;            /* the log ended before this segment */
        bool overtaken;       /* a truncation came in between: nothing that is seen counts */
        bool damaged;         /* some fault is one, and no mere other version; */
        char unknown[256];    /* what is said of that */
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

static void tell(struct verification *v, const char *file, uint64_t offset, uint64_t number,
                 int error, bool fatal, const char *what)
{
        struct logstore_fault fault = {
                .file = file,
                .offset = offset,
                .number = number,
                .error = error,
                .fatal = fatal,
                .what = what,
        };

        v->overtaken =
                v->overtaken || truncated_since(v) || (error == -ENOENT && recovered_since(v));
        if (v->overtaken)
                return;
        v->report.faults += fatal;
        if (fatal && error != -EPROTONOSUPPORT)
                v->damaged = true;
        else if (fatal)
                snprintf(v->unknown, sizeof(v->unknown), "%.255s", what);
        if (v->hooks && v->hooks->fault)
                v->hooks->fault(v->hooks->context, &fault);
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

/* The scan stopped before the log says that the segment ends: as salvage_is_end(), but that good
 * frames behind are not looked for where no slot is valid, which is told in any case. */
static void judge_stop(struct verification *v, const char *name, const struct scan *scan,
                       const struct segment_brief *brief, bool last)
{
        uint64_t number = brief->start.first_number + scan->records;
        const char *why = scan->why ? scan->why : "the segment ends before its records do";

        if (!brief->sealed && number > v->slot.mark_number && (v->slot.generation != 0 || last)) {
                v->torn = true;
                if (scan->uncommitted && scan->stop == scan->end)
                        return; /* simply the end */
                v->report.torn_bytes += scan->limit - scan->end;
                tell(v, name, scan->stop, number, 0, false,
                     "a tail that no sync covered is torn; the next open for writing drops it");
                return;
        }
        tell(v, name, scan->stop, number, -EBADMSG, true, why);
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

static int verify_segment(struct verification *v, size_t at)
{
        struct catalog *catalog = &v->store->catalog;
        struct catalog_entry entry = { 0 }, next = { 0 };
        struct segment_brief brief;
        struct scan scan;
        char name[32];
        int r = catalog_entry_at(catalog, at, &entry), has_next;
        uint64_t limit;

        if (r == -ENOENT)
                return r;
        segment_name(entry.id, name);
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
                tell(v, name, 0, 0, r, true, logstore_detail());
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
        r = scan_entry(v, &brief, limit, &scan);
        if (r == -ENOENT && trimmed_since(v, &entry, &next))
                return 0;
        if (r < 0) {
                tell(v, name, scan.stop, 0, r, true, logstore_detail());
        } else if (scan.end < limit || scan.why) {
                judge_stop(v, name, &scan, &brief, !has_next);
        } else if (has_next && scan.records != next.previous_records) {
                tell(v, name, scan.end, 0, -EBADMSG, true,
                     "the next segment tells another number of records");
        }
        if (scan.misplaced)
                tell(v, name, v->slot.mark_offset, v->slot.mark_number, -EBADMSG, true,
                     "the control page says that the record ends here, its frame says otherwise");
        check_seal(v, name, &brief, &scan, r == 0 && !has_next);
        if (brief.sealed)
                check_index(v, &brief);
        v->greatest_ns = scan.greatest_ns;
        v->next_number = has_next ? next.first_number : 0;
        if (has_next == 0 && r == 0)
                v->next_number = brief.start.first_number + scan.records;
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

static int verify_store(struct verification *v)
{
        struct catalog *catalog = &v->store->catalog;
        int known = catalog_load_slot(catalog, &v->slot);

        if (known < 0)
                return known;
        v->epoch = v->slot.epoch;
        v->clean = catalog_closed_cleanly(catalog, &v->slot);
        if (!known)
                tell(v, CONTROL_NAME, SECTOR_BYTES, 0, -EBADMSG, true, "neither slot is valid");
        if (catalog->fault && known)
                tell(v, "", 0, 0, catalog->fault, true, catalog->fault_text);
        measure(v);
        check_names(v);
        for (size_t at = 0; !v->overtaken && verify_segment(v, at) != -ENOENT; at++)
                ;
        if (known && v->next_number != 0 && v->next_number <= v->slot.mark_number &&
            v->report.faults == 0)
                tell(v, CONTROL_NAME, 0, v->next_number, -EBADMSG, true,
                     "records that were durable are missing at the end");
        if (known && v->next_number != 0 && v->next_number < v->slot.first_number)
                tell(v, CONTROL_NAME, 0, v->next_number, -EBADMSG, true,
                     "the first number lies beyond the log, which ends here");
        if (v->overtaken)
                return -EAGAIN;
        if (v->hooks && v->hooks->progress)
                v->hooks->progress(v->hooks->context, v->total_bytes, v->total_bytes);
        if (v->damaged)
                return detail(-EBADMSG, "%llu faults", (unsigned long long)v->report.faults);
        return v->report.faults ? detail(-EPROTONOSUPPORT, "%s", v->unknown) : 0;
}

/* From the start, if the log was truncated meanwhile. */
static int verify_again(struct verification *v)
{
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < VERIFY_TRIES; i++) {
                *v = (struct verification){ .store = v->store, .hooks = v->hooks };
                r = verify_store(v);
        }
        return r == -EAGAIN ? detail(r, "the log is truncated again and again while it is read")
                            : r;
}

int logstore_verify(const char *path, const struct logstore_verify_hooks *hooks,
                    struct logstore_verify_report *ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct verification v = { .hooks = hooks };
        int r;

        options.flags = LOGSTORE_READ_ONLY | LOGSTORE_NETWORK_OK | LOGSTORE_SHARED_DIR_OK;
        r = logstore_open(path, &options, &v.store);
        if (r < 0)
                return r;
        guard_enter();
        r = verify_again(&v);
        guard_leave();
        if (ret)
                *ret = v.report;
        logstore_close(v.store); /* read-only, nothing open in it: cannot fail */
        return r;
}
