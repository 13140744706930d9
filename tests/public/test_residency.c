/*
 * test_residency.c - what the library says of its pages is what the kernel says, page for page
 *
 * Known pages are made dirty, written back, evicted, brought in and copied; then mincore(2),
 * cachestat(2), /proc/self/pagemap and smaps are asked by the test itself.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "test_public_support.h"

#define SEGMENT_BYTES (UINT64_C(1) << 20)
#define PAGES_MOST 1024
#define CACHESTAT 451
#define TMPFS 0x01021994

static uint64_t page_bytes;

/* One segment of a MiB with 1,500 records of 100 bytes in 128: its first 47 pages and a bit. */
static void fill(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SEGMENT_BYTES;
        open_store_with(&options);
        for (int i = 0; i < 1500; i++)
                append_filled(100, 'a');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static const char *log_path(void)
{
        return scratch("store/0000000001.log");
}

static uint64_t file_pages(void)
{
        struct stat st;

        ck_assert_int_eq(stat(log_path(), &st), 0);
        return ((uint64_t)st.st_size + page_bytes - 1) / page_bytes;
}

/* What cachestat(2) says of one page of the segment; false: there is none. */
static bool ask_page(int fd, uint64_t page, uint64_t answer[5])
{
        uint64_t range[2] = { page * page_bytes, page_bytes };

        return syscall(CACHESTAT, fd, range, answer, 0) == 0;
}

static void resident_by_mincore(unsigned char *pages, uint64_t count)
{
        int fd = open(log_path(), O_RDONLY);
        void *base = mmap(NULL, count * page_bytes, PROT_READ, MAP_SHARED, fd, 0);

        ck_assert_ptr_ne(base, MAP_FAILED);
        ck_assert_int_eq(mincore(base, count * page_bytes, pages), 0);
        munmap(base, count * page_bytes);
        close(fd);
}

/* Ask the library for a cell per page and hold each against the kernel. */
static uint64_t expect_agreement(const char *when, struct logstore_residency *cells)
{
        struct logstore_residency all;
        unsigned char pages[PAGES_MOST];
        uint64_t count = file_pages(), answer[5], resident = 0;
        int fd = open(log_path(), O_RDONLY);

        ck_assert_uint_le(count, PAGES_MOST);
        ck_assert_int_eq(logstore_residency(store, 1, &all, count, cells), 0);
        resident_by_mincore(pages, count);
        for (uint64_t i = 0; i < count; i++) {
                ck_assert_msg(cells[i].resident == (pages[i] & 1) * page_bytes, "%s: page %" PRIu64,
                              when, i);
                resident += cells[i].resident;
                if (!ask_page(fd, i, answer)) {
                        ck_assert_uint_eq(cells[i].dirty, LOGSTORE_UNKNOWN);
                        continue;
                }
                ck_assert_msg(cells[i].dirty == answer[1] * page_bytes &&
                                      cells[i].writeback == answer[2] * page_bytes &&
                                      cells[i].evicted == answer[3] * page_bytes &&
                                      cells[i].recently_evicted == answer[4] * page_bytes,
                              "%s: page %" PRIu64 ": %" PRIu64 " %" PRIu64 " %" PRIu64, when, i,
                              cells[i].dirty, cells[i].writeback, cells[i].evicted);
        }
        ck_assert_uint_eq(all.resident, resident);
        ck_assert_uint_eq(all.file_bytes, count * page_bytes);
        close(fd);
        return resident / page_bytes;
}

static uint64_t used_bytes;

static int note_used(void *context, const struct logstore_segment_info *segment)
{
        (void)context;
        used_bytes = segment->used_bytes;
        return 0;
}

static uint64_t end_of_log(void)
{
        ck_assert_int_eq(logstore_segments(store, note_used, NULL), 0);
        return used_bytes;
}

static bool can_be_clean(void)
{
        struct statfs fs;
        uint64_t answer[5];
        int fd = open(log_path(), O_RDONLY);
        bool can = fd >= 0 && statfs(log_path(), &fs) == 0 && fs.f_type != TMPFS &&
                   ask_page(fd, 0, answer);

        close(fd);
        return can; /* else tmpfs, whose pages are always dirty, or no cachestat */
}

static void write_back(void)
{
        int fd = open(log_path(), O_RDWR);

        ck_assert_int_eq(fsync(fd), 0);
        close(fd);
}

START_TEST(dirty_pages_are_those_written_since_the_sync)
{
        struct logstore_residency cells[PAGES_MOST];
        uint64_t from, to, count;

        fill();
        if (!can_be_clean())
                return;
        write_back();
        count = file_pages();
        expect_agreement("synced", cells);
        for (uint64_t i = 0; i < count; i++)
                ck_assert_msg(cells[i].dirty == 0, "page %" PRIu64 " is dirty after a sync", i);
        from = end_of_log();
        append_filled(5 * page_bytes, 'd');
        to = end_of_log();
        ck_assert_uint_gt(to, from);
        expect_agreement("written", cells);
        for (uint64_t i = 0; i < count; i++) {
                bool written = i >= from / page_bytes && i <= (to - 1) / page_bytes;
                ck_assert_msg((cells[i].dirty == page_bytes) == written,
                              "page %" PRIu64 " of %" PRIu64 "..%" PRIu64, i, from, to);
        }
        write_back();
        expect_agreement("written back", cells);
        for (uint64_t i = 0; i < count; i++)
                ck_assert_uint_eq(cells[i].dirty, 0);
}
END_TEST

START_TEST(evicted_pages_are_gone_and_known_ones_come_back)
{
        struct logstore_residency cells[PAGES_MOST];
        static const uint64_t known[] = { 9, 20, 21, 22, 40 };
        uint64_t before;
        char byte;
        int fd;

        fill();
        if (!can_be_clean())
                return;
        write_back();
        before = expect_agreement("all", cells);
        ck_assert_uint_ge(before, 47);
        ck_assert_int_ge(logstore_evict(store, 1, UINT64_MAX), (int64_t)(40 * page_bytes));
        ck_assert_uint_lt(expect_agreement("evicted", cells), before - 40);
        for (uint64_t i = 1; i < 46; i++)
                ck_assert_msg(cells[i].resident == 0, "page %" PRIu64 " is still there", i);
        fd = open(log_path(), O_RDONLY);
        ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                ck_assert_int_eq(pread(fd, &byte, 1, (off_t)(known[i] * page_bytes)), 1);
        close(fd);
        expect_agreement("brought in", cells);
        for (uint64_t i = 1, at = 0; i < 46; i++) {
                bool there = at < sizeof(known) / sizeof(known[0]) && known[at] == i;
                ck_assert_msg((cells[i].resident != 0) == there, "page %" PRIu64, i);
                at += there;
        }
        ck_assert_int_ge(logstore_warm(store, 1, UINT64_MAX), (int64_t)(47 * page_bytes));
        expect_agreement("warm", cells);
        for (uint64_t i = 0; i < 47; i++)
                ck_assert_uint_eq(cells[i].resident, page_bytes);
}
END_TEST

/* ---- the process ---- */

static struct logstore_memory memory_now(void)
{
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };

        ck_assert_int_eq(logstore_memory(store, &memory), 0);
        return memory;
}

/* Count the copied pages in the segment's private mapping: pagemap has them present, of no file. */
static uint64_t copied_pages(bool *copied, uint64_t count)
{
        FILE *maps = fopen("/proc/self/maps", "r");
        int pagemap = open("/proc/self/pagemap", O_RDONLY);
        uint64_t entry, total = 0;
        unsigned long base, end;
        char line[1024], flags[8];

        ck_assert(maps && pagemap >= 0);
        while (fgets(line, sizeof(line), maps)) {
                if (sscanf(line, "%lx-%lx %7s", &base, &end, flags) != 3 || flags[3] != 'p' ||
                    !strstr(line, "/store/0000000001.log"))
                        continue;
                for (uint64_t i = 0; i < count; i++) {
                        off_t at = (off_t)((base / page_bytes + i) * sizeof(entry));
                        ck_assert_int_eq(pread(pagemap, &entry, sizeof(entry), at), sizeof(entry));
                        copied[i] = entry >> 63 && !(entry >> 61 & 1);
                        total += copied[i];
                }
        }
        fclose(maps);
        close(pagemap);
        return total;
}

START_TEST(copied_pages_are_those_edited)
{
        static const uint64_t numbers[] = { 1, 100, 101, 500, 1499 };
        struct logstore_snapshot *snapshot;
        bool copied[PAGES_MOST] = { false }, wanted[PAGES_MOST] = { false };
        struct logstore_record record;
        uint64_t pages = 0;
        char *base = NULL;
        size_t size;
        void *data;

        fill();
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        for (uint64_t number = 1; number <= 1500; number++) /* reading copies nothing */
                ck_assert_int_eq(logstore_snapshot_get(snapshot, number, &record), 0);
        ck_assert_uint_eq(copied_pages(copied, file_pages()), 0);
        ck_assert_uint_eq(memory_now().private_copied, 0);
        ck_assert_int_eq(logstore_snapshot_get(snapshot, 1, &record), 0);
        base = (char *)((uintptr_t)record.data / page_bytes * page_bytes);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                ck_assert_int_eq(logstore_snapshot_edit(snapshot, numbers[i], &data, &size), 0);
                memset(data, 'e', size);
                for (size_t at = 0; at < size; at++) /* the first record is 4 KiB into the file */
                        wanted[(4096 / page_bytes) +
                               (uint64_t)((char *)data + at - base) / page_bytes] = true;
        }
        for (uint64_t i = 0; i < PAGES_MOST; i++)
                pages += wanted[i];
        ck_assert_uint_eq(copied_pages(copied, file_pages()), pages);
        ck_assert_mem_eq(copied, wanted, sizeof(wanted));
        ck_assert_uint_eq(memory_now().private_copied, pages * page_bytes);
        ck_assert_uint_eq(logstore_snapshot_copied_bytes(snapshot), pages * page_bytes);
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 100, 101), 0);
        ck_assert_uint_eq(copied_pages(copied, file_pages()) * page_bytes,
                          logstore_snapshot_copied_bytes(snapshot));
        ck_assert_int_eq(logstore_snapshot_drop(snapshot, 0, UINT64_MAX), 0);
        ck_assert_uint_eq(copied_pages(copied, file_pages()), 0);
        ck_assert_uint_eq(memory_now().private_copied, 0);
        logstore_snapshot_close(snapshot);
}
END_TEST

/* Size and resident bytes of this process's mappings of the store's files, shared or private. */
static void sum_smaps(char kind, uint64_t *ret_mapped, uint64_t *ret_resident)
{
        FILE *smaps = fopen("/proc/self/smaps", "r");
        char line[1024], flags[8], path[512];
        unsigned long base, end, kib;
        bool ours = false;

        *ret_mapped = *ret_resident = 0;
        snprintf(path, sizeof(path), "%s/", store_path());
        while (fgets(line, sizeof(line), smaps)) {
                if (sscanf(line, "%lx-%lx %7s", &base, &end, flags) == 3) {
                        ours = flags[3] == kind && strstr(line, path);
                        *ret_mapped += ours ? end - base : 0;
                } else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1) {
                        *ret_resident += kib << 10;
                }
        }
        fclose(smaps);
}

START_TEST(mappings_are_those_that_the_process_has)
{
        struct logstore_snapshot *snapshot;
        struct logstore_memory memory;
        uint64_t mapped, resident;

        fill();
        ck_assert_int_eq(logstore_snapshot_open(store, 0, &snapshot), 0);
        memory = memory_now();
        sum_smaps('s', &mapped, &resident);
        ck_assert_uint_eq(memory.shared_mapped, mapped);
        ck_assert_uint_eq(memory.shared_resident, resident);
        sum_smaps('p', &mapped, &resident);
        ck_assert_uint_eq(memory.private_mapped, mapped);
        ck_assert_uint_eq(memory.private_resident, resident);
        ck_assert_uint_gt(memory.private_mapped, 0);
        logstore_snapshot_close(snapshot);
        sum_smaps('p', &mapped, &resident);
        ck_assert_uint_eq(mapped, 0);
        ck_assert_uint_eq(memory_now().private_mapped, 0);
}
END_TEST

/* ---- indexes ---- */

/* A reader that follows a writer gets records of each active segment by number, for which it makes
 * an index in memory that the kernel cannot take back; of what is sealed it maps the file. */
START_TEST(a_reader_holds_two_anonymous_indexes_at_most)
{
        enum { SEGMENTS = 12 };
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        uint64_t index_bytes = 0, idle, number;
        struct logstore *reader;

        open_store(LOGSTORE_CREATE); /* 64 KiB each, of 59 records */
        append_filled(1000, 'a');
        ck_assert_int_eq(try_open(LOGSTORE_READ_ONLY, &reader), 0);
        ck_assert_int_eq(logstore_memory(reader, &memory), 0);
        idle = memory.anonymous_mapped;
        for (int i = 0; i < SEGMENTS * 59; i++) {
                char buffer[1000];
                struct logstore_record record;

                number = append_filled(1000, 'a');
                ck_assert_int_eq(logstore_get(reader, number, buffer, sizeof(buffer), &record), 0);
                ck_assert_int_eq(
                        logstore_get(reader, (number + 1) / 2, buffer, sizeof(buffer), &record), 0);
                ck_assert_int_eq(logstore_memory(reader, &memory), 0);
                if (i == 0)
                        index_bytes = memory.anonymous_mapped - idle;
                ck_assert_msg(memory.anonymous_mapped <= idle + 2 * index_bytes,
                              "record %" PRIu64 ": %" PRIu64 " bytes, an index has %" PRIu64,
                              number, memory.anonymous_mapped, index_bytes);
        }
        ck_assert_uint_gt(index_bytes, 0);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

/* More indexes in memory than there is a list for: how much of them is resident is not known. */
START_TEST(what_is_not_listed_is_unknown_not_less)
{
        enum { SEGMENTS = 90 };
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_memory memory = { .struct_bytes = sizeof(memory) };
        struct logstore_record record;
        struct logstore *reader;
        char buffer[1000];
        bool unknown = false;

        open_store(LOGSTORE_CREATE); /* 64 KiB each, of 59 records */
        for (int i = 0; i < SEGMENTS * 59; i++)
                append_filled(1000, 'a');
        for (int i = 1; i <= SEGMENTS; i++)
                unlink(scratch("store/%010d.idx", i));
        options.flags = LOGSTORE_READ_ONLY;
        options.mapped_segments = SEGMENTS;
        ck_assert_int_eq(logstore_open(store_path(), &options, &reader), 0);
        for (uint64_t number = 1; number <= SEGMENTS * 59; number += 59) {
                ck_assert_int_eq(logstore_get(reader, number, buffer, sizeof(buffer), &record), 0);
                ck_assert_int_eq(logstore_memory(reader, &memory), 0);
                /* Each index has a page with its first entry, and there is one of the library's. */
                unknown |= memory.anonymous_resident == LOGSTORE_UNKNOWN;
                ck_assert_msg(unknown || memory.anonymous_resident >=
                                                 ((number - 1) / 59 + 1) * page_bytes,
                              "record %" PRIu64 ": %" PRIu64, number, memory.anonymous_resident);
        }
        ck_assert(unknown);
        ck_assert_int_eq(logstore_close(reader), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { dirty_pages_are_those_written_since_the_sync, 0 },
                { evicted_pages_are_gone_and_known_ones_come_back, 0 },
                { copied_pages_are_those_edited, 0 },
                { mappings_are_those_that_the_process_has, 0 },
                { a_reader_holds_two_anonymous_indexes_at_most, 0 },
                { what_is_not_listed_is_unknown_not_less, 0 },
        };

        page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
        return RUN_TESTS("residency", tests);
}
