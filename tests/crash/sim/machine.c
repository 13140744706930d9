/*
 * machine.c - drawing images of crashes, opening and comparing them
 */
#include "machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct figures figures;
struct machine_plan plan;
struct machine *machine_now;

/* ---- telling ---- */

void machine_path(const struct machine *m, char *text, size_t bytes)
{
        size_t used = 0;

        if (m->parent) {
                machine_path(m->parent, text, bytes);
                used = strlen(text);
                snprintf(text + used, bytes - used, " > %s %llu at %s %s in %s",
                         m->image->kill ? "kill" : "crash", (unsigned long long)m->image->ordinal,
                         m->image->after ? "after" : "before", m->image->call, m->parent->step);
                return;
        }
        snprintf(text, bytes, "seed %llu", (unsigned long long)plan.seed);
}

/* A run with threads does not repeat: its last lines are kept, and told if it fails. */
#define TRACE_LINES 512u
#define TRACE_BYTES 160u

static char trace_lines[TRACE_LINES][TRACE_BYTES];
static uint64_t traced;

void machine_trace(const struct machine *m, const char *format, ...)
{
        char *line = trace_lines[traced % TRACE_LINES];
        int indent = (int)(2 * m->depth);
        va_list arguments;

        if (!plan.trace && !plan.threads)
                return;
        memset(line, ' ', (size_t)indent);
        va_start(arguments, format);
        vsnprintf(line + indent, TRACE_BYTES - (size_t)indent, format, arguments);
        va_end(arguments);
        if (plan.trace)
                fprintf(stderr, "%s\n", line);
        traced++;
}

static void tell_trace(void)
{
        if (plan.trace)
                return;
        for (uint64_t i = traced > TRACE_LINES ? traced - TRACE_LINES : 0; i < traced; i++)
                fprintf(stderr, "  %s\n", trace_lines[i % TRACE_LINES]);
}

_Noreturn void machine_fail(const struct machine *m, const char *verdict, const char *format, ...)
{
        const struct machine *top = m;
        char path[1024];
        va_list arguments;

        machine_path(m, path, sizeof(path));
        tell_trace();
        fprintf(stderr, "crash-sim: %s: ", verdict);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fprintf(stderr, "\n  in %s, %s\n", path, m->step);
        fprintf(stderr, "  promised: first %llu..%llu, acknowledged %llu, appended %llu%s\n",
                (unsigned long long)m->promise.first_low, (unsigned long long)m->promise.first_high,
                (unsigned long long)m->promise.acked, (unsigned long long)m->promise.tail,
                m->promise.truncating ? ", truncating" : "");
        while (top->parent && top->parent->parent)
                top = top->parent;
        fprintf(stderr, "  again, alone: crash-sim --run %llu --steps %u%s",
                (unsigned long long)plan.seed, plan.steps, plan.threads ? " --threads" : "");
        if (top->parent)
                fprintf(stderr, " --state %llu", (unsigned long long)top->image->ordinal);
        fprintf(stderr, " --trace\n");
        figures.lost += strcmp(verdict, "LOST") == 0;
        figures.holes += strcmp(verdict, "HOLE") == 0;
        figures.invented += strcmp(verdict, "INVENTED") == 0;
        exit(1);
}

/* ---- drawing ---- */

void machine_draw(struct machine *m, const char *call, bool after)
{
        struct image *image;
        uint64_t seed = rng_next(&m->lottery), ordinal = ++m->images;
        struct rng rng = { seed };

        if (plan.only && m->depth == 0 && ordinal != plan.only)
                return;
        image = calloc(1, sizeof(*image));
        if (!image)
                disk_refuse("no memory for an image");
        image->kill = rng_one_in(&rng, 16);
        image->disk =
                image->kill ? disk_after_kill(m->disk, &rng) : disk_after_power_cut(m->disk, &rng);
        promise_copy(&image->promise, &m->promise);
        image->seed = rng_next(&rng);
        image->ordinal = ordinal;
        image->call = call;
        image->after = after;
        if (m->last_image)
                m->last_image->next = image;
        else
                m->first_image = image;
        m->last_image = image;
}

static void draw_sometimes(struct disk *disk, const char *call, bool after)
{
        struct machine *m = disk->watcher;

        if (m->crash_one_in && rng_one_in(&m->lottery, m->crash_one_in * (is_large(m) ? 8 : 1)))
                machine_draw(m, call, after);
}

void machine_watch(struct machine *m, uint32_t one_in)
{
        disk_lock();
        m->crash_one_in = one_in;
        m->disk->watcher = m;
        m->disk->watch = one_in ? draw_sometimes : NULL;
        m->disk->slow = one_in && plan.threads;
        disk_unlock();
}

/* ---- comparing ---- */

/* NULL: it was trimmed, and what stood there is not known. */
static const struct entry *entry_of(struct machine *m, uint64_t number)
{
        const struct entry *entry = promise_entry(&m->promise, number);

        if (number < m->promise.came_back)
                return NULL;
        if (!entry)
                machine_fail(m, "INVENTED", "record %llu is of no append",
                             (unsigned long long)number);
        return entry;
}

static void compare_record(struct machine *m, uint64_t number, const struct entry *entry,
                           const struct logstore_record *record)
{
        const uint8_t *want = entry ? promise_payload(entry->ticket, entry->size) : NULL;

        if (record->number != number)
                machine_fail(m, record->number > number ? "HOLE" : "INVENTED",
                             "record %llu stands where %llu is due",
                             (unsigned long long)record->number, (unsigned long long)number);
        if (!entry)
                return;
        if (entry->kind == ENTRY_VOID)
                machine_fail(m, "INVENTED", "void %llu is a record", (unsigned long long)number);
        if (record->size != entry->size)
                machine_fail(m, "INVENTED", "record %llu has %zu bytes, not %u",
                             (unsigned long long)number, record->size, entry->size);
        if (memcmp(record->data, want, entry->size) != 0)
                machine_fail(m, "INVENTED", "record %llu has other bytes",
                             (unsigned long long)number);
}

static void compare_get(struct machine *m, struct logstore *store, uint64_t number,
                        const struct entry *entry)
{
        static uint8_t buffer[PROMISE_PAYLOAD_MAX];
        struct logstore_record record;
        int r = logstore_get(store, number, buffer, sizeof(buffer), &record);

        if (r != (entry->kind == ENTRY_VOID ? -ENODATA : 0))
                machine_fail(m, r < 0 ? "HOLE" : "INVENTED", "get %llu said %d (%s)",
                             (unsigned long long)number, r, logstore_detail());
        if (r == 0)
                compare_record(m, number, entry, &record);
}

void machine_compare_record(struct machine *m, uint64_t number,
                            const struct logstore_record *record)
{
        compare_record(m, number, entry_of(m, number), record);
}

/* One that is not known: is it a record? */
static bool is_there(struct machine *m, struct logstore *store, uint64_t number)
{
        static uint8_t buffer[PROMISE_PAYLOAD_MAX];
        struct logstore_record record;
        int r = logstore_get(store, number, buffer, sizeof(buffer), &record);

        if (r < 0 && r != -ENODATA)
                machine_fail(m, "HOLE", "get %llu said %d (%s)", (unsigned long long)number, r,
                             logstore_detail());
        return r == 0;
}

static void compare_all(struct machine *m, struct logstore *store, uint64_t first, uint64_t tail)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t again = first + (tail > first ? rng_below(&m->rng, (uint32_t)(tail - first)) : 0);
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0)
                machine_fail(m, "ERROR", "cursor: %d (%s)", r, logstore_detail());
        for (uint64_t number = first; number <= tail; number++) {
                const struct entry *entry = entry_of(m, number);
                if (!entry && !is_there(m, store, number))
                        continue;
                if (entry && (number == again || number == tail || entry->kind == ENTRY_VOID))
                        compare_get(m, store, number, entry);
                if (entry && entry->kind == ENTRY_VOID)
                        continue;
                r = logstore_cursor_next(cursor, &record);
                if (r < 0)
                        machine_fail(m, "HOLE", "record %llu: %d (%s)", (unsigned long long)number,
                                     r, logstore_detail());
                compare_record(m, number, entry, &record);
        }
        r = logstore_cursor_next(cursor, &record);
        if (r != -EAGAIN)
                machine_fail(m, r == 0 ? "INVENTED" : "REFUSED",
                             "behind the end %llu the cursor says %d, record %llu (%s)",
                             (unsigned long long)tail, r,
                             r == 0 ? (unsigned long long)record.number : 0, logstore_detail());
        logstore_cursor_close(cursor);
}

bool machine_is_record(const struct entry *entry, const struct logstore_record *record)
{
        return record->size == entry->size &&
               memcmp(record->data, promise_payload(entry->ticket, entry->size), entry->size) == 0;
}

static bool is_at(struct logstore *store, uint64_t number, const struct entry *entry)
{
        static uint8_t buffer[PROMISE_PAYLOAD_MAX];
        struct logstore_record record;

        return logstore_get(store, number, buffer, sizeof(buffer), &record) == 0 &&
               machine_is_record(entry, &record);
}

/* An append was under way beside a truncation. Is exactly what it appended there, behind the cut?
 * One record may be empty, and then also right in the log before the cut. */
static void settle_cut(struct machine *m, struct logstore *store, uint64_t tail)
{
        const struct promise *p = &m->promise;

        if (!p->truncating || p->behind_count == 0 || tail != p->cut + p->behind_count)
                return;
        for (uint32_t i = 0; i < p->behind_count; i++)
                if (!is_at(store, p->cut + 1 + i, &p->behind[i]))
                        return;
        promise_settle_cut(&m->promise, (uint32_t)rng_next(&m->rng));
}

void machine_compare(struct machine *m, struct logstore *store, uint64_t *ret_first,
                     uint64_t *ret_tail)
{
        struct logstore_bounds bounds;
        const char *verdict, *why;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                machine_fail(m, "ERROR", "bounds: %d (%s)", r, logstore_detail());
        settle_cut(m, store, bounds.tail);
        why = promise_refuses(&m->promise, bounds.first, bounds.tail, &verdict);
        if (why)
                machine_fail(m, verdict, "%llu..%llu: %s", (unsigned long long)bounds.first,
                             (unsigned long long)bounds.tail, why);
        compare_all(m, store, bounds.first, bounds.tail);
        *ret_first = bounds.first;
        *ret_tail = bounds.tail;
}

/* ---- opening ---- */

void machine_store_path(const struct machine *m, char path[64])
{
        snprintf(path, 64, "/disk/%llu/store", (unsigned long long)m->disk->id);
}

int machine_open_reader(const struct machine *m, struct logstore **ret)
{
        struct logstore_options options = m->options;
        char path[64];

        options.flags |= LOGSTORE_READ_ONLY;
        options.flags &= ~(uint32_t)LOGSTORE_CREATE;
        machine_store_path(m, path);
        return logstore_open(path, &options, ret);
}

/* A reader must find the same log, and change nothing. Returns its tail, or UINT64_MAX. */
static uint64_t open_read_only(struct machine *m)
{
        uint64_t first, tail = UINT64_MAX, changes = m->disk->changes;
        struct logstore *store;
        int r = machine_open_reader(m, &store);

        if (r < 0 && !m->promise.created)
                return tail;
        if (r < 0)
                machine_fail(m, "REFUSED", "read-only open: %d (%s)", r, logstore_detail());
        machine_compare(m, store, &first, &tail);
        r = logstore_close(store);
        if (r < 0)
                machine_fail(m, "ERROR", "close of a reader: %d (%s)", r, logstore_detail());
        if (m->disk->changes != changes)
                machine_fail(m, "ERROR", "a read-only open changed the disk");
        return tail;
}

/* What a crash leaves is no damage, and there is nothing to repair. Returns the last number kept,
 * or UINT64_MAX. */
static uint64_t verify_and_repair(struct machine *m)
{
        struct logstore_repair_report repaired;
        uint64_t changes = m->disk->changes;
        char path[64];
        int r;

        if (!m->promise.created)
                return UINT64_MAX;
        machine_store_path(m, path);
        r = logstore_verify(path, NULL, NULL);
        if (r < 0)
                machine_fail(m, "REFUSED", "verify: %d (%s)", r, logstore_detail());
        if (m->disk->changes != changes)
                machine_fail(m, "ERROR", "verify changed the disk");
        r = logstore_repair(path, LOGSTORE_REPAIR_APPLY, NULL, NULL, &repaired);
        if (r < 0 || repaired.cut_bytes > 0)
                machine_fail(m, "REFUSED", "repair: %d, %llu bytes cut (%s)", r,
                             (unsigned long long)repaired.cut_bytes, logstore_detail());
        if (m->disk->changes != changes)
                machine_fail(m, "ERROR", "a repair of nothing changed the disk");
        return repaired.kept_last;
}

struct refusals machine_refusals(const struct machine *m)
{
        return (struct refusals){ m->disk->syncs_failed, m->disk->growth_refused,
                                  m->disk->unlinks_refused };
}

bool machine_was_refused(struct machine *m, int error, const struct refusals *before)
{
        struct disk *disk = m->disk;

        if (error == -ENOSPC && disk->growth_refused > before->growth) {
                disk->growth_to_refuse = 0;
                return true;
        }
        if ((error == -EACCES || error == -EIO) && disk->unlinks_refused > before->unlinks) {
                disk->unlinks_to_refuse = 0;
                return true;
        }
        figures.failed_syncs += disk->syncs_failed > before->syncs;
        return disk->syncs_failed > before->syncs; /* the device is repaired by and by */
}

static int open_once(struct machine *m)
{
        char path[64];
        int r;

        machine_store_path(m, path);
        m->options.flags &= ~(uint32_t)LOGSTORE_CREATE;
        if (!m->promise.created)
                m->options.flags |= LOGSTORE_CREATE;
        r = logstore_open(path, &m->options, &m->store);
        machine_trace(m, "open: %d%s%s", r, r < 0 ? ", " : "", r < 0 ? logstore_detail() : "");
        if (r < 0)
                m->store = NULL;
        return r;
}

static int open_store(struct machine *m)
{
        struct refusals before;
        uint32_t tries = 0;
        int r;

        if (rng_one_in(&m->rng, 6)) /* a disk that is full, or all but */
                m->disk->growth_to_refuse = 1 + rng_below(&m->rng, 3);
        if (rng_one_in(&m->rng, 6))
                m->disk->unlinks_to_refuse = 1 + rng_below(&m->rng, 3);
        do {
                before = machine_refusals(m);
                r = open_once(m);
        } while (r < 0 && machine_was_refused(m, r, &before) && ++tries < 8);
        m->disk->growth_to_refuse = m->disk->growth_refused = 0;
        m->disk->unlinks_to_refuse = m->disk->unlinks_refused = 0;
        return r;
}

void machine_open(struct machine *m, bool all_of_it)
{
        uint64_t first, tail, read_tail = UINT64_MAX, kept = UINT64_MAX;
        bool cache_lies = disk_has_lost_pages(m->disk);
        int r;

        m->step = "open";
        machine_now = m;
        os_disk_enter(plan.threads ? NULL : &m->world);
        if (m->promise.restored && !m->promise.damaged)
                machine_face_restored(m);
        if (m->promise.damaged)
                machine_repair(m);
        machine_read(m);
        if (rng_one_in(&m->rng, 8))
                read_tail = open_read_only(m);
        if (rng_one_in(&m->rng, 8))
                kept = verify_and_repair(m);
        r = open_store(m);
        if (r < 0)
                machine_fail(m, "REFUSED", "open: %d (%s)", r, logstore_detail());
        machine_compare(m, m->store, &first, &tail);
        if (read_tail != UINT64_MAX && read_tail != tail && !cache_lies)
                machine_fail(m, "ERROR", "a reader saw the end at %llu, the writer at %llu",
                             (unsigned long long)read_tail, (unsigned long long)tail);
        if (kept != UINT64_MAX && kept != tail && !cache_lies)
                machine_fail(m, "ERROR", "repair saw the end at %llu, the writer at %llu",
                             (unsigned long long)kept, (unsigned long long)tail);
        if (tail < promise_resolved(&m->promise))
                machine_reader_cut(m, tail, true);
        if (all_of_it && tail != promise_resolved(&m->promise))
                machine_fail(m, "LOST", "the log ends at %llu though no power was cut",
                             (unsigned long long)tail);
        machine_drop_copies(m);
        disk_lock();
        promise_adopt(&m->promise, first, tail, (uint32_t)rng_next(&m->rng));
        disk_unlock();
        m->claim_count = 0;
        m->failed = false;
        machine_trace(m, "holds %llu..%llu", (unsigned long long)first, (unsigned long long)tail);
}

void machine_abandon(struct machine *m)
{
        int r;

        logstore_cancel_claims(m->store, 0);
        r = logstore_close(m->store);
        if (r < 0 && r != -EIO)
                machine_fail(m, "ERROR", "close said %d (%s)", r, logstore_detail());
        m->store = NULL;
}

void machine_put_away(struct machine *m)
{
        machine_watch(m, 0);
        m->disk->syncs_to_fail = 0;
        machine_reader_close(m);
        machine_forget_copies(m);
        if (m->store)
                machine_abandon(m);
        disk_lock();
        disk_free(m->disk);
        disk_unlock();
        promise_free(&m->promise);
        promise_free(&m->cut_off);
}

/* ---- examining ---- */

/* Some images live on, and crash again. */
static void live_on(struct machine *m)
{
        uint32_t steps = 1 + rng_below(&m->rng, 6);

        machine_watch(m, 4);
        for (uint32_t i = 0; i < steps; i++) {
                machine_step(m);
                machine_examine_images(m);
        }
}

static void examine(struct machine *parent, const struct image *image)
{
        struct machine m = { .parent = parent,
                             .image = image,
                             .disk = image->disk,
                             .options = parent->options,
                             .promise = image->promise,
                             .world = { { image->seed ^ 1 }, parent->world.now_ns },
                             .rng = { image->seed },
                             .lottery = { image->seed ^ 2 },
                             .depth = parent->depth + 1,
                             .faulty = parent->faulty };

        if (!rng_one_in(&m.rng, 8)) /* threads cost more than they find here */
                m.options.flags |= LOGSTORE_NO_THREAD;
        machine_tick();
        machine_trace(parent, "%s %llu %s %s", image->kill ? "kill" : "crash",
                      (unsigned long long)image->ordinal, image->after ? "after" : "before",
                      image->call);
        if (m.depth < MACHINE_DEPTH && rng_one_in(&m.rng, 12)) {
                machine_watch(&m, 6);
                if (m.faulty && rng_one_in(&m.rng, 4))
                        m.disk->syncs_to_fail = 1 + rng_below(&m.rng, 2);
        }
        machine_open(&m, false);
        m.disk->syncs_to_fail = 0;
        figures.states++;
        figures.restarts += image->kill;
        figures.nested += m.depth > 1;
        machine_examine_images(&m);
        if (m.depth < MACHINE_DEPTH && rng_one_in(&m.rng, 12))
                live_on(&m);
        machine_put_away(&m);
}

void machine_examine_images(struct machine *m)
{
        struct image *image, *next;

        disk_lock();
        image = m->first_image;
        m->first_image = m->last_image = NULL;
        disk_unlock();
        for (; image; image = next) {
                next = image->next;
                examine(m, image);
                free(image);
        }
        machine_now = m;
        os_disk_enter(plan.threads ? NULL : &m->world);
}
