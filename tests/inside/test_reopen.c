/*
 * test_reopen.c - opening what was closed cleanly writes a little, however much is in the head
 *
 * Linked with --wrap of os_populate and os_write, whose bytes are what the kernel writes, and of
 * os_page_bytes, for machines with larger pages.
 */
#include "os/os.h"
#include "test_public_support.h"

int __real_os_populate(void *base, size_t bytes);
int __wrap_os_populate(void *base, size_t bytes);
int __real_os_write(int fd, const void *buffer, size_t bytes, uint64_t offset);
int __wrap_os_write(int fd, const void *buffer, size_t bytes, uint64_t offset);

size_t __real_os_page_bytes(void);
size_t __wrap_os_page_bytes(void);

#define MIB (UINT64_C(1) << 20)

static _Atomic uint64_t written;
static bool full;
static size_t page_bytes; /* 0: those of the machine */

size_t __wrap_os_page_bytes(void)
{
        return page_bytes ? page_bytes : __real_os_page_bytes();
}

int __wrap_os_populate(void *base, size_t bytes)
{
        written += bytes;
        if (full)
                return -ENOSPC;
        return __real_os_populate(base, bytes);
}

int __wrap_os_write(int fd, const void *buffer, size_t bytes, uint64_t offset)
{
        written += bytes;
        return __real_os_write(fd, buffer, bytes, offset);
}

static const struct {
        uint32_t flags;
        unsigned records;
        uint64_t most;
} ways[] = {
        { LOGSTORE_NO_THREAD, 0, MIB / 4 },
        { 0, 0, MIB / 4 },
        { LOGSTORE_NO_THREAD, 10, MIB },
        { 0, 10, MIB },
};

START_TEST(a_full_head_is_not_written_again)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | ways[_i].flags;
        options.segment_bytes = 64 * MIB;
        open_store_with(&options);
        for (int i = 0; i < 20; i++)
                append_filled(MIB, 'x');
        close_store();
        written = 0;
        open_store(ways[_i].flags);
        for (unsigned i = 0; i < ways[_i].records; i++)
                append_filled(1000, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        close_store();
        ck_assert_msg(written <= ways[_i].most, "%" PRIu64 " bytes written for %u records", written,
                      ways[_i].records);
        open_store(0);
        ck_assert_uint_eq(bounds_of(store).tail, 20 + ways[_i].records);
}
END_TEST

/* The log ends in the first page of 64 KiB, and not even that can be made ready. */
START_TEST(on_a_full_disk_nothing_is_ready_whatever_the_page_size)
{
        page_bytes = _i ? UINT64_C(64) << 10 : 0;
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_text("before");
        close_store();
        full = true;
        open_store(LOGSTORE_NO_THREAD);
        for (int i = 0; i < 3; i++)
                expect_failure(logstore_append(store, "beyond", 6, NULL), -ENOSPC);
        ck_assert_uint_eq(bounds_of(store).tail, 1);
        full = false;
        append_text("after");
        expect_text(store, 1, "before");
        expect_text(store, 2, "after");
}
END_TEST

/* Appends, rolls, syncs and reads where pages are as large as the smallest segment. */
START_TEST(segments_of_one_large_page_work)
{
        page_bytes = UINT64_C(64) << 10;
        open_store(LOGSTORE_CREATE | (_i ? LOGSTORE_NO_THREAD : 0));
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 30; i++) {
                        append_filled(3000, (unsigned char)i);
                        if (i % 10 == 9)
                                ck_assert_int_eq(logstore_sync(store, 0), 0);
                }
                reopen_store();
        }
        ck_assert_uint_eq(bounds_of(store).tail, 90);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_full_head_is_not_written_again, sizeof(ways) / sizeof(ways[0]) },
                { on_a_full_disk_nothing_is_ready_whatever_the_page_size, 2 },
                { segments_of_one_large_page_work, 2 },
        };

        return RUN_TESTS("reopen", tests);
}
