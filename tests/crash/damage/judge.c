/*
 * judge.c - open a damaged store in every way and hold the answers against what is left
 *
 * What must be: no changed record is given as good; what lies before the first change is still
 * given, if need be read-only; a change at or below the mark is reported; only what lies behind
 * the mark may end the log without a word; a change of bytes that mean nothing is no fault; and a
 * repair leaves what lies before the first change, sound.
 */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <logstore.h>
#include <string.h>

#include "format.h"

/* What is left of the base after the damage, found by comparing bytes. */
struct left {
        uint64_t good;       /* records 1..good are untouched, and so is the way to them; */
        uint64_t whole;      /* without a batch that is only good in part */
        bool durable_harmed; /* something at or below the mark is not as it was */
        bool control_harmed; /* the words of the control file that count */
        bool files_harmed;   /* a file that belongs to the log is gone, renamed or cut short */
};

struct trial {
        struct watch *watch;
        const struct base *base;
        struct left left;
        const char *path, *text;
        const char *how; /* the store was opened */
};

static bool same_bytes(const struct tree_file *one, const struct tree_file *two, size_t offset,
                       size_t bytes)
{
        return one && two && one->bytes >= offset + bytes && two->bytes >= offset + bytes &&
               memcmp(one->data + offset, two->data + offset, bytes) == 0;
}

static bool same_frame(const struct tree_file *one, const struct tree_file *two,
                       const struct base_record *record)
{
        return (record->pad_offset == 0 ||
                same_bytes(one, two, record->pad_offset, PAD_HEADER_BYTES)) &&
               same_bytes(one, two, record->offset, record->frame_bytes) &&
               two->bytes >= record->end;
}

/* The parts of a segment's beginning without which nothing in it can be read. */
static bool same_start(const struct tree_file *one, const struct tree_file *two)
{
        return same_bytes(one, two, 0, sizeof(struct segment_header)) &&
               same_bytes(one, two, HEADER_BYTES, FRAMES_OFFSET - HEADER_BYTES);
}

static bool is_started(const struct tree_file *file)
{
        uint32_t word = 0;

        if (file->bytes >= FRAMES_OFFSET)
                memcpy(&word, file->data + HEADER_BYTES, sizeof(word));
        return word != 0;
}

static void compare_files(const struct base *base, struct tree *harmed, struct left *left)
{
        struct tree *whole = (struct tree *)&base->tree;
        struct tree_file *control = tree_find(whole, "control");
        struct tree_file *now = tree_find(harmed, "control");

        left->control_harmed = !now || now->bytes != control->bytes ||
                               !same_bytes(control, now, 0, offsetof(struct control_page, zero));
        for (size_t i = 0; i < whole->count; i++) {
                struct tree_file *file = &whole->files[i];

                if (strstr(file->name, ".log") && is_started(file) &&
                    !same_start(file, tree_find(harmed, file->name)))
                        left->files_harmed = true;
        }
        for (size_t i = 0; i < harmed->count; i++)
                if (strstr(harmed->files[i].name, ".log") &&
                    !tree_find(whole, harmed->files[i].name))
                        left->files_harmed = true;
}

static struct left compare(const struct base *base, struct tree *harmed)
{
        struct left left = { 0 };
        struct tree *whole = (struct tree *)&base->tree;

        compare_files(base, harmed, &left);
        for (uint64_t number = 1; number <= base->tail; number++) {
                const struct base_record *record = &base->records[number];
                struct tree_file *now = tree_find(harmed, record->file);
                struct tree_file *then = tree_find(whole, record->file);

                if (!same_start(then, now) || !same_frame(then, now, record)) {
                        left.durable_harmed = number <= base->durable;
                        break;
                }
                left.good = number;
        }
        left.whole = left.good;
        while (left.whole > 0 && base->records[left.whole].more)
                left.whole--;
        return left;
}

#define complain(trial, counter, format, ...)                                                    \
        watch_complain(&(trial)->watch->counter, "%s: %s: " format, (trial)->text, (trial)->how, \
                       __VA_ARGS__)

static bool same_record(const struct base *base, const struct logstore_record *record)
{
        const struct base_record *want = &base->records[record->number];

        return record->number <= base->tail && !want->is_void && record->size == want->size &&
               record->time_ns == want->time_ns &&
               memcmp(record->data, want->data, want->size) == 0;
}

/* The end of the log without a word: nothing good, and nothing durable, may lie behind it. */
static void judge_silent_end(const struct trial *t, uint64_t last)
{
        if (last < t->left.whole && !t->left.control_harmed && !t->left.files_harmed)
                complain(t, lost, "ends after %" PRIu64 " of %" PRIu64 " good ones", last,
                         t->left.good);
        else if (last < t->base->durable)
                complain(t, lost, "ends after %" PRIu64 " of %" PRIu64 " durable ones, silently",
                         last, t->base->durable);
}

static void judge_reported_end(const struct trial *t, uint64_t last, int error)
{
        if (last < t->left.whole && !t->left.control_harmed && !t->left.files_harmed)
                complain(t, lost, "refuses what is behind %" PRIu64 ", good to %" PRIu64 ": %s",
                         last, t->left.good, logstore_detail());
        else if (!t->left.durable_harmed && !t->left.control_harmed && !t->left.files_harmed)
                complain(t, wrong, "error %d about nothing durable: %s", error, logstore_detail());
        else if (error != -EBADMSG || logstore_detail()[0] == '\0')
                complain(t, wrong, "ends with %d: %s", error, logstore_detail());
}

/* Voids are stepped over; the last number that was passed. */
static uint64_t pass_voids(const struct base *base, uint64_t last)
{
        while (last < base->tail && base->records[last + 1].is_void)
                last++;
        return last;
}

/* Read with a cursor to the end. Returns the last number before it. */
static uint64_t judge_cursor(const struct trial *t, struct logstore *store)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t last = 0;
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0) {
                judge_reported_end(t, 0, r);
                return 0;
        }
        while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                if (!same_record(t->base, &record))
                        complain(t, invented, "record %" PRIu64 " is not what it was",
                                 record.number);
                if (record.number != pass_voids(t->base, last) + 1)
                        complain(t, holes, "record %" PRIu64 " behind %" PRIu64, record.number,
                                 last);
                last = record.number;
        }
        last = pass_voids(t->base, last) <= t->left.good ? pass_voids(t->base, last) : last;
        if (r == -EAGAIN)
                judge_silent_end(t, last);
        else
                judge_reported_end(t, last, r);
        logstore_cursor_close(cursor);
        return last;
}

static void judge_gets(const struct trial *t, struct logstore *store)
{
        unsigned char buffer[512];
        struct logstore_record record;

        for (uint64_t number = 1; number <= t->base->tail + 1; number++) {
                int r;

                if (t->base->records[number].size > sizeof(buffer))
                        continue;
                r = logstore_get(store, number, buffer, sizeof(buffer), &record);
                if (r == 0 && (record.number != number || !same_record(t->base, &record)))
                        complain(t, invented, "got another record %" PRIu64, number);
                if (r < 0 && r != -ENODATA && number <= t->left.whole && !t->left.control_harmed &&
                    !t->left.files_harmed)
                        complain(t, lost, "record %" PRIu64 ": error %d: %s", number, r,
                                 logstore_detail());
        }
}

/* An open that is refused needs a reason; read-only it has to serve what is good, if that can be
 * found at all. */
static void judge_refusal(const struct trial *t, int error, bool read_only)
{
        if (logstore_detail()[0] == '\0')
                complain(t, wrong, "refused with %d and no detail", error);
        if (t->left.control_harmed || t->left.files_harmed)
                return;
        if (read_only)
                complain(t, lost, "refused with %d although %" PRIu64 " are good: %s", error,
                         t->left.good, logstore_detail());
        else if (!t->left.durable_harmed)
                complain(t, lost, "refused with %d although nothing durable was harmed: %s", error,
                         logstore_detail());
}

static int open_store(const char *path, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags | LOGSTORE_NO_THREAD | LOGSTORE_NO_RING;
        return logstore_open(path, &options, ret);
}

static void judge_reader(struct trial *t)
{
        struct logstore *store;
        int r = open_store(t->path, LOGSTORE_READ_ONLY, &store);

        t->how = "reader";
        if (r < 0) {
                judge_refusal(t, r, true);
                return;
        }
        judge_cursor(t, store);
        judge_gets(t, store);
        logstore_close(store);
}

static void judge_verify(struct trial *t)
{
        struct logstore_verify_report report;
        int r = logstore_verify(t->path, NULL, &report);

        t->how = "verify";
        if (r == 0 && t->left.durable_harmed)
                complain(t, lost, "%s", "calls it healthy");
        if (r < 0 && !t->left.durable_harmed && !t->left.control_harmed && !t->left.files_harmed)
                complain(t, wrong, "%d about nothing durable: %s", r, logstore_detail());
}

/* What is appended now must be there after one more opening, behind the same records. */
static void judge_append(struct trial *t, struct logstore *store, uint64_t last)
{
        struct logstore_record record;
        uint64_t number = 0;
        char buffer[16];
        int r = logstore_append(store, "appended", 8, &number);

        if (r < 0 || logstore_sync(store, 0) < 0 || logstore_close(store) < 0) {
                complain(t, wrong, "cannot append: %s", logstore_detail());
                return;
        }
        t->how = "reader after the writer";
        if (open_store(t->path, LOGSTORE_READ_ONLY, &store) < 0) {
                complain(t, wrong, "cannot reopen: %s", logstore_detail());
                return;
        }
        r = logstore_get(store, number, buffer, sizeof(buffer), &record);
        if (r < 0 || record.size != 8 || memcmp(buffer, "appended", 8) != 0)
                complain(t, lost, "what was appended as %" PRIu64 " is gone: %s", number,
                         logstore_detail());
        if (logstore_get(store, number + 1, buffer, sizeof(buffer), &record) != -EAGAIN)
                complain(t, invented, "something lies behind %" PRIu64, number);
        if (last == t->base->tail && number != last + 1)
                complain(t, holes, "appended as %" PRIu64 " behind %" PRIu64, number, last);
        logstore_close(store);
}

static uint64_t tail_of(struct logstore *store)
{
        struct logstore_bounds bounds = { 0 };

        logstore_bounds(store, &bounds);
        return bounds.tail;
}

/* After a repair every record is as it was, and there is nothing wrong. Returns the last number. */
static uint64_t judge_kept(const struct trial *t, struct logstore *store)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0) {
                complain(t, wrong, "%d: %s", r, logstore_detail());
                return 0;
        }
        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                if (!same_record(t->base, &record))
                        complain(t, invented, "record %" PRIu64 " is not what it was",
                                 record.number);
        if (r != -EAGAIN)
                complain(t, wrong, "behind the records it kept: %d: %s", r, logstore_detail());
        logstore_cursor_close(cursor);
        return tail_of(store);
}

/* Errors that say what the store is, and not what befell the call. */
static bool is_refusal(int error)
{
        return error == -EBADMSG || error == -ENOENT || error == -EPROTONOSUPPORT ||
               error == -EMEDIUMTYPE || error == -EPERM;
}

/* What is cut is the first damage and what lies behind it; then the store is sound and goes on. */
static void judge_repair(struct trial *t)
{
        struct logstore_repair_report report;
        struct logstore *store;
        uint64_t last;
        int r = logstore_repair(t->path, LOGSTORE_REPAIR_APPLY, NULL, NULL, &report);

        t->how = "repair";
        if (r < 0) {
                if (!(t->left.control_harmed || t->left.files_harmed) || !is_refusal(r))
                        complain(t, lost, "refused with %d: %s", r, logstore_detail());
                return;
        }
        r = logstore_verify(t->path, NULL, NULL);
        if (r == 0)
                r = open_store(t->path, 0, &store);
        if (r < 0) {
                complain(t, wrong, "leaves a damaged store, %d: %s", r, logstore_detail());
                return;
        }
        last = judge_kept(t, store);
        if (last != report.kept_last)
                complain(t, wrong, "leaves %" PRIu64 " records and says %" PRIu64, last,
                         report.kept_last);
        if (last < t->left.whole && !t->left.control_harmed && !t->left.files_harmed)
                complain(t, lost, "leaves %" PRIu64 " records of %" PRIu64, last, t->left.whole);
        judge_append(t, store, last);
}

static void judge_writer(struct trial *t)
{
        struct logstore_repair_report report = { 0 };
        struct logstore *store;
        int repaired = logstore_repair(t->path, 0, NULL, NULL, &report);
        int r = open_store(t->path, 0, &store);
        uint64_t last;

        t->how = "writer";
        if (r < 0) {
                judge_refusal(t, r, false);
                judge_repair(t);
                return;
        }
        last = judge_cursor(t, store);
        if (repaired < 0 || report.cut_bytes > 0 || report.kept_last != tail_of(store))
                complain(t, wrong,
                         "ends at %" PRIu64 ", repair would at %" PRIu64 ", cut %" PRIu64
                         " bytes: %d",
                         tail_of(store), report.kept_last, report.cut_bytes, repaired);
        judge_gets(t, store);
        judge_append(t, store, last);
}

void judge(struct watch *watch, const struct base *base, struct tree *harmed, const char *path,
           const char *text, bool write)
{
        struct trial t = { .watch = watch, .base = base, .path = path, .text = text };

        t.left = compare(base, harmed);
        judge_reader(&t);
        judge_verify(&t);
        if (write)
                judge_writer(&t);
}
