/*
 * test_threads_mixed.c - every call beside every other, of one store and of a reading handle
 *
 * Threads call whatever comes next by a lottery. What each call answers is judged elsewhere; here
 * the thread sanitizer looks on, nothing hangs or ends the process, and what is left is sound.
 */
#include "test_threads_support.h"

#define THREADS 5
#define CALLS 400

static struct logstore *reader;

struct caller {
        unsigned seed, call;
        struct logstore *handle;
        struct logstore_cursor *cursor;
        struct logstore_bounds bounds;
};

static unsigned draw(struct caller *caller, unsigned below)
{
        return (unsigned)rand_r(&caller->seed) % below;
}

static uint64_t some_number(struct caller *caller)
{
        return caller->bounds.first + draw(caller, 60);
}

static void append_some(struct caller *caller)
{
        static const char data[3000];
        const struct logstore_entry batch[] = { { data, 1, 0 }, { data, 20, 5 }, { data, 300, 0 } };
        struct logstore_claim claim;

        logstore_append(store, data, draw(caller, sizeof(data)), NULL);
        logstore_append_batch(store, batch, 3, NULL);
        if (logstore_claim(store, 500, &claim) < 0)
                return;
        memset(claim.data, 'x', claim.size);
        if (draw(caller, 3))
                logstore_commit(store, &claim, draw(caller, 501));
        else if (draw(caller, 2))
                logstore_abort(store, &claim);
        else
                logstore_cancel_claims(store, 0);
}

static void sync_some(struct caller *caller)
{
        uint64_t number;

        switch (draw(caller, 3)) {
        case 0:
                logstore_sync(store, 0);
                break;
        case 1:
                logstore_sync_timed(store, 0, (int)draw(caller, 10));
                break;
        default:
                logstore_sync_start(store, 0);
        }
        logstore_durable(caller->handle, &number);
}

static void cut_some(struct caller *caller)
{
        uint64_t tail = caller->bounds.tail, first;

        if (draw(caller, 4) == 0 && tail > 3)
                logstore_truncate_after(store, tail - draw(caller, 3), 0);
        logstore_set_floor(store, draw(caller, 2) ? UINT64_MAX : tail / 2);
        logstore_set_retention(store, draw(caller, 2) ? 0 : 400000, draw(caller, 2) ? 100 : 0, 0);
        logstore_apply_retention(store, (int)draw(caller, 2), &first);
        logstore_trim_before(store, tail > 60 ? tail - 60 : 0, &first);
}

static void read_some(struct caller *caller)
{
        struct logstore_record record, records[8];
        uint64_t numbers[8];
        char buffer[4000];

        logstore_get(caller->handle, some_number(caller), buffer, sizeof(buffer), &record);
        for (int i = 0; i < 8; i++)
                numbers[i] = some_number(caller);
        logstore_get_many(caller->handle, numbers, 8, buffer, sizeof(buffer), records);
        if (draw(caller, 2))
                logstore_cursor_seek(caller->cursor, draw(caller, 2) ? 0 : UINT64_MAX);
        else
                logstore_cursor_seek_time(caller->cursor, draw(caller, 2) ? 5 : INT64_MAX);
        for (int i = 0; i < 20; i++)
                if (draw(caller, 2))
                        logstore_cursor_next(caller->cursor, &record);
                else
                        logstore_cursor_prev(caller->cursor, &record);
        logstore_cursor_wait(caller->cursor, 1);
}

static void edit_some(struct caller *caller)
{
        struct logstore_snapshot *snapshot;
        struct logstore_bounds bounds;
        struct logstore_record record;
        size_t size;
        void *data;

        if (logstore_snapshot_open(caller->handle, 0, &snapshot) < 0)
                return;
        logstore_snapshot_bounds(snapshot, &bounds);
        logstore_snapshot_get(snapshot, bounds.tail, &record);
        if (logstore_snapshot_edit(snapshot, bounds.first, &data, &size) == 0)
                memset(data, 'e', size);
        logstore_snapshot_close(snapshot);
}

static int pass(void *context, const struct logstore_segment_info *info)
{
        (void)context;
        (void)info;
        return 0;
}

static void look_some(struct caller *caller)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        struct logstore_residency residency;

        logstore_info(caller->handle, &info);
        logstore_memory(caller->handle, &memory);
        logstore_segments(caller->handle, pass, NULL);
        logstore_residency(caller->handle, 1 + draw(caller, 9), &residency, 0, NULL);
        logstore_warm(caller->handle, 1, UINT64_MAX);
        logstore_evict(caller->handle, 1, UINT64_MAX);
}

static void *call_on(void *argument)
{
        void (*const calls[])(
                struct caller *) = { append_some, append_some, append_some, sync_some,
                                     cut_some,    read_some,   edit_some,   look_some };
        struct caller caller = { .seed = (unsigned)(uintptr_t)argument };
        struct logstore_cursor *cursors[2];

        must(logstore_cursor_open(store, 0, &cursors[0]) == 0);
        must(logstore_cursor_open(reader, 0, &cursors[1]) == 0);
        for (caller.call = 0; caller.call < CALLS; caller.call++) {
                unsigned which = draw(&caller, 2);

                caller.handle = which ? reader : store;
                caller.cursor = cursors[which];
                must(logstore_bounds(caller.handle, &caller.bounds) == 0);
                calls[draw(&caller, sizeof(calls) / sizeof(calls[0]))](&caller);
        }
        logstore_cursor_close(cursors[0]);
        logstore_cursor_close(cursors[1]);
        return NULL;
}

static const uint32_t forms[] = { 0, LOGSTORE_NO_THREAD, LOGSTORE_NO_RING };

START_TEST(any_call_goes_beside_any_other)
{
        struct logstore_verify_report report;
        struct logstore_bounds bounds;
        pthread_t threads[THREADS];

        open_store(LOGSTORE_CREATE | forms[_i]);
        for (int i = 0; i < 100; i++)
                append_filled(1000, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, call_on,
                                                (void *)(i + 1 + 10 * (uintptr_t)_i)),
                                 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(logstore_close(reader), 0);
        bounds = bounds_of(store);
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        ck_assert_uint_eq(report.records + report.voids, bounds.tail + 1 - bounds.first);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { any_call_goes_beside_any_other, 3 },
        };

        return RUN_TESTS("threads_mixed", tests);
}
