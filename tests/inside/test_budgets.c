/*
 * test_budgets.c - dirty bytes, mapped segments: what is not to be exceeded is not
 *
 * Linked with --wrap of os_cachestat and os_start_writeback, so that the test is the disk that does
 * or does not get on with writing.
 */
#include <sys/resource.h>

#include "store.h"
#include "test_public_support.h"

#define HARD_BYTES (UINT64_C(1) << 20)

int __real_os_start_writeback(int fd, uint64_t offset, uint64_t bytes);
int __wrap_os_start_writeback(int fd, uint64_t offset, uint64_t bytes);
int __wrap_os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret);

static _Atomic uint64_t writebacks;
static _Atomic uint64_t writeback_ends; /* their bits, ored */
static _Atomic int looks_until_clean;   /* the disk has written everything after so many looks */

int __wrap_os_start_writeback(int fd, uint64_t offset, uint64_t bytes)
{
        atomic_fetch_add(&writebacks, 1);
        atomic_fetch_or(&writeback_ends, offset + bytes);
        return __real_os_start_writeback(fd, offset, bytes);
}

int __wrap_os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret)
{
        (void)fd, (void)offset;
        *ret = (struct os_cachestat){ .cached = bytes / os_page_bytes() };
        if (atomic_fetch_sub(&looks_until_clean, 1) > 0)
                ret->dirty = ret->cached;
        return 0;
}

static void open_limited(uint32_t flags)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD | flags;
        options.segment_bytes = 16 << 20;
        options.dirty_hard_bytes = HARD_BYTES;
        open_store_with(&options);
}

static int append_some(void)
{
        static const char data[1000];

        return logstore_append(store, data, sizeof(data), NULL);
}

/* Appends until more than the limit is made ready; the result of the last. */
static int append_beyond(uint64_t *ret_count)
{
        int r = 0;

        for (*ret_count = 0; r == 0 && *ret_count < 8 * HARD_BYTES / 1000; ++*ret_count)
                r = append_some();
        return r;
}

START_TEST(beyond_the_hard_limit_appends_are_refused_until_enough_is_written)
{
        uint64_t count;

        open_limited(LOGSTORE_DIRTY_EAGAIN);
        atomic_store(&looks_until_clean, 1000000);
        expect_failure(append_beyond(&count), -EAGAIN);
        ck_assert_uint_eq(bounds_of(store).tail, count - 1); /* no number was used up */
        ck_assert_uint_le(count * 1000, 2 * HARD_BYTES + (UINT64_C(1) << 20));
        expect_failure(append_some(), -EAGAIN);
        atomic_store(&looks_until_clean, 0);
        ck_assert_int_eq(append_some(), 0);
        ck_assert_uint_eq(bounds_of(store).tail, count);
}
END_TEST

START_TEST(beyond_the_hard_limit_appends_wait_and_have_it_written)
{
        uint64_t count, before;

        open_limited(0);
        atomic_store(&looks_until_clean, 20);
        before = atomic_load(&writebacks);
        ck_assert_int_eq(append_beyond(&count), 0);
        ck_assert_int_le(atomic_load(&looks_until_clean), 0);
        ck_assert_uint_ge(atomic_load(&writebacks) - before, 19);
}
END_TEST

START_TEST(below_the_hard_limit_nobody_is_asked)
{
        open_limited(LOGSTORE_DIRTY_EAGAIN);
        atomic_store(&looks_until_clean, 1000000);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(append_some(), 0);
        ck_assert_int_eq(atomic_load(&looks_until_clean), 1000000);
}
END_TEST

/* So many records of 1 KiB, in steps that the background thread sees. */
static void append_slowly(uint64_t segment_bytes, uint64_t dirty_soft_bytes, int records)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = segment_bytes;
        options.dirty_soft_bytes = dirty_soft_bytes;
        open_store_with(&options);
        for (int i = 0; i < records; i++) {
                append_filled(1000, 'x');
                if (i % 1100 == 0)
                        os_sleep(30000000); /* it looks every 10 ms at least */
        }
}

/* 8 MiB in pieces of 1 MiB at least. */
START_TEST(writeback_starts_behind_the_tail_in_pieces_of_the_soft_limit)
{
        append_slowly(16 << 20, 1 << 20, 8 << 10);
        ck_assert_uint_ge(atomic_load(&writebacks), 4);
        ck_assert_uint_le(atomic_load(&writebacks), 8);
}
END_TEST

/* The kernel writes a folio as a whole: one that is being filled would be written twice. */
START_TEST(writeback_ends_between_folios)
{
        append_slowly(64 << 20, 0, 20 << 10);
        ck_assert_uint_ge(atomic_load(&writebacks), 3);
        ck_assert_uint_eq(atomic_load(&writeback_ends) % (2 << 20), 0);
}
END_TEST

static int newest_bytes(void *context, const struct logstore_segment_info *info)
{
        *(uint64_t *)context = info->file_bytes;
        return 0;
}

START_TEST(as_much_is_kept_ready_as_was_asked_for)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        uint64_t bytes = 0;

        options.flags = LOGSTORE_CREATE;
        options.segment_bytes = 16 << 20;
        options.ready_bytes = 6 << 20;
        open_store_with(&options);
        for (int i = 0; i < 1000 && bytes < options.ready_bytes; i++) {
                os_sleep(1000000);
                ck_assert_int_eq(logstore_segments(store, newest_bytes, &bytes), 0);
        }
        ck_assert_uint_ge(bytes, options.ready_bytes);
        ck_assert_uint_le(bytes, options.ready_bytes + (2 << 20));
        for (int i = 0; i < 20 << 10; i++) /* over a roll */
                append_filled(1000, 'x');
        ck_assert_uint_eq(bounds_of(store).tail, 20 << 10);
}
END_TEST

/* Larger pieces do not fit any more, but what the next append needs does. */
START_TEST(a_file_may_grow_to_the_last_unit_below_the_limit_of_its_size)
{
        struct rlimit limit = { (3 << 20) + (200 << 10), RLIM_INFINITY };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        int r = 0;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = 16 << 20;
        open_store_with(&options);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        while (r == 0)
                r = append_some();
        expect_failure(r, -EFBIG);
        ck_assert_uint_ge(bounds_of(store).tail * 1024, limit.rlim_cur - (80 << 10));
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(append_some(), 0);
}
END_TEST

static unsigned mapped_segments(void)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned count = 0;
        char line[1024];

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof(line), maps))
                count += strstr(line, store_path()) && strstr(line, ".log");
        fclose(maps);
        return count;
}

START_TEST(no_more_segments_are_mapped_than_was_said)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_record record;
        unsigned char buffer[1000];
        uint64_t last;

        open_store(LOGSTORE_CREATE);
        for (int i = 0; i < 3000; i++) /* 46 segments */
                append_filled(1000, 'x');
        last = bounds_of(store).tail;
        close_store();
        options.mapped_segments = 3;
        options.flags = LOGSTORE_READ_ONLY;
        open_store_with(&options);
        for (uint64_t i = 0; i < 2 * last; i++) {
                ck_assert_int_eq(
                        logstore_get(store, 1 + i * 997 % last, buffer, sizeof(buffer), &record),
                        0);
                ck_assert_uint_eq(record.size, 1000);
                if (i % 100 == 0)
                        ck_assert_uint_le(mapped_segments(), 3);
        }
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { beyond_the_hard_limit_appends_are_refused_until_enough_is_written, 0 },
                { beyond_the_hard_limit_appends_wait_and_have_it_written, 0 },
                { below_the_hard_limit_nobody_is_asked, 0 },
                { writeback_starts_behind_the_tail_in_pieces_of_the_soft_limit, 0 },
                { writeback_ends_between_folios, 0 },
                { as_much_is_kept_ready_as_was_asked_for, 0 },
                { a_file_may_grow_to_the_last_unit_below_the_limit_of_its_size, 0 },
                { no_more_segments_are_mapped_than_was_said, 0 },
        };

        return RUN_TESTS("budgets", tests);
}
