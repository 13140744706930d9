/*
 * test_memory.c - what is mapped and allocated is counted, under its kind, and given back
 */
#include "test_unit_support.h"

static struct map map;

static int file_of(uint64_t bytes)
{
        int fd = os_open(directory, "data", OS_WRITE | OS_CREATE, 0600);

        expect_ok(fd);
        expect_ok(os_grow(fd, bytes));
        return fd;
}

static const struct {
        enum os_map_kind kind;
        enum memory_kind counted;
} kinds[] = { { OS_SHARED_READ, MEMORY_SHARED },
              { OS_SHARED_WRITE, MEMORY_SHARED },
              { OS_PRIVATE, MEMORY_PRIVATE } };

START_TEST(a_mapping_is_counted_under_its_kind_until_it_is_closed)
{
        begin();
        expect_ok(map_file(&memory, file_of(8192), kinds[_i].kind, 8192, &map));
        for (int kind = 0; kind < MEMORY_KINDS; kind++)
                ck_assert_uint_eq(memory.mapped_bytes[kind],
                                  kind == (int)kinds[_i].counted ? 8192 : 0);
        ck_assert_uint_eq(memory.mappings, 1);
        map_close(&map);
        ck_assert_uint_eq(memory.mapped_bytes[kinds[_i].counted], 0);
        ck_assert_uint_eq(memory.mappings, 0);
        map_close(&map); /* half-built and closed objects are fine */
        ck_assert_uint_eq(memory.mappings, 0);
}
END_TEST

START_TEST(a_mapping_that_fails_counts_nothing)
{
        begin();
        ck_assert_int_eq(map_file(&memory, -1, OS_SHARED_READ, 4096, &map), -EBADF);
        ck_assert_int_eq(map_anonymous(&memory, SIZE_MAX / 2, &map), -ENOMEM);
        ck_assert_uint_eq(memory.mappings, 0);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 0);
        ck_assert_uint_eq(memory.anonymous_count, 0);
}
END_TEST

START_TEST(anonymous_mappings_are_known_by_place)
{
        struct map maps[5];

        begin();
        for (int i = 0; i < 5; i++)
                expect_ok(map_anonymous(&memory, 4096 * (size_t)(i + 1), &maps[i]));
        ck_assert_uint_eq(memory.anonymous_count, 5);
        map_close(&maps[2]);
        ck_assert_uint_eq(memory.anonymous_count, 4);
        for (size_t i = 0; i < 4; i++)
                ck_assert_uint_ne(memory.anonymous[i].bytes, 4096 * 3);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 4096 * (1 + 2 + 4 + 5));
}
END_TEST

/* There is room for so many places; of the rest it is known that they are not known. */
START_TEST(anonymous_mappings_beyond_the_room_are_missed)
{
        enum { ROOM = sizeof(memory.anonymous) / sizeof(memory.anonymous[0]), MORE = 5 };
        struct map maps[ROOM + MORE];

        begin();
        for (int i = 0; i < ROOM + MORE; i++)
                expect_ok(map_anonymous(&memory, 4096, &maps[i]));
        ck_assert_uint_eq(memory.anonymous_count, ROOM);
        ck_assert_uint_eq(memory.anonymous_missed, MORE);
        ck_assert_uint_eq(memory.mapped_bytes[MEMORY_ANONYMOUS], 4096 * (ROOM + MORE));
        for (int i = 0; i < ROOM + MORE; i += 2)
                map_close(&maps[i]);
        for (int i = 1; i < ROOM + MORE; i += 2)
                map_close(&maps[i]);
        ck_assert_uint_eq(memory.anonymous_count, 0);
        ck_assert_uint_eq(memory.anonymous_missed, 0);
}
END_TEST

START_TEST(heap_is_counted_through_every_change_of_size)
{
        char *pointer;

        begin();
        pointer = memory_new(&memory, 100);
        ck_assert_ptr_nonnull(pointer);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(pointer[i], 0);
        ck_assert_uint_ge(memory.heap_bytes, 100);
        for (size_t bytes = 10; bytes < 1 << 20; bytes *= 3) {
                pointer = memory_resize(&memory, pointer, bytes);
                ck_assert_uint_ge(memory.heap_bytes, bytes);
                ck_assert_uint_lt(memory.heap_bytes, bytes * 2 + 8192);
        }
        memory_free(&memory, pointer);
        memory_free(&memory, NULL);
        ck_assert_uint_eq(memory.heap_bytes, 0);
        pointer = memory_resize(&memory, NULL, 50);
        ck_assert_uint_ge(memory.heap_bytes, 50);
        memory_free(&memory, pointer);
        ck_assert_uint_eq(memory.heap_bytes, 0);
}
END_TEST

/* Stores into a private mapping stay here; into a shared one they reach the file. */
START_TEST(only_shared_stores_reach_the_file)
{
        struct map shared, private;
        char byte;
        size_t got;
        int fd;

        begin();
        fd = file_of(4096);
        expect_ok(map_file(&memory, fd, OS_PRIVATE, 4096, &private));
        expect_ok(map_file(&memory, fd, OS_SHARED_WRITE, 4096, &shared));
        ((char *)shared.base)[0] = 's';
        ((char *)private.base)[1] = 'p';
        expect_ok(os_read(fd, &byte, 1, 0, &got));
        ck_assert_int_eq(byte, 's');
        expect_ok(os_read(fd, &byte, 1, 1, &got));
        ck_assert_int_eq(byte, 0);
        map_close(&shared);
        map_close(&private);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_mapping_is_counted_under_its_kind_until_it_is_closed,
                  sizeof(kinds) / sizeof(kinds[0]) },
                { a_mapping_that_fails_counts_nothing, 0 },
                { anonymous_mappings_are_known_by_place, 0 },
                { anonymous_mappings_beyond_the_room_are_missed, 0 },
                { heap_is_counted_through_every_change_of_size, 0 },
                { only_shared_stores_reach_the_file, 0 },
        };

        return RUN_TESTS("memory", tests);
}
