/*
 * test_control.c - what the store is stands fast, and of two states a torn write costs the older
 */
#include "chain/control.h"
#include "chain/directory.h"
#include "test_unit_support.h"

static const struct control_options wanted = {
        .segment_bytes = SEGMENT_BYTES_MIN * 2,
        .first_number = 100,
        .file_mode = 0640,
};
static struct control control;

static void make(void)
{
        begin();
        expect_ok(control_create(directory, &wanted));
}

static int try_control(bool writable)
{
        return control_open(&memory, directory, writable, &control);
}

static struct control_slot slot_now(void)
{
        struct control_slot slot = { 0 };

        expect_ok(control_read(&control, &slot));
        return slot;
}

/* Make the sector's check true for what it says now. */
static void forge_fixed(size_t offset, const void *data, size_t bytes)
{
        struct bytes file = load_file(scratch("control"));
        uint64_t check;

        memcpy(file.data + offset, data, bytes);
        check = hash_seeded(0, file.data, 504);
        memcpy(file.data + 504, &check, sizeof(check));
        save_file(scratch("control"), file.data, file.size);
        free(file.data);
}

START_TEST(a_new_store_is_what_it_was_made_as)
{
        struct control_slot slot;
        struct os_stat st;

        make();
        expect_ok(try_control(false));
        ck_assert_uint_eq(control.page->fixed.segment_bytes, wanted.segment_bytes);
        ck_assert_uint_eq(control.page->fixed.first_number, 100);
        slot = slot_now();
        ck_assert_uint_eq(slot.generation, 1);
        ck_assert_uint_eq(slot.mark_number, 99);
        ck_assert_uint_eq(slot.first_number, 100);
        expect_ok(os_stat_name(directory, "control", &st));
        ck_assert_uint_eq(st.mode, 0640);
        ck_assert_uint_eq(st.bytes, 4096);
        control_close(&control);
        ck_assert_uint_eq(memory.mappings, 0);
}
END_TEST

static int is_no_leftover(void *context, const char *name)
{
        (void)context;
        return strncmp(name, "new.", 4) == 0 ? -EEXIST : 0;
}

START_TEST(a_leftover_of_a_crashed_creation_is_in_nobodys_way)
{
        begin();
        save_file(scratch("new.control"), "half", 4);
        save_file(scratch("new.control.00000000"), "half", 4);
        expect_ok(control_create(directory, &wanted));
        expect_ok(try_control(false));
        expect_ok(directory_clean(directory));
        ck_assert(!file_exists(scratch("new.control")));
        ck_assert(!file_exists(scratch("new.control.00000000")));
}
END_TEST

START_TEST(a_store_that_is_there_is_not_replaced)
{
        struct bytes before, after;

        make();
        before = load_file(scratch("control"));
        expect_ok(control_create(directory, &wanted));
        after = load_file(scratch("control"));
        ck_assert_mem_eq(before.data, after.data, before.size);
        expect_ok(os_list(directory, is_no_leftover, NULL));
}
END_TEST

START_TEST(a_change_keeps_what_it_is_not_about)
{
        struct control_slot slot;

        make();
        expect_ok(try_control(true));
        slot = slot_now();
        control_adopt(&control, &slot);
        control_set_mark(&control, 500, 3, 8192);
        control_set_flags(&control, CONTROL_CLEAN, 0);
        control_set_first(&control, 200);
        control_set_head(&control, 9, control.current.first_number, control.current.mark_number,
                         control.current.mark_id, control.current.mark_offset);
        control_set_flags(&control, CONTROL_FAILED, CONTROL_CLEAN);
        slot = slot_now();
        ck_assert_uint_eq(slot.mark_number, 500);
        ck_assert_uint_eq(slot.mark_id, 3);
        ck_assert_uint_eq(slot.mark_offset, 8192);
        ck_assert_uint_eq(slot.first_number, 200);
        ck_assert_uint_eq(slot.epoch, 9);
        ck_assert_uint_eq(slot.flags, CONTROL_FAILED);
        ck_assert_uint_eq(slot.generation, 6);
        expect_ok(control_sync(&control));
        control_close(&control);
}
END_TEST

/* A torn write of the newest state leaves the one before, whichever slot it is in. */
START_TEST(a_torn_slot_costs_the_last_change_only)
{
        struct control_slot slot;

        make();
        expect_ok(try_control(true));
        slot = slot_now();
        control_adopt(&control, &slot);
        for (uint64_t mark = 1; mark <= 8; mark++) {
                struct control_slot *newest;

                control_set_mark(&control, 1000 + mark, 1, 8 * (5000 + mark));
                newest = &control.page->slots[control.current.generation % 2].slot;
                newest->mark_offset ^= 8;
                ck_assert_uint_eq(slot_now().mark_number, mark == 1 ? 99 : 1000 + mark - 1);
                newest->mark_offset ^= 8;
                ck_assert_uint_eq(slot_now().mark_number, 1000 + mark);
        }
        control_close(&control);
}
END_TEST

START_TEST(no_valid_slot_is_damage_and_not_a_state)
{
        struct control_slot slot = { .epoch = 77 };

        make();
        zero_range(scratch("control"), SECTOR_BYTES, 2 * SECTOR_BYTES);
        expect_ok(try_control(false));
        expect_failure(control_read(&control, &slot), -EBADMSG);
        ck_assert_uint_eq(slot.epoch, 77);
}
END_TEST

/* A slot never written is all zero, and the hash of zeros must not make it valid. */
START_TEST(a_slot_of_generation_zero_does_not_count)
{
        struct control_slot zero = { 0 }, slot;
        struct bytes file;

        make();
        file = load_file(scratch("control"));
        zero.check = hash_seeded(0, &zero, offsetof(struct control_slot, check));
        memcpy(file.data + SECTOR_BYTES, &zero, sizeof(zero));
        memcpy(file.data + 2 * SECTOR_BYTES, &zero, sizeof(zero));
        save_file(scratch("control"), file.data, file.size);
        expect_ok(try_control(false));
        expect_failure(control_read(&control, &slot), -EBADMSG);
}
END_TEST

static const struct {
        const char *what;
        size_t offset;
        uint64_t value;
} impossible[] = {
        { "first number 0", offsetof(struct control_slot, first_number), 0 },
        { "before the first ever", offsetof(struct control_slot, first_number), 99 },
        { "first number too large", offsetof(struct control_slot, first_number), NUMBER_MAX + 1 },
        { "mark too large", offsetof(struct control_slot, mark_number), NUMBER_MAX + 1 },
        { "a mark between frames", offsetof(struct control_slot, mark_offset), 4180 },
};

/* Only a forger can make the check of such a slot: the other one counts. */
START_TEST(a_slot_that_says_what_cannot_be_does_not_count)
{
        struct control_slot slot, *newest;

        make();
        expect_ok(try_control(true));
        slot = slot_now();
        control_adopt(&control, &slot);
        control_set_mark(&control, 1001, 1, 5000);
        newest = &control.page->slots[control.current.generation % 2].slot;
        ck_assert_uint_eq(slot_now().mark_number, 1001);
        memcpy((char *)newest + impossible[_i].offset, &impossible[_i].value, sizeof(uint64_t));
        newest->check = hash_seeded(0, newest, offsetof(struct control_slot, check));
        ck_assert_msg(slot_now().mark_number == 99, "%s", impossible[_i].what);
        control_close(&control);
}
END_TEST

/* Every byte of the first sector is guarded by a check. */
START_TEST(no_flipped_byte_of_the_first_sector_is_believed)
{
        make();
        for (size_t i = 0; i < SECTOR_BYTES; i++) {
                int want = i < 8 ? -EMEDIUMTYPE : i < 12 ? -EPROTONOSUPPORT : -EBADMSG;
                int r;

                flip_byte(scratch("control"), i);
                r = try_control(false);
                ck_assert_msg(r == want, "byte %zu: %d", i, r);
                flip_byte(scratch("control"), i);
        }
        ck_assert_uint_eq(memory.mappings, 0);
}
END_TEST

static const struct {
        const char *what;
        size_t offset;
        uint64_t value;
        size_t bytes;
        int want;
} forged[] = {
        { "a flag that an old reader may ignore", 16, 1, 4, 0 },
        { "a flag that it must know", 20, 1, 4, -EPROTONOSUPPORT },
        { "another version", 8, FORMAT_VERSION + 1, 4, -EPROTONOSUPPORT },
        { "segments of nothing", 40, 0, 8, -EBADMSG },
        { "segments too large", 40, SEGMENT_BYTES_MAX + GROW_BYTES, 8, -EBADMSG },
        { "segments of an odd size", 40, SEGMENT_BYTES_MIN + 4096, 8, -EBADMSG },
        { "numbers from 0", 56, 0, 8, -EBADMSG },
        { "numbers too large", 56, NUMBER_MAX + 1, 8, -EBADMSG },
};

START_TEST(what_the_first_sector_may_say)
{
        int r;

        make();
        forge_fixed(forged[_i].offset, &forged[_i].value, forged[_i].bytes);
        r = try_control(false);
        ck_assert_msg(r == forged[_i].want, "%s: %d", forged[_i].what, r);
}
END_TEST

static const struct {
        int64_t bytes;
        int want;
} lengths[] = { { 0, -EMEDIUMTYPE }, { 7, -EMEDIUMTYPE }, { 8, -EBADMSG }, { 4095, -EBADMSG } };

START_TEST(a_file_too_short_is_refused_before_it_is_mapped)
{
        make();
        ck_assert_int_eq(truncate(scratch("control"), lengths[_i].bytes), 0);
        expect_failure(try_control(false), lengths[_i].want);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
        begin();
        ck_assert_int_eq(try_control(false), -ENOENT);
        ck_assert_int_eq(mkfifo(scratch("control"), 0600), 0);
        expect_failure(try_control(false), -EPERM);
        ck_assert_int_eq(unlink(scratch("control")), 0);
        ck_assert_int_eq(symlink("elsewhere", scratch("control")), 0);
        expect_failure(try_control(false), -EPERM);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
        const struct test_entry tests[] = {
                { a_new_store_is_what_it_was_made_as, 0 },
                { a_leftover_of_a_crashed_creation_is_in_nobodys_way, 0 },
                { a_store_that_is_there_is_not_replaced, 0 },
                { a_change_keeps_what_it_is_not_about, 0 },
                { a_torn_slot_costs_the_last_change_only, 0 },
                { no_valid_slot_is_damage_and_not_a_state, 0 },
                { a_slot_of_generation_zero_does_not_count, 0 },
                { a_slot_that_says_what_cannot_be_does_not_count, COUNT(impossible) },
                { no_flipped_byte_of_the_first_sector_is_believed, 0 },
                { what_the_first_sector_may_say, COUNT(forged) },
                { a_file_too_short_is_refused_before_it_is_mapped, COUNT(lengths) },
                { what_is_no_regular_file_is_refused, 0 },
        };

        return RUN_TESTS("control", tests);
}
