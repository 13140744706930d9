/*
 * test_chain.c - the chain of segments is found, followed and shortened; what breaks it is told
 */
#include "chain/chain.h"
#include "chain/control.h"
#include "test_unit_support.h"

#define SEGMENTS 6u
#define RECORDS 10u /* in each */

int __real_os_list(int at, int (*each)(void *context, const char *name), void *context);
int __wrap_os_list(int at, int (*each)(void *context, const char *name), void *context);

static struct control control;
static struct chain chain;
static const char *passed_over;         /* by the next listing */
static struct start_payload next_start; /* of what would continue the chain */

/* Make segments 1..SEGMENTS with numbers from 1, all sealed except the last, and a control page. */
static void make_chain(void)
{
        struct start_payload start = { .first_number = 1, .epoch = 1 };

        begin_with_control(&control);
        for (uint64_t id = 1; id <= SEGMENTS; id++)
                start = chain_segment(id, &start, RECORDS, id < SEGMENTS);
        next_start = start;
}

static void load_limited(size_t mapped_limit)
{
        chain_init(&chain, &memory, &control, directory, mapped_limit);
        expect_ok(chain_load(&chain));
}

static void load(void)
{
        load_limited(64);
}

static const char *log_name(unsigned id)
{
        return scratch(SEGMENT_NAME_FORMAT, (uint64_t)id);
}

struct listing {
        int (*each)(void *context, const char *name);
        void *context;
};

static int list_others(void *context, const char *name)
{
        const struct listing *listing = context;

        return strcmp(name, passed_over) == 0 ? 0 : listing->each(listing->context, name);
}

int __wrap_os_list(int at, int (*each)(void *context, const char *name), void *context)
{
        struct listing listing = { each, context };
        int r;

        if (!passed_over)
                return __real_os_list(at, each, context);
        r = __real_os_list(at, list_others, &listing);
        passed_over = NULL;
        return r;
}

static void expect_in(uint64_t number, uint64_t id)
{
        struct segment *segment;

        expect_ok(chain_pin(&chain, number, &segment));
        ck_assert_uint_eq(segment->brief.id, id);
        chain_unpin(&chain, segment);
}

START_TEST(every_number_leads_to_its_segment)
{
        make_chain();
        load();
        ck_assert_int_eq(chain.fault, 0);
        ck_assert_uint_eq(chain.count, SEGMENTS);
        for (uint64_t number = 1; number <= SEGMENTS * RECORDS; number++)
                expect_in(number, (number - 1) / RECORDS + 1);
        expect_in(SEGMENTS * RECORDS + 1, SEGMENTS); /* would be there */
        chain_free(&chain);
}
END_TEST

START_TEST(unpinned_segments_beyond_the_limit_are_unmapped)
{
        make_chain();
        load_limited(2);
        for (int pass = 0; pass < 3; pass++)
                for (uint64_t number = 1; number <= SEGMENTS * RECORDS; number += 3) {
                        expect_in(number, (number - 1) / RECORDS + 1);
                        ck_assert_uint_le(chain.mapped_count, 2);
                }
        chain_free(&chain);
        ck_assert_uint_eq(memory.mappings, 1); /* the control page */
}
END_TEST

START_TEST(a_pinned_segment_stays_readable_when_it_is_deleted)
{
        struct segment *segment;
        uint64_t offset;
        struct record_view view;

        make_chain();
        load();
        expect_ok(chain_pin(&chain, 5, &segment));
        ck_assert_uint_eq(chain_trim(&chain, 35), 31);
        expect_ok(chain_drop_leftovers(&chain));
        ck_assert(!file_exists(log_name(1)) && !file_exists(log_name(3)));
        ck_assert(file_exists(log_name(4)));
        expect_ok(segment_locate(segment, 5, &offset, &view));
        ck_assert(record_valid(&segment->key, segment->map.base, offset, &view));
        chain_unpin(&chain, segment);
        expect_failure(chain_pin(&chain, 5, &segment), -ESTALE);
        expect_in(31, 4);
        chain_free(&chain);
        ck_assert_uint_eq(memory.mappings, 1);
}
END_TEST

static const struct {
        uint64_t before, first;
} trims[] = { { 0, 1 }, { 1, 1 }, { 10, 1 }, { 11, 11 }, { 12, 11 }, { 51, 51 }, { 1000, 51 } };

START_TEST(a_trim_takes_whole_segments_and_never_the_last)
{
        make_chain();
        load();
        ck_assert_uint_eq(chain_trim(&chain, trims[_i].before), trims[_i].first);
        ck_assert_uint_ge(chain.count, 1);
        expect_ok(chain_drop_leftovers(&chain));
        ck_assert(file_exists(log_name(SEGMENTS)));
        chain_free(&chain);
}
END_TEST

/* A crash between the durable first number and the unlinks. */
START_TEST(segments_below_the_first_number_are_leftovers_and_no_damage)
{
        make_chain();
        control_set_first(&control, 31);
        unlink(log_name(1));
        load();
        ck_assert_int_eq(chain.fault, 0);
        ck_assert_uint_eq(chain.leftover_count, 2);
        expect_ok(chain_drop_leftovers(&chain));
        ck_assert(!file_exists(log_name(2)) && !file_exists(log_name(3)));
        ck_assert(file_exists(log_name(4)));
        chain_free(&chain);
}
END_TEST

START_TEST(a_prepared_segment_nobody_started_is_a_leftover)
{
        make_chain();
        expect_ok(segment_prepare(directory, uuid, SEGMENTS + 1, SEGMENT_BYTES_MIN, 0600));
        load();
        ck_assert_int_eq(chain.fault, 0);
        ck_assert_uint_eq(chain.count, SEGMENTS);
        ck_assert_uint_eq(chain.leftover_count, 1);
        ck_assert_uint_eq(chain.highest_id, SEGMENTS + 1);
        chain_free(&chain);
}
END_TEST

/* A truncation or a recovery: the new head continues an older segment than the newest. */
START_TEST(what_the_head_does_not_continue_is_off_the_chain)
{
        struct segment_brief brief;
        struct start_payload start;

        make_chain();
        expect_ok(segment_brief_read(directory, uuid, 5, &brief));
        start = brief.start;
        start.epoch = 2;
        chain_segment(SEGMENTS + 1, &start, 3, false); /* begins with 41, behind 4 */
        load();
        ck_assert_int_eq(chain.fault, 0);
        ck_assert_uint_eq(chain.leftover_count, 2);
        expect_in(41, SEGMENTS + 1);
        expect_in(40, 4);
        ck_assert_uint_eq(chain_rewound(&chain, 1, 0), 41);
        ck_assert_uint_eq(chain_rewound(&chain, 2, 0), UINT64_MAX);
        expect_ok(chain_drop_leftovers(&chain));
        ck_assert(!file_exists(log_name(5)) && !file_exists(log_name(6)));
        chain_free(&chain);
}
END_TEST

/* A mark that is later than the epoch of the control page is of a log that was cut. */
START_TEST(a_mark_does_not_reach_into_a_later_epoch)
{
        struct segment_brief brief;
        struct control_slot slot;
        struct start_payload start;

        make_chain();
        control_set_mark(&control, 55, 6, 5000);
        expect_ok(segment_brief_read(directory, uuid, 5, &brief));
        start = brief.start;
        start.epoch = 2;
        chain_segment(SEGMENTS + 1, &start, 3, false);
        load();
        chain_slot(&chain, &slot);
        ck_assert_uint_eq(slot.mark_number, 40);
        ck_assert_uint_eq(slot.mark_id, 4);
        chain_free(&chain);
}
END_TEST

static const struct {
        const char *what;
        unsigned gone;      /* this segment is deleted, */
        uint64_t good, bad; /* and this number is served, and that not */
} missing[] = {
        { "the oldest", 1, 11, 5 },
        { "one in the middle", 3, 15, 25 },
        { "the one before the head", 5, 55, 45 },
};

START_TEST(a_missing_segment_is_damage_that_says_so_and_the_rest_is_served)
{
        struct segment *segment;
        int r;

        make_chain();
        unlink(log_name(missing[_i].gone));
        load();
        ck_assert_msg(chain.fault == -EBADMSG, "%s", missing[_i].what);
        ck_assert_ptr_nonnull(strstr(chain.faults[0].fault.what, "missing"));
        r = chain_pin(&chain, missing[_i].bad, &segment);
        ck_assert_msg(r == -EBADMSG, "%s: %d", missing[_i].what, r);
        expect_in(missing[_i].good, (missing[_i].good - 1) / RECORDS + 1);
        chain_free(&chain);
}
END_TEST

/* One took another's place while the directory was read, which gave neither. */
START_TEST(a_segment_is_missing_when_two_listings_are_without_it)
{
        make_chain();
        control_set_mark(&control, 52, SEGMENTS, 5000);
        passed_over = "0000000006.log";
        load();
        ck_assert_ptr_null(passed_over);
        ck_assert_msg(chain.fault == 0, "%s", chain.fault_count ? chain.faults[0].fault.what : "");
        ck_assert_uint_eq(chain.count, SEGMENTS);
        chain_free(&chain);
}
END_TEST

START_TEST(the_newest_segment_missing_is_damage_if_something_in_it_was_durable)
{
        make_chain();
        unlink(log_name(SEGMENTS));
        load();
        ck_assert_int_eq(chain.fault, 0); /* nobody was told anything */
        chain_free(&chain);
        control_set_mark(&control, 52, SEGMENTS, 5000);
        load();
        ck_assert_int_eq(chain.fault, -EBADMSG);
        expect_in(50, 5);
        chain_free(&chain);
}
END_TEST

START_TEST(a_segment_replaced_by_another_is_found_out)
{
        struct start_payload start = { .first_number = 41, .epoch = 1 };

        make_chain();
        unlink(log_name(5)); /* the same numbers, another salt */
        chain_segment(5, &start, RECORDS, true);
        load();
        ck_assert_int_eq(chain.fault, -EBADMSG);
        chain_free(&chain);
}
END_TEST

static const struct {
        const char *what;
        unsigned from; /* files from this one to the last of the old log are back */
} put_back[] = {
        { "the one before the successor", SEGMENTS },
        { "two", SEGMENTS - 1 },
        { "all that were cut", 4 },
};

/* A restore puts files back that a truncation had cut, and the new log is sealed behind them. */
START_TEST(what_is_put_back_behind_a_seal_is_off_the_chain)
{
        struct segment_brief brief;
        struct start_payload start;

        make_chain();
        expect_ok(segment_brief_read(directory, uuid, 4, &brief));
        start = brief.start;
        start.epoch = 2;
        for (uint64_t id = SEGMENTS + 1; id <= SEGMENTS + 4; id++)
                start = chain_segment(id, &start, RECORDS, id < SEGMENTS + 4);
        for (unsigned id = 4; id < put_back[_i].from; id++)
                unlink(log_name(id));
        load();
        ck_assert_msg(chain.fault == 0, "%s: %s", put_back[_i].what,
                      chain.fault_count ? chain.faults[0].fault.what : "");
        ck_assert_uint_eq(chain.leftover_count, SEGMENTS + 1 - put_back[_i].from);
        for (uint64_t number = 1; number <= 7 * RECORDS; number++)
                expect_in(number, (number - 1) / RECORDS + (number > 30 ? 4 : 1));
        expect_ok(chain_drop_leftovers(&chain));
        ck_assert(!file_exists(log_name(6)));
        ck_assert(file_exists(log_name(3)) && file_exists(log_name(7)));
        chain_free(&chain);
}
END_TEST

static unsigned count_faults(void)
{
        struct logstore_verify_report report;

        expect_ok(logstore_verify(store_path(), NULL, &report));
        return (unsigned)report.faults;
}

/* The same through the public header: the new records stay, and a writer removes the file. */
START_TEST(a_restored_file_does_not_bring_old_records_back)
{
        const char *back = "store/0000000003.log";
        struct bytes old;

        open_store(LOGSTORE_CREATE);
        for (unsigned i = 0; i < 60; i++)
                append_filled(3000, 'o');
        expect_ok(logstore_sync(store, 0));
        old = load_file(scratch("%s", back));
        expect_ok(logstore_truncate_after(store, 30, 0));
        for (unsigned i = 0; i < 60; i++)
                append_filled(3000, 'n');
        close_store();
        ck_assert(!file_exists(scratch("%s", back)));
        save_file(scratch("%s", back), old.data, old.size);
        free(old.data);
        ck_assert_uint_eq(count_faults(), 0);
        open_store(0);
        ck_assert_uint_eq(bounds_of(store).tail, 90);
        for (uint64_t number = 1; number <= 90; number++) {
                struct logstore_record record;
                char data[3000];

                expect_ok(logstore_get(store, number, data, sizeof(data), &record));
                ck_assert_msg(data[0] == (number <= 30 ? 'o' : 'n'), "record %" PRIu64, number);
        }
        close_store();
        ck_assert(!file_exists(scratch("%s", back)));
}
END_TEST

/* A later seal proves what was durable. Missing records are reported, though the mark is as old as
 * the copied segment. */
START_TEST(an_old_control_file_does_not_hide_that_records_are_missing)
{
        static const char *const names[] = { "store/control", "store/0000000001.log" };
        struct logstore_verify_report report;
        struct bytes old[2];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (unsigned i = 0; i < 5; i++)
                append_filled(3000, 'o');
        expect_ok(logstore_sync(store, 0));
        for (int i = 0; i < 2; i++)
                old[i] = load_file(scratch("%s", names[i]));
        for (unsigned i = 0; i < 60; i++)
                append_filled(3000, 'n');
        close_store();
        for (int i = 0; i < 2; i++) {
                save_file(scratch("%s", names[i]), old[i].data, old[i].size);
                free(old[i].data);
        }
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), -EBADMSG);
        ck_assert_uint_eq(report.faults, 1);
}
END_TEST

/* Of no forged link may a walk back come to no end. */
START_TEST(a_link_to_itself_or_forward_is_damage)
{
        make_chain();
        load();
        next_start.previous_id = SEGMENTS + 1 + (uint64_t)_i;
        chain_segment(SEGMENTS + 1, &next_start, RECORDS, false);
        atomic_store(&control.page->head_id, SEGMENTS + 1);
        expect_ok(chain_refresh(&chain));
        ck_assert_int_eq(chain.fault, -EBADMSG);
        chain_free(&chain);
        load();
        ck_assert_int_eq(chain.fault, -EBADMSG);
        expect_in(5, 1);
        chain_free(&chain);
}
END_TEST

/* A predecessor with other numbers in it than its successor says. */
START_TEST(a_link_with_another_count_is_damage)
{
        make_chain();
        next_start.previous_records--;
        next_start = chain_segment(SEGMENTS + 1, &next_start, RECORDS, true);
        chain_segment(SEGMENTS + 2, &next_start, RECORDS, false);
        load();
        ck_assert_int_eq(chain.fault, -EBADMSG);
        chain_free(&chain);
}
END_TEST

START_TEST(a_reader_follows_what_was_started_and_trimmed_since)
{
        make_chain();
        load();
        for (uint64_t id = SEGMENTS + 1; id <= SEGMENTS + 3; id++)
                next_start = chain_segment(id, &next_start, RECORDS, true);
        atomic_store(&control.page->head_id, SEGMENTS + 3);
        expect_ok(chain_refresh(&chain));
        ck_assert_uint_eq(chain.count, SEGMENTS + 3);
        expect_in(85, 9);
        control_set_first(&control, 41);
        for (unsigned id = 1; id <= 4; id++)
                unlink(log_name(id));
        expect_ok(chain_refresh(&chain));
        ck_assert_uint_eq(chain.entries[0].id, 5);
        expect_in(41, 5);
        chain_free(&chain);
}
END_TEST

START_TEST(names_that_are_no_segments_are_ignored)
{
        make_chain();
        save_file(scratch("readme.txt"), "x", 1);
        save_file(scratch("0000000099.log.bak"), "x", 1);
        save_file(scratch("99.log"), "x", 1);
        save_file(scratch("0000000098.idx"), "x", 1);
        save_file(scratch("1000000000000000000.idx"), "x",
                  1); /* the greatest id: nothing is left */
        save_file(scratch("0000000000.log"), "x", 1);
        save_file(scratch("1000000000000000001.log"), "x", 1); /* beyond the greatest id */
        save_file(scratch("18446744073709551615.log"), "x", 1);
        save_file(scratch("18446744073709551615.idx"), "x", 1);
        load();
        ck_assert_int_eq(chain.fault, 0);
        ck_assert_uint_eq(chain.count, SEGMENTS);
        ck_assert_uint_eq(chain.highest_id, SEGMENTS);
        ck_assert(file_exists(scratch("readme.txt")));
        chain_free(&chain);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { every_number_leads_to_its_segment, 0 },
                { unpinned_segments_beyond_the_limit_are_unmapped, 0 },
                { a_pinned_segment_stays_readable_when_it_is_deleted, 0 },
                { a_trim_takes_whole_segments_and_never_the_last, COUNT(trims) },
                { segments_below_the_first_number_are_leftovers_and_no_damage, 0 },
                { a_prepared_segment_nobody_started_is_a_leftover, 0 },
                { what_the_head_does_not_continue_is_off_the_chain, 0 },
                { a_mark_does_not_reach_into_a_later_epoch, 0 },
                { a_segment_is_missing_when_two_listings_are_without_it, 0 },
                { a_missing_segment_is_damage_that_says_so_and_the_rest_is_served, COUNT(missing) },
                { the_newest_segment_missing_is_damage_if_something_in_it_was_durable, 0 },
                { a_segment_replaced_by_another_is_found_out, 0 },
                { what_is_put_back_behind_a_seal_is_off_the_chain, COUNT(put_back) },
                { a_restored_file_does_not_bring_old_records_back, 0 },
                { an_old_control_file_does_not_hide_that_records_are_missing, 0 },
                { a_link_to_itself_or_forward_is_damage, 2 },
                { a_link_with_another_count_is_damage, 0 },
                { a_reader_follows_what_was_started_and_trimmed_since, 0 },
                { names_that_are_no_segments_are_ignored, 0 },
        };

        return RUN_TESTS("chain", tests);
}
