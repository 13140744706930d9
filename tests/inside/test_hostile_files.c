/*
 * test_hostile_files.c - a store's directory with what an enemy, or an accident, put into it:
 * second names, links, things that are no files, ids and lengths beyond reason
 *
 * Nothing outside of the directory is changed, everything ends, and what is refused is refused with
 * a way out.
 */
#include "test_bad_input_support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GREATEST_ID "1000000000000000000"

static uint64_t disk_bytes(const char *path)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return (uint64_t)st.st_blocks * 512;
}

/* Three segments, the last one the head. */
static void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(3)))
                append_filled(2000, 'x');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}

static const char *victim(void)
{
        return scratch("victim");
}

/* The file gets a second name, outside of the store. */
static struct bytes link_outside(const char *path)
{
        unlink(victim());
        ck_assert_int_eq(link(path, victim()), 0);
        return load_file(victim());
}

static void expect_unchanged(struct bytes before)
{
        struct bytes after = load_file(victim());

        ck_assert_uint_eq(after.size, before.size);
        ck_assert_mem_eq(after.data, before.data, before.size);
        free(after.data);
        free(before.data);
}

/* ---- second names ---- */

static const char *const written[] = { "control", "wake", "0000000003.log" };

START_TEST(what_would_be_written_must_have_no_second_name)
{
        struct logstore *none = NULL;
        struct bytes before;

        make_store();
        close_store();
        before = link_outside(scratch("store/%s", written[_i]));
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EPERM);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "hard links"));
        ck_assert_ptr_nonnull(strstr(logstore_detail(), written[_i]));
        expect_unchanged(before);
        ck_assert_int_eq(unlink(victim()), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
}
END_TEST

/* Where a rename cannot refuse an existing name, a crash in the middle of creating leaves both. */
START_TEST(a_name_that_creating_left_is_taken_away)
{
        make_store();
        close_store();
        ck_assert_int_eq(link(scratch("store/control"), scratch("store/new.control.00c0ffee")), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
        ck_assert(!file_exists(scratch("store/new.control.00c0ffee")));
}
END_TEST

static void on_note(void *context, const struct logstore_fault *fault)
{
        ck_assert(!fault->fatal);
        ck_assert_ptr_nonnull(strstr(fault->what, "second name"));
        ++*(int *)context;
}

START_TEST(verify_tells_of_second_names)
{
        int notes = 0;
        struct logstore_verify_hooks hooks = { on_note, NULL, &notes };

        make_store();
        close_store();
        free(link_outside(scratch("store/%s", written[_i])).data);
        ck_assert_int_eq(logstore_verify(store_path(), &hooks, NULL), 0);
        ck_assert_int_eq(notes, 1);
}
END_TEST

START_TEST(what_is_only_read_may_have_one)
{
        make_store();
        close_store();
        link_outside(segment_path(1));
        open_store(LOGSTORE_NO_THREAD);
        append_text("goes on");
        close_store();
        open_store(LOGSTORE_READ_ONLY);
}
END_TEST

/* A crash leaves segments that are to be sealed: found out before another one is started. */
START_TEST(a_recovery_that_may_not_seal_starts_no_segment)
{
        struct logstore *none = NULL;
        struct bytes before;

        make_store();
        crash_store();
        before = link_outside(segment_path(3));
        for (int i = 0; i < 3; i++)
                expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EPERM);
        ck_assert(!file_exists(segment_path(4)));
        expect_unchanged(before);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

START_TEST(a_truncation_that_may_not_seal_cuts_nothing)
{
        struct logstore_bounds bounds;
        struct bytes before;

        make_store();
        bounds = bounds_of(store);
        before = link_outside(segment_path(1));
        expect_failure(logstore_truncate_after(store, 2, 0), -EPERM);
        ck_assert_uint_eq(bounds_of(store).tail, bounds.tail);
        append_text("goes on");
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        expect_unchanged(before);
}
END_TEST

/* It would count itself in it. */
START_TEST(a_reader_does_not_write_into_a_linked_wake_page)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct bytes before;

        make_store();
        close_store();
        before = link_outside(scratch("store/wake"));
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_cursor_open(store, 0, &cursor), 0);
        ck_assert_int_eq(logstore_cursor_seek(cursor, UINT64_MAX), 0);
        ck_assert_int_eq(logstore_cursor_wait(cursor, 30), -ETIMEDOUT);
        ck_assert_int_eq(logstore_cursor_next(cursor, &record), -EAGAIN);
        logstore_cursor_close(cursor);
        expect_unchanged(before);
}
END_TEST

/* ---- links and things that are no files ---- */

START_TEST(a_repair_puts_nothing_through_a_link)
{
        make_store();
        crash_store();
        flip_byte(segment_path(2), FRAMES_OFFSET + 30);
        ck_assert_int_eq(mkdir(scratch("elsewhere"), 0700), 0);
        ck_assert_int_eq(symlink(scratch("elsewhere"), scratch("store/quarantine")), 0);
        expect_failure(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL),
                       -EPERM);
        ck_assert_ptr_nonnull(strstr(logstore_detail(), "quarantine"));
        ck_assert_int_eq(rmdir(scratch("elsewhere")), 0); /* it is empty */
        ck_assert_int_eq(unlink(scratch("store/quarantine")), 0);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

static void make_socket(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
}

static void make_odd(int kind, const char *path)
{
        switch (kind) {
        case 0:
                ck_assert_int_eq(mkfifo(path, 0600), 0);
                break;
        case 1:
                ck_assert_int_eq(symlink("/dev/zero", path), 0);
                break;
        case 2:
                ck_assert_int_eq(mkdir(path, 0700), 0);
                break;
        default:
                make_socket(path);
        }
}
#define ODD_KINDS 4

/* As the newest segment: all say that it is damage, and the repair moves it away. */
START_TEST(what_is_no_file_and_newer_than_the_log_is_moved_away_by_repair)
{
        struct logstore *none = NULL;
        struct stat st;
        uint64_t tail;

        make_store();
        tail = bounds_of(store).tail;
        close_store();
        make_odd(_i, segment_path(9));
        expect_failure(logstore_verify(store_path(), NULL, NULL), -EBADMSG);
        expect_failure(try_open(LOGSTORE_NO_THREAD, &none), -EBADMSG);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(lstat(scratch("store/quarantine/0000000009.log.0"), &st), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_uint_eq(bounds_of(store).tail, tail);
        append_text("again");
}
END_TEST

/* In the middle, where all behind it is sealed, it does not stop a writer. Repair cuts there. */
START_TEST(what_is_no_file_amid_the_log_is_moved_away_by_repair)
{
        struct stat st;

        make_store();
        close_store();
        ck_assert_int_eq(unlink(segment_path(2)), 0);
        make_odd(_i, segment_path(2));
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        ck_assert_int_eq(lstat(scratch("store/quarantine/0000000002.log.0"), &st), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
}
END_TEST

START_TEST(a_directory_under_a_temporary_name_keeps_nobody_from_writing)
{
        make_store();
        close_store();
        ck_assert_int_eq(mkdir(scratch("store/new.0000000004.log"), 0700), 0);
        ck_assert_int_eq(mkdir(scratch("store/new.0000000003.idx"), 0700), 0);
        ck_assert_int_eq(mkdir(scratch("store/new.control.00c0ffee"), 0700), 0);
        open_store(LOGSTORE_NO_THREAD);
        while (!file_exists(segment_path(5)))
                append_filled(2000, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* Put there while the store is open: it is passed over, and not taken away. */
START_TEST(a_file_under_the_next_name_is_left_alone)
{
        struct bytes stray;
        uint64_t id = 4;

        make_store();
        while (file_exists(segment_path(id)))
                id++;
        save_file(segment_path(id), "stray", 5);
        while (!file_exists(segment_path(id + 1)))
                append_filled(2000, 'y');
        stray = load_file(segment_path(id));
        ck_assert_uint_eq(stray.size, 5);
        free(stray.data);
        ck_assert_int_eq(logstore_sync(store, 0), 0);
}
END_TEST

/* Off the chain it is nobody's: a writer cannot delete a directory, and goes on. */
START_TEST(a_directory_off_the_chain_keeps_nobody_from_writing)
{
        make_store();
        close_store();
        open_store(LOGSTORE_NO_THREAD);
        ck_assert_int_eq(logstore_trim_before(store, UINT64_MAX >> 1, NULL), 0);
        close_store();
        ck_assert_int_eq(mkdir(segment_path(1), 0700), 0);
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
        close_store();
        ck_assert_int_eq(rmdir(segment_path(1)), 0);
}
END_TEST

/* In the middle of the log, for a cursor that goes on behind damage: it comes to an end. */
START_TEST(skipping_what_is_no_file_ends)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        unsigned faults = 0, records = 0;
        int r;

        make_store();
        close_store();
        ck_assert_int_eq(unlink(segment_path(2)), 0);
        make_odd(_i % ODD_KINDS, segment_path(2));
        open_store(LOGSTORE_READ_ONLY);
        ck_assert_int_eq(logstore_cursor_open(store, LOGSTORE_SKIP_DAMAGE, &cursor), 0);
        if (_i >= ODD_KINDS)
                ck_assert_int_eq(logstore_cursor_seek(cursor, UINT64_MAX), 0);
        for (;;) {
                r = _i < ODD_KINDS ? logstore_cursor_next(cursor, &record)
                                   : logstore_cursor_prev(cursor, &record);
                if (r == -EAGAIN)
                        break;
                ck_assert_msg(r == 0 || r == -EBADMSG, "%d: %s", r, logstore_detail());
                records += r == 0;
                faults += r == -EBADMSG;
                ck_assert_uint_lt(faults, 100);
        }
        ck_assert_uint_gt(faults, 0);
        ck_assert_uint_gt(records, 0);
        logstore_cursor_close(cursor);
}
END_TEST

/* ---- rights ---- */

START_TEST(no_file_gets_rights_that_a_store_has_not)
{
        uint32_t mode = 06777;
        struct stat st;

        make_store();
        crash_store();
        forge(scratch("store/control"), 0, offsetof(struct control_static, check),
              offsetof(struct control_static, file_mode), &mode, sizeof(mode));
        ck_assert_int_eq(unlink(scratch("store/wake")), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("into a new segment");
        ck_assert_int_eq(stat(segment_path(4), &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0664);
        ck_assert_int_eq(stat(scratch("store/wake"), &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0664);
}
END_TEST

/* ---- ids and lengths ---- */

/* Ids are not counted through. */
START_TEST(a_repair_ends_whatever_the_ids_are)
{
        make_store();
        crash_store();
        flip_byte(segment_path(2), FRAMES_OFFSET + 30);
        save_file(scratch("store/" GREATEST_ID ".log"), "x", 1);
        alarm(60);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        alarm(0);
        ck_assert(file_exists(scratch("store/quarantine/" GREATEST_ID ".log.0")));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        append_text("again");
}
END_TEST

/* As a copy of a prepared segment under the greatest name would be: it takes no id away. */
START_TEST(a_stray_file_with_the_greatest_id_leaves_ids_for_the_log)
{
        uint64_t id = UINT64_C(1000000000000000000);
        struct bytes segment;
        uint32_t nothing = 0;

        make_store();
        crash_store();
        segment = load_file(segment_path(3));
        memcpy(segment.data + HEADER_BYTES, &nothing, sizeof(nothing));
        save_file(scratch("store/" GREATEST_ID ".log"), segment.data, segment.size);
        forge(scratch("store/" GREATEST_ID ".log"), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, id), &id, sizeof(id));
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        open_store(LOGSTORE_NO_THREAD);
        for (int i = 0; i < 100; i++)
                append_filled(2000, 'y');
        ck_assert_int_eq(logstore_sync(store, 0), 0);
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
}
END_TEST

/* The file is as long as the file system allows. Repair reads and copies only what it occupies. */
START_TEST(a_repair_copies_no_hole)
{
        char *path = strdup(segment_path(3));
        off_t bytes = (off_t)1 << 62;
        struct stat st;

        make_store();
        crash_store();
        flip_byte(segment_path(2), FRAMES_OFFSET + 30);
        while (truncate(path, bytes) < 0)
                bytes /= 2;
        alarm(60);
        ck_assert_int_eq(logstore_repair(store_path(), LOGSTORE_REPAIR_APPLY, NULL, NULL, NULL), 0);
        alarm(0);
        ck_assert_int_eq(stat(scratch("store/quarantine/0000000003.log.0"), &st), 0);
        ck_assert_uint_eq((uint64_t)st.st_size, (uint64_t)bytes);
        ck_assert_uint_lt(disk_bytes(scratch("store/quarantine/0000000003.log.0")), 1 << 20);
        free(path);
}
END_TEST

/* A segment that says 4 GiB, with a hole behind its first frames. */
START_TEST(nobody_searches_a_hole)
{
        uint64_t bytes = SEGMENT_BYTES_MAX;
        struct logstore_repair_report report;
        char *path = strdup(segment_path(3));
        uint64_t before;

        make_store();
        crash_store();
        forge(path, 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, bytes), &bytes, sizeof(bytes));
        flip_byte(path, FRAMES_OFFSET + 30);
        ck_assert_int_eq(truncate(path, (off_t)bytes), 0);
        before = disk_bytes(path);
        alarm(20);
        expect_failure(logstore_verify(store_path(), NULL, NULL), -EBADMSG);
        ck_assert_int_eq(logstore_repair(store_path(), 0, NULL, NULL, &report), 0);
        alarm(0);
        ck_assert_uint_lt(disk_bytes(path), before + (1 << 20));
        free(path);
}
END_TEST

/* Its check holds, over gigabytes of nothing. */
START_TEST(an_index_with_a_hole_is_not_believed)
{
        struct bytes segment;
        struct segment_header header;
        struct index_header index = {
                .magic = INDEX_MAGIC,
                .version = FORMAT_VERSION,
                .stride = 1,
                .id = 1,
                .records = UINT64_C(64) << 20,
                .entries = UINT64_C(64) << 20,
        };
        void *zeros = calloc(index.entries, sizeof(uint32_t));
        uint64_t before;

        make_store();
        close_store();
        segment = load_file(segment_path(1));
        memcpy(&header, segment.data, sizeof(header));
        index.salt = header.salt;
        index.entries_check = XXH3_64bits_withSeed(zeros, index.entries * 4, index.salt);
        index.check =
                XXH3_64bits_withSeed(&index, offsetof(struct index_header, check), index.salt);
        free(zeros);
        save_file(index_path(1), &index, sizeof(index));
        ck_assert_int_eq(truncate(index_path(1), (off_t)(sizeof(index) + index.entries * 4)), 0);
        before = disk_bytes(index_path(1));
        open_store(LOGSTORE_READ_ONLY);
        for (uint64_t number = 1; number <= 20; number++) {
                char payload[4096];
                struct logstore_record record;

                ck_assert_int_eq(logstore_get(store, number, payload, sizeof(payload), &record), 0);
        }
        close_store();
        ck_assert_int_eq(logstore_verify(store_path(), NULL, NULL), 0);
        ck_assert_uint_lt(disk_bytes(index_path(1)), before + (1 << 20));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { what_would_be_written_must_have_no_second_name, 3 },
                { verify_tells_of_second_names, 3 },
                { a_name_that_creating_left_is_taken_away, 0 },
                { what_is_only_read_may_have_one, 0 },
                { a_recovery_that_may_not_seal_starts_no_segment, 0 },
                { a_truncation_that_may_not_seal_cuts_nothing, 0 },
                { a_reader_does_not_write_into_a_linked_wake_page, 0 },
                { a_repair_puts_nothing_through_a_link, 0 },
                { what_is_no_file_and_newer_than_the_log_is_moved_away_by_repair, ODD_KINDS },
                { what_is_no_file_amid_the_log_is_moved_away_by_repair, ODD_KINDS },
                { a_directory_under_a_temporary_name_keeps_nobody_from_writing, 0 },
                { a_file_under_the_next_name_is_left_alone, 0 },
                { a_directory_off_the_chain_keeps_nobody_from_writing, 0 },
                { skipping_what_is_no_file_ends, 2 * ODD_KINDS },
                { no_file_gets_rights_that_a_store_has_not, 0 },
                { a_repair_ends_whatever_the_ids_are, 0 },
                { a_stray_file_with_the_greatest_id_leaves_ids_for_the_log, 0 },
                { a_repair_copies_no_hole, 0 },
                { nobody_searches_a_hole, 0 },
                { an_index_with_a_hole_is_not_believed, 0 },
        };

        return RUN_TESTS("hostile_files", tests);
}
