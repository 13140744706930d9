/*
 * test_positions_sync.c - what a set writes and syncs, in which order, and what a failure leaves
 */
#include "os/os.h"
#include "test_public_support.h"

static char calls[64]; /* w: write, f: fsync, d: fdatasync, r: rename, n: names synced */
static char failing;   /* the call that fails, */
static int error;      /* and how */

static int note(char call)
{
        size_t count = strlen(calls);

        if (count + 1 < sizeof(calls))
                calls[count] = call;
        return call == failing ? error : 0;
}

#define WRAP(name, call, parameters, arguments)             \
        int __real_##name parameters;                       \
        int __wrap_##name parameters;                       \
        int __wrap_##name parameters                        \
        {                                                   \
                int r = note(call);                         \
                                                            \
                return r < 0 ? r : __real_##name arguments; \
        }
WRAP(os_write, 'w', (int fd, const void *buffer, size_t bytes, uint64_t offset),
     (fd, buffer, bytes, offset))
WRAP(os_sync_file, 'f', (int fd), (fd))
WRAP(os_sync_data, 'd', (int fd), (fd))
WRAP(os_rename, 'r', (int directory, const char *from, const char *to), (directory, from, to))
WRAP(os_sync_directory, 'n', (int fd), (fd))

static int set_number(uint64_t number)
{
        const struct logstore_position position = {
                .struct_bytes = sizeof(position),
                .number = number,
        };

        memset(calls, 0, sizeof(calls));
        return logstore_position_set(store, "a", &position);
}

static int get(uint64_t *ret_number)
{
        struct logstore_position position = { .struct_bytes = sizeof(position) };
        int r = logstore_position_get(store, "a", &position);

        *ret_number = position.number;
        return r;
}

static void begin_filled(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(20);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* The second set cannot know whether the first one's names were synced. */
START_TEST(a_set_syncs_what_it_wrote_before_it_returns)
{
        begin_filled();
        ck_assert_int_eq(set_number(5), 0);
        ck_assert_str_eq(calls, "wfrnn");
        ck_assert_int_eq(set_number(6), 0);
        ck_assert_str_eq(calls, "nnwd");
        ck_assert_int_eq(set_number(7), 0);
        ck_assert_str_eq(calls, "wd");
        memset(calls, 0, sizeof(calls));
        ck_assert_int_eq(logstore_position_remove(store, "a"), 0);
        ck_assert_str_eq(calls, "n");
}
END_TEST

static const struct {
        unsigned sets; /* before the one that fails */
        char call;
        int error;
        bool may_be_new;
} failures[] = {
        { 0, 'w', -ENOSPC, false }, { 0, 'f', -EIO, false },    { 0, 'r', -EIO, false },
        { 0, 'n', -EIO, true },     { 1, 'n', -EIO, false },    { 1, 'w', -ENOSPC, false },
        { 1, 'd', -EIO, true },     { 2, 'w', -EDQUOT, false }, { 2, 'd', -EIO, true },
};

START_TEST(a_failed_set_leaves_a_whole_position)
{
        uint64_t number = 0, sets = failures[_i].sets;
        int r;

        begin_filled();
        for (uint64_t i = 1; i <= sets; i++)
                ck_assert_int_eq(set_number(i), 0);
        failing = failures[_i].call;
        error = failures[_i].error;
        expect_failure(set_number(10), failures[_i].error);
        failing = 0;
        r = get(&number);
        if (failures[_i].may_be_new)
                ck_assert(r == 0 && number == 10);
        else
                ck_assert(sets ? r == 0 && number == sets : r == -ENOENT);
        ck_assert_int_eq(set_number(11), 0);
        ck_assert_int_eq(get(&number), 0);
        ck_assert_uint_eq(number, 11);
        ck_assert(!file_exists(scratch("store/positions/.new.a")));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_set_syncs_what_it_wrote_before_it_returns, 0 },
                { a_failed_set_leaves_a_whole_position, sizeof(failures) / sizeof(failures[0]) },
        };

        return RUN_TESTS("positions_sync", tests);
}
