/*
 * target_directory.c - a whole directory by an enemy: several files, names, links, ids
 *
 * Whatever lies there, each verb ends, in time and memory that the files account for. No verb
 * changes anything outside of the directory, and one that only looks changes nothing inside. The
 * verbs agree: what verify calls sound is read to its end and opened for writing, and after a
 * repair all of them call the store sound.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"
#include "odd.h"
#include "store.h"

#define VERB_SECONDS 2.0 /* of the processor, with sanitizers */
#define TOLD_MAX 10000   /* faults: one for each number of a forged range would be more */
#define LOOKS 12
#define FILLED_MAX (4u << 20) /* in a file system in memory, a page that is read is taken */

struct verdict {
        struct fuzz_sum sum; /* of what a cursor read */
        int end, writer;     /* how reading and an open for writing ended */
        int verified;
        uint64_t records; /* by verify */
        bool torn;        /* a tail that verify says will be dropped */
        bool control;     /* neither slot is valid, which only verify has to say */
        uint64_t told;
        char text[256]; /* the first one that is fatal */
};

static const char *verb;
static double began;

static double processor_seconds(void)
{
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void begin(const char *what)
{
        verb = what;
        began = processor_seconds();
}

static void end(void)
{
        double seconds = processor_seconds() - began;

        if (seconds > VERB_SECONDS)
                fuzz_wrong("%s took %.1f s", verb, seconds);
}

static void on_fault(void *context, const struct logstore_fault *fault)
{
        struct verdict *verdict = context;

        if (++verdict->told > TOLD_MAX)
                fuzz_wrong("%s tells of more than %d faults", verb, TOLD_MAX);
        if (!fault->fatal)
                verdict->torn |= strstr(fault->what, "next open for writing drops it") != NULL;
        else if (verdict->text[0] == '\0')
                snprintf(verdict->text, sizeof(verdict->text), "%s:%" PRIu64 ": %" PRIu64 ": %s",
                         fault->file, fault->offset, fault->number, fault->what);
        if (fault->fatal)
                verdict->control |= strcmp(fault->file, "control") == 0;
}

static void verify(const char *path, struct verdict *verdict)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, verdict };
        struct logstore_verify_report report = { 0 };

        begin("verify");
        verdict->verified = (int)fuzz_result(logstore_verify(path, &hooks, &report));
        verdict->records = report.records;
        end();
}

static int on_segment(void *context, const struct logstore_segment_info *segment)
{
        (void)segment;
        return ++*(int *)context > 1000 ? -E2BIG : 0;
}

/* Not by logstore_memory(), which asks the kernel about each page. */
static uint64_t held_bytes(struct logstore *store)
{
        uint64_t bytes = atomic_load(&store->memory.heap_bytes);

        for (int kind = 0; kind < MEMORY_KINDS; kind++)
                bytes += atomic_load(&store->memory.mapped_bytes[kind]);
        return bytes;
}

/* To the end, again and again: a handle that stays open must not grow by looking. */
static void look_again(struct logstore *store)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_bounds bounds;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t held = 0;

        begin("looking again");
        for (int look = 0; look < LOOKS; look++) {
                int segments = 0;

                if (logstore_bounds(store, &bounds) == 0 &&
                    logstore_cursor_open(store, 0, &cursor) == 0) {
                        logstore_cursor_seek(cursor, UINT64_MAX);
                        logstore_cursor_next(cursor, &record);
                        logstore_cursor_prev(cursor, &record);
                        logstore_cursor_close(cursor);
                }
                logstore_info(store, &info);
                if (logstore_segments(store, on_segment, &segments) == -E2BIG)
                        fuzz_wrong("more segments than files");
                if (look <= LOOKS / 2)
                        held = held_bytes(store);
                else if (held_bytes(store) > held)
                        fuzz_wrong("%" PRIu64 " bytes in memory became %" PRIu64 " by looking",
                                   held, held_bytes(store));
        }
        end();
}

static void get_some(struct logstore *store, uint64_t first, uint64_t last)
{
        static unsigned char buffer[128 << 10];
        struct logstore_record record;

        begin("get");
        for (uint64_t i = 0; i < 40 && first + i <= last + 1; i++)
                fuzz_result(logstore_get(store, first + i, buffer, sizeof(buffer), &record));
        for (uint64_t i = 0; i < 8 && last > i; i++)
                fuzz_result(logstore_get(store, last - i, buffer, sizeof(buffer), &record));
        fuzz_result(logstore_get(store, UINT64_MAX, buffer, sizeof(buffer), &record));
        end();
}

static void read_backward(struct logstore *store, uint32_t flags)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t last = UINT64_MAX, faults = 0;
        int64_t r;

        begin(flags ? "reading backward behind damage" : "reading backward");
        if (fuzz_result(logstore_cursor_open(store, flags, &cursor)) < 0)
                return;
        r = fuzz_result(logstore_cursor_seek(cursor, UINT64_MAX));
        while (r == 0 || (r == -EBADMSG && flags)) {
                r = fuzz_result(logstore_cursor_prev(cursor, &record));
                if (r == 0 && record.number >= last)
                        fuzz_wrong("backward, %" PRIu64 " behind %" PRIu64, record.number, last);
                if (r == 0)
                        last = record.number;
                if (r == -EBADMSG && flags && ++faults > TOLD_MAX)
                        fuzz_wrong("%s does not end", verb);
        }
        for (unsigned bit = 0; bit < 63; bit += 20)
                fuzz_result(logstore_cursor_seek_time(cursor, INT64_C(1) << bit));
        logstore_cursor_close(cursor);
        end();
}

/* How reading forward from the first record ends. */
static int read_to_end(struct logstore *store, struct fuzz_sum *ret)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        int64_t r = fuzz_result(logstore_cursor_open(store, 0, &cursor));

        *ret = (struct fuzz_sum){ 0 };
        if (r < 0)
                return (int)r;
        while ((r = fuzz_result(logstore_cursor_next(cursor, &record))) == 0) {
                ret->records++;
                ret->last = record.number;
        }
        logstore_cursor_close(cursor);
        return (int)r;
}

static void look(const char *path, struct verdict *verdict)
{
        struct logstore_bounds bounds = { 0 };
        struct logstore *store;

        begin("an open for reading");
        verdict->end = fuzz_open(path, LOGSTORE_READ_ONLY, &store);
        end();
        if (verdict->end < 0)
                return;
        begin("reading");
        verdict->end = read_to_end(store, &verdict->sum);
        end();
        begin("reading behind damage");
        fuzz_read(store, LOGSTORE_SKIP_DAMAGE, UINT64_MAX);
        end();
        read_backward(store, 0);
        read_backward(store, LOGSTORE_SKIP_DAMAGE);
        if (fuzz_result(logstore_bounds(store, &bounds)) == 0)
                get_some(store, bounds.first, bounds.tail);
        look_again(store);
        logstore_close(store);
}

static void dry_repair(const char *path, struct verdict *verdict)
{
        struct logstore_verify_hooks hooks = { on_fault, NULL, verdict };
        struct logstore_repair_report report;

        begin("a dry repair");
        fuzz_result(logstore_repair(path, 0, NULL, &hooks, &report));
        end();
}

/* Open for writing, use it, close it. Returns how many records were appended. */
static uint64_t write_some(const char *path, struct verdict *verdict)
{
        struct logstore *store;
        struct logstore_bounds bounds;
        uint64_t number = 0, appended = 0;

        begin("an open for writing");
        verdict->writer = fuzz_open(path, 0, &store);
        end();
        if (verdict->writer < 0)
                return 0;
        begin("writing");
        if (fuzz_result(logstore_bounds(store, &bounds)) == 0)
                get_some(store, bounds.first, bounds.tail); /* makes indexes */
        for (int i = 0; i < 3; i++)
                if (fuzz_result(logstore_append(store, "appended", 8, &number)) == 0)
                        appended++;
        if (appended && fuzz_result(logstore_sync(store, 0)) < 0)
                fuzz_wrong("what was appended cannot be made durable: %s", logstore_detail());
        if (fuzz_result(logstore_close(store)) < 0)
                fuzz_wrong("does not close: %s", logstore_detail());
        end();
        return appended;
}

static bool is_refusal(int error)
{
        return error == -EBADMSG || error == -EPROTONOSUPPORT || error == -EMEDIUMTYPE ||
               error == -ENOENT;
}

static void judge_read(const struct verdict *v)
{
        if (v->verified == 0 && v->end != -EAGAIN)
                fuzz_wrong("verify finds no fault, reading ends with %d", v->end);
        if (v->verified == 0 && !v->torn && v->records != v->sum.records)
                fuzz_wrong("verify counts %" PRIu64 " records, reading %" PRIu64, v->records,
                           v->sum.records);
}

static void judge_write(const char *path, const struct verdict *v)
{
        struct verdict after = { 0 };
        uint64_t appended = write_some(path, &after);

        if (v->verified == 0 && is_refusal(after.writer))
                fuzz_wrong("verify finds no fault, an open for writing ends with %d: %s",
                           after.writer, logstore_detail());
        if (v->verified == -EBADMSG && !v->control && v->end == -EAGAIN && after.writer == 0)
                fuzz_wrong("verify finds %" PRIu64 " faults, reading and writing none: %s", v->told,
                           v->text);
        if (v->verified != 0 || after.writer < 0)
                return;
        look(path, &after);
        verify(path, &after);
        if (after.verified < 0)
                fuzz_wrong("an open for writing left faults: %s", after.text);
        if (after.sum.records != v->sum.records + appended)
                fuzz_wrong("%" PRIu64 " records and %" PRIu64 " more became %" PRIu64,
                           v->sum.records, appended, after.sum.records);
}

static void judge_repair(const char *path)
{
        struct verdict told = { 0 }, after = { 0 };
        struct logstore_verify_hooks hooks = { on_fault, NULL, &told };
        struct logstore_repair_report report = { 0 };
        char salvage[600];
        int r;

        snprintf(salvage, sizeof(salvage), "%s-salvage", path);
        begin("a repair");
        r = (int)fuzz_result(
                logstore_repair(path, LOGSTORE_REPAIR_APPLY, salvage, &hooks, &report));
        end();
        tree_remove(salvage);
        if (r < 0)
                return;
        verify(path, &after);
        if (after.verified < 0 && after.verified != -EPROTONOSUPPORT)
                fuzz_wrong("a repair leaves faults: %s", after.text);
        look(path, &after);
        if (after.verified == 0)
                judge_read(&after);
        if (after.verified == 0)
                judge_write(path, &after);
}

static void check_outside(const char *path, uint64_t sum)
{
        if (odd_outside(path) != sum)
                fuzz_wrong("%s changed something outside of the directory", verb);
}

void fuzz_target(const char *path)
{
        struct verdict v = { 0 };
        uint64_t inside, outside, before, bytes;

        fuzz_put(path, true);
        outside = odd_outside(path);
        inside = odd_inside(path, &before);
        verify(path, &v);
        look(path, &v);
        dry_repair(path, &v);
        check_outside(path, outside);
        if (odd_inside(path, &bytes) != inside)
                fuzz_wrong("looking changed the store");
        if (bytes > before + FILLED_MAX)
                fuzz_wrong("looking filled holes: %" PRIu64 " bytes became %" PRIu64, before,
                           bytes);
        judge_read(&v);

        judge_write(path, &v);
        check_outside(path, outside);

        fuzz_put(path, true);
        outside = odd_outside(path);
        judge_repair(path);
        check_outside(path, outside);
        odd_remove(path);
}
