/*
 * test_copied_back.c - a backup of a closed store, copied over the longer log that it had become
 */
#include <errno.h>
#include <unistd.h>

#include "test_public_support.h"

enum { EARLY = 30, LATE = 250 }; /* records of 1,000 bytes: 59 to a segment */

static struct bytes control, segment;

static const char *segment_path(uint64_t id)
{
        return scratch("store/%010llu.log", (unsigned long long)id);
}

static uint64_t append_up_to(uint64_t last)
{
        uint64_t number;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        number = bounds_of(store).tail;
        while (number < last)
                number = append_filled(1000, 'x');
        close_store();
        return number;
}

/* The state that is a backup, and the longer log. */
static void make_store(void)
{
        append_up_to(EARLY);
        control = load_file(scratch("store/control"));
        segment = load_file(segment_path(1));
        append_up_to(LATE);
}

static void copy_back_control(void)
{
        save_file(scratch("store/control"), control.data, control.size);
}

static void copy_back_segment(void)
{
        save_file(segment_path(1), segment.data, segment.size);
}

static void give_back(void)
{
        free(control.data);
        free(segment.data);
}

struct told {
        unsigned faults, drops;
};

static void count(void *context, const struct logstore_fault *fault)
{
        struct told *told = context;

        told->faults += fault->fatal != 0;
        told->drops += strstr(fault->what, "the next open for writing drops them") != NULL;
}

static struct told verify(void)
{
        struct told told = { 0 };
        struct logstore_verify_hooks hooks = { count, NULL, &told };

        ck_assert_int_eq(logstore_verify(store_path(), &hooks, NULL), told.faults ? -EBADMSG : 0);
        return told;
}

static void expect_records(uint64_t tail)
{
        struct logstore *reader;

        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_uint_eq(bounds_of(reader).tail, tail);
        ck_assert_int_eq(logstore_close(reader), 0);
}

/* Read, verified, appended to: the log is the backup, and what was newer is told of and dropped. */
START_TEST(the_log_is_the_backup_and_goes_on_there)
{
        struct told told;

        make_store();
        copy_back_control();
        copy_back_segment();
        expect_records(EARLY);
        told = verify();
        ck_assert_uint_eq(told.faults, 0);
        ck_assert_uint_eq(told.drops, 1);
        ck_assert_int_eq(logstore_repair(store_path(), 0, NULL, NULL, NULL), 0);
        ck_assert_uint_eq(append_up_to(EARLY + 1), EARLY + 1);
        ck_assert(!file_exists(segment_path(2)));
        told = verify();
        ck_assert_uint_eq(told.faults + told.drops, 0);
        expect_records(EARLY + 1);
        append_up_to(LATE);
        ck_assert_uint_eq(verify().faults, 0);
        expect_records(LATE);
        give_back();
}
END_TEST

/* Whatever is left of the newer files. */
START_TEST(newer_files_may_be_missing_in_part)
{
        make_store();
        copy_back_control();
        copy_back_segment();
        ck_assert_int_eq(unlink(segment_path(3 + (uint64_t)_i)), 0);
        expect_records(EARLY);
        ck_assert_uint_eq(append_up_to(EARLY + 1), EARLY + 1);
        ck_assert_uint_eq(verify().faults, 0);
        give_back();
}
END_TEST

/* The chain says more than the mark. */
START_TEST(an_older_control_file_alone_takes_nothing_back)
{
        make_store();
        copy_back_control();
        expect_records(LATE);
        ck_assert_uint_eq(verify().faults, 0);
        ck_assert_uint_eq(append_up_to(LATE + 1), LATE + 1);
        ck_assert_uint_eq(verify().faults, 0);
        give_back();
}
END_TEST

/* The mark says that there was more. */
START_TEST(an_older_segment_alone_is_damage)
{
        struct logstore *none = NULL;

        make_store();
        copy_back_segment();
        ck_assert_uint_eq(verify().faults, 1);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
        give_back();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { the_log_is_the_backup_and_goes_on_there, 0 },
                { newer_files_may_be_missing_in_part, 3 },
                { an_older_control_file_alone_takes_nothing_back, 0 },
                { an_older_segment_alone_is_damage, 0 },
        };

        return RUN_TESTS("copied_back", tests);
}
