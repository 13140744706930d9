/*
 * test_floors_moment.c - a position is set just when a trim or a truncation is at work
 */
#include <poll.h>

#include "position/floors.h"
#include "position/position.h"
#include "test_threads_support.h"

#define RECORD_BYTES 1000 /* 59 to a segment */

static void (*in_find)(void);  /* after a trim has looked for floors */
static void (*in_write)(void); /* before a slot is stored */

static void call_once(void (**moment)(void))
{
        void (*call)(void) = *moment;

        *moment = NULL;
        if (call)
                call();
}

int __real_floors_find(struct chain *chain, struct floor *ret);
int __wrap_floors_find(struct chain *chain, struct floor *ret);
int __wrap_floors_find(struct chain *chain, struct floor *ret)
{
        int r = __real_floors_find(chain, ret);

        call_once(&in_find);
        return r;
}

int __real_position_write(int directory, uint32_t mode, struct position_slot *slot);
int __wrap_position_write(int directory, uint32_t mode, struct position_slot *slot);
int __wrap_position_write(int directory, uint32_t mode, struct position_slot *slot)
{
        call_once(&in_write);
        return __real_position_write(directory, mode, slot);
}

static int set_floor(struct logstore *where, uint64_t number)
{
        const struct logstore_position position = {
                .struct_bytes = sizeof(position),
                .flags = LOGSTORE_POSITION_FLOOR,
                .number = number,
        };

        return logstore_position_set(where, "ship", &position);
}

static void begin_filled(unsigned records)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < records; i++)
                append_filled(RECORD_BYTES, (unsigned char)i);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

/* ---- a trim ----------------------------------------------------------------------------- */

static int to_setter[2], to_trim[2];

static pid_t start_setter(void)
{
        pid_t setter;

        ck_assert_int_eq(pipe(to_setter), 0);
        ck_assert_int_eq(pipe(to_trim), 0);
        setter = fork();
        if (setter == 0) {
                struct logstore *own;
                char byte;
                int r;

                must(try_open(LOGSTORE_READ_ONLY, &own) == 0);
                must(read(to_setter[0], &byte, 1) == 1);
                r = set_floor(own, 20);
                must(write(to_trim[1], &r, sizeof(r)) == sizeof(r));
                must(logstore_close(own) == 0);
                _exit(0);
        }
        return setter;
}

/* The setter must not be done while the trim is between its look and its first number. */
static void let_set(void)
{
        struct pollfd answer = { to_trim[0], POLLIN, 0 };

        ck_assert_int_eq(write(to_setter[1], "x", 1), 1);
        ck_assert_int_eq(poll(&answer, 1, 500), 0);
}

/* With and without a folder: the lock is there before the first position is. */
START_TEST(a_floor_set_while_a_trim_looks_is_refused)
{
        uint64_t first = 0;
        pid_t setter;
        int r = 0;

        begin_filled(400);
        if (_i)
                ck_assert_int_eq(set_floor(store, 390), 0);
        setter = start_setter();
        in_find = let_set;
        ck_assert_int_eq(logstore_trim_before(store, 200, &first), 0);
        ck_assert_ptr_null(in_find);
        ck_assert_uint_gt(first, 20);
        ck_assert_int_eq(read(to_trim[0], &r, sizeof(r)), sizeof(r));
        ck_assert_int_eq(r, -ESTALE);
        expect_child(setter);
}
END_TEST

/* ---- what comes while a position is set --------------------------------------------------- */

static void try_trim(void)
{
        expect_failure(logstore_trim_before(store, 200, NULL), -EBUSY);
}

/* The trim waits for the setter, and gives up. */
START_TEST(a_trim_while_a_floor_is_set_waits_for_it)
{
        begin_filled(400);
        in_write = try_trim;
        ck_assert_int_eq(set_floor(store, 20), 0);
        ck_assert_ptr_null(in_write);
        ck_assert_uint_eq(bounds_of(store).first, 1);
}
END_TEST

static void cut(void)
{
        ck_assert_int_eq(logstore_truncate_after(store, 100, 0), 0);
}

START_TEST(a_truncation_while_a_position_is_set_is_told)
{
        struct logstore_position position = { .struct_bytes = sizeof(position) };

        begin_filled(400);
        in_write = cut;
        expect_failure(set_floor(store, 200), -ESTALE);
        ck_assert_ptr_null(in_write);
        ck_assert_int_eq(logstore_position_get(store, "ship", &position), 0);
        ck_assert_uint_eq(position.state, LOGSTORE_POSITION_CUT);
        ck_assert_uint_eq(position.resume_number, 101);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_floor_set_while_a_trim_looks_is_refused, 2 },
                { a_trim_while_a_floor_is_set_waits_for_it, 0 },
                { a_truncation_while_a_position_is_set_is_told, 0 },
        };

        return RUN_TESTS("floors_moment", tests);
}
