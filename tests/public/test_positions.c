/*
 * test_positions.c - a named position is where it was set, or says what became of its place
 */
#include "test_threads_support.h"

#define RECORD_BYTES 1000 /* 59 to a segment */

static struct logstore *reader;

static struct logstore_position at_number(uint64_t number)
{
        return (struct logstore_position){
                .struct_bytes = sizeof(struct logstore_position),
                .number = number,
        };
}

static int set_number(struct logstore *where, const char *name, uint64_t number)
{
        struct logstore_position position = at_number(number);

        return logstore_position_set(where, name, &position);
}

static struct logstore_position get(struct logstore *where, const char *name)
{
        struct logstore_position position = at_number(0);
        int r = logstore_position_get(where, name, &position);

        ck_assert_msg(r == 0, "get %s: %s: %s", name, logstore_error_text(r), logstore_detail());
        return position;
}

static void expect_state(const char *name, uint32_t state, uint64_t resume)
{
        struct logstore *handles[] = { store, reader };

        for (size_t i = 0; i < 2; i++) {
                struct logstore_position position;

                if (!handles[i])
                        continue;
                position = get(handles[i], name);
                ck_assert_msg(position.state == state && position.resume_number == resume,
                              "%s by %s: state %u, resume %" PRIu64 ", not %u, %" PRIu64, name,
                              i ? "reader" : "writer", position.state, position.resume_number,
                              state, resume);
        }
}

static void fill(unsigned records)
{
        for (unsigned i = 0; i < records; i++)
                append_filled(RECORD_BYTES, (unsigned char)i);
}

static void begin_filled(unsigned records)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        fill(records);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
}

static void end(void)
{
        ck_assert_int_eq(logstore_close(reader), 0);
        reader = NULL;
}

START_TEST(what_is_set_is_told)
{
        struct logstore_position position = at_number(150), told;

        begin_filled(300);
        position.flags = LOGSTORE_POSITION_FLOOR;
        position.limit_bytes = 1 << 20;
        position.limit_ns = INT64_C(3600000000000);
        ck_assert_int_eq(logstore_position_set(_i ? reader : store, "ship.er-1_A", &position), 0);
        told = get(reader, "ship.er-1_A");
        ck_assert_str_eq(told.name, "ship.er-1_A");
        ck_assert_uint_eq(told.flags, LOGSTORE_POSITION_FLOOR);
        ck_assert_uint_eq(told.number, 150);
        ck_assert_uint_gt(told.segment_id, 1);
        ck_assert_uint_ne(told.segment_salt, 0);
        ck_assert_uint_eq(told.limit_bytes, 1 << 20);
        ck_assert_int_eq(told.limit_ns, INT64_C(3600000000000));
        ck_assert_int_gt(told.set_ns, 0);
        ck_assert_uint_eq(told.resume_id, told.segment_id);
        ck_assert_uint_eq(told.resume_offset, told.offset);
        expect_state("ship.er-1_A", LOGSTORE_POSITION_HERE, 150);
        ck_assert_int_eq(set_number(reader, "ship.er-1_A", 7), 0); /* back is allowed */
        expect_state("ship.er-1_A", LOGSTORE_POSITION_HERE, 7);
        end();
}
END_TEST

START_TEST(it_is_there_after_a_reopen_and_a_crash)
{
        begin_filled(100);
        ck_assert_int_eq(set_number(store, "a", 101), 0);
        end();
        reopen_store();
        expect_state("a", LOGSTORE_POSITION_HERE, 101);
        fill(10);
        ck_assert_int_eq(set_number(store, "a", 105), 0);
        /* crash_store() copies no folders */
        ck_assert_int_eq(rename(scratch("store/positions"), scratch("positions")), 0);
        crash_store();
        ck_assert_int_eq(rename(scratch("positions"), scratch("store/positions")), 0);
        open_store(LOGSTORE_NO_THREAD);
        expect_state("a", LOGSTORE_POSITION_HERE, 105);
        fill(100);
        expect_state("a", LOGSTORE_POSITION_HERE, 105);
}
END_TEST

static const struct {
        const char *name;
        bool good;
} names[] = {
        { "a", true },
        { "A-b_c.9", true },
        { "", false },
        { ".a", false },
        { "a/b", false },
        { "..", false },
        { "a b", false },
        { "a\n", false },
        { "\xc3\xa4", false },
        { "123456789012345678901234567890123456789012345678901234567890123", true },
        { "1234567890123456789012345678901234567890123456789012345678901234", false },
};

START_TEST(names_are_plain)
{
        struct logstore_position position = at_number(0);

        begin_filled(3);
        if (names[_i].good) {
                ck_assert_int_eq(set_number(store, names[_i].name, 2), 0);
                ck_assert_str_eq(get(reader, names[_i].name).name, names[_i].name);
        } else {
                expect_failure(set_number(store, names[_i].name, 2), -EINVAL);
                expect_failure(logstore_position_get(store, names[_i].name, &position), -EINVAL);
                expect_failure(logstore_position_remove(store, names[_i].name), -EINVAL);
                ck_assert(!file_exists(scratch("store/positions")));
        }
        end();
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
        struct logstore_position position = at_number(2), before;

        begin_filled(3);
        ck_assert_int_eq(set_number(store, "a", 2), 0);
        before = get(store, "a");
        expect_failure(set_number(store, "a", 0), -EINVAL);
        expect_failure(set_number(store, "a", 5), -EAGAIN);
        position.flags = 2;
        expect_failure(logstore_position_set(store, "a", &position), -EINVAL);
        position = at_number(2);
        position.limit_ns = -1;
        expect_failure(logstore_position_set(store, "a", &position), -EINVAL);
        position = at_number(2);
        position.struct_bytes--;
        expect_failure(logstore_position_set(store, "a", &position), -EINVAL);
        expect_failure(logstore_position_get(store, "a", &position), -EINVAL);
        expect_failure(logstore_position_set(store, "a", NULL), -EINVAL);
        expect_failure(logstore_position_set(store, NULL, &before), -EINVAL);
        expect_failure(logstore_position_set(NULL, "a", &before), -EINVAL);
        expect_failure(logstore_position_get(store, "a", NULL), -EINVAL);
        expect_failure(logstore_position_get(store, "b", &before), -ENOENT);
        expect_failure(logstore_position_remove(store, "b"), -ENOENT);
        expect_failure(logstore_position_list(store, NULL, NULL), -EINVAL);
        ck_assert_uint_eq(get(store, "a").number, 2);
        end();
}
END_TEST

static int note(void *context, const struct logstore_position *position)
{
        char *list = context;

        ck_assert_int_eq(position->error, 0);
        list[position->name[0] - 'a'] = 'x';
        return position->name[0] == 'z' ? 7 : 0;
}

START_TEST(a_list_has_each_that_was_not_removed)
{
        char list[27] = "--------------------------";

        begin_filled(9);
        ck_assert_int_eq(logstore_position_list(reader, note, list), 0);
        ck_assert_int_eq(set_number(store, "a", 1), 0);
        ck_assert_int_eq(set_number(reader, "b", 4), 0);
        ck_assert_int_eq(set_number(reader, "c", 10), 0);
        ck_assert_int_eq(logstore_position_remove(reader, "b"), 0);
        ck_assert_int_eq(logstore_position_list(store, note, list), 0);
        ck_assert_str_eq(list, "x-x-----------------------");
        ck_assert_int_eq(set_number(store, "z", 1), 0);
        ck_assert_int_eq(logstore_position_list(store, note, list), 7);
        end();
}
END_TEST

/* A reading process sets none beyond what is durable; the writer syncs first. */
START_TEST(a_position_is_set_in_what_is_durable)
{
        uint64_t durable;

        begin_filled(5);
        fill(5);
        ck_assert_int_eq(set_number(reader, "a", 6), 0);
        expect_failure(set_number(reader, "a", 7), -EAGAIN);
        expect_state("a", LOGSTORE_POSITION_HERE, 6);
        ck_assert_int_eq(set_number(store, "a", 9), 0);
        ck_assert_int_eq(logstore_durable(store, &durable), 0);
        ck_assert_uint_ge(durable, 8);
        expect_state("a", LOGSTORE_POSITION_HERE, 9);
        end();
}
END_TEST

static int set_end(void *context, const struct logstore_extent *extent)
{
        struct logstore_position position = at_number(extent->last_number + 1);

        position.segment_id = extent->id;
        position.segment_salt = extent->salt;
        position.offset = extent->end;
        return logstore_position_set(context, "end", &position);
}

/* What logstore_extents() tells is a place that can be set. */
START_TEST(the_end_of_each_extent_is_a_place)
{
        begin_filled(300);
        ck_assert_msg(logstore_extents(reader, 0, set_end, reader) == 0, "%s", logstore_detail());
        expect_state("end", LOGSTORE_POSITION_HERE, 301);
        ck_assert_int_eq(logstore_truncate_after(store, 150, 0), 0);
        ck_assert_msg(logstore_extents(reader, 0, set_end, reader) == 0, "%s", logstore_detail());
        expect_state("end", LOGSTORE_POSITION_HERE, 151);
        ck_assert_int_eq(logstore_trim_before(store, 100, NULL), 0);
        ck_assert_msg(logstore_extents(store, 0, set_end, store) == 0, "%s", logstore_detail());
        end();
}
END_TEST

START_TEST(a_place_must_be_that_of_its_number)
{
        struct logstore_position good, position;

        begin_filled(300);
        ck_assert_int_eq(set_number(store, "a", 150), 0);
        good = get(store, "a");
        ck_assert_int_eq(logstore_position_set(reader, "a", &good), 0);
        position = good;
        position.number++;
        expect_failure(logstore_position_set(reader, "a", &position), -EINVAL);
        position = good;
        position.number = 1;
        expect_failure(logstore_position_set(reader, "a", &position), -EINVAL);
        position = good;
        position.offset += 8;
        expect_failure(logstore_position_set(reader, "a", &position), -EINVAL);
        position = good;
        position.offset += 1;
        expect_failure(logstore_position_set(reader, "a", &position), -EINVAL);
        position = good;
        position.offset = UINT64_MAX - 7;
        expect_failure(logstore_position_set(reader, "a", &position), -EINVAL);
        position = good;
        position.segment_salt++;
        expect_failure(logstore_position_set(reader, "a", &position), -ESTALE);
        position = good;
        position.segment_id += 100;
        expect_failure(logstore_position_set(reader, "a", &position), -ESTALE);
        expect_state("a", LOGSTORE_POSITION_HERE, 150);
        end();
}
END_TEST

/* ---- what becomes of a place ------------------------------------------------------------- */

static const struct {
        const char *when;
        uint64_t number;
        uint64_t after, resume;       /* the log is cut after that, */
        uint64_t again, resume_again; /* filled, and cut again, if not 0 */
        bool here;
} cuts[] = {
        { "behind it", 100, 150, 100, 0, 0, true },
        { "at it", 101, 100, 101, 0, 0, true },
        { "just before it", 102, 100, 101, 0, 0, false },
        { "in an older segment", 250, 20, 21, 0, 0, false },
        { "in the same segment", 30, 20, 21, 0, 0, false },
        { "twice, lower", 250, 200, 201, 20, 21, false },
        { "twice, at one place", 150, 100, 101, 100, 101, false },
        { "twice, higher", 250, 100, 101, 350, 101, false },
};

/* The numbers are used again. The place tells that they are others. */
START_TEST(a_truncation_below_it_is_told)
{
        uint32_t state = cuts[_i].here ? LOGSTORE_POSITION_HERE : LOGSTORE_POSITION_CUT;
        struct logstore_position position, cut;

        begin_filled(300);
        ck_assert_int_eq(set_number(store, "a", cuts[_i].number), 0);
        position = get(store, "a");
        ck_assert_int_eq(logstore_truncate_after(store, cuts[_i].after, 0), 0);
        expect_state("a", state, cuts[_i].resume);
        fill(300);
        expect_state("a", state, cuts[_i].resume);
        if (cuts[_i].again) {
                ck_assert_int_eq(logstore_truncate_after(store, cuts[_i].again, 0), 0);
                expect_state("a", state, cuts[_i].resume_again);
        }
        cut = get(reader, "a");
        if (!cuts[_i].here)
                expect_failure(logstore_position_set(reader, "a", &position), -ESTALE);
        position = at_number(cut.resume_number);
        position.segment_id = cut.resume_id;
        position.segment_salt = cut.resume_salt;
        position.offset = cut.resume_offset;
        ck_assert_uint_ne(cut.resume_id, 0);
        ck_assert_int_eq(logstore_position_set(reader, "a", &position), 0);
        expect_state("a", LOGSTORE_POSITION_HERE, cut.resume_number);
        end();
}
END_TEST

START_TEST(a_trim_over_it_is_told)
{
        uint64_t first;

        begin_filled(300);
        ck_assert_int_eq(set_number(store, "old", 20), 0);
        ck_assert_int_eq(set_number(store, "new", 290), 0);
        ck_assert_int_eq(logstore_trim_before(store, 200, &first), 0);
        ck_assert_int_eq(set_number(store, "edge", first), 0);
        expect_state("old", LOGSTORE_POSITION_TRIMMED, first);
        expect_state("new", LOGSTORE_POSITION_HERE, 290);
        expect_state("edge", LOGSTORE_POSITION_HERE, first);
        expect_failure(set_number(reader, "old", 20), -ESTALE);
        expect_failure(set_number(store, "old", 20), -ESTALE);
        end();
}
END_TEST

static int find_third(void *context, const struct logstore_extent *extent)
{
        *(uint64_t *)context = extent->first_number;
        return extent->id == 3;
}

/* The last segment that its reader has read is trimmed: nothing is lost. */
START_TEST(a_trim_up_to_it_is_no_loss)
{
        uint64_t third = 0, first;

        begin_filled(300);
        ck_assert_int_eq(logstore_extents(store, 0, find_third, &third), 1);
        ck_assert_int_eq(set_number(store, "before", third - 1), 0);
        ck_assert_int_eq(set_number(store, "at", third), 0);
        ck_assert_uint_eq(get(store, "at").segment_id, 2);
        ck_assert_int_eq(logstore_trim_before(store, third, &first), 0);
        ck_assert_uint_eq(first, third);
        expect_state("at", LOGSTORE_POSITION_HERE, third);
        expect_state("before", LOGSTORE_POSITION_TRIMMED, third);
        end();
}
END_TEST

START_TEST(an_emptied_log_is_told)
{
        begin_filled(300);
        ck_assert_int_eq(set_number(store, "a", 100), 0);
        ck_assert_int_eq(set_number(store, "all", 301), 0);
        ck_assert_int_eq(logstore_truncate_after(store, 0, 301), 0);
        expect_state("a", LOGSTORE_POSITION_CUT, 301);
        expect_state("all", LOGSTORE_POSITION_CUT, 301);
        end();
}
END_TEST

/* The store is put back as it was before the position was set. */
START_TEST(a_place_behind_the_end_is_told_as_cut)
{
        begin_filled(100);
        end();
        close_store();
        copy_directory(store_path(), scratch("old"));
        open_store(LOGSTORE_NO_THREAD);
        fill(200);
        ck_assert_int_eq(set_number(store, "a", 301), 0);
        ck_assert_int_eq(set_number(store, "b", 103), 0);
        close_store();
        ck_assert_int_eq(rename(scratch("store/positions"), scratch("old/positions")), 0);
        ck_assert_int_eq(rename(store_path(), scratch("gone")), 0);
        ck_assert_int_eq(rename(scratch("old"), store_path()), 0);
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        expect_state("a", LOGSTORE_POSITION_CUT, 101);
        expect_state("b", LOGSTORE_POSITION_CUT, 101);
        open_store(LOGSTORE_NO_THREAD);
        expect_state("a", LOGSTORE_POSITION_CUT, 101);
        end();
}
END_TEST

START_TEST(without_a_segment_the_number_tells)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        ck_assert_int_eq(set_number(store, "a", 1), 0);
        expect_state("a", LOGSTORE_POSITION_HERE, 1);
        fill(100);
        expect_state("a", LOGSTORE_POSITION_HERE, 1);
}
END_TEST

/* ---- the rest of the store does not mind -------------------------------------------------- */

START_TEST(verify_repair_and_copies_pass_over_the_folder)
{
        struct logstore_repair_report report;
        struct logstore_snapshot *snapshot;

        begin_filled(200);
        ck_assert_int_eq(set_number(store, "a", 100), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_int_eq(logstore_snapshot_open(reader, 0, &snapshot), 0);
        ck_assert_int_eq(logstore_snapshot_export(snapshot, scratch("copy"), NULL), 0);
        logstore_snapshot_close(snapshot);
        ck_assert(!file_exists(scratch("copy/positions")));
        end();
        close_store();
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, &report),
                         0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        expect_state("a", LOGSTORE_POSITION_HERE, 100);
}
END_TEST

/* ---- several processes ------------------------------------------------------------------ */

#define SETS 150

static void set_all(unsigned who)
{
        struct logstore *own;

        must(try_open(LOGSTORE_READ_ONLY, &own) == 0);
        for (unsigned i = 0; i < SETS; i++) {
                struct logstore_position position = at_number(i + 1);

                position.limit_bytes = who * 1000 + i + 1;
                position.limit_ns = (int64_t)position.limit_bytes;
                must(logstore_position_set(own, "a", &position) == 0);
                must(logstore_position_get(own, "a", &position) == 0);
                must(position.limit_bytes % 1000 == position.number);
                must(position.limit_ns == (int64_t)position.limit_bytes);
        }
        must(logstore_close(own) == 0);
        _exit(0);
}

START_TEST(setters_take_turns)
{
        pid_t setters[3];

        begin_filled(SETS);
        for (unsigned i = 0; i < 3; i++) {
                setters[i] = fork();
                if (setters[i] == 0)
                        set_all(i);
        }
        for (unsigned i = 0; i < 200; i++) {
                struct logstore_position position = at_number(0);
                int r = logstore_position_get(reader, "a", &position);

                ck_assert_msg(r == 0 || r == -ENOENT, "%s", logstore_detail());
                if (r == 0)
                        ck_assert_uint_eq(position.limit_bytes % 1000, position.number);
        }
        for (unsigned i = 0; i < 3; i++)
                expect_child(setters[i]);
        ck_assert_uint_eq(get(reader, "a").number, SETS);
        end();
}
END_TEST

START_TEST(a_forked_child_is_told_to_open_its_own)
{
        pid_t child;

        begin_filled(3);
        child = fork();
        if (child == 0) {
                must(set_number(store, "a", 1) == -ECHILD);
                _exit(0);
        }
        expect_child(child);
        end();
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_is_set_is_told, 2 },
                { it_is_there_after_a_reopen_and_a_crash, 0 },
                { names_are_plain, sizeof(names) / sizeof(names[0]) },
                { what_is_wrong_is_refused, 0 },
                { a_list_has_each_that_was_not_removed, 0 },
                { a_position_is_set_in_what_is_durable, 0 },
                { the_end_of_each_extent_is_a_place, 0 },
                { a_place_must_be_that_of_its_number, 0 },
                { a_truncation_below_it_is_told, sizeof(cuts) / sizeof(cuts[0]) },
                { a_trim_over_it_is_told, 0 },
                { a_trim_up_to_it_is_no_loss, 0 },
                { an_emptied_log_is_told, 0 },
                { a_place_behind_the_end_is_told_as_cut, 0 },
                { without_a_segment_the_number_tells, 0 },
                { verify_repair_and_copies_pass_over_the_folder, 0 },
                { setters_take_turns, 0 },
                { a_forked_child_is_told_to_open_its_own, 0 },
        };

        return RUN_TESTS("positions", tests);
}
