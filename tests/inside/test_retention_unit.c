/*
 * test_retention_unit.c - what the limits let go of, and that nothing goes before that is durable
 *
 * Linked with --wrap of os_unlink and os_sync_map, to see their order; of os_stat_name, to let
 * something happen while the writer looks at the segments; and of memmove, to count its work.
 */
#include "store.h"
#include "test_public_support.h"

int __real_os_sync_map(void *base, size_t bytes);
int __wrap_os_sync_map(void *base, size_t bytes);
int __real_os_unlink(int directory, const char *name);
int __wrap_os_unlink(int directory, const char *name);

int __real_os_stat_name(int directory, const char *name, struct os_stat *ret);
int __wrap_os_stat_name(int directory, const char *name, struct os_stat *ret);

void *__real_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes);

static struct retention *retention;
static _Atomic uint64_t moved_bytes;
static bool sync_beside, no_files; /* with each unlink; there are none to unlink */
static uint64_t trim_beside;       /* with the next look at a segment */
static uint64_t cut_beside;        /* with the fourth */
static int looks;
static bool failing;
static int control_syncs, unlinks, unlinks_before_sync;
static char unlinked[64][32];

int __wrap_os_sync_map(void *base, size_t bytes)
{
        if (store && base == (void *)store->control.page) {
                if (failing)
                        return -EIO;
                control_syncs++;
        }
        return __real_os_sync_map(base, bytes);
}

int __wrap_os_stat_name(int directory, const char *name, struct os_stat *ret)
{
        uint64_t number = trim_beside;

        trim_beside = 0;
        if (number)
                ck_assert_int_eq(retention_trim(retention, number, NULL), 0);
        if (++looks == 4 && cut_beside)
                ck_assert_int_eq(logstore_truncate_after(store, cut_beside, 0), 0);
        return __real_os_stat_name(directory, name, ret);
}

void *__wrap_memmove(void *to, const void *from, size_t bytes)
{
        moved_bytes += bytes;
        return __real_memmove(to, from, bytes);
}

int __wrap_os_unlink(int directory, const char *name)
{
        if (no_files)
                return -ENOENT;
        if (sync_beside && strstr(name, ".log")) {
                ck_assert_int_eq(logstore_append(store, "beside", 6, NULL), 0);
                ck_assert_int_eq(logstore_sync_timed(store, 0, 2000), 0);
        }
        if (retention && strstr(name, ".log") && unlinks < 64) {
                unlinks_before_sync += control_syncs == 0;
                snprintf(unlinked[unlinks++], sizeof(unlinked[0]), "%s", name);
        }
        return __real_os_unlink(directory, name);
}

/* Six segments with ten records of 6,000 bytes each (10 fit), the last one active and begun. */
#define IN_EACH 10u
static void make_six(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < 5 * IN_EACH + 3; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        while (sync_seal(&store->sync) == 0)
                ;
        ck_assert_uint_eq(store->chain.count, 6);
        retention = &store->retention;
        control_syncs = unlinks = unlinks_before_sync = 0;
}

static const struct {
        const char *what;
        uint64_t bytes, records;
        int64_t ns;
        uint64_t first;
} limits[] = {
        { "no limit", 0, 0, 0, 1 },
        { "all the bytes", 6 * SMALL_SEGMENT_BYTES, 0, 0, 1 },
        { "a byte less", 6 * SMALL_SEGMENT_BYTES - 1, 0, 0, 11 },
        { "two segments' bytes", 2 * SMALL_SEGMENT_BYTES, 0, 0, 41 },
        { "one byte: the active one stays", 1, 0, 0, 51 },
        { "all the records", 0, 53, 0, 1 },
        { "one record: only the active one is needed", 0, 1, 0, 51 },
        { "three records", 0, 3, 0, 51 },
        { "four records", 0, 4, 0, 41 },
        { "thirteen records", 0, 13, 0, 41 },
        { "fourteen records", 0, 14, 0, 31 },
        { "an hour", 0, 0, INT64_C(3600000000000), 1 },
        { "a nanosecond: older than a started successor", 0, 0, 1, 51 },
        { "the stricter of two", 2 * SMALL_SEGMENT_BYTES, 4, 0, 41 },
};

START_TEST(the_limits_keep_whole_segments)
{
        struct logstore_bounds bounds;
        uint64_t first = 0;

        make_six();
        ck_assert_int_eq(
                logstore_set_retention(store, limits[_i].bytes, limits[_i].records, limits[_i].ns),
                0);
        ck_assert_int_eq(logstore_apply_retention(store, 1, &first), 0);
        ck_assert_msg(first == limits[_i].first, "dry: %s: %" PRIu64, limits[_i].what, first);
        ck_assert_int_eq(unlinks, 0);
        ck_assert_int_eq(logstore_apply_retention(store, 0, &first), 0);
        ck_assert_msg(first == limits[_i].first, "%s: %" PRIu64, limits[_i].what, first);
        bounds = bounds_of(store);
        ck_assert_uint_eq(bounds.first, limits[_i].first);
        ck_assert_uint_eq(bounds.tail, 53);
        ck_assert_int_eq(unlinks, (int)((limits[_i].first - 1) / IN_EACH));
}
END_TEST

START_TEST(the_first_number_is_durable_before_the_oldest_goes_first)
{
        make_six();
        ck_assert_int_eq(retention_trim(retention, 35, NULL), 0);
        ck_assert_int_eq(control_syncs, 1);
        ck_assert_int_eq(unlinks_before_sync, 0);
        ck_assert_int_eq(unlinks, 3);
        for (int i = 0; i < 3; i++) {
                char name[32];

                segment_name((uint64_t)i + 1, name);
                ck_assert_str_eq(unlinked[i], name);
        }
}
END_TEST

START_TEST(a_trim_that_lets_nothing_go_writes_nothing)
{
        uint64_t first = 0;

        make_six();
        for (uint64_t number = 0; number <= 10; number++) {
                ck_assert_int_eq(retention_trim(retention, number, &first), 0);
                ck_assert_uint_eq(first, 1);
        }
        ck_assert_int_eq(control_syncs, 0);
        ck_assert_int_eq(unlinks, 0);
}
END_TEST

/* Positions change under the one who looks; what it wants must not. */
START_TEST(a_trim_beside_the_look_lets_no_more_go)
{
        uint64_t first = 0;

        make_six();
        ck_assert_int_eq(logstore_set_retention(store, 4 * SMALL_SEGMENT_BYTES, 0, 0), 0);
        trim_beside = 21;
        ck_assert_int_eq(logstore_apply_retention(store, 0, &first), 0);
        ck_assert_uint_eq(first, 21);
}
END_TEST

/* Of what is left then the limits keep all. */
START_TEST(a_truncation_beside_the_look_lets_nothing_go)
{
        uint64_t first = 0;

        make_six();
        ck_assert_int_eq(logstore_set_retention(store, 4 * SMALL_SEGMENT_BYTES, 0, 0), 0);
        cut_beside = 15;
        looks = 0;
        if (_i)
                ck_assert_int_eq(retention_apply_some(retention), 0);
        else
                ck_assert_int_eq(logstore_apply_retention(store, 0, &first), 0);
        ck_assert_int_ge(looks, 4);
        ck_assert_uint_eq(bounds_of(store).first, 1);
        ck_assert_uint_eq(bounds_of(store).tail, 15);
}
END_TEST

static const struct {
        uint64_t bytes, first;
} beside_damage[] = {
        { 6 * SMALL_SEGMENT_BYTES, 1 },
        { 4 * SMALL_SEGMENT_BYTES, 21 }, /* it becomes the first */
        { 3 * SMALL_SEGMENT_BYTES, 31 },
};

START_TEST(a_segment_that_cannot_be_read_ends_no_look)
{
        uint64_t first = 0;

        make_six();
        retention = NULL;
        close_store();
        open_store(LOGSTORE_NO_THREAD);
        zero_range(scratch("store/0000000003.log"), HEADER_BYTES, 64);
        ck_assert_int_eq(logstore_set_retention(store, beside_damage[_i].bytes, 0, 0), 0);
        ck_assert_int_eq(logstore_apply_retention(store, 1, &first), 0);
        ck_assert_uint_eq(first, beside_damage[_i].first);
}
END_TEST

START_TEST(the_floor_is_kept_whatever_the_limits)
{
        uint64_t first = 0;

        make_six();
        ck_assert_int_eq(logstore_set_floor(store, 25), 0);
        ck_assert_int_eq(retention_trim(retention, UINT64_MAX, &first), 0);
        ck_assert_uint_eq(first, 21);
        ck_assert_int_eq(logstore_set_floor(store, UINT64_MAX), 0);
        ck_assert_int_eq(retention_trim(retention, UINT64_MAX, &first), 0);
        ck_assert_uint_eq(first, 51);
}
END_TEST

START_TEST(if_the_first_number_cannot_be_made_durable_nothing_is_deleted)
{
        uint64_t first = 99;

        make_six();
        failing = true;
        expect_failure(logstore_trim_before(store, 35, &first), -EIO);
        ck_assert_uint_eq(first, 99);
        ck_assert_int_eq(unlinks, 0);
        failing = false;
        expect_failure(logstore_append(store, "x", 1, NULL), -EIO);
        retention = NULL;
        ck_assert_int_eq(logstore_close(store), -EIO);
        store = NULL;
}
END_TEST

/* The kernel may take milliseconds for each file. */
START_TEST(a_sync_does_not_wait_for_files_to_be_unlinked)
{
        uint64_t first = 0;

        make_six();
        sync_beside = true;
        ck_assert_int_eq(logstore_trim_before(store, 51, &first), 0);
        sync_beside = false;
        ck_assert_uint_eq(first, 51);
        ck_assert_int_eq(unlinks, 5);
        ck_assert_uint_eq(bounds_of(store).durable, 53 + 5);
}
END_TEST

START_TEST(the_background_unlinks_a_few_files_at_each_look)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < 40 * IN_EACH; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_set_retention(store, 0, 1, 0), 0);
        retention = &store->retention;
        unlinks = 0;
        ck_assert_int_eq(retention_apply_some(retention), 0);
        ck_assert_uint_eq(bounds_of(store).first, 39 * IN_EACH + 1);
        ck_assert_int_eq(unlinks, 0);
        ck_assert_int_eq(retention_unlink_some(retention), LEFTOVERS_REMAIN);
        ck_assert_int_eq(unlinks, 16);
        ck_assert_str_eq(unlinked[15], "0000000016.log");
        close_store(); /* which leaves none */
        ck_assert_int_eq(unlinks, 39);
        ck_assert(!file_exists(scratch("store/0000000039.log")));
}
END_TEST

/* By the bytes that are moved in its lists. */
START_TEST(the_work_of_a_trim_grows_with_the_segments_alone)
{
        enum { MANY = 5000 };
        struct control_page page = { 0 };
        struct control control = { .page = &page };
        struct memory memory = { 0 };
        struct chain chain;

        chain_init(&chain, &memory, &control, -1, 8);
        for (uint64_t id = 1; id <= MANY; id++) {
                ck_assert_int_eq(chain_reserve(&chain), 0);
                chain.entries[chain.count++] = (struct chain_entry){ .id = id, .first_number = id };
        }
        chain.first_number = 1;
        no_files = true;
        moved_bytes = 0;
        ck_assert_uint_eq(chain_trim(&chain, MANY - 10), MANY - 10);
        while (chain_drop_some(&chain, 1) == LEFTOVERS_REMAIN)
                ;
        ck_assert_msg(moved_bytes <= MANY * sizeof(struct chain_entry), "%" PRIu64 " bytes moved",
                      moved_bytes);
        ck_assert_uint_eq(chain.entries[0].id, MANY - 10);
        ck_assert_uint_eq(chain.count, 11);
        no_files = false;
        chain_free(&chain);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { the_limits_keep_whole_segments, sizeof(limits) / sizeof(limits[0]) },
                { the_first_number_is_durable_before_the_oldest_goes_first, 0 },
                { a_trim_that_lets_nothing_go_writes_nothing, 0 },
                { a_trim_beside_the_look_lets_no_more_go, 0 },
                { a_truncation_beside_the_look_lets_nothing_go, 2 },
                { a_segment_that_cannot_be_read_ends_no_look, 3 },
                { the_floor_is_kept_whatever_the_limits, 0 },
                { if_the_first_number_cannot_be_made_durable_nothing_is_deleted, 0 },
                { a_sync_does_not_wait_for_files_to_be_unlinked, 0 },
                { the_background_unlinks_a_few_files_at_each_look, 0 },
                { the_work_of_a_trim_grows_with_the_segments_alone, 0 },
        };

        return RUN_TESTS("retention_unit", tests);
}
