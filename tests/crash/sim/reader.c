/*
 * reader.c - a reading process that lives across lives of the writer, and what it is told
 *
 * It has a read-only handle and one cursor. Between two steps of the writer its answers are known
 * exactly. Beside a step, in the other thread, an answer is right if it was so at some moment of
 * the call: the oracles from before it, from behind it and from before a cut during it are asked.
 *
 * An error is an answer, too. -ESTALE is right only if the place was trimmed, or if the cursor
 * stood behind a cut; -EAGAIN only if nothing was to be seen; damage never.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "store.h"

#include "step.h"
#include "turns.h"

struct look {
        struct machine *m;
        struct promise before;
        uint64_t position; /* of the cursor, before the call */
        bool exact;        /* nobody works beside it */
};

static struct look look_begin(struct machine *m)
{
        struct look look = { .m = m, .exact = !m->beside && !m->reading };

        disk_lock();
        promise_copy(&look.before, &m->promise);
        promise_free(&m->cut_off);
        m->cut_off = (struct promise){ 0 };
        disk_unlock();
        look.position = logstore_cursor_position(m->cursor);
        return look;
}

/* The last number that was surely to be seen before the call. */
static uint64_t surely(const struct look *look)
{
        return promise_resolved(&look->before) - look->before.asked;
}

static bool is_record(const struct entry *entry, const struct logstore_record *record)
{
        return entry && machine_is_record(entry, record);
}

/* The number's record in the log before or behind a cut, if one is under way. */
static bool is_in(const struct promise *p, const struct logstore_record *record)
{
        uint64_t behind = record->number - (p->cut + 1);

        return is_record(promise_entry(p, record->number), record) ||
               (p->truncating && record->number > p->cut && behind < p->behind_count &&
                is_record(&p->behind[behind], record));
}

static void check_record(const struct look *look, const char *act,
                         const struct logstore_record *record)
{
        if (record->number < look->m->promise.first_low ||
            record->number < look->m->promise.came_back)
                return; /* trimmed: the oracle may have forgotten it */
        if (!is_in(&look->before, record) && !is_in(&look->m->promise, record) &&
            !is_in(&look->m->cut_off, record)) /* appended and cut during the call */
                machine_fail(look->m, "INVENTED",
                             "the reader's %s gave %zu bytes of no record %llu", act, record->size,
                             (unsigned long long)record->number);
}

/* The greatest number that the log may begin with by now. */
static uint64_t first_perhaps(const struct machine *m)
{
        const struct promise *p = &m->promise;

        return p->truncating && p->emptying && p->cut >= p->first_high ? p->cut + 1 : p->first_high;
}

/* A record from @from to @until that was to be seen. 0: none. */
static uint64_t missed(const struct look *look, uint64_t from, uint64_t until)
{
        uint64_t last = surely(look), first = first_perhaps(look->m);

        if (from < first)
                from = first;
        if (last > look->m->cut_perhaps)
                last = look->m->cut_perhaps;
        for (; from <= until && from <= last; from++) {
                const struct entry *entry = promise_entry(&look->before, from);
                if (entry && entry->kind == ENTRY_RECORD)
                        return from;
        }
        return 0;
}

static void check_missed(const struct look *look, const char *act, uint64_t from, uint64_t until)
{
        uint64_t number = missed(look, from, until);

        if (number)
                machine_fail(look->m, "HOLE", "the reader's %s passed over record %llu", act,
                             (unsigned long long)number);
}

/* Was the log cut below what the cursor passed, or trimmed? If all before was trimmed, it may not
 * be known any more how far the log was cut. */
static bool may_be_stale(const struct look *look)
{
        uint64_t first = first_perhaps(look->m), cut = look->m->cut_perhaps;

        return look->position < first ||
               (cut != UINT64_MAX && look->position > cut + (look->position > first));
}

/* A trim is told when the cursor leaves what it has mapped. */
static bool must_be_stale(const struct look *look)
{
        return look->exact && look->m->cut_surely != UINT64_MAX &&
               look->position > look->m->cut_surely + 1;
}

static void seek_anew(struct machine *m)
{
        uint64_t number = (const uint64_t[]){ 0, UINT64_MAX, 0 }[rng_below(&m->rng, 3)];
        int r;

        m->cut_perhaps = m->promise.truncating ? m->promise.cut : UINT64_MAX;
        m->cut_surely = UINT64_MAX;
        r = logstore_cursor_seek(m->cursor, number);
        if (r < 0)
                machine_fail(m, "ERROR", "the reader's seek: %d (%s)", r, logstore_detail());
}

static void judge(struct look *look, const char *act, int r)
{
        struct machine *m = look->m;

        machine_trace(m, "reader at %llu: %s: %d%s%s", (unsigned long long)look->position, act, r,
                      r < 0 ? ", " : "", r < 0 ? logstore_detail() : "");
        if (r == -ESTALE && !may_be_stale(look))
                machine_fail(m, "ERROR", "the reader at %llu is told by %s: %s",
                             (unsigned long long)look->position, act, logstore_detail());
        if (r != -ESTALE && must_be_stale(look))
                machine_fail(m, "ERROR",
                             "the reader at %llu is not told by %s that it is stale: %d",
                             (unsigned long long)look->position, act, r);
        if (r < 0 && r != -ESTALE && r != -EAGAIN)
                machine_fail(m, "REFUSED", "the reader's %s said %d (%s)", act, r,
                             logstore_detail());
        if (r == -ESTALE) {
                seek_anew(m);
                return;
        }
        m->cut_surely = UINT64_MAX; /* it has seen that: it was sure before the call */
        if (look->exact && !m->promise.truncating)
                m->cut_perhaps = UINT64_MAX;
}

static void act_next(struct machine *m)
{
        struct look look = look_begin(m);
        struct logstore_record record = { 0 };
        int r = logstore_cursor_next(m->cursor, &record);

        if (r == 0)
                check_record(&look, "next", &record);
        if (r != -ESTALE && !must_be_stale(&look))
                check_missed(&look, "next", look.position,
                             r == 0 ? record.number - 1 : UINT64_MAX - 1);
        judge(&look, "next", r);
        promise_free(&look.before);
}

static void act_previous(struct machine *m)
{
        struct look look = look_begin(m);
        struct logstore_record record = { 0 };
        int r = logstore_cursor_prev(m->cursor, &record);

        if (r == 0)
                check_record(&look, "prev", &record);
        if (r != -ESTALE && !must_be_stale(&look))
                check_missed(&look, "prev", r == 0 ? record.number + 1 : 0, look.position - 1);
        judge(&look, "prev", r);
        promise_free(&look.before);
}

static void act_get(struct machine *m)
{
        static uint8_t buffer[PROMISE_PAYLOAD_MAX];
        struct look look = look_begin(m);
        struct logstore_record record = { 0 };
        uint64_t first = look.before.first_low, number;
        const struct entry *entry;
        int r;

        number = first + rng_below(&m->rng, (uint32_t)(look.before.tail + 4 - first));
        number -= number > 2 ? 2 : 0;
        entry = promise_entry(&look.before, number);
        r = logstore_get(m->reader, number, buffer, sizeof(buffer), &record);
        machine_trace(m, "reader: get %llu: %d", (unsigned long long)number, r);
        if (r == 0)
                check_record(&look, "get", &record);
        else if (missed(&look, number, number))
                machine_fail(m, "HOLE", "the reader's get %llu said %d (%s)",
                             (unsigned long long)number, r, logstore_detail());
        else if (r == -ESTALE    ? number >= m->promise.first_high && m->cut_perhaps == UINT64_MAX
                 : r == -ENODATA ? look.exact && (entry ? entry->kind != ENTRY_VOID
                                                        : number >= m->promise.base)
                                 : r != -EAGAIN || (look.exact && number <= surely(&look)))
                machine_fail(m, "ERROR", "the reader's get %llu said %d (%s)",
                             (unsigned long long)number, r, logstore_detail());
        promise_free(&look.before);
}

static void act_bounds(struct machine *m)
{
        struct look look = look_begin(m);
        struct logstore_bounds bounds = { 0 };
        uint64_t least = surely(&look);
        int r = logstore_bounds(m->reader, &bounds);

        machine_trace(m, "reader: bounds: %d, %llu..%llu", r, (unsigned long long)bounds.first,
                      (unsigned long long)bounds.tail);
        if (least > m->cut_perhaps)
                least = m->cut_perhaps;
        if (r < 0)
                machine_fail(m, "REFUSED", "the reader's bounds: %d (%s)", r, logstore_detail());
        if (bounds.first < look.before.first_low ||
            (bounds.first > m->promise.first_high && m->cut_perhaps == UINT64_MAX) ||
            bounds.tail < least || (look.exact && bounds.tail > surely(&look)))
                machine_fail(m, "ERROR", "the reader's bounds: %llu..%llu, not %llu..%llu",
                             (unsigned long long)bounds.first, (unsigned long long)bounds.tail,
                             (unsigned long long)look.before.first_low, (unsigned long long)least);
        promise_free(&look.before);
}

static void on_fault(void *context, const struct logstore_fault *fault)
{
        machine_trace(context, "reader: verify: %s at %llu: %s", fault->file,
                      (unsigned long long)fault->offset, fault->what);
}

static void act_verify(struct machine *m)
{
        struct logstore_verify_hooks hooks = { .context = m, .fault = on_fault };
        char path[64];
        int r;

        machine_store_path(m, path);
        r = logstore_verify(path, &hooks, NULL);
        machine_trace(m, "reader: verify: %d", r);
        if (r < 0)
                machine_fail(m, "REFUSED", "verify beside a writer: %d (%s)", r, logstore_detail());
}

/* ---- its life ---- */

static void reader_open(struct machine *m)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        char path[64];
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        machine_store_path(m, path);
        r = logstore_open(path, &options, &m->reader);
        if (r == 0)
                r = logstore_cursor_open(m->reader, 0, &m->cursor);
        if (r < 0)
                machine_fail(m, "REFUSED", "a reader's open: %d (%s)", r, logstore_detail());
        machine_trace(m, "reader: open");
        m->cut_perhaps = m->cut_surely = UINT64_MAX;
        if (rng_one_in(&m->rng, 2))
                seek_anew(m);
}

void machine_reader_close(struct machine *m)
{
        int r;

        if (!m->reader)
                return;
        logstore_cursor_close(m->cursor);
        r = logstore_close(m->reader);
        if (r < 0)
                machine_fail(m, "ERROR", "a reader's close: %d (%s)", r, logstore_detail());
        m->reader = NULL;
        m->cursor = NULL;
}

void machine_reader_cut(struct machine *m, uint64_t number, bool surely)
{
        if (m->reading && m->promise.tail > number) {
                promise_free(&m->cut_off);
                promise_copy(&m->cut_off, &m->promise);
        }
        if (m->cut_perhaps > number)
                m->cut_perhaps = number;
        if (surely && m->cut_surely > number)
                m->cut_surely = number;
}

static void read_on(struct machine *m, uint32_t count)
{
        static void (*const acts[])(struct machine * m) = { act_next,     act_next, act_next,
                                                            act_next,     act_next, act_bounds,
                                                            act_previous, act_get,  act_verify };

        for (uint32_t i = 0; i < count && !m->failed; i++)
                acts[rng_below(&m->rng, sizeof(acts) / sizeof(acts[0]))](m);
}

void machine_read(struct machine *m)
{
        if (m->reader && !m->reading && !m->promise.damaged)
                read_on(m, 1 + rng_below(&m->rng, 6));
}

static void read_beside(void *context)
{
        struct machine *m = context;

        read_on(m, 4 + rng_below(&m->rng, 40));
}

/* The writer goes on, and dies, while it reads. */
static void work_beside(struct machine *m)
{
        static void (*const acts[])(struct machine * m) = { step_append,   step_append, step_batch,
                                                            step_truncate, step_trim,   step_sync,
                                                            step_close,    step_kill,   step_kill };
        uint32_t count = 1 + rng_below(&m->rng, 5);

        resolve_all(m);
        m->reading = true;
        turns_begin(rng_next(&m->rng), read_beside, m);
        for (uint32_t i = 0; i < count && !m->failed; i++)
                acts[rng_below(&m->rng, sizeof(acts) / sizeof(acts[0]))](m);
        turns_end();
        m->reading = false;
}

void step_read(struct machine *m)
{
        if (m->reader && rng_one_in(&m->rng, 30)) {
                machine_reader_close(m);
                return;
        }
        if (!m->reader)
                reader_open(m);
        machine_read(m);
        /* What a failed sync loses is lost before the oracle knows. */
        if (!plan.threads && !m->faulty && !m->failed && rng_one_in(&m->rng, 3))
                work_beside(m);
}

/* Threads of the store cannot be stopped in the middle of a call: what they have begun they end. */
static void let_threads_end(struct logstore *store)
{
        struct sync *sync = &store->sync;

        keeper_stop(&store->keeper);
        pthread_mutex_lock(&sync->lock);
        while (sync->running != SYNC_IDLE) {
                pthread_mutex_unlock(&sync->lock);
                os_sleep(10000);
                pthread_mutex_lock(&sync->lock);
        }
        pthread_mutex_unlock(&sync->lock);
}

/* The writer's process dies where it stands, and the reader, which has the same files open, does
 * not: nothing more may be written, and what the library has is freed. */
void machine_kill_writer(struct machine *m)
{
        uint32_t refused = m->disk->unlinks_refused;
        uint64_t changes;
        int r;

        m->disk->unlinks_to_refuse = UINT32_MAX;
        atomic_store(&m->store->writer.failed, -EIO); /* nothing more is begun */
        if (plan.threads)
                let_threads_end(m->store);
        changes = m->disk->changes;
        r = logstore_close(m->store);
        m->disk->unlinks_to_refuse = 0;
        m->disk->unlinks_refused = refused;
        m->store = NULL;
        if (r != -EIO || m->disk->changes != changes)
                disk_refuse("a killed writer did something");
}
