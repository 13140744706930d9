/*
 * judge.c - records, errors and bounds against the history
 */
#include "judge.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "disk.h"
#include "scheduler.h"
#include "world.h"

#define U(x) ((unsigned long long)(x))

static void judge_plain(const char *how, const struct logstore_record *record, uint64_t begin)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op->act == ACT_TRUNCATE && op->result == 0 && has_ended(op) &&
                    op->end < begin && op->number < record->number)
                        verdict("%s: record %llu of before the truncation to %llu", how,
                                U(record->number), U(op->number));
        }
        if (record->number > HISTORY_PLAIN || *(const char *)record->data != 'x')
                verdict("%s: record %llu is another", how, U(record->number));
}

/* Did the append end before something ended before @begin that took its number? */
static void judge_age(const char *how, const struct op *append, uint64_t number, uint64_t begin)
{
        for (unsigned i = 0; i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (!has_ended(op) || op->result != 0 || op->end >= begin ||
                    append->end >= op->begin)
                        continue;
                if (op->act == ACT_TRUNCATE && op->number < number)
                        verdict("%s: record %llu was cut by truncate_after(%llu) before", how,
                                U(number), U(op->number));
                if (op->act == ACT_APPEND && op != append && op->number == number)
                        verdict("%s: record %llu is one that was cut, not the one behind it", how,
                                U(number));
        }
}

struct op *judge_record(const char *how, const struct logstore_record *record, uint64_t begin)
{
        struct op *append;

        if (record->size == 1) {
                judge_plain(how, record, begin);
                return NULL;
        }
        append = history_of(how, record->data, record->size);
        if (!has_ended(append))
                return append;
        if (append->result == 0 && append->number != record->number)
                verdict("%s: record %llu has the bytes of %llu", how, U(record->number),
                        U(append->number));
        if (append->result < 0 && append->result != -EIO &&
            !history_may_be_cut(append, record->number))
                verdict("%s: record %llu was refused with %d", how, U(record->number),
                        append->result);
        judge_age(how, append, record->number, begin);
        return append;
}

/* Must a reader that begins now find it? */
static bool must_be_there(uint64_t number, uint64_t begin)
{
        if (history_may_be_trimmed(number))
                return false;
        if (number >= 1 && number <= HISTORY_PLAIN)
                return !history_may_be_cut(NULL, number);
        return history_there(number, begin) != NULL;
}

void judge_missing(const char *how, int error, uint64_t number, uint64_t begin)
{
        if (error == -ENODATA && history.claims)
                return;
        if (error == -ESTALE || error == -EAGAIN) {
                /* Beyond a claim, also one of an append in another thread, nobody sees anything. */
                bool hidden = error == -EAGAIN && (history.claims || history_appends_beside(begin));
                if (hidden || !must_be_there(number, begin))
                        return;
                verdict("%s: record %llu is there, but %d: %s", how, U(number), error,
                        logstore_detail());
        }
        if (error == -EBADMSG)
                verdict("%s: false damage at %llu: %s", how, U(number), logstore_detail());
        verdict("%s: record %llu: %d: %s", how, U(number), error, logstore_detail());
}

void judge_stale(const char *how, uint64_t number, uint64_t since)
{
        if (history_may_be_trimmed(number) || history_cut_since(number, since))
                return;
        /* In an emptied log, or beyond its end, a cursor may stand where no record is. */
        if (history_cut_since(number + 1, since))
                return;
        verdict("%s: false -ESTALE at %llu: %s", how, U(number), logstore_detail());
}

int judge_result(const char *how, int result, const int *allowed)
{
        if (result >= 0)
                return result;
        for (unsigned i = 0; allowed[i] != 0; i++)
                if (allowed[i] == result)
                        return result;
        verdict("%s: %d: %s", how, result, logstore_detail());
}

void judge_bounds(struct logstore *store, const char *how)
{
        struct logstore_bounds bounds;
        uint64_t first = history.first;
        int r;

        clock_meet();
        r = logstore_bounds(store, &bounds);
        if (r < 0)
                verdict("%s: bounds: %d: %s", how, r, logstore_detail());
        if (bounds.first > bounds.tail + 1 || bounds.durable > bounds.tail ||
            bounds.durable + 1 < bounds.first)
                verdict("%s: bounds %llu..%llu, durable %llu", how, U(bounds.first), U(bounds.tail),
                        U(bounds.durable));
        if (store != world.store)
                return;
        if (bounds.first < first)
                verdict("%s: the first number fell from %llu to %llu", how, U(first),
                        U(bounds.first));
        if (bounds.first > history.first)
                history.first = bounds.first;
}

/* Read @number. An image has a cursor, to be quick: then read the next number that is not void. */
static int next_of(struct logstore *store, struct logstore_cursor *cursor, uint64_t number,
                   struct logstore_record *ret)
{
        static char buffer[WORLD_BUFFER];

        return cursor ? logstore_cursor_next(cursor, ret)
                      : logstore_get(store, number, buffer, sizeof(buffer), ret);
}

/* What a cursor stepped over, from @from to before @to, is void. */
static void judge_voids(struct logstore *store, const char *how, uint64_t from, uint64_t to)
{
        struct logstore_record record;

        for (; from < to; from++) {
                int r = next_of(store, NULL, from, &record);

                if (r != -ENODATA || !history.claims)
                        verdict("%s: record %llu was stepped over, and get says %d: %s", how,
                                U(from), r, logstore_detail());
        }
}

uint64_t judge_log(struct logstore *store, const char *how, uint64_t now)
{
        static uint64_t look;
        struct logstore_cursor *cursor = NULL;
        struct logstore_bounds bounds;
        struct logstore_record record;
        struct op *append;

        look++;
        judge_bounds(store, how);
        if (logstore_bounds(store, &bounds) < 0 ||
            (store != world.store && logstore_cursor_open(store, 0, &cursor) < 0))
                verdict("%s: bounds: %s", how, logstore_detail());
        for (uint64_t n = bounds.first; n <= bounds.tail; n++) {
                int r = next_of(store, cursor, n, &record);
                if (r == -ENODATA && history.claims)
                        continue;
                if (r == -EAGAIN && cursor && history.claims) { /* nothing but voids is left */
                        judge_voids(store, how, n, bounds.tail + 1);
                        break;
                }
                if (r < 0)
                        verdict("%s: record %llu of %llu..%llu: %d: %s", how, U(n), U(bounds.first),
                                U(bounds.tail), r, logstore_detail());
                if (record.number < n)
                        verdict("%s: record %llu in the place of %llu", how, U(record.number),
                                U(n));
                judge_voids(store, how, n, record.number);
                n = record.number;
                append = judge_record(how, &record, now);
                if (append)
                        append->seen = look;
        }
        logstore_cursor_close(cursor);
        for (unsigned i = 0; store == world.store && i < history.count; i++) {
                const struct op *op = &history.ops[i];
                if (op->act == ACT_APPEND && has_ended(op) && op->result == 0 &&
                    op->number > bounds.tail && !history_may_be_cut(op, op->number) &&
                    !history_may_be_trimmed(op->number))
                        verdict("%s: record %llu is beyond the tail, %llu", how, U(op->number),
                                U(bounds.tail));
        }
        return look;
}

void judge_leftovers(void)
{
        for (uint32_t i = 0; i < world.disk->now.count; i++) {
                const char *name = world.disk->now.list[i].text;
                size_t length = strlen(name);
                char log[DISK_NAME_BYTES + 8];
                if (length < 4 || strcmp(name + length - 4, ".idx") != 0)
                        continue;
                memcpy(log, name, length - 4);
                memcpy(log + length - 4, ".log", 5);
                if (!disk_look_up(world.disk, log))
                        verdict("%s is left, its segment is gone", name);
        }
}
