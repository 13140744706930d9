/*
 * test_repair.c - a repair and a writer exclude each other; what is cut is what was copied
 *
 * The store has a damaged record in a sealed segment, which an open for writing does not read: so a
 * writer can come at any moment of a repair, if nothing keeps it out.
 */
#include "test_bad_input_support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS 1000
#define DAMAGED 300

static void make_damaged_store(void)
{
        struct place place;
        char filled[200];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        memset(filled, 'x', sizeof(filled));
        for (unsigned i = 0; i < RECORDS; i++)
                ck_assert_int_eq(logstore_append(store, filled, sizeof(filled), NULL), 0);
        close_store();
        place = place_of(DAMAGED);
        flip_byte(scratch("store/%s", place.file), place.offset + FRAME_HEADER_BYTES);
        ck_assert(file_exists(segment_path(3))); /* there is something behind to be cut */
}

static bool same_file(const char *one, const char *other)
{
        struct bytes a = load_file(one), b = load_file(other);
        bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;

        free(a.data);
        free(b.data);
        return same;
}

/* Every file of the log is as it is in @image, and nothing was moved aside. */
static void expect_unchanged(const char *image)
{
        char before[256];

        snprintf(before, sizeof(before), "%s", image);
        ck_assert(!file_exists(scratch("store/quarantine")));
        ck_assert(same_file(scratch("store/control"), scratch("%s/control", before)));
        for (uint64_t id = 1; id < 20; id++) {
                const char *now = scratch("store/" SEGMENT_NAME_FORMAT, id);
                const char *then = scratch("%s/" SEGMENT_NAME_FORMAT, before, id);

                ck_assert_int_eq(file_exists(now), file_exists(then));
                if (file_exists(then))
                        ck_assert(same_file(now, then));
        }
}

/* ---- what is said to be cut ---- */

/* The unwritten rest of a segment is no loss, and is not moved. */
START_TEST(zeros_are_not_cut)
{
        struct logstore_repair_report report;
        struct place place, last;

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(10);
        close_store();
        place = place_of(8);
        last = place_of(10);
        flip_byte(segment_path(1), place.offset + FRAME_HEADER_BYTES);
        ck_assert_int_eq(logstore_repair(store_path(), 0, NULL, NULL, &report), 0);
        ck_assert_uint_eq(report.kept_last, 7);
        ck_assert_uint_eq(report.cut_bytes, last.offset + last.bytes - place.offset);
        zero_range(segment_path(1), place.offset, 1000);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        ck_assert_uint_eq(report.lost_records, 3);
        ck_assert_uint_eq(report.cut_bytes, 0);
        ck_assert(!file_exists(scratch("store/quarantine")));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* ---- a writer that comes while a repair is at work ---- */

struct intruder {
        unsigned calls, opened;
        uint64_t appended; /* number of the record that was acknowledged last */
};

static void intrude(struct intruder *intruder)
{
        struct logstore *writer;
        int r = try_open(LOGSTORE_NO_THREAD, &writer);

        intruder->calls++;
        if (r < 0) {
                ck_assert_int_eq(r, -EBUSY);
                return;
        }
        intruder->opened++;
        ck_assert_int_eq(logstore_append(writer, "acknowledged", 12, &intruder->appended), 0);
        ck_assert_int_eq(logstore_close(writer), 0);
}

static void on_fault(void *context, const struct logstore_fault *fault)
{
        (void)fault;
        intrude(context);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
        (void)done, (void)total;
        intrude(context);
}

START_TEST(no_append_is_acknowledged_between_what_repair_reads_and_what_it_cuts)
{
        struct intruder intruder = { 0 };
        struct logstore_verify_hooks hooks = { on_fault, on_progress, &intruder };
        struct logstore_repair_report report;

        make_damaged_store();
        ck_assert_int_eq(
                logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, &hooks, &report), 0);
        ck_assert_uint_gt(intruder.calls, 1);
        ck_assert_uint_eq(intruder.opened, 0);
        ck_assert_uint_eq(report.kept_last, DAMAGED - 1);
        open_store(LOGSTORE_NO_THREAD); /* the lock was given back */
        ck_assert_uint_eq(bounds_of(store).tail, DAMAGED - 1);
        ck_assert_uint_eq(append_text("goes on"), DAMAGED);
}
END_TEST

START_TEST(a_dry_run_is_a_look_without_the_lock)
{
        struct intruder intruder = { 0 };
        struct logstore_verify_hooks hooks = { NULL, on_progress, &intruder };
        struct logstore_repair_report report;

        make_damaged_store();
        copy_directory(store_path(), scratch("before"));
        ck_assert_int_eq(logstore_repair(store_path(), 0, NULL, NULL, &report), 0);
        ck_assert_uint_eq(report.kept_last, DAMAGED - 1);
        expect_unchanged("before");
        ck_assert_int_eq(logstore_repair(store_path(), 0, NULL, &hooks, &report), 0);
        ck_assert_uint_gt(intruder.opened, 0);
        open_store(LOGSTORE_NO_THREAD);
        expect_text(store, intruder.appended, "acknowledged");
}
END_TEST

/* ---- a writer that was there before ---- */

static unsigned looks;

static void count_fault(void *context, const struct logstore_fault *fault)
{
        (void)context, (void)fault;
        looks++;
}

static void count_progress(void *context, uint64_t done, uint64_t total)
{
        (void)context, (void)done, (void)total;
        looks++;
}

static const struct logstore_verify_hooks counting = { count_fault, count_progress, NULL };

/* With changes or without, with the writer in this process. */
START_TEST(beside_a_writer_repair_is_busy_and_changes_nothing)
{
        struct logstore_repair_report report;

        make_damaged_store();
        open_store(LOGSTORE_NO_THREAD);
        append_text("acknowledged");
        copy_directory(store_path(), scratch("before"));
        expect_failure(logstore_repair(store_path(), _i ? LOGSTORE_REPAIR_APPLY : 0,
                                       scratch("salvaged"), &counting, &report),
                       -EBUSY);
        ck_assert_uint_eq(looks, 0);
        ck_assert(!file_exists(scratch("salvaged")));
        expect_unchanged("before");
        expect_text(store, RECORDS + 1, "acknowledged");
}
END_TEST

/* Though the chain is so broken that it could not be read: nobody looks at it before. */
START_TEST(beside_a_writing_process_repair_is_busy_whatever_the_chain_is_like)
{
        struct logstore_repair_report report;
        int ready[2], status;
        char byte;
        pid_t child;

        make_damaged_store();
        ck_assert_int_eq(pipe(ready), 0);
        child = fork();
        if (child == 0) {
                struct logstore *writer;

                if (try_open(LOGSTORE_NO_THREAD, &writer) < 0 || write(ready[1], "!", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        flip_byte(segment_path(2), 4);
        copy_directory(store_path(), scratch("before"));
        expect_failure(
                logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, &counting, &report),
                -EBUSY);
        ck_assert_uint_eq(looks, 0);
        expect_unchanged("before");
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
}
END_TEST

/* ---- what is cut ---- */

START_TEST(what_is_cut_is_in_quarantine_as_it_was)
{
        struct logstore_repair_report report;
        uint64_t cut_bytes = 0;
        unsigned copies = 0;

        make_damaged_store();
        copy_directory(store_path(), scratch("before"));
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        for (uint64_t id = 1; file_exists(scratch("before/" SEGMENT_NAME_FORMAT, id)); id++) {
                const char *copy = scratch("store/quarantine/" SEGMENT_NAME_FORMAT ".0", id);
                const char *then = scratch("before/" SEGMENT_NAME_FORMAT, id);
                struct bytes file = load_file(then);

                if (!file_exists(segment_path(id))) {
                        cut_bytes += file.size;
                        ck_assert(file_exists(copy));
                }
                if (file_exists(copy)) {
                        ck_assert(same_file(copy, then));
                        copies++;
                }
                free(file.data);
        }
        ck_assert_uint_gt(copies, 1);
        ck_assert_uint_ge(report.cut_bytes, cut_bytes);
}
END_TEST

/* A foreign file has an id far from the others: repair looks at the files, not at each id. */
START_TEST(a_name_far_away_costs_nothing)
{
        struct logstore_repair_report report;

        make_damaged_store();
        save_file(scratch("store/999999999999999998.log"), "stray", 5);
        ck_assert_int_eq(
                logstore_repair(store_path(), _i ? LOGSTORE_REPAIR_APPLY : 0, NULL, NULL, &report),
                0);
        ck_assert_uint_eq(report.kept_last, DAMAGED - 1);
        if (_i)
                ck_assert(file_exists(scratch("store/quarantine/999999999999999998.log.0")));
}
END_TEST

START_TEST(a_repair_that_fails_gives_the_lock_back_and_cuts_nothing)
{
        struct logstore_repair_report report;

        make_damaged_store();
        copy_directory(store_path(), scratch("before"));
        save_file(scratch("taken"), "x", 1);
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, scratch("taken"), NULL,
                                       &report),
                       -EEXIST);
        expect_unchanged("before");
        save_file(scratch("store/quarantine"), "x", 1); /* no directory: nothing can be copied */
        ck_assert_int_lt(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        ck_assert_int_eq(unlink(scratch("store/quarantine")), 0);
        expect_unchanged("before");
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, RECORDS);
}
END_TEST

/* The newest segment that has records is sealed, and a writer goes on behind it: with an empty
 * head, or with no head at all. */
static void end_sealed(bool with_head)
{
        struct segment_seal seal;

        if (with_head) {
                open_store(LOGSTORE_NO_THREAD);
                ck_assert_int_eq(logstore_truncate_after(store, read_seal(3).last_number, 0), 0);
                close_store();
        } else {
                seal = read_seal(3);
                forge_slots(offsetof(struct control_slot, mark_id), 3);
                forge_slots(offsetof(struct control_slot, mark_number), seal.last_number);
                forge_slots(offsetof(struct control_slot, mark_offset), seal.end);
                ck_assert_int_eq(unlink(segment_path(4)), 0);
        }
        forge_slots(offsetof(struct control_slot, flags), 0);
}

/* It fails, or is killed, with everything in quarantine and nothing cut. A writer may come before
 * the next repair: what it writes to has one name. */
START_TEST(a_repair_that_ends_half_way_keeps_no_writer_out)
{
        make_damaged_store();
        end_sealed(_i);
        ck_assert_int_eq(link(scratch("store/control"), scratch("second")), 0);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL),
                         -EPERM);
        ck_assert(file_exists(scratch("store/quarantine/0000000003.log.0")));
        ck_assert_int_eq(unlink(scratch("second")), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("one more");
        close_store();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { zeros_are_not_cut, 0 },
                { no_append_is_acknowledged_between_what_repair_reads_and_what_it_cuts, 0 },
                { a_dry_run_is_a_look_without_the_lock, 0 },
                { beside_a_writer_repair_is_busy_and_changes_nothing, 2 },
                { beside_a_writing_process_repair_is_busy_whatever_the_chain_is_like, 0 },
                { what_is_cut_is_in_quarantine_as_it_was, 0 },
                { a_name_far_away_costs_nothing, 2 },
                { a_repair_that_fails_gives_the_lock_back_and_cuts_nothing, 0 },
                { a_repair_that_ends_half_way_keeps_no_writer_out, 2 },
        };

        return RUN_TESTS("repair", tests);
}
