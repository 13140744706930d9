/*
 * test_index_wrong.c - an index that is wrong leads to every record all the same
 *
 * It was overwritten in place while a store has it mapped, or it was wrong from the start and its
 * check holds. The frames decide: no reader misses a record, and verify notes each such index once.
 */
#include "test_bad_input_support.h"

#define SEGMENTS 3
#define DECOY 5u /* this record looks like frames with any ordinal */

static uint64_t count;

/* Frames as a bad entry might lead to: whole, but for their checks. */
static void append_decoy(void)
{
        struct decoy {
                uint32_t commit, ordinal;
                uint64_t check, time_ns;
        } frames[40];

        memset(frames, 0, sizeof(frames));
        for (uint32_t i = 0; i < 40; i++)
                frames[i] = (struct decoy){ 1u << FRAME_KIND_SHIFT, i + 1, 7, 7 };
        ck_assert_int_eq(logstore_append(store, frames, sizeof(frames), &count), 0);
}

static void make_store(void)
{
        char text[40];

        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        for (count = 0; !file_exists(segment_path(SEGMENTS + 1));) {
                if (count + 1 == DECOY) {
                        append_decoy();
                        continue;
                }
                snprintf(text, sizeof(text), "record %" PRIu64, count + 1);
                count = append_text(text);
        }
        close_store();
}

/* ---- harms: entry by entry ---- */

static uint32_t noise(uint32_t entry, uint32_t at)
{
        (void)entry;
        return at * UINT32_C(2654435761);
}

static uint32_t zero(uint32_t entry, uint32_t at)
{
        (void)entry;
        (void)at;
        return 0;
}

static uint32_t later(uint32_t entry, uint32_t at)
{
        (void)at;
        return entry + 5;
}

static uint32_t all_at_the_start(uint32_t entry, uint32_t at)
{
        (void)entry;
        (void)at;
        return FRAMES_OFFSET / 8;
}

static uint32_t only_one(uint32_t entry, uint32_t at)
{
        return entry + (at == 7);
}

/* Into the record that looks like frames, at the one with the ordinal that is sought. */
static uint32_t to_a_decoy(uint32_t entry, uint32_t at)
{
        uint64_t offset = place_of(DECOY).offset + FRAME_HEADER_BYTES + at * 4 * 24;

        return at >= 2 && at < 9 ? (uint32_t)(offset / 8) : entry;
}

static uint32_t (*const harms[])(uint32_t entry, uint32_t at) = {
        noise, zero, later, all_at_the_start, only_one, to_a_decoy,
};
#define HARMS (sizeof(harms) / sizeof(harms[0]))

/* In the same file, as it is mapped; with checks that hold or not. */
static void harm_index(uint64_t id, unsigned harm, bool right)
{
        struct bytes file = load_file(index_path(id));
        struct index_header header;
        uint32_t entry;
        FILE *out;

        memcpy(&header, file.data, sizeof(header));
        for (uint32_t at = 0; at < header.entries; at++) {
                unsigned char *place = file.data + sizeof(header) + at * sizeof(entry);

                memcpy(&entry, place, sizeof(entry));
                entry = harms[harm](entry, at);
                memcpy(place, &entry, sizeof(entry));
        }
        if (right) {
                header.entries_check = XXH3_64bits_withSeed(file.data + sizeof(header),
                                                            header.entries * 4, header.salt);
                header.check = XXH3_64bits_withSeed(&header, offsetof(struct index_header, check),
                                                    header.salt);
                memcpy(file.data, &header, sizeof(header));
        }
        out = fopen(index_path(id), "r+b");
        ck_assert_ptr_nonnull(out);
        ck_assert_uint_eq(fwrite(file.data, 1, file.size, out), file.size);
        ck_assert_int_eq(fclose(out), 0);
        free(file.data);
}

/* ---- what is read ---- */

static void expect_record(const struct logstore_record *record, uint64_t number)
{
        char text[40];

        ck_assert_uint_eq(record->number, number);
        if (number == DECOY)
                return;
        snprintf(text, sizeof(text), "record %" PRIu64, number);
        ck_assert_uint_eq(record->size, strlen(text));
        ck_assert_int_eq(memcmp(record->data, text, record->size), 0);
}

static void expect_gets(void)
{
        struct logstore_record record;
        char buffer[2000];

        for (uint64_t number = count; number > 0; number--) {
                int r = logstore_get(store, number, buffer, sizeof(buffer), &record);

                ck_assert_msg(r == 0, "get %" PRIu64 ": %d: %s", number, r, logstore_detail());
                expect_record(&record, number);
        }
}

static void expect_walks(void)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        uint64_t number;

        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        for (number = 1; logstore_cursor_next(cursor, &record) == 0; number++)
                expect_record(&record, number);
        ck_assert_uint_eq(number, count + 1);
        for (number = count; logstore_cursor_prev(cursor, &record) == 0; number--)
                expect_record(&record, number);
        ck_assert_uint_eq(number, 0);
        for (number = 1; number <= count; number += 7) {
                ck_assert_int_eq(logstore_cursor_get(cursor, number, &record), 0);
                expect_record(&record, number);
                ck_assert_int_eq(logstore_cursor_seek(cursor, number), 0);
                ck_assert_int_eq(logstore_cursor_next(cursor, &record), 0);
                expect_record(&record, number);
        }
        logstore_cursor_close(cursor);
}

static void expect_many(void)
{
        static char buffer[16384];
        struct logstore_record records[64];
        uint64_t numbers[64];

        for (uint64_t from = 1; from + 64 <= count; from += 64) {
                for (uint64_t i = 0; i < 64; i++)
                        numbers[i] = from + i;
                ck_assert_int_eq(
                        logstore_get_many(store, numbers, 64, buffer, sizeof(buffer), records), 64);
                for (uint64_t i = 0; i < 64; i++)
                        expect_record(&records[i], from + i);
        }
}

static void expect_everything(void)
{
        expect_gets();
        expect_walks();
        expect_many();
}

/* ---- the tests ---- */

struct notes {
        unsigned fatal, indexes;
};

static void note(void *context, const struct logstore_fault *fault)
{
        struct notes *notes = context;

        notes->fatal += fault->fatal;
        notes->indexes += strstr(fault->file, ".idx") != NULL;
}

static void expect_noted(unsigned indexes)
{
        struct notes notes = { 0 };
        struct logstore_verify_hooks hooks = { note, NULL, &notes };

        ck_assert_int_eq(logstore_verify(store_path(), &hooks, NULL), 0);
        ck_assert_uint_eq(notes.fatal, 0);
        ck_assert_uint_eq(notes.indexes, indexes);
}

static const uint32_t ways[] = { LOGSTORE_READ_ONLY, LOGSTORE_NO_THREAD };

START_TEST(overwritten_while_it_is_open_it_loses_nothing)
{
        make_store();
        open_store(ways[_i % 2]);
        expect_everything();
        for (uint64_t id = 1; id <= SEGMENTS; id++)
                harm_index(id, (unsigned)_i / 2, false);
        expect_everything();
        close_store();
        expect_noted(ways[_i % 2] == LOGSTORE_READ_ONLY ? SEGMENTS : 0);
}
END_TEST

START_TEST(with_a_check_that_holds_it_loses_nothing)
{
        make_store();
        for (uint64_t id = 1; id <= SEGMENTS; id++)
                harm_index(id, (unsigned)_i / 2, true);
        expect_noted(SEGMENTS);
        open_store(ways[_i % 2]);
        expect_everything();
        close_store();
        expect_noted(ways[_i % 2] == LOGSTORE_READ_ONLY ? SEGMENTS : 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { overwritten_while_it_is_open_it_loses_nothing, HARMS * 2 },
                { with_a_check_that_holds_it_loses_nothing, HARMS * 2 },
        };

        return RUN_TESTS("index_wrong", tests);
}
