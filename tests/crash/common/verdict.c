/*
 * verdict.c - hold an open store against what the workload was promised
 */
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "payload.h"

#define RECORD_BYTES_MAX (1u << 20)
#define COMPLAINTS_MAX 12

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
        static int count;
        va_list list;

        if (count++ >= COMPLAINTS_MAX)
                return;
        fprintf(stderr, "verdict: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fputc('\n', stderr);
}

/* Batches: a place continues the one before it, or both begin and end cleanly. */
static void follow_batch(struct payload_place *open, struct payload_place place, uint64_t number,
                         struct verdict *v)
{
        uint32_t want = open->count > 0 ? open->index + 1 : 0;

        if (place.index != want || (open->count > 0 && place.count != open->count)) {
                complain("record %" PRIu64 " is %" PRIu32 " of %" PRIu32 " behind %" PRIu32
                         " of %" PRIu32,
                         number, place.index, place.count, open->index, open->count);
                v->torn++;
        }
        *open = place;
        if (place.index + 1 == place.count)
                *open = (struct payload_place){ 0 };
}

static void unreadable(const struct oracle *oracle, uint64_t number, int error, struct verdict *v)
{
        complain("record %" PRIu64 ": %s (%s)", number, logstore_error_text(error),
                 logstore_detail());
        if (number <= oracle->acked)
                v->lost++;
        else
                v->holes++;
}

static uint64_t read_by_number(struct logstore *store, const struct oracle *oracle,
                               struct verdict *v)
{
        static uint8_t buffer[RECORD_BYTES_MAX];
        struct payload_place open = { 0 };
        uint64_t records = 0;

        for (uint64_t number = v->first; number <= v->tail; number++) {
                struct payload_place place = { .index = 0, .count = 1 };
                uint64_t seed = oracle_seed(oracle, number);
                struct logstore_record record;
                int r = logstore_get(store, number, buffer, sizeof(buffer), &record);

                if (r == -ENODATA && payload_may_be_void(seed, number)) {
                        follow_batch(&open, place, number, v);
                        continue;
                }
                if (r < 0) {
                        unreadable(oracle, number, r, v);
                        continue;
                }
                records++;
                if (seed == 0 || record.number != number ||
                    !payload_check(record.data, record.size, seed, number, &place)) {
                        complain("record %" PRIu64 ": %zu bytes that nobody appended", number,
                                 record.size);
                        v->invented++;
                        continue;
                }
                follow_batch(&open, place, number, v);
        }
        if (open.count > 0) {
                complain("the log ends inside a batch, at %" PRIu64, v->tail);
                v->torn++;
        }
        return records;
}

/* The cursor has to show the same records, in order. */
static int read_in_order(struct logstore *store, const struct oracle *oracle, uint64_t expected,
                         struct verdict *v)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct payload_place place;
        uint64_t records = 0, last = v->first - 1;
        int r = logstore_cursor_open(store, 0, &cursor);

        if (r < 0)
                return r;
        while ((r = logstore_cursor_next(cursor, &record)) == 0) {
                if (record.number <= last || record.number > v->tail ||
                    !payload_check(record.data, record.size, oracle_seed(oracle, record.number),
                                   record.number, &place)) {
                        complain("cursor at %" PRIu64 " behind %" PRIu64, record.number, last);
                        v->invented++;
                }
                last = record.number;
                records++;
        }
        logstore_cursor_close(cursor);
        if (r != -EAGAIN || records != expected) {
                complain("cursor gave %" PRIu64 " records, get %" PRIu64 "; it ended with %s",
                         records, expected, logstore_error_text(r));
                v->holes++;
        }
        return 0;
}

static void compare_bounds(const struct oracle *oracle, struct verdict *v)
{
        uint64_t allowed_first = oracle->trim > 0 ? oracle->trim : 1;
        bool cut = oracle_cut_is_done(oracle, v->tail);

        if (cut && v->first == oracle->cut)
                allowed_first = oracle->cut; /* nothing is left */
        if (v->tail < oracle->acked && !cut) {
                complain("tail is %" PRIu64 ", acknowledged was %" PRIu64
                         ", next after a cut %" PRIu64,
                         v->tail, oracle->acked, oracle->cut);
                v->lost += oracle->acked - v->tail;
        }
        if (v->first > allowed_first) {
                complain("first is %" PRIu64 ", trim went to %" PRIu64, v->first, oracle->trim);
                v->lost += v->first - allowed_first;
        }
        if (v->first < oracle->trimmed) {
                complain("first is %" PRIu64 ", a trim reported %" PRIu64, v->first,
                         oracle->trimmed);
                v->invented++;
        }
}

int verdict_reach(struct logstore *store, const struct oracle *oracle, struct verdict *ret)
{
        struct verdict v = { 0 };
        struct logstore_bounds bounds;
        uint64_t records;
        int r = logstore_bounds(store, &bounds);

        if (r < 0)
                return r;
        v.first = bounds.first;
        v.tail = bounds.tail;
        compare_bounds(oracle, &v);
        records = read_by_number(store, oracle, &v);
        r = read_in_order(store, oracle, records, &v);
        if (r < 0)
                return r;
        *ret = v;
        return 0;
}

int verdict_is_good(const struct verdict *v)
{
        return v->lost == 0 && v->holes == 0 && v->invented == 0 && v->torn == 0;
}
