/*
 * test_hostile_cost.c - what a look at a damaged store costs grows with its files, not with their square
 *
 * Linked with --wrap of segment_name_id, so that work is counted and not timed.
 */
#include "segment.h"
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

/* Each says of the one before it that it has a record less. */
static void make_broken_links(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(SEGMENTS)))
                append_filled(20000, 'x');
        close_store();
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

int main(void)
{
        const struct test_entry tests[] = {
                { segments_with_broken_links_are_listed_one_by_one, 0 },
        };

        return RUN_TESTS("hostile_cost", tests);
}
