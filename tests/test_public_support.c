/*
 * test_public_support.c - a private directory, a store in it, and files as bytes
 */
#include "test_public_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define PATH_BYTES 512

struct logstore *store;
static char root[PATH_BYTES / 2];

const char *scratch(const char *format, ...)
{
        static char paths[4][PATH_BYTES * 2];
        static unsigned turn;
        char *path = paths[turn++ % 4];
        char name[PATH_BYTES];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(name, sizeof(name), format, arguments);
        va_end(arguments);
        snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
        return path;
}

const char *store_path(void)
{
        static char path[PATH_BYTES];

        snprintf(path, sizeof(path), "%s/store", root);
        return path;
}

void open_store_with(const struct logstore_options *options)
{
        int r = logstore_open(store_path(), options, &store);

        ck_assert_msg(r == 0, "open: %s: %s", logstore_error_text(r), logstore_detail());
}

int try_open(uint32_t flags, struct logstore **ret)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;

        options.flags = flags;
        options.segment_bytes = SMALL_SEGMENT_BYTES;
        return logstore_open(store_path(), &options, ret);
}

void open_store(uint32_t flags)
{
        int r = try_open(flags, &store);

        ck_assert_msg(r == 0, "open: %s: %s", logstore_error_text(r), logstore_detail());
}

void close_store(void)
{
        int r = logstore_close(store);

        ck_assert_msg(r == 0, "close: %s: %s", logstore_error_text(r), logstore_detail());
        store = NULL;
}

void reopen_store(void)
{
        close_store();
        open_store(LOGSTORE_NO_THREAD);
}

uint64_t append_text(const char *text)
{
        uint64_t number = 0;
        int r = logstore_append(store, text, strlen(text), &number);

        ck_assert_msg(r == 0, "append: %s: %s", logstore_error_text(r), logstore_detail());
        return number;
}

uint64_t append_filled(size_t size, unsigned char byte)
{
        unsigned char *data = malloc(size + 1);
        uint64_t number = 0;
        int r;

        ck_assert_ptr_nonnull(data);
        memset(data, byte, size);
        r = logstore_append(store, data, size, &number);
        ck_assert_msg(r == 0, "append: %s: %s", logstore_error_text(r), logstore_detail());
        free(data);
        return number;
}

void append_numbered(unsigned count)
{
        char text[32];

        for (unsigned i = 0; i < count; i++) {
                snprintf(text, sizeof(text), "record %" PRIu64, bounds_of(store).tail + 1);
                append_text(text);
        }
}

void expect_text(struct logstore *where, uint64_t number, const char *text)
{
        struct logstore_record record;
        char buffer[4096];
        int r = logstore_get(where, number, buffer, sizeof(buffer), &record);

        ck_assert_msg(r == 0, "get %" PRIu64 ": %s: %s", number, logstore_error_text(r),
                      logstore_detail());
        ck_assert_uint_eq(record.number, number);
        ck_assert_uint_eq(record.size, strlen(text));
        ck_assert_ptr_eq(record.data, buffer);
        ck_assert_mem_eq(buffer, text, strlen(text));
}

void expect_next(struct logstore_cursor *cursor, uint64_t number, const char *text)
{
        struct logstore_record record;
        int r = logstore_cursor_next(cursor, &record);

        ck_assert_msg(r == 0, "next %" PRIu64 ": %s: %s", number, logstore_error_text(r),
                      logstore_detail());
        ck_assert_uint_eq(record.number, number);
        ck_assert_uint_eq(record.size, strlen(text));
        ck_assert_mem_eq(record.data, text, strlen(text));
}

void expect_numbered(struct logstore *where, uint64_t from, uint64_t to)
{
        char text[32];

        for (uint64_t number = from; number <= to; number++) {
                snprintf(text, sizeof(text), "record %" PRIu64, number);
                expect_text(where, number, text);
        }
}

struct logstore_bounds bounds_of(struct logstore *where)
{
        struct logstore_bounds bounds = { 0 };
        int r = logstore_bounds(where, &bounds);

        ck_assert_msg(r == 0, "bounds: %s: %s", logstore_error_text(r), logstore_detail());
        return bounds;
}

void expect_failure_at(int64_t got, int want, const char *call, const char *file, int line)
{
        ck_assert_msg(got == want, "%s:%d: %s gave %" PRId64 " (%s), not %d (%s)", file, line, call,
                      got, logstore_error_text((int)got), want, logstore_error_text(want));
        ck_assert_msg(logstore_detail()[0] != '\0', "%s:%d: %s left no detail", file, line, call);
        ck_assert_msg(!strchr(logstore_detail(), '\n'), "%s:%d: detail of %s has lines", file, line,
                      call);
}

/* ---- files ------------------------------------------------------------------------------ */

/* What was read belongs to the case, whose process ends with it; a case need not free it. */
static void *loaded[4096];
static unsigned loaded_count;

struct bytes load_file(const char *path)
{
        FILE *file = fopen(path, "rb");
        struct bytes bytes = { 0 };
        struct stat st;

        ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
        ck_assert_int_eq(fstat(fileno(file), &st), 0);
        bytes.size = (size_t)st.st_size;
        bytes.data = calloc(1, bytes.size + 1);
        ck_assert_ptr_nonnull(bytes.data);
        loaded[loaded_count++ % 4096] = bytes.data;
        ck_assert_uint_eq(fread(bytes.data, 1, bytes.size, file), bytes.size);
        fclose(file);
        return bytes;
}

void save_file(const char *path, const void *data, size_t size)
{
        FILE *file = fopen(path, "wb");

        ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
        ck_assert_uint_eq(fwrite(data, 1, size, file), size);
        ck_assert_int_eq(fclose(file), 0);
}

void flip_byte(const char *path, size_t offset)
{
        struct bytes bytes = load_file(path);

        ck_assert_uint_lt(offset, bytes.size);
        bytes.data[offset] ^= 0xff;
        save_file(path, bytes.data, bytes.size);
        free(bytes.data);
}

void zero_range(const char *path, size_t offset, size_t size)
{
        struct bytes bytes = load_file(path);

        ck_assert_uint_le(offset + size, bytes.size);
        memset(bytes.data + offset, 0, size);
        save_file(path, bytes.data, bytes.size);
        free(bytes.data);
}

void cut_file(const char *path, size_t size)
{
        ck_assert_int_eq(truncate(path, (off_t)size), 0);
}

bool file_exists(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0;
}

void copy_directory(const char *from, const char *to)
{
        DIR *directory = opendir(from);
        struct dirent *entry;

        ck_assert_msg(directory != NULL, "%s: %s", from, strerror(errno));
        ck_assert_int_eq(mkdir(to, 0700), 0);
        while ((entry = readdir(directory))) {
                char source[PATH_BYTES * 2], target[PATH_BYTES * 2];
                struct bytes bytes;
                struct stat st;

                snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
                snprintf(target, sizeof(target), "%s/%s", to, entry->d_name);
                if (lstat(source, &st) < 0 || !S_ISREG(st.st_mode))
                        continue;
                bytes = load_file(source);
                save_file(target, bytes.data, bytes.size);
                ck_assert_int_eq(chmod(target, st.st_mode & 07777), 0);
                free(bytes.data);
        }
        closedir(directory);
}

void crash_store(void)
{
        static unsigned count;
        const char *image = scratch("crash-%u", ++count);

        copy_directory(store_path(), image);
        close_store();
        ck_assert_int_eq(rename(store_path(), scratch("closed-%u", count)), 0);
        ck_assert_int_eq(rename(image, store_path()), 0);
}

/* ---- running ---------------------------------------------------------------------------- */

static const char *all_scratch; /* of all tests of the program: one that fails removes nothing */

static void make_scratch(void)
{
        snprintf(root, sizeof(root), "%s/XXXXXX", all_scratch);
        ck_assert_msg(mkdtemp(root) != NULL, "%s: %s", root, strerror(errno));
}

static void remove_scratch(void)
{
        if (store)
                logstore_close(store);
        scratch_remove(root);
}

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN true
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN false
#endif

static const TTest *left_out[8];
static size_t left_out_count;

void not_under_tsan(const TTest *test, const char *why)
{
        if (!UNDER_TSAN)
                return;
        if (left_out_count == sizeof(left_out) / sizeof(left_out[0]))
                abort();
        left_out[left_out_count++] = test;
        printf("# left out under the thread sanitizer: %s: %s\n", test->name, why);
        fflush(stdout);
}

static bool is_left_out(const TTest *test)
{
        size_t at = 0;

        while (at < left_out_count && left_out[at] != test)
                at++;
        return at < left_out_count;
}

/* A case of its own for each test, so that CK_RUN_CASE finds it by the name of its function. */
static void add_test(Suite *suite, const struct test_entry *entry)
{
        TCase *tcase = tcase_create(entry->test->name);

        tcase_add_checked_fixture(tcase, make_scratch, remove_scratch);
        tcase_set_timeout(tcase, 60);
        if (entry->cases)
                tcase_add_loop_test(tcase, entry->test, 0, entry->cases);
        else
                tcase_add_test(tcase, entry->test);
        suite_add_tcase(suite, tcase);
}

int run_tests(const char *name, const struct test_entry *tests, size_t count)
{
        Suite *suite = suite_create(name);
        const char *parent = getenv("TMPDIR");
        SRunner *runner;
        int failed, ran;

        all_scratch = scratch_make(parent ? parent : "/tmp", "test");
        if (!all_scratch || chmod(all_scratch, 0711) < 0) { /* for tests with another user */
                perror("a directory for the tests");
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < count; i++)
                if (!is_left_out(tests[i].test))
                        add_test(suite, &tests[i]);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        ran = srunner_ntests_run(runner);
        srunner_free(runner);
        if (ran == 0 && getenv("CK_RUN_CASE")) {
                fprintf(stderr, "no test is called %s\n", getenv("CK_RUN_CASE"));
                return EXIT_FAILURE;
        }
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
