/*
 * test_index_left.c - no index outlives its segment, whoever writes it and whenever that is trimmed
 *
 * Linked with --wrap of os_rename, so that a trim happens just before an index gets its name.
 */
#include "store.h"
#include "test_public_support.h"

int __real_os_rename(int directory, const char *from, const char *to);
int __wrap_os_rename(int directory, const char *from, const char *to);

static uint64_t trim_beside; /* with the next index that gets its name */

int __wrap_os_rename(int directory, const char *from, const char *to)
{
        uint64_t number = trim_beside;

        if (number && strstr(to, ".idx")) {
                trim_beside = 0;
                ck_assert_int_eq(logstore_trim_before(store, number, NULL), 0);
        }
        return __real_os_rename(directory, from, to);
}

/* Three segments with ten records of 6,000 bytes each, the last one active. */
static void make_three(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < 25; i++)
                append_filled(6000, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static bool index_exists(uint64_t id)
{
        return file_exists(scratch("store/%010" PRIu64 ".idx", id));
}

START_TEST(of_a_reader_that_a_trim_overtakes)
{
        char buffer[6000];
        struct logstore_record record;

        make_three();
        while (sync_seal(&store->sync) == 0)
                ;
        ck_assert_int_eq(remove(scratch("store/0000000001.idx")), 0);
        trim_beside = 11;
        ck_assert_int_eq(logstore_get(store, 3, buffer, sizeof(buffer), &record), 0);
        ck_assert_uint_eq(trim_beside, 0); /* it built the index */
        ck_assert(!file_exists(scratch("store/0000000001.log")));
        ck_assert(!index_exists(1));
        ck_assert(index_exists(2));
        expect_failure(logstore_get(store, 3, buffer, sizeof(buffer), &record), -ESTALE);
}
END_TEST

START_TEST(of_a_seal_behind_a_trim)
{
        make_three();
        while (sync_seal(&store->sync) == 0)
                ;
        for (unsigned i = 0; i < 7; i++) /* a full segment that is not sealed yet */
                append_filled(6000, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(logstore_trim_before(store, 31, NULL), 0);
        ck_assert(!file_exists(scratch("store/0000000003.log")));
        while (sync_seal(&store->sync) == 0)
                ;
        ck_assert(!index_exists(3));
}
END_TEST

START_TEST(left_by_a_crash_it_goes_with_the_next_open)
{
        make_three();
        close_store();
        save_file(scratch("store/0000000099.idx"), "x", 1);
        save_file(scratch("store/0000000004.idx"), "x", 1); /* the id of the next segment */
        open_store(LOGSTORE_READ_ONLY);                     /* changes nothing */
        ck_assert(index_exists(99));
        close_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert(!index_exists(99));
        ck_assert(!index_exists(4));
        ck_assert(index_exists(1));
        ck_assert(index_exists(2));
        for (unsigned i = 0; i < 10; i++)
                append_filled(6000, 'x');
        ck_assert(file_exists(scratch("store/0000000004.log")));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { of_a_reader_that_a_trim_overtakes, 0 },
                { of_a_seal_behind_a_trim, 0 },
                { left_by_a_crash_it_goes_with_the_next_open, 0 },
        };

        return RUN_TESTS("index_left", tests);
}
