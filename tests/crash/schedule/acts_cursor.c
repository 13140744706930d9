/*
 * acts_cursor.c - threads that walk, and threads that wait
 */
#include <errno.h>
#include <unistd.h>

#include "world.h"

static const int none[] = { 0 };
static const int moved[] = { -ESTALE, -EAGAIN, 0 };

static struct logstore_cursor *open_cursor(struct logstore *store)
{
        struct logstore_cursor *cursor = NULL;

        judge_result("cursor_open", logstore_cursor_open(store, 0, &cursor), none);
        return cursor;
}

static void seek(struct logstore_cursor *cursor, uint64_t number)
{
        judge_result("cursor_seek", logstore_cursor_seek(cursor, number), moved);
}

/* Where nothing is, a number more or less than that of the position may be meant. */
static bool is_end(struct logstore *store, uint64_t position)
{
        struct logstore_bounds bounds;

        judge_result("bounds", logstore_bounds(store, &bounds), none);
        return position <= bounds.first;
}

/* One step of a walk; false: it is over. @since: when the cursor last stood on the log. */
static bool step(struct logstore *store, struct logstore_cursor *cursor, bool back, uint64_t *since)
{
        const char *how = back ? "cursor_prev" : "cursor_next";
        uint64_t begin = history_now(), position = logstore_cursor_position(cursor);
        uint64_t wanted = back ? position - 1 : position;
        struct logstore_record record;
        int r = back ? logstore_cursor_prev(cursor, &record)
                     : logstore_cursor_next(cursor, &record);

        if (r == 0) {
                judge_record(how, &record, begin);
                if (!history.claims && record.number != wanted)
                        verdict("%s: %llu where %llu is due", how,
                                (unsigned long long)record.number, (unsigned long long)wanted);
                *since = begin;
                return true;
        }
        if (r == -ESTALE) {
                judge_stale(how, position, *since);
                *since = history_now();
                seek(cursor, back ? UINT64_MAX : 0);
                return true;
        }
        if (r == -EAGAIN && back) {
                if (position > 1 && !is_end(store, position))
                        verdict("cursor_prev: at its end before %llu, inside the log",
                                (unsigned long long)position);
                return false;
        }
        judge_missing(how, r, wanted, begin);
        if (r == -EAGAIN)
                scheduler_pause();
        return true;
}

static void walk(struct logstore *store, int steps, bool back)
{
        uint64_t since = history_now();
        struct logstore_cursor *cursor = open_cursor(store);

        if (back)
                seek(cursor, UINT64_MAX);
        while (steps-- > 0 && step(store, cursor, back, &since))
                ;
        logstore_cursor_close(cursor);
}

void act_cursor(struct logstore *store)
{
        walk(store, 40, false);
}

void act_cursor_long(struct logstore *store)
{
        walk(store, 120, false);
}

void act_cursor_back(struct logstore *store)
{
        walk(store, 90, true);
}

/* Follow the end of the log. */
void act_tail(struct logstore *store)
{
        static const int waited[] = { -ETIMEDOUT, 0 };
        uint64_t since = history_now();
        struct logstore_cursor *cursor = open_cursor(store);

        seek(cursor, UINT64_MAX);
        for (int i = 0; i < 30; i++) {
                struct logstore_record record;
                uint64_t begin = history_now(), position = logstore_cursor_position(cursor);
                int r = logstore_cursor_next(cursor, &record);
                if (r == 0) {
                        judge_record("tail", &record, begin);
                        since = begin;
                } else if (r == -ESTALE) {
                        judge_stale("tail", position, since);
                        since = history_now();
                        seek(cursor, UINT64_MAX);
                } else {
                        judge_missing("tail", r, position, begin);
                        r = logstore_cursor_wait(cursor, 3);
                        if (judge_result("cursor_wait", r, waited) < 0 && i > 15)
                                break;
                }
        }
        logstore_cursor_close(cursor);
}

/* Whoever waits for a record is woken when it is there: within half a second of virtual time. */
static void wait_for(struct logstore *store, int timeout_ms, int times)
{
        static const int waited[] = { -ETIMEDOUT, 0 };
        static const int read_then[] = { -ESTALE, 0 };
        static const int read_maybe[] = { -ESTALE, -EAGAIN, 0 }; /* a cut wakes, too, and a void */
        struct logstore_cursor *cursor = open_cursor(store);
        struct logstore_record record;

        seek(cursor, UINT64_MAX);
        for (int i = 0; i < times; i++) {
                int64_t begin = scheduler_now_ns();
                uint64_t position = logstore_cursor_position(cursor);
                int r = judge_result("cursor_wait", logstore_cursor_wait(cursor, timeout_ms),
                                     waited);
                if (r == 0) {
                        r = logstore_cursor_next(cursor, &record);
                        judge_result("next behind a wait", r,
                                     history.claims || history_cut_since(UINT64_MAX, 0)
                                             ? read_maybe
                                             : read_then);
                }
                if (timeout_ms > 1000 && scheduler_now_ns() - begin > 500000000 &&
                    history_there(position, history_now()))
                        verdict("a wake-up was lost: a wait for a record that is there went on");
        }
        logstore_cursor_close(cursor);
}

void act_wait(struct logstore *store)
{
        wait_for(store, 5000, 2);
}

void act_wait_once(struct logstore *store)
{
        wait_for(store, 5000, 1);
}

void act_wait_short(struct logstore *store)
{
        wait_for(store, 20, 2);
}

/* The same with an eventfd. */
void act_fd(struct logstore *store)
{
        struct logstore_cursor *cursor = open_cursor(store);
        struct logstore_record record;
        int64_t begin = scheduler_now_ns();
        int fd;

        seek(cursor, UINT64_MAX);
        fd = logstore_cursor_fd(cursor);
        if (fd < 0)
                verdict("cursor_fd: %d: %s", fd, logstore_detail());
        for (int idle = 0; idle < 40; idle++) {
                uint64_t count, position;
                int r = 0;
                if (read(fd, &count, sizeof(count)) == sizeof(count)) {
                        while ((r = logstore_cursor_next(cursor, &record)) == 0)
                                ;
                        if (r == -ESTALE)
                                seek(cursor, UINT64_MAX);
                        begin = scheduler_now_ns();
                        idle = 0;
                }
                position = logstore_cursor_position(cursor);
                if (scheduler_now_ns() - begin > 2500000000 &&
                    history_there(position, history_now()))
                        verdict("cursor_fd: a record is there and nothing signalled it for 2.5 s");
                scheduler_sleep(100000000);
        }
        logstore_cursor_close(cursor);
}
