/*
 * test_bad_input_open.c - directories that are no store of ours are refused and left as they were
 */
#include "test_bad_input_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t ways[] = { 0, LOGSTORE_READ_ONLY };
#define WAYS 2

static void refuse(uint32_t flags, int want)
{
        struct logstore *none = NULL;

        expect_failure(try_open(flags, &none), want);
        ck_assert_ptr_null(none);
}

static void make_store(void)
{
        open_store(LOGSTORE_CREATE | LOGSTORE_NO_THREAD);
        append_numbered(10);
        close_store();
}

START_TEST(a_missing_directory_is_not_found)
{
        refuse(ways[_i], -ENOENT);
        ck_assert(!file_exists(store_path()));
}
END_TEST

START_TEST(a_missing_parent_is_not_found_even_to_create)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore *none = NULL;

        options.flags = LOGSTORE_CREATE;
        expect_failure(logstore_open(scratch("no/where"), &options, &none), -ENOENT);
        ck_assert(!file_exists(scratch("no")));
}
END_TEST

START_TEST(a_file_is_no_directory)
{
        struct bytes bytes;

        save_file(store_path(), "text", 4);
        refuse(ways[_i], -ENOTDIR);
        refuse(LOGSTORE_CREATE, -ENOTDIR);
        bytes = load_file(store_path());
        ck_assert_uint_eq(bytes.size, 4);
        ck_assert_mem_eq(bytes.data, "text", 4);
}
END_TEST

START_TEST(an_empty_directory_holds_no_store)
{
        ck_assert_int_eq(mkdir(store_path(), 0700), 0);
        refuse(ways[_i], -ENOENT);
        ck_assert_int_eq(rmdir(store_path()), 0); /* still empty */
}
END_TEST

START_TEST(a_control_file_of_something_else_is_another_medium)
{
        static const char text[8192] = "this is the control file of something else";

        ck_assert_int_eq(mkdir(store_path(), 0700), 0);
        save_file(scratch("store/control"), text, sizeof(text));
        refuse(ways[_i], -EMEDIUMTYPE);
        refuse(LOGSTORE_CREATE, -EMEDIUMTYPE);
        ck_assert(!file_exists(segment_path(1)));
        ck_assert_uint_eq(load_file(scratch("store/control")).size, sizeof(text));
}
END_TEST

START_TEST(another_version_is_refused)
{
        uint32_t version = FORMAT_VERSION + 1;
        struct bytes before, after;

        make_store();
        forge(scratch("store/control"), 0, offsetof(struct control_static, check),
              offsetof(struct control_static, version), &version, sizeof(version));
        before = load_file(scratch("store/control"));
        refuse(ways[_i], -EPROTONOSUPPORT);
        ck_assert_msg(strchr(logstore_detail(), '2') != NULL, "no version in: %s",
                      logstore_detail());
        after = load_file(scratch("store/control"));
        ck_assert_mem_eq(before.data, after.data, before.size);
}
END_TEST

START_TEST(an_unknown_incompatible_flag_is_refused_a_compatible_one_ignored)
{
        uint32_t flag = 1u << 31;

        make_store();
        forge(scratch("store/control"), 0, offsetof(struct control_static, check),
              offsetof(struct control_static, compatible), &flag, sizeof(flag));
        open_store(ways[_i]);
        expect_numbered(store, 1, 10);
        close_store();
        forge(scratch("store/control"), 0, offsetof(struct control_static, check),
              offsetof(struct control_static, incompatible), &flag, sizeof(flag));
        refuse(ways[_i], -EPROTONOSUPPORT);
}
END_TEST

START_TEST(an_unknown_incompatible_flag_of_a_segment_is_refused)
{
        uint32_t flag = 1u << 31;

        make_store();
        forge(segment_path(1), 0, offsetof(struct segment_header, check),
              offsetof(struct segment_header, incompatible), &flag, sizeof(flag));
        refuse(0, -EPROTONOSUPPORT);
}
END_TEST

START_TEST(a_damaged_control_file_is_damage)
{
        make_store();
        flip_byte(scratch("store/control"), 100);
        refuse(ways[_i], -EBADMSG);
        ck_assert_msg(strstr(logstore_detail(), "control") != NULL, "no file in: %s",
                      logstore_detail());
}
END_TEST

START_TEST(a_short_control_file_is_damage)
{
        static const size_t sizes[] = { 0, 1, 511, 512, 1024, 4095 };

        make_store();
        cut_file(scratch("store/control"), sizes[_i]);
        for (unsigned way = 0; way < WAYS; way++) {
                struct logstore *none = NULL;
                int r = try_open(ways[way], &none);

                ck_assert_msg(r == -EBADMSG || r == -EMEDIUMTYPE, "%zu bytes gave %d", sizes[_i],
                              r);
                ck_assert_str_ne(logstore_detail(), "");
        }
}
END_TEST

/* ---- rights and kinds of files ---------------------------------------------------------- */

static unsigned mode_of(const char *path)
{
        struct stat st;

        ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
        return st.st_mode & 07777;
}

static const unsigned file_modes[] = { 0, 0600, 0640, 0644, 0660, 0664 };

START_TEST(files_have_the_mode_asked_for_whatever_the_umask)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        unsigned want = file_modes[_i] ? file_modes[_i] : 0600;

        umask(_i % 2 ? 0 : 0777);
        ck_assert_int_eq(mkdir(store_path(), 0), 0);
        ck_assert_int_eq(chmod(store_path(), 0700), 0);
        options.flags = LOGSTORE_CREATE | LOGSTORE_NO_THREAD;
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        options.file_mode = file_modes[_i];
        open_store_with(&options);
        append_numbered(3000);
        close_store();
        ck_assert_uint_eq(mode_of(scratch("store/control")), want);
        ck_assert_uint_eq(mode_of(segment_path(1)), want);
        ck_assert_uint_eq(mode_of(segment_path(2)), want);
        if (file_exists(index_path(1)))
                ck_assert_uint_eq(mode_of(index_path(1)), want);
}
END_TEST

START_TEST(a_directory_writable_by_all_is_refused_unless_allowed)
{
        static const mode_t modes[] = { 0777, 0702, 01777 };

        make_store();
        ck_assert_int_eq(chmod(store_path(), modes[_i]), 0);
        refuse(0, -EPERM);
        refuse(LOGSTORE_CREATE, -EPERM);
        open_store(LOGSTORE_SHARED_DIR_OK);
        expect_numbered(store, 1, 10);
}
END_TEST

static const char *const reserved[] = { "control", "0000000001.log" };

/* What is no file is damage in a segment's place. In the control file's place it is foreign. */
static int refusal(int which)
{
        return strstr(reserved[which], ".log") ? -EBADMSG : -EPERM;
}

START_TEST(a_symlink_in_place_of_a_file_is_refused)
{
        const char *path = scratch("store/%s", reserved[_i]);
        struct bytes before, after;

        make_store();
        ck_assert_int_eq(rename(path, scratch("target")), 0);
        ck_assert_int_eq(symlink(scratch("target"), path), 0);
        before = load_file(scratch("target"));
        refuse(0, refusal(_i));
        after = load_file(scratch("target"));
        ck_assert_uint_eq(after.size, before.size);
        ck_assert_mem_eq(after.data, before.data, before.size);
}
END_TEST

START_TEST(a_fifo_in_place_of_a_file_is_refused_and_not_waited_for)
{
        const char *path = scratch("store/%s", reserved[_i]);

        make_store();
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        alarm(10);
        refuse(0, refusal(_i));
        alarm(0);
}
END_TEST

START_TEST(a_directory_in_place_of_a_file_is_refused)
{
        const char *path = scratch("store/%s", reserved[_i]);
        struct logstore *none = NULL;
        int r;

        make_store();
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        r = try_open(0, &none);
        ck_assert_msg(r == refusal(_i) || r == -EISDIR, "got %d", r);
        ck_assert_str_ne(logstore_detail(), "");
        ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(unknown_files_are_left_alone)
{
        static const char *const names[] = { "README",          "0000000001.txt",
                                             "1.log",           "backup",
                                             ".hidden",         "0000000001.log.old",
                                             "00000000001.log", "x.log",
                                             "-0000000001.log", "0000000000.log" };

        make_store();
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                save_file(scratch("store/%s", names[i]), "not ours", 8);
        ck_assert_int_eq(mkdir(scratch("store/folder"), 0700), 0);
        for (unsigned pass = 0; pass < 3; pass++) {
                open_store(LOGSTORE_NO_THREAD);
                expect_numbered(store, 1, 10 + 3000 * pass);
                append_numbered(3000);
                close_store();
        }
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct bytes bytes = load_file(scratch("store/%s", names[i]));

                ck_assert_uint_eq(bytes.size, 8);
                ck_assert_mem_eq(bytes.data, "not ours", 8);
        }
        ck_assert(file_exists(scratch("store/folder")));
}
END_TEST

/* ---- network file systems: the answer of statfs is forged at the seam ------------------- */

int __wrap_os_is_network(int fd);
int __real_os_is_network(int fd);
static bool network;

int __wrap_os_is_network(int fd)
{
        return network ? 1 : __real_os_is_network(fd);
}

START_TEST(a_network_file_system_is_refused_unless_allowed)
{
        make_store();
        network = true;
        refuse(0, -EREMOTE);
        refuse(LOGSTORE_CREATE, -EREMOTE);
        open_store(LOGSTORE_NETWORK_OK);
        expect_numbered(store, 1, 10);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_missing_directory_is_not_found, WAYS },
                { a_missing_parent_is_not_found_even_to_create, 0 },
                { a_file_is_no_directory, WAYS },
                { an_empty_directory_holds_no_store, WAYS },
                { a_control_file_of_something_else_is_another_medium, WAYS },
                { another_version_is_refused, WAYS },
                { an_unknown_incompatible_flag_is_refused_a_compatible_one_ignored, WAYS },
                { an_unknown_incompatible_flag_of_a_segment_is_refused, 0 },
                { a_damaged_control_file_is_damage, WAYS },
                { a_short_control_file_is_damage, 6 },
                { files_have_the_mode_asked_for_whatever_the_umask, 6 },
                { a_directory_writable_by_all_is_refused_unless_allowed, 3 },
                { a_symlink_in_place_of_a_file_is_refused, 2 },
                { a_fifo_in_place_of_a_file_is_refused_and_not_waited_for, 2 },
                { a_directory_in_place_of_a_file_is_refused, 2 },
                { unknown_files_are_left_alone, 0 },
                { a_network_file_system_is_refused_unless_allowed, 0 },
        };

        return RUN_TESTS("bad_input_open", tests);
}
