/*
 * walk_read.c - reading by number, in bulk, and with cursors
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "walk.h"

#define BUFFER_BYTES (64u << 10)

static unsigned char buffer[BUFFER_BYTES];

void walk_compare(struct walk *walk, const struct logstore_record *record)
{
        const char *wrong = model_compare(&walk->model, record);

        if (wrong)
                walk_fail(walk, "%s; the log is %" PRIu64 "..%" PRIu64, wrong, walk->model.first,
                          model_tail(&walk->model));
}

static void get(struct walk *walk, struct logstore *handle, uint64_t number)
{
        struct logstore_record record;
        int want = model_get_result(&walk->model, number);
        int r = logstore_get(handle, number, buffer, sizeof(buffer), &record);

        if (r != want)
                walk_fail(walk, "the %s gets %d for %" PRIu64 ", not %d: %s",
                          walk_name(walk, handle), r, number, want, logstore_detail());
        if (want == 0)
                walk_compare(walk, &record);
}

void walk_get(struct walk *walk)
{
        get(walk, walk_some_handle(walk), walk_some_number(walk));
}

void walk_learn_times(struct walk *walk)
{
        uint64_t tail = model_tail(&walk->model);

        if (walk->times_done > tail)
                walk->times_done = walk->model.timed;
        for (uint64_t number = walk->times_done + 1; number <= tail; number++)
                if (!walk->model.entries[number].timed && number >= walk->model.first)
                        get(walk, walk->writer, number);
        walk->times_done = tail;
        model_sum_times(&walk->model);
}

void walk_get_many(struct walk *walk)
{
        enum { COUNT = 12 };
        struct logstore_record records[COUNT];
        struct logstore *handle = walk_some_handle(walk);
        uint64_t numbers[COUNT];
        int done;

        for (unsigned i = 0; i < COUNT; i++)
                numbers[i] = walk_some_number(walk);
        done = logstore_get_many(handle, numbers, COUNT, buffer, sizeof(buffer), records);
        if (done < 1 || done > COUNT)
                walk_fail(walk, "get_many gave %d: %s", done, logstore_detail());
        for (int i = 0; i < done; i++) {
                int want = model_get_result(&walk->model, numbers[i]);

                int got = records[i].data ? 0 : (int)records[i].size;

                if (got != want || records[i].number != numbers[i])
                        walk_fail(walk, "the %s gets %d for %" PRIu64 " of many, not %d",
                                  walk_name(walk, handle), got, numbers[i], want);
                if (got == 0)
                        walk_compare(walk, &records[i]);
        }
}

void walk_bounds(struct walk *walk)
{
        struct logstore *handle = walk_some_handle(walk);
        uint64_t tail = model_tail(&walk->model);
        struct logstore_bounds bounds;

        walk_expect(walk, logstore_bounds(handle, &bounds), 0);
        walk_expect(walk, (int64_t)bounds.first, (int64_t)walk->model.first);
        walk_expect(walk, (int64_t)bounds.tail, (int64_t)tail);
        if (bounds.durable > tail ||
            (handle == walk->writer && bounds.durable < walk->model.durable))
                walk_fail(walk,
                          "durable is %" PRIu64 " to the %s, synced %" PRIu64 ", tail %" PRIu64,
                          bounds.durable, walk_name(walk, handle), walk->model.durable, tail);
}

/* ---- cursors ---------------------------------------------------------------------------- */

static struct walk_cursor *some_cursor(struct walk *walk)
{
        struct walk_cursor *c = &walk->cursors[walk_below(walk, WALK_CURSORS)];

        if (c->cursor)
                return c;
        c->owner = walk_some_handle(walk);
        c->position = walk->model.first;
        c->strange = false;
        walk_expect(walk, logstore_cursor_open(c->owner, 0, &c->cursor), 0);
        return c;
}

static void close_cursor(struct walk_cursor *c)
{
        logstore_cursor_close(c->cursor);
        c->cursor = NULL;
}

void walk_drop_cursors(struct walk *walk, const struct logstore *owner)
{
        for (unsigned i = 0; i < WALK_CURSORS; i++)
                if (walk->cursors[i].cursor && walk->cursors[i].owner == owner)
                        close_cursor(&walk->cursors[i]);
}

/* The place is gone: the cursor either says so, or still reads what it has pinned. */
static bool gone(struct walk *walk, struct walk_cursor *c, int r)
{
        bool lost_place = c->strange || c->position < walk->model.first;

        if (r != -ESTALE || !lost_place)
                return false;
        walk_expect(walk, logstore_cursor_seek(c->cursor, 0), 0);
        c->position = walk->model.first;
        c->strange = false;
        return true;
}

static void step(struct walk *walk, struct walk_cursor *c, bool forward)
{
        struct logstore_record record;
        int r = forward ? logstore_cursor_next(c->cursor, &record)
                        : logstore_cursor_prev(c->cursor, &record);
        uint64_t want = forward ? model_next(&walk->model, c->position)
                                : model_prev(&walk->model, c->position);
        const char *wrong;

        if (gone(walk, c, r))
                return;
        if (r == 0 && !forward && want == 0 && record.number < walk->model.first)
                want = record.number; /* trimmed, but still pinned */
        if (r != (want ? 0 : -EAGAIN))
                walk_fail(walk,
                          "%s by the %s from %" PRIu64 " gave %d, not record %" PRIu64
                          " of %" PRIu64 "..%" PRIu64 "%s: %s",
                          forward ? "next" : "prev", walk_name(walk, c->owner), c->position, r,
                          want, walk->model.first, model_tail(&walk->model),
                          c->strange ? ", truncated" : "", r < 0 ? logstore_detail() : "");
        if (r < 0)
                return;
        if (record.number != want)
                walk_fail(walk, "%s from %" PRIu64 " gave record %" PRIu64 ", not %" PRIu64,
                          forward ? "next" : "prev", c->position, record.number, want);
        wrong = model_compare(&walk->model, &record);
        if (wrong)
                walk_fail(walk,
                          "%s by the %s from %" PRIu64 "%s: %s; the log is %" PRIu64 "..%" PRIu64,
                          forward ? "next" : "prev", walk_name(walk, c->owner), c->position,
                          c->strange ? ", truncated" : "", wrong, walk->model.first,
                          model_tail(&walk->model));
        c->position = forward ? want + 1 : want;
}

void walk_cursor_step(struct walk *walk)
{
        struct walk_cursor *c = some_cursor(walk);
        bool forward = walk_below(walk, 3) > 0;

        for (uint64_t steps = 1 + walk_below(walk, 8); steps > 0; steps--)
                step(walk, c, forward);
}

void walk_cursor_seek(struct walk *walk)
{
        struct walk_cursor *c = some_cursor(walk);
        uint64_t number = walk_some_number(walk), tail = model_tail(&walk->model);
        uint64_t stand = number;
        int want = 0;

        if (number == 0)
                stand = walk->model.first;
        else if (walk_below(walk, 8) == 0)
                number = UINT64_MAX, stand = tail + 1;
        else if (number < walk->model.first)
                want = -ESTALE;
        else if (number > tail + 1)
                want = -EAGAIN;
        walk_expect(walk, logstore_cursor_seek(c->cursor, number), want);
        if (want < 0)
                return;
        c->position = stand;
        c->strange = false;
        walk_expect(walk, (int64_t)logstore_cursor_position(c->cursor), (int64_t)stand);
}

void walk_cursor_time(struct walk *walk)
{
        struct walk_cursor *c = some_cursor(walk);
        uint64_t number = walk_some_number(walk), from, to, most, position;
        int64_t time_ns = 0;

        walk_learn_times(walk);
        if (model_get_result(&walk->model, number) == 0)
                time_ns = walk->model.entries[number].time_ns + (int64_t)walk_below(walk, 3) - 1;
        walk_expect(walk, logstore_cursor_seek_time(c->cursor, time_ns), 0);
        model_find_time(&walk->model, time_ns, &from, &to);
        position = logstore_cursor_position(c->cursor);
        most = model_next(&walk->model, to);
        if (most == 0) /* voids alone, or nothing */
                most = model_tail(&walk->model) + 1;
        if (position < from || position > most)
                walk_fail(walk,
                          "time %" PRId64 " of %" PRIu64 " is at %" PRIu64 ", not %" PRIu64
                          "..%" PRIu64 ", whose time is %" PRId64 "; %" PRIu64 "..%" PRIu64,
                          time_ns, number, position, from, to, walk->model.entries[to].time_ns,
                          walk->model.first, model_tail(&walk->model));
        c->position = position;
        c->strange = false;
}

void walk_cursor_get(struct walk *walk)
{
        struct walk_cursor *c = some_cursor(walk);
        uint64_t number = walk_some_number(walk);
        struct logstore_record record;
        int want = model_get_result(&walk->model, number);
        int r = logstore_cursor_get(c->cursor, number, &record);

        if (r == 0 && want == -ESTALE) {
                walk_compare(walk, &record); /* trimmed, but still pinned */
                c->position = number + 1;
                return;
        }
        if (r == -ENODATA && want == -ESTALE && walk->model.entries[number].kind == MODEL_VOID)
                return; /* the same */
        walk_expect(walk, r, want);
        if (want < 0)
                return;
        walk_compare(walk, &record);
        c->position = number + 1;
        c->strange = false;
}

void walk_cursor_reopen(struct walk *walk)
{
        close_cursor(some_cursor(walk));
}
