/*
 * test_repair_cost.c - a repair makes not many more system calls than a verify, whatever is damaged
 *
 * Calls and bytes are counted, not time: what is read of the files, looked at, and synced.
 */
#include "test_bad_input_support.h"

#include <unistd.h>

#include "os/os.h"

#define STRAYS 300
#define LARGE_BYTES (UINT64_C(64) << 20)
#define SEGMENTS 60
#define RECORD_BYTES 30000 /* two in a segment */

static struct costs {
        uint64_t reads, bytes, looks, syncs;
} costs;

int __real_os_read(int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret);
int __wrap_os_read(int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret);

int __wrap_os_read(int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret)
{
        int r = __real_os_read(fd, buffer, bytes, offset, ret);

        costs.reads++;
        costs.bytes += r == 0 ? *ret : 0;
        return r;
}

int __real_os_stat(int fd, struct os_stat *ret);
int __wrap_os_stat(int fd, struct os_stat *ret);

int __wrap_os_stat(int fd, struct os_stat *ret)
{
        costs.looks++;
        return __real_os_stat(fd, ret);
}

int __real_os_sync_directory(int fd);
int __wrap_os_sync_directory(int fd);

int __wrap_os_sync_directory(int fd)
{
        costs.syncs++;
        return __real_os_sync_directory(fd);
}

static struct costs cost_of_verify(void)
{
        struct logstore_verify_report report;

        costs = (struct costs){ 0 };
        logstore_verify(store_path(), NULL, &report);
        return costs;
}

static struct costs cost_of_repair(uint32_t flags)
{
        struct logstore_repair_report report;

        costs = (struct costs){ 0 };
        ck_assert_msg(logstore_repair(store_path(), flags, NULL, NULL, &report) == 0, "%s",
                      logstore_detail());
        return costs;
}

static void expect_at_most_3(struct costs repair, struct costs verify)
{
        ck_assert_uint_le(repair.reads, 3 * verify.reads);
        ck_assert_uint_le(repair.bytes, 3 * verify.bytes);
        ck_assert_uint_le(repair.looks, 3 * verify.looks);
}

static void make_store(uint64_t segment_bytes, unsigned records, uint64_t damaged)
{
        static char bytes[RECORD_BYTES];
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct place place;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD | LOGSTORE_NO_RING;
        options.segment_bytes = segment_bytes;
        ck_assert_int_eq(logstore_open(store_path(), &options, &store), 0);
        for (unsigned i = 0; i < records; i++)
                ck_assert_int_eq(logstore_append(store, bytes, sizeof(bytes), NULL), 0);
        close_store();
        place = place_of(damaged);
        flip_byte(scratch("store/%s", place.file), place.offset + FRAME_HEADER_BYTES);
}

START_TEST(the_unwritten_rest_of_a_segment_costs_nothing)
{
        make_store(LARGE_BYTES, 10, 5);
        ck_assert_int_eq(truncate(segment_path(1), (off_t)LARGE_BYTES), 0); /* a hole */
        expect_at_most_3(cost_of_repair(0), cost_of_verify());
        ck_assert_uint_le(cost_of_repair(LOGSTORE_REPAIR_APPLY).looks, 200);
}
END_TEST

START_TEST(a_dry_run_over_many_segments_is_like_a_verify)
{
        make_store(65536, 2 * SEGMENTS, _i == 0 ? 1 : _i == 1 ? SEGMENTS : 2 * SEGMENTS - 4);
        expect_at_most_3(cost_of_repair(0), cost_of_verify());
}
END_TEST

START_TEST(names_are_synced_once_however_many_files_are_moved)
{
        struct costs costs_now;

        make_store(65536, 4, 4);
        for (unsigned i = 0; i < STRAYS; i++)
                save_file(segment_path(1000 + i), "x", 1);
        costs_now = cost_of_repair(LOGSTORE_REPAIR_APPLY);
        ck_assert_uint_le(costs_now.syncs, 20);
        ck_assert(!file_exists(segment_path(1000)));
        ck_assert(
                file_exists(scratch("store/quarantine/" SEGMENT_NAME_FORMAT ".0", UINT64_C(1000))));
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, 3);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { the_unwritten_rest_of_a_segment_costs_nothing, 0 },
                { a_dry_run_over_many_segments_is_like_a_verify, 3 },
                { names_are_synced_once_however_many_files_are_moved, 0 },
        };

        return RUN_TESTS("repair_cost", tests);
}
