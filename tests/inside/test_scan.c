/*
 * test_scan.c - reading a segment ends before the first frame that does not count, and says why
 */
#include "segment/salvage.h"
#include "segment/scan.h"
#include "test_unit_support.h"

static struct draft draft;

static struct scan scan_file_as(bool direct, bool ahead)
{
        struct scan scan = {
                .memory = &memory,
                .key = &draft.segment->key,
                .first_number = draft.segment->brief.start.first_number,
                .limit = draft.segment->brief.bytes,
                .direct = direct,
                .ahead = ahead,
        };

        scan.fd =
                os_open(directory, draft.segment->name, direct ? OS_READ | OS_DIRECT : OS_READ, 0);
        if (scan.fd == -EINVAL) /* a file system without direct reads */
                scan.fd = os_open(directory, draft.segment->name, OS_READ, 0);
        expect_ok(scan.fd);
        expect_ok(scan_segment(&scan));
        os_close(scan.fd);
        return scan;
}

static struct scan scan_file(bool direct)
{
        return scan_file_as(direct, false);
}

static struct scan scan_ahead(bool direct)
{
        return scan_file_as(direct, true);
}

static uint8_t *at(uint64_t offset)
{
        return (uint8_t *)draft.segment->map.base + offset;
}

/* Ten records of 100 bytes; numbers from 50. */
static uint64_t offsets[11];

static void make_ten(void)
{
        begin();
        draft = draft_new(1, 50);
        for (int i = 1; i <= 10; i++)
                offsets[i] = draft_record(&draft, 100);
}

static int on_record(void *context, const struct segment *segment, uint64_t offset,
                     const struct record_view *view)
{
        (void)context, (void)segment, (void)offset, (void)view;
        return 0;
}

static int on_damage(void *context, struct segment *segment, uint64_t offset, uint64_t number,
                     const char *what)
{
        (void)segment, (void)number, (void)what;
        *(uint64_t *)context = offset;
        return 0;
}

/* What repair keeps is what a scan counts, and it meets the end at the same place. */
static void expect_salvage_as(const struct scan *scan)
{
        uint64_t stop = 0;
        const struct salvage_hooks hooks = { on_record, on_damage, &stop };
        struct salvage_prefix prefix;

        expect_ok(salvage_segment(draft.segment, scan->limit, 0, false, &hooks, &prefix));
        ck_assert_uint_eq(prefix.end, scan->end);
        ck_assert_uint_eq(prefix.records, scan->records);
        ck_assert_int_eq(prefix.greatest_ns, scan->greatest_ns);
        ck_assert_uint_eq(stop, scan->stop);
}

START_TEST(everything_committed_is_found)
{
        struct scan scan;

        make_ten();
        scan = scan_file(_i);
        ck_assert_uint_eq(scan.records, 10);
        ck_assert_uint_eq(scan.end, draft.offset);
        ck_assert_uint_eq(scan.stop, draft.offset);
        ck_assert_int_eq(scan.greatest_ns, 10);
        ck_assert(scan.uncommitted);
}
END_TEST

static const struct {
        const char *what;
        uint64_t record, offset; /* a byte of that record to break; record 11: behind the last */
        uint64_t want;
} breaks[] = {
        { "first payload", 1, 24, 0 }, { "last byte of a payload", 5, 123, 4 },
        { "ordinal", 7, 4, 6 },        { "check", 7, 8, 6 },
        { "time", 10, 16, 9 },         { "size", 3, 0, 2 },
        { "kind", 3, 3, 2 },
};

START_TEST(the_log_ends_before_the_first_broken_frame)
{
        struct scan scan;

        make_ten();
        *at(offsets[breaks[_i].record] + breaks[_i].offset) ^= 0x41;
        scan = scan_file(false);
        ck_assert_msg(scan.records == breaks[_i].want, "%s: %" PRIu64, breaks[_i].what,
                      scan.records);
        ck_assert_uint_eq(scan.stop, offsets[breaks[_i].record]);
        ck_assert(!scan.uncommitted);
        ck_assert_ptr_nonnull(scan.why);
        expect_salvage_as(&scan);
}
END_TEST

/* Zeros in the place of a frame are not told from its never having been there. */
START_TEST(a_frame_never_committed_is_merely_not_there)
{
        struct scan scan;

        make_ten();
        memset(at(offsets[4]), 0, 4);
        scan = scan_file(false);
        ck_assert_uint_eq(scan.records, 3);
        ck_assert(scan.uncommitted);
}
END_TEST

START_TEST(a_valid_frame_with_another_ordinal_does_not_follow)
{
        struct scan scan;

        make_ten();
        draft.ordinal = 12; /* 11 is missing */
        draft_record(&draft, 8);
        scan = scan_file(false);
        ck_assert_uint_eq(scan.records, 10);
        ck_assert(!scan.uncommitted);
}
END_TEST

static const struct {
        const char *what;
        enum frame_kind kinds[4];
        size_t count;
        uint64_t want; /* records beyond the ten */
} batches[] = {
        { "whole", { FRAME_MORE, FRAME_MORE, FRAME_RECORD }, 3, 3 },
        { "without its last", { FRAME_MORE, FRAME_MORE }, 2, 0 },
        { "a pad inside", { FRAME_MORE, FRAME_PAD, FRAME_RECORD }, 3, 0 },
        { "a void inside", { FRAME_MORE, FRAME_VOID, FRAME_RECORD }, 3, 0 },
        { "two, the second unfinished", { FRAME_MORE, FRAME_RECORD, FRAME_MORE }, 3, 2 },
        { "a void alone", { FRAME_VOID }, 1, 1 },
        { "a pad alone", { FRAME_PAD }, 1, 0 },
};

START_TEST(a_batch_counts_as_a_whole_or_not_at_all)
{
        struct scan scan;

        make_ten();
        for (size_t i = 0; i < batches[_i].count; i++)
                draft_put(&draft, batches[_i].kinds[i], 32, 3, 1000);
        scan = scan_file(false);
        ck_assert_msg(scan.records == 10 + batches[_i].want, "%s: %" PRIu64, batches[_i].what,
                      scan.records);
        /* Voids and what does not count have no time. */
        ck_assert_int_eq(scan.greatest_ns, batches[_i].want > 1 ? 1000 : 10);
        expect_salvage_as(&scan);
}
END_TEST

START_TEST(the_limit_is_the_end_whatever_is_behind)
{
        struct scan scan;

        make_ten();
        scan = (struct scan){ .memory = &memory,
                              .fd = draft.segment->fd,
                              .key = &draft.segment->key,
                              .first_number = 50,
                              .limit = offsets[6] };
        expect_ok(scan_segment(&scan));
        ck_assert_uint_eq(scan.records, 5);
        ck_assert_uint_eq(scan.end, offsets[6]);
        ck_assert_ptr_null(scan.why);
        scan.limit = offsets[6] + 8; /* inside a frame: it does not fit */
        expect_ok(scan_segment(&scan));
        ck_assert_uint_eq(scan.records, 5);
        ck_assert_ptr_nonnull(scan.why);
}
END_TEST

START_TEST(a_file_cut_at_any_byte_of_the_last_frame_has_the_rest)
{
        struct scan scan;

        make_ten();
        for (uint64_t cut = offsets[10]; cut < draft.offset; cut++) {
                ck_assert_int_eq(truncate(scratch("0000000001.log"), (off_t)cut), 0);
                scan = scan_file(cut % 2);
                ck_assert_msg(scan.records == 9, "cut at %" PRIu64, cut);
                ck_assert_uint_eq(scan.end, offsets[10]);
        }
}
END_TEST

static int collect(void *context, const struct scan_frame *frame)
{
        uint64_t *next = context;

        if (frame->number == 0)
                ck_assert_uint_eq(frame->view->kind, FRAME_PAD);
        else
                ck_assert_uint_eq(frame->number, (*next)++);
        return frame->number == 56 ? -ENOTUNIQ : 0;
}

START_TEST(each_frame_is_told_in_order_until_the_hearer_ends_it)
{
        uint64_t next = 50;
        struct scan scan;

        make_ten();
        scan = (struct scan){ .memory = &memory,
                              .fd = draft.segment->fd,
                              .key = &draft.segment->key,
                              .first_number = 50,
                              .limit = SEGMENT_BYTES_MIN,
                              .each = collect,
                              .context = &next };
        ck_assert_int_eq(scan_segment(&scan), -ENOTUNIQ);
        ck_assert_uint_eq(next, 57);
}
END_TEST

/* The buffer is 1 MiB; what is longer is hashed in pieces. */
static const uint32_t large[] = { 1000000, (1 << 20) - 4096 - 32, 1 << 20, (1 << 20) + 1, 5 << 20 };

START_TEST(a_record_larger_than_the_buffer_is_checked_to_its_last_byte)
{
        const struct start_payload start = { .first_number = 1, .epoch = 1 };
        struct scan scan;
        uint64_t offset;

        begin();
        draft = draft_new_sized(1, 16 << 20, &start);
        draft_record(&draft, 3001);
        offset = draft_record(&draft, large[_i]);
        draft_record(&draft, 10);
        ck_assert_uint_eq(scan_file(false).records, 3);
        ck_assert_uint_eq(scan_file(true).records, 3);
        *at(offset + 24 + large[_i] - 1) ^= 1;
        scan = scan_file(false);
        ck_assert_uint_eq(scan.records, 1);
        ck_assert_uint_eq(scan.stop, offset);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 0);
}
END_TEST

/* Frames on every kind of border between windows, read ahead or not, and damage in each of them. */
START_TEST(reading_ahead_finds_what_reading_does)
{
        const uint32_t sizes[] = { 0, 100, 4096, 20000, 40000, 1100000 };
        const struct start_payload start = { .first_number = 1, .epoch = 1 };
        uint64_t places[4000], count = 0;
        struct scan scan;

        begin();
        draft = draft_new_sized(1, 16 << 20, &start);
        while (count < 4000 && draft.offset + (2 << 20) < 16 << 20) {
                uint32_t size = sizes[count * 7 % 5];
                places[count] = draft_record(&draft, count % 101 == 100 ? sizes[5] : size);
                count++;
        }
        for (int direct = 0; direct < 2; direct++) {
                scan = scan_ahead(direct);
                ck_assert_uint_eq(scan.records, count);
                ck_assert_uint_eq(scan.end, draft.offset);
        }
        for (uint64_t bad = 1; bad < count; bad += 37) {
                *at(places[bad] + 8) ^= 1;
                scan = scan_ahead(false);
                ck_assert_uint_eq(scan.records, bad);
                ck_assert_uint_eq(scan.stop, places[bad]);
                *at(places[bad] + 8) ^= 1;
        }
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 0);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { everything_committed_is_found, 2 },
                { the_log_ends_before_the_first_broken_frame, COUNT(breaks) },
                { a_frame_never_committed_is_merely_not_there, 0 },
                { a_valid_frame_with_another_ordinal_does_not_follow, 0 },
                { a_batch_counts_as_a_whole_or_not_at_all, COUNT(batches) },
                { the_limit_is_the_end_whatever_is_behind, 0 },
                { a_file_cut_at_any_byte_of_the_last_frame_has_the_rest, 0 },
                { each_frame_is_told_in_order_until_the_hearer_ends_it, 0 },
                { reading_ahead_finds_what_reading_does, 0 },
                { a_record_larger_than_the_buffer_is_checked_to_its_last_byte, COUNT(large) },
        };

        return RUN_TESTS("scan", tests);
}
