/*
 * test_record.c - a frame proves its content, its place and its file
 */
#include "segment/record.h"
#include "test_public_support.h"

static struct hash_key key;
static _Alignas(8) uint8_t page[4096];

static struct frame *frame_at(uint64_t offset)
{
        return (struct frame *)(page + offset);
}

/* A committed frame of @size bytes at @offset. */
static uint32_t put(enum frame_kind kind, uint64_t offset, uint32_t size, uint32_t ordinal)
{
        uint32_t word = record_word(kind, size);

        for (uint32_t i = 0; i < size; i++)
                frame_at(offset)->payload[i] = (uint8_t)(i * 7 + 1);
        record_encode(&key, frame_at(offset), offset, word, ordinal, 12345);
        atomic_store(&frame_at(offset)->commit, word);
        return word;
}

static void begin(void)
{
        memset(page, 0, sizeof(page));
        hash_key_init(&key, 99);
}

static bool valid_at(uint64_t offset)
{
        struct record_view view;

        return record_peek(page, offset, sizeof(page), &view) == 0 &&
               record_valid(&key, page, offset, &view);
}

static const struct {
        uint64_t payload, frame;
} sizes[] = { { 0, 24 }, { 1, 32 }, { 7, 32 },
              { 8, 32 }, { 9, 40 }, { PAYLOAD_BYTES_MAX, 1073741848 } };

START_TEST(a_frame_takes_its_header_and_payload_rounded_up)
{
        ck_assert_uint_eq(record_frame_bytes(sizes[_i].payload), sizes[_i].frame);
}
END_TEST

/* Around 240 bytes of time and payload the hash changes its method. */
static const uint32_t hashed[] = { 0, 1, 8, 100, 231, 232, 233, 240, 241, 1000, 3000 };

START_TEST(an_encoded_frame_validates_and_tells_what_it_is)
{
        struct record_view view;

        begin();
        put(FRAME_MORE, 64, hashed[_i], 5);
        ck_assert_int_eq(record_peek(page, 64, sizeof(page), &view), 0);
        ck_assert(record_valid(&key, page, 64, &view));
        ck_assert_uint_eq(view.kind, FRAME_MORE);
        ck_assert_uint_eq(view.size, hashed[_i]);
        ck_assert_uint_eq(view.ordinal, 5);
        ck_assert_uint_eq(view.frame_bytes, record_frame_bytes(hashed[_i]));
}
END_TEST

START_TEST(no_flipped_bit_of_header_or_payload_validates)
{
        begin();
        put(FRAME_RECORD, 8, hashed[_i], 1);
        for (uint64_t bit = 0; bit < (FRAME_HEADER_BYTES + hashed[_i]) * 8; bit++) {
                page[8 + bit / 8] ^= (uint8_t)(1 << bit % 8);
                ck_assert_msg(!valid_at(8), "bit %" PRIu64 " of %u bytes", bit, hashed[_i]);
                page[8 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        ck_assert(valid_at(8));
}
END_TEST

START_TEST(a_frame_copied_to_another_offset_does_not_validate)
{
        begin();
        put(FRAME_RECORD, 0, 20, 1);
        for (uint64_t offset = 48; offset <= 2048; offset += 8) {
                memcpy(page + offset, page, 48);
                ck_assert_msg(!valid_at(offset), "offset %" PRIu64, offset);
                memset(page + offset, 0, 48);
        }
}
END_TEST

START_TEST(a_frame_of_a_file_with_another_salt_does_not_validate)
{
        begin();
        put(FRAME_RECORD, 0, hashed[_i], 1);
        hash_key_init(&key, 100);
        ck_assert(!valid_at(0));
}
END_TEST

START_TEST(the_payload_of_a_void_does_not_count)
{
        begin();
        put(FRAME_VOID, 0, 20, 1);
        frame_at(0)->payload[3] ^= 1;
        ck_assert(valid_at(0));
        frame_at(0)->time_ns++;
        ck_assert(!valid_at(0));
}
END_TEST

START_TEST(a_pad_of_eight_bytes_or_more_validates_where_it_was_written)
{
        struct record_view view;

        begin();
        for (uint64_t bytes = 8; bytes <= 1024; bytes *= 2) {
                record_pad(&key, page, 512, bytes);
                ck_assert_int_eq(record_peek(page, 512, sizeof(page), &view), 0);
                ck_assert(record_valid(&key, page, 512, &view));
                ck_assert_uint_eq(view.frame_bytes, bytes);
                memcpy(page + 520, page + 512, 8);
                ck_assert(!valid_at(520));
                atomic_fetch_add(&frame_at(512)->commit, 8);
                ck_assert(!valid_at(512));
        }
}
END_TEST

/* What a commit word at offset 8 says, of frames that end at 48. */
static const struct {
        const char *what;
        uint32_t word;
        int want;
} words[] = {
        { "nothing", 0, -EAGAIN },
        { "an empty record", UINT32_C(1) << 30, 0 },
        { "a record up to the end", UINT32_C(1) << 30 | 16, 0 },
        { "a record one byte too long", UINT32_C(1) << 30 | 17, -EBADMSG },
        { "the longest record", UINT32_MAX >> 1, -EBADMSG },
        { "the longest void", UINT32_MAX, -EBADMSG },
        { "a pad up to the end", 40, 0 },
        { "a pad beyond the end", 48, -EBADMSG },
        { "a pad that is not aligned", 12, -EBADMSG },
        { "a pad shorter than its header", 4, -EBADMSG },
};

START_TEST(a_length_that_cannot_be_is_refused)
{
        struct record_view view;
        int r;

        begin();
        atomic_store(&frame_at(8)->commit, words[_i].word);
        r = record_peek(page, 8, 48, &view);
        ck_assert_msg(r == words[_i].want, "%s: %d", words[_i].what, r);
}
END_TEST

START_TEST(no_frame_begins_in_the_last_seven_bytes)
{
        struct record_view view;

        begin();
        memset(page, 0xff, sizeof(page));
        for (uint64_t end = 8; end < 16; end++)
                ck_assert_int_eq(record_peek(page, 8, end, &view), -EAGAIN);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { a_frame_takes_its_header_and_payload_rounded_up, COUNT(sizes) },
                { an_encoded_frame_validates_and_tells_what_it_is, COUNT(hashed) },
                { no_flipped_bit_of_header_or_payload_validates, COUNT(hashed) },
                { a_frame_copied_to_another_offset_does_not_validate, 0 },
                { a_frame_of_a_file_with_another_salt_does_not_validate, COUNT(hashed) },
                { the_payload_of_a_void_does_not_count, 0 },
                { a_pad_of_eight_bytes_or_more_validates_where_it_was_written, 0 },
                { a_length_that_cannot_be_is_refused, COUNT(words) },
                { no_frame_begins_in_the_last_seven_bytes, 0 },
        };

        return RUN_TESTS("record", tests);
}
