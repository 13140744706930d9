/*
 * test_snapshot.c - a snapshot's edits: what they take, what dropping them gives back
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "os/memory.h"
#include "test_public_support.h"

#define PAGE 4096u /* the tests place records by it; with larger pages more of them share one */

static struct logstore_snapshot *snapshot;

/* The next so many calls of this thread give memory, the one after that none. */
static __thread int allocations_left = -1;

void *__real_memory_resize(struct memory *memory, void *pointer, size_t bytes);
void *__wrap_memory_resize(struct memory *memory, void *pointer, size_t bytes);
void *__wrap_memory_resize(struct memory *memory, void *pointer, size_t bytes)
{
        if (allocations_left == 0)
                return NULL;
        allocations_left -= allocations_left > 0;
        return __real_memory_resize(memory, pointer, bytes);
}

void *__real_memory_new(struct memory *memory, size_t bytes);
void *__wrap_memory_new(struct memory *memory, size_t bytes);
void *__wrap_memory_new(struct memory *memory, size_t bytes)
{
        if (allocations_left == 0)
                return NULL;
        allocations_left -= allocations_left > 0;
        return __real_memory_new(memory, bytes);
}

static void take_snapshot(uint64_t budget_bytes)
{
        ck_assert_int_eq(logstore_snapshot_open(store, budget_bytes, &snapshot), 0);
}

static void leave(void)
{
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };

        logstore_snapshot_close(snapshot);
        ck_assert_int_eq(logstore_memory(store, &memory), 0);
        ck_assert_uint_eq(memory.private_mapped, 0);
}

static char *edit(uint64_t number)
{
        void *data;
        size_t size;
        int r = logstore_snapshot_edit(snapshot, number, &data, &size);

        ck_assert_msg(r == 0, "edit %" PRIu64 ": %s", number, logstore_detail());
        return data;
}

static char first_byte(uint64_t number)
{
        struct logstore_record record;
        int r = logstore_snapshot_get(snapshot, number, &record);

        ck_assert_msg(r == 0, "get %" PRIu64 ": %s", number, logstore_detail());
        return *(const char *)record.data;
}

static uint64_t copied_by_the_kernel(void)
{
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };

        ck_assert_int_eq(logstore_memory(store, &memory), 0);
        return memory.private_copied;
}

/* ---- no memory ---- */

/* An edit that fails for want of memory has copied nothing: the budget is whole again. */
START_TEST(an_edit_without_memory_copies_nothing)
{
        void *data;
        size_t size;
        int failed = 0;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (int i = 0; i < 40; i++)
                append_filled(PAGE, 'a');
        take_snapshot(UINT64_C(64) << 20);
        for (uint64_t number = 1; number <= 40; number++) {
                uint64_t before = logstore_snapshot_copied_bytes(snapshot);
                int64_t edits = logstore_snapshot_edited(snapshot, NULL, 0);

                for (int left = 0; left < 3; left++) {
                        int r;
                        allocations_left = left;
                        r = logstore_snapshot_edit(snapshot, number, &data, &size);
                        allocations_left = -1;
                        if (r == 0)
                                break;
                        ck_assert_int_eq(r, -ENOMEM);
                        failed++;
                        ck_assert_uint_eq(logstore_snapshot_copied_bytes(snapshot), before);
                        ck_assert_uint_eq(copied_by_the_kernel(), before);
                        ck_assert_int_eq(logstore_snapshot_edited(snapshot, NULL, 0), edits);
                }
                edit(number);
        }
        ck_assert_int_ge(failed, 4); /* the list grew at least twice, and there are segments */
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 0, UINT64_MAX), 0);
        ck_assert_uint_eq(logstore_snapshot_copied_bytes(snapshot), 0);
        ck_assert_uint_eq(copied_by_the_kernel(), 0);
        leave();
}
END_TEST

/* ---- dropping ---- */

/* Every range of edits of records that share pages in every way: what is outside stays as edited,
 * what is inside is as in the log. */
static const size_t sizes[] = { 10,        0,        3000,     500, 0,    0,    2 * PAGE, 1,
                                PAGE - 24, PAGE,     100,      0,   4000, 5000, 0,        7,
                                8,         3 * PAGE, PAGE + 1, 0,   0,    24,   900,      1 };
#define RECORDS (sizeof(sizes) / sizeof(sizes[0]))

static void fill_all_sizes(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (size_t i = 0; i < RECORDS; i++)
                append_filled(sizes[i], 'a');
        take_snapshot(0);
}

static void edit_all(void)
{
        for (uint64_t number = 1; number <= RECORDS; number++)
                memset(edit(number), 'e', sizes[number - 1]);
}

static void expect_dropped(uint64_t from, uint64_t to)
{
        struct logstore_record record;

        for (uint64_t number = 1; number <= RECORDS; number++) {
                char want = number >= from && number <= to ? 'a' : 'e';

                ck_assert_int_eq(logstore_snapshot_get(snapshot, number, &record), 0);
                ck_assert_uint_eq(record.size, sizes[number - 1]);
                for (size_t i = 0; i < record.size; i++)
                        ck_assert_msg(((const char *)record.data)[i] == want,
                                      "%" PRIu64 "..%" PRIu64 " dropped: record %" PRIu64
                                      " is wrong at %zu",
                                      from, to, number, i);
        }
}

START_TEST(dropping_a_range_drops_that_range)
{
        fill_all_sizes();
        for (uint64_t from = 1; from <= RECORDS; from++)
                for (uint64_t to = from; to <= RECORDS; to++) {
                        edit_all();
                        ck_assert_int_eq(logstore_snapshot_drop(snapshot, from, to), 0);
                        expect_dropped(from, to);
                        ck_assert_int_eq(logstore_snapshot_edited(snapshot, NULL, 0),
                                         (int64_t)(RECORDS - (to - from + 1)));
                        ck_assert_uint_eq(logstore_snapshot_copied_bytes(snapshot),
                                          copied_by_the_kernel());
                }
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 0, UINT64_MAX), 0);
        expect_dropped(1, RECORDS);
        ck_assert_uint_eq(copied_by_the_kernel(), 0);
        leave();
}
END_TEST

START_TEST(dropping_what_was_not_edited_drops_nothing)
{
        fill_all_sizes();
        memset(edit(3), 'e', sizes[2]);
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 0, 2), 0);
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 4, UINT64_MAX), 0);
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 5, 3), 0);
        ck_assert_int_eq(first_byte(3), 'e');
        ck_assert_int_eq(logstore_snapshot_edited(snapshot, NULL, 0), 1);
        leave();
}
END_TEST

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The time of one drop follows what is dropped, not all that is edited. The figure is generous:
 * looking at each edit for each of those dropped takes a hundred times as long. */
START_TEST(dropping_a_few_of_many_edits_is_quick)
{
        enum { EDITS = 40000, PIECE = 100 };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int64_t began;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        open_store_with(&options);
        for (int i = 0; i < EDITS; i++)
                append_filled(100, 'a');
        take_snapshot(0);
        for (uint64_t number = 1; number <= EDITS; number++)
                *edit(number) = 'e';
        began = now_ns();
        for (uint64_t from = 1; from < EDITS; from += PIECE)
                ck_assert_int_eq(logstore_snapshot_drop(snapshot, from, from + PIECE - 1), 0);
        ck_assert_msg(now_ns() - began < INT64_C(2000000000), "%" PRId64 " ms",
                      (now_ns() - began) / 1000000);
        ck_assert_uint_eq(logstore_snapshot_copied_bytes(snapshot), 0);
        ck_assert_int_eq(first_byte(EDITS), 'a');
        leave();
}
END_TEST

/* ---- beside a trim ---- */

static _Atomic bool enough;

/* Append and trim as fast as it goes, so that segments vanish all the time. */
static void *trim_on(void *argument)
{
        char data[1000] = "";
        uint64_t number;

        while (!atomic_load(&enough)) {
                for (int i = 0; i < 130; i++)
                        if (logstore_append(argument, data, sizeof(data), &number) < 0)
                                abort();
                if (logstore_trim_before(argument, number, NULL) < 0)
                        abort();
        }
        return NULL;
}

static void expect_whole(struct logstore_snapshot *taken)
{
        struct logstore_record record;
        struct logstore_bounds bounds;

        ck_assert_int_eq(logstore_snapshot_bounds(taken, &bounds), 0);
        for (uint64_t number = bounds.first; number <= bounds.tail; number++)
                ck_assert_msg(logstore_snapshot_get(taken, number, &record) == 0, "%s",
                              logstore_detail());
}

/* 0: in the writer's own process, 1: in a reading one. */
START_TEST(a_snapshot_opens_beside_a_trimming_writer)
{
        struct logstore *reader;
        pthread_t thread;
        int64_t until;

        open_store(LOGSTORE_CREATE);
        append_text("1");
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, trim_on, store), 0);
        for (until = now_ns() + INT64_C(3000000000); now_ns() < until;) {
                struct logstore_snapshot *taken;
                int r = logstore_snapshot_open(_i ? reader : store, 0, &taken);

                ck_assert_msg(r == 0, "%s: %s", logstore_error_text(r), logstore_detail());
                expect_whole(taken);
                logstore_snapshot_close(taken);
        }
        atomic_store(&enough, true);
        pthread_join(thread, NULL);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { an_edit_without_memory_copies_nothing, 0 },
                { dropping_a_range_drops_that_range, 0 },
                { dropping_what_was_not_edited_drops_nothing, 0 },
                { dropping_a_few_of_many_edits_is_quick, 0 },
                { a_snapshot_opens_beside_a_trimming_writer, 2 },
        };

        return RUN_TESTS("snapshot", tests);
}
