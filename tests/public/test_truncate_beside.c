/*
 * test_truncate_beside.c - truncation beside appends and syncs: what was acknowledged was synced
 *
 * Every msync of this process is noted. A record that logstore_sync() has acknowledged must lie in
 * one that began after its append did.
 */
#include <dlfcn.h>
#include <poll.h>
#include <sys/mman.h>

#include "test_threads_support.h"

#define NOTES (1 << 14)
#define PAYLOAD_BYTES 3000

static struct note {
        uintptr_t from, to;
        uint64_t when;
} notes[NOTES];
static unsigned noted;
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t now;
static _Atomic bool cutting;
static _Atomic unsigned cuts_made;

int msync(void *base, size_t bytes, int flags)
{
        static int (*real)(void *, size_t, int);
        uint64_t when = atomic_fetch_add(&now, 1);
        int r;

        pthread_mutex_lock(&notes_lock);
        if (!real)
                real = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
        pthread_mutex_unlock(&notes_lock);
        r = real(base, bytes, flags);
        pthread_mutex_lock(&notes_lock);
        notes[noted++ % NOTES] =
                (struct note){ (uintptr_t)base & ~(uintptr_t)4095,
                               ((uintptr_t)base + bytes + 4095) & ~(uintptr_t)4095, when };
        pthread_mutex_unlock(&notes_lock);
        return r;
}

static bool was_synced(const void *data, size_t bytes, uint64_t since)
{
        bool found = false;

        pthread_mutex_lock(&notes_lock);
        for (unsigned i = 0; i < NOTES && !found; i++)
                found = notes[i].when > since && notes[i].from <= (uintptr_t)data &&
                        notes[i].to >= (uintptr_t)data + bytes;
        pthread_mutex_unlock(&notes_lock);
        return found;
}

static void *cut_on(void *unused)
{
        (void)unused;
        while (atomic_load(&cutting)) {
                if (logstore_truncate_after(store, 10, 0) == 0)
                        atomic_fetch_add(&cuts_made, 1);
                usleep(500);
        }
        return NULL;
}

static void *cut_and_append_on(void *unused)
{
        (void)unused;
        while (atomic_load(&cutting)) {
                for (int i = 0; i < 10; i++)
                        must(logstore_append(store, "x", 1, NULL) == 0);
                if (logstore_truncate_after(store, 10, 0) == 0)
                        atomic_fetch_add(&cuts_made, 1);
        }
        return NULL;
}

START_TEST(an_acknowledged_record_was_synced)
{
        unsigned acknowledged = 0, unsynced = 0;
        struct logstore_cursor *cursor;
        char data[PAYLOAD_BYTES] = { 1 };
        pthread_t thread;

        open_store(LOGSTORE_CREATE);
        for (int i = 0; i < 20; i++)
                append_text("x");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        atomic_store(&cutting, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, cut_on, NULL), 0);
        while (atomic_load(&cuts_made) < 500) {
                uint64_t since = atomic_fetch_add(&now, 1), number;
                struct logstore_record record;

                ck_assert_int_eq(logstore_append(store, data, sizeof(data), &number), 0);
                if (logstore_sync(store, number) < 0)
                        continue; /* taken back */
                acknowledged++;
                if (logstore_cursor_seek(cursor, number) < 0 ||
                    logstore_cursor_next(cursor, &record) < 0)
                        continue; /* taken back since */
                unsynced += !was_synced(record.data, record.size, since);
        }
        atomic_store(&cutting, false);
        pthread_join(thread, NULL);
        logstore_cursor_close(cursor);
        ck_assert_uint_gt(acknowledged, 0);
        ck_assert_msg(unsynced == 0, "%u of %u acknowledged records were never synced", unsynced,
                      acknowledged);
}
END_TEST

/* A sync that was started for a record which is then taken back is over: its descriptor says so. */
START_TEST(a_started_sync_of_what_is_taken_back_ends)
{
        pthread_t cutter;
        struct pollfd told;
        uint64_t value, number;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        for (int i = 0; i < 20; i++)
                append_text("x");
        told = (struct pollfd){ .fd = logstore_sync_fd(store), .events = POLLIN };
        ck_assert_int_ge(told.fd, 0);
        atomic_store(&cutting, true);
        ck_assert_int_eq(pthread_create(&cutter, NULL, cut_on, NULL), 0);
        while (atomic_load(&cuts_made) < 500) {
                ck_assert_int_eq(logstore_append(store, "abc", 3, &number), 0);
                while (poll(&told, 1, 0) > 0)
                        ck_assert_int_eq(read(told.fd, &value, sizeof(value)), sizeof(value));
                if (logstore_sync_start(store, number) < 0)
                        continue; /* taken back before */
                ck_assert_msg(poll(&told, 1, 5000) == 1, "no signal for record %" PRIu64, number);
        }
        atomic_store(&cutting, false);
        pthread_join(cutter, NULL);
}
END_TEST

/* Going back beside truncations: -EAGAIN would say that the first record was reached. */
START_TEST(a_walk_back_never_ends_in_mid_log)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        unsigned early = 0;
        pthread_t thread;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        for (int i = 0; i < 20; i++)
                append_text("x");
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        atomic_store(&cutting, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, cut_and_append_on, NULL), 0);
        while (atomic_load(&cuts_made) < 2000) {
                int r = logstore_cursor_seek(cursor, UINT64_MAX);

                for (int i = 0; r == 0 && i < 8; i++)
                        r = logstore_cursor_prev(cursor, &record);
                ck_assert(r == 0 || r == -ESTALE || r == -EAGAIN);
                early += r == -EAGAIN && logstore_cursor_position(cursor) > 1;
        }
        atomic_store(&cutting, false);
        pthread_join(thread, NULL);
        logstore_cursor_close(cursor);
        ck_assert_uint_eq(early, 0);
}
END_TEST

/* The numbers of a format that has a limit: what could not be read again is refused at the call. */
START_TEST(a_next_number_beyond_the_format_is_refused)
{
        open_store(LOGSTORE_CREATE);
        append_text("x");
        expect_failure(logstore_truncate_after(store, 0, UINT64_C(1000000000000000001)), -EINVAL);
        expect_failure(logstore_truncate_after(store, 0, UINT64_MAX), -EINVAL);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        ck_assert_int_eq(logstore_truncate_after(store, 0, UINT64_C(500000000000000000)), 0);
        append_text("y");
        reopen_store();
        ck_assert_uint_eq(bounds_of(store).tail, UINT64_C(500000000000000000));
        expect_text(store, UINT64_C(500000000000000000), "y");
}
END_TEST

/* A log that is already there is cut as any other. */
START_TEST(a_log_of_great_numbers_is_cut)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        const uint64_t first = UINT64_C(500000000000000000);

        options.flags = LOGSTORE_CREATE;
        options.first_number = first;
        open_store_with(&options);
        for (int i = 0; i < 5; i++)
                append_text("x");
        ck_assert_int_eq(logstore_truncate_after(store, first + 2, first + 3), 0);
        ck_assert_uint_eq(bounds_of(store).tail, first + 2);
        expect_failure(logstore_truncate_after(store, 0, first + 4), -EINVAL);
        ck_assert_int_eq(logstore_truncate_after(store, 0, first + 3), 0);
        append_text("y");
        reopen_store();
        expect_text(store, first + 3, "y");
}
END_TEST

static uint64_t trimmed_to;

static void *trim_most(void *unused)
{
        (void)unused;
        must(logstore_trim_before(store, bounds_of(store).tail, &trimmed_to) == 0);
        return NULL;
}

/* A truncation to what a trim beside it lets go of: the first number never falls. */
START_TEST(the_first_number_never_falls)
{
        static char data[9000];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_RING);
        for (int round = 0; round < 60; round++) {
                uint64_t cut = bounds_of(store).first + 1;
                pthread_t thread;

                for (int i = 0; i < 24; i++)
                        ck_assert_int_eq(logstore_append(store, data, sizeof(data), NULL), 0);
                ck_assert_int_eq(logstore_sync(store, 0), 0);
                ck_assert_int_eq(pthread_create(&thread, NULL, trim_most, NULL), 0);
                logstore_truncate_after(store, cut, 0);
                pthread_join(thread, NULL);
                ck_assert_uint_ge(bounds_of(store).first, trimmed_to);
        }
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { an_acknowledged_record_was_synced, 0 },
                { a_started_sync_of_what_is_taken_back_ends, 0 },
                { a_walk_back_never_ends_in_mid_log, 0 },
                { a_next_number_beyond_the_format_is_refused, 0 },
                { a_log_of_great_numbers_is_cut, 0 },
                { the_first_number_never_falls, 0 },
        };

        return RUN_TESTS("truncate_beside", tests);
}
