/*
 * workload.c - a short life of a store that uses everything, and what it was promised
 *
 * The store rolls several times, trims, truncates and reopens. Every call may fail: the workload
 * then goes on with the next one, as a program does that only logs errors.
 */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <logstore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_BYTES 1000
#define PER_ROUND 70 /* more than a segment */

static const uint32_t mode_flags[WORKLOAD_MODES] = {
        LOGSTORE_NO_THREAD | LOGSTORE_NO_RING, LOGSTORE_NO_RING,
        LOGSTORE_NO_THREAD, /* with io_uring: last, because its teardown is slow */
};

/* Look at what a call returned: an error needs a negative errno and a line about it. */
#define note(workload, call) note_call(workload, call, #call)
static int64_t note_call(struct workload *w, int64_t r, const char *call)
{
        if (r >= 0)
                return r;
        w->failures++;
        if (r < -4095 || logstore_detail()[0] == '\0') {
                fprintf(stderr, "error %" PRId64 " without a detail: %s\n", r, call);
                w->nameless++;
        }
        return r;
}

static void fill(unsigned char *data, uint64_t number, unsigned life)
{
        memset(data, (int)(number * 31 + life * 7), RECORD_BYTES);
        memcpy(data, &number, sizeof(number));
        data[sizeof(number)] = (unsigned char)life;
}

static void appended(struct workload *w, uint64_t number)
{
        if (number < WORKLOAD_NUMBERS)
                w->lives[number] |= (uint8_t)(1u << w->life);
}

static int open_store(struct workload *w, uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags | mode_flags[w->mode];
        options.segment_bytes = 64 << 10;
        *ret = NULL;
        return (int)note(w, logstore_open(w->path, &options, ret));
}

/* The number that the next append will get, or 0. Nobody else appends. */
static uint64_t next_number(struct workload *w, struct logstore *store)
{
        struct logstore_bounds bounds;

        return note(w, logstore_bounds(store, &bounds)) == 0 ? bounds.tail + 1 : 0;
}

static void append_some(struct workload *w, struct logstore *store, unsigned count)
{
        unsigned char data[RECORD_BYTES];
        uint64_t number;

        for (unsigned i = 0; i < count; i++) {
                uint64_t got = 0;

                number = next_number(w, store);
                if (number == 0)
                        continue;
                fill(data, number, w->life);
                if (note(w, logstore_append(store, data, sizeof(data), &got)) == 0) {
                        appended(w, got);
                        if (got != number) {
                                fprintf(stderr, "number %" PRIu64 " instead of %" PRIu64 "\n", got,
                                        number);
                                w->nameless++;
                        }
                }
        }
}

static void append_batch(struct workload *w, struct logstore *store)
{
        unsigned char data[5][RECORD_BYTES];
        struct logstore_entry entries[5];
        uint64_t number = next_number(w, store), first;

        for (unsigned i = 0; i < 5; i++) {
                fill(data[i], number + i, w->life);
                entries[i] = (struct logstore_entry){ .data = data[i], .size = RECORD_BYTES };
        }
        if (number == 0 || note(w, logstore_append_batch(store, entries, 5, &first)) < 0)
                return;
        for (unsigned i = 0; i < 5; i++)
                appended(w, first + i);
}

static void claim_some(struct workload *w, struct logstore *store)
{
        struct logstore_claim claim;

        for (unsigned i = 0; i < 4; i++) {
                if (note(w, logstore_claim(store, RECORD_BYTES + 50, &claim)) < 0)
                        continue;
                fill(claim.data, claim.number, w->life);
                if (i % 2 && note(w, logstore_commit(store, &claim, RECORD_BYTES)) == 0)
                        appended(w, claim.number);
                else if (i % 2 == 0)
                        note(w, logstore_abort(store, &claim));
        }
}

static void sync_store(struct workload *w, struct logstore *store)
{
        uint64_t tail = next_number(w, store);
        uint64_t durable = 0;

        if (tail && note(w, logstore_sync(store, 0)) == 0 && tail - 1 > w->acked)
                w->acked = tail - 1;
        note(w, logstore_sync_start(store, 0));
        if (note(w, logstore_durable(store, &durable)) == 0 && durable > w->acked)
                w->acked = durable;
}

static void read_back(struct workload *w, struct logstore *store)
{
        struct logstore_record record, records[8];
        unsigned char data[8 * (RECORD_BYTES + 8)];
        struct logstore_cursor *cursor;
        uint64_t numbers[8];

        for (uint64_t i = 0; i < 8; i++)
                numbers[i] = next_number(w, store) / 8 * i + 1;
        for (unsigned i = 0; i < 8; i++)
                note(w, logstore_get(store, numbers[i], data, sizeof(data), &record));
        note(w, logstore_get_many(store, numbers, 8, data, sizeof(data), records));
        if (note(w, logstore_cursor_open(store, 0, &cursor)) < 0)
                return;
        while (logstore_cursor_next(cursor, &record) == 0)
                ;
        note(w, logstore_cursor_seek(cursor, numbers[4]));
        note(w, logstore_cursor_seek_time(cursor, 1));
        while (logstore_cursor_prev(cursor, &record) == 0)
                ;
        logstore_cursor_close(cursor);
}

static void read_beside(struct workload *w)
{
        struct logstore *reader;

        if (open_store(w, LOGSTORE_READ_ONLY, &reader) < 0)
                return;
        read_back(w, reader);
        note(w, logstore_close(reader));
}

static void trim_some(struct workload *w, struct logstore *store)
{
        uint64_t number = next_number(w, store) / 3, first;

        if (number > w->first_allowed)
                w->first_allowed = number;
        note(w, logstore_trim_before(store, number, &first));
}

/* Whether it succeeds or not, both what was there and what comes now may be found behind it. */
static void truncate_some(struct workload *w, struct logstore *store)
{
        uint64_t tail = next_number(w, store);
        uint64_t number = tail > 20 ? tail - 20 : 0;

        if (number == 0)
                return;
        if (w->acked > number)
                w->acked = number;
        if (note(w, logstore_truncate_after(store, number, 0)) == 0)
                memset(w->lives + number + 1, 0, WORKLOAD_NUMBERS - number - 1);
        w->life++;
}

static void close_store(struct workload *w, struct logstore *store)
{
        uint64_t tail = next_number(w, store);
        int r = (int)note(w, logstore_close(store));

        if (r == -EBUSY) {
                note(w, logstore_cancel_claims(store, 0));
                r = (int)note(w, logstore_close(store));
        }
        if (r == 0 && tail > 0 && tail - 1 > w->acked)
                w->acked = tail - 1;
}

void workload_run(struct workload *w, const char *path, unsigned mode)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_verify_report report;
        struct logstore *store;

        *w = (struct workload){ .path = path, .mode = mode, .first_allowed = 1 };
        for (unsigned round = 0; round < 3; round++) {
                if (open_store(w, LOGSTORE_CREATE, &store) < 0)
                        continue;
                append_some(w, store, PER_ROUND / 2);
                append_batch(w, store);
                sync_store(w, store);
                append_some(w, store, PER_ROUND / 2);
                claim_some(w, store);
                read_back(w, store);
                read_beside(w);
                note(w, logstore_info(store, &info));
                if (round == 1) {
                        trim_some(w, store);
                        truncate_some(w, store);
                        append_some(w, store, 10);
                        sync_store(w, store);
                }
                close_store(w, store);
        }
        note(w, logstore_verify(path, NULL, &report));
}

/* ---- afterwards -------------------------------------------------------------------------- */

static const char *check_record(const struct workload *w, const struct logstore_record *record)
{
        static char text[128];
        unsigned char want[RECORD_BYTES];

        for (unsigned life = 0; life <= w->life && record->size == RECORD_BYTES; life++) {
                fill(want, record->number, life);
                if (w->lives[record->number] & 1u << life &&
                    memcmp(record->data, want, RECORD_BYTES) == 0)
                        return NULL;
        }
        snprintf(text, sizeof(text), "record %" PRIu64 " was never appended", record->number);
        return text;
}

static const char *check_records(const struct workload *w, struct logstore *store,
                                 const struct logstore_bounds *bounds)
{
        static char text[256];
        unsigned char data[RECORD_BYTES * 2];
        struct logstore_record record;
        const char *wrong = NULL;

        for (uint64_t number = bounds->first; number <= bounds->tail && !wrong; number++) {
                int r = logstore_get(store, number, data, sizeof(data), &record);

                if (r == 0)
                        wrong = check_record(w, &record);
                else if (r != -ENODATA || (w->lives[number] && number <= w->acked))
                        snprintf(text, sizeof(text), "record %" PRIu64 ": %s", number,
                                 logstore_detail()),
                                wrong = text;
        }
        return wrong;
}

static void tell_fault(void *context, const struct logstore_fault *fault)
{
        if (fault->fatal)
                snprintf(context, 256, "verify: %s: offset %" PRIu64 ", record %" PRIu64 ": %s",
                         fault->file, fault->offset, fault->number, fault->what);
}

const char *workload_check(const struct workload *w)
{
        static char text[256];
        struct logstore_verify_hooks hooks = { .fault = tell_fault, .context = text };
        struct workload scratch = { .path = w->path, .mode = w->mode };
        struct logstore_verify_report report;
        struct logstore_bounds bounds;
        const char *wrong = NULL;
        struct logstore *store;
        struct stat st;
        int r;

        if (stat(w->path, &st) < 0)
                return w->acked ? "the store is gone" : NULL;
        snprintf(text, sizeof(text), "verify: an error without a fault");
        r = logstore_verify(w->path, &hooks, &report);
        if (r < 0 && !(r == -ENOENT && w->acked == 0))
                return text;
        if (open_store(&scratch, LOGSTORE_CREATE, &store) < 0) {
                snprintf(text, sizeof(text), "reopening: %s", logstore_detail());
                return text;
        }
        if (logstore_bounds(store, &bounds) < 0)
                wrong = "no bounds";
        else if (bounds.tail < w->acked || bounds.first > w->first_allowed)
                snprintf(text, sizeof(text),
                         "%" PRIu64 "..%" PRIu64 " is left of %" PRIu64 "..%" PRIu64, bounds.first,
                         bounds.tail, w->first_allowed, w->acked),
                        wrong = text;
        else
                wrong = check_records(w, store, &bounds);
        append_some(&scratch, store, 3);
        if ((logstore_sync(store, 0) < 0 || logstore_close(store) < 0 || scratch.failures) &&
            !wrong)
                wrong = "the reopened store does not work";
        return wrong;
}
