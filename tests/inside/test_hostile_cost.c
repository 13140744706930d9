/*
 * test_hostile_cost.c - stores of very many segments of which each is odd
 *
 * The cost of a look grows with the number of files, not with its square, and the store serves as
 * many as there are. Linked with --wrap of segment_name_id, to count work instead of timing it.
 */
#include "segment/segment.h"
#include "test_bad_input_support.h"

#define SEGMENTS 100

uint64_t __real_segment_name_id(const char *name, bool *ret_is_index);
uint64_t __wrap_segment_name_id(const char *name, bool *ret_is_index);

static unsigned names;

uint64_t __wrap_segment_name_id(const char *name, bool *ret_is_index)
{
        names++;
        return __real_segment_name_id(name, ret_is_index);
}

static void make_segments(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(SEGMENTS)))
                append_filled(20000, 'x');
        close_store();
}

/* Each says of the one before it that it has a record less. */
static void make_broken_links(void)
{
        make_segments();
        for (uint64_t id = 2; id <= SEGMENTS; id++) {
                struct start_payload start = start_of(id);

                start.previous_records--;
                forge_start(id, &start);
        }
}

static int count(void *context, const struct logstore_segment_info *info)
{
        unsigned *listed = context;

        (void)info;
        (*listed)++;
        return 0;
}

START_TEST(segments_with_broken_links_are_listed_one_by_one)
{
        struct logstore *reader;
        unsigned listed = 0;

        make_broken_links();
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        names = 0;
        ck_assert_int_eq(logstore_segments(reader, count, &listed), 0);
        ck_assert_uint_eq(listed, SEGMENTS);
        ck_assert_uint_le(names, 2 * SEGMENTS);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* A segment that is not sealed is no damage, however many there are: a crash left a few, and the
 * seals of others are spoilt. */
START_TEST(any_number_of_unsealed_segments_is_opened)
{
        struct logstore_verify_report report;
        uint64_t tail;

        make_segments();
        for (uint64_t id = 1; id < SEGMENTS; id++)
                zero_range(segment_path(id), SECTOR_BYTES, SECTOR_BYTES);
        forge_slots(offsetof(struct control_slot, flags), 0); /* not closed */
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        open_store(0);
        tail = bounds_of(store).tail;
        ck_assert_uint_eq(tail, report.records);
        ck_assert_uint_eq(append_text("behind"), tail + 1);
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, &report), 0);
        ck_assert_uint_eq(report.records, tail + 1);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { segments_with_broken_links_are_listed_one_by_one, 0 },
                { any_number_of_unsealed_segments_is_opened, 0 },
        };

        return RUN_TESTS("hostile_cost", tests);
}
