/*
 * test_bucket_file.c - a directory that holds strange things, old things, or is not there
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "support.h"

static int note(void *context, const struct bucket_listed *listed)
{
        strcat(context, " ");
        strcat(context, listed->name);
        return 0;
}

static void make_socket(const char *at)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
}

/* What is no object is neither listed, read, replaced nor removed. */
START_TEST(a_directory_of_strange_files)
{
        const struct bucket_source source = text_source("new");
        static const char *const strange[] = { "link", "fifo", "socket", "d", "below/link" };
        char names[256] = "", url[600];
        struct bucket *bucket;
        struct stat st;
        struct got got;

        ck_assert_int_eq(mkdir(path("bucket"), 0700), 0);
        ck_assert_int_eq(mkdir(path("bucket/d"), 0700), 0);
        ck_assert_int_eq(mkdir(path("bucket/below"), 0700), 0);
        ck_assert_int_eq(mkdir(path("bucket/below/deeper"), 0700), 0);
        ck_assert_int_eq(mkdir(path("away"), 0700), 0);
        save(path("away/a"), "not ours");
        save(path("bucket/below/deeper/a"), "x");
        save(path("bucket/with space"), "x");
        save(path("bucket/~0123"), "x");
        save(path("bucket/ok"), "x");
        ck_assert_int_eq(symlink("../away/a", path("bucket/link")), 0);
        ck_assert_int_eq(symlink("../../away/a", path("bucket/below/link")), 0);
        ck_assert_int_eq(symlink("../away", path("bucket/away")), 0);
        ck_assert_int_eq(mkfifo(path("bucket/fifo"), 0600), 0);
        make_socket(path("bucket/socket"));
        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        expect_ok(bucket_open(url, NULL, &bucket));
        expect_ok(bucket_list(bucket, "", NULL, 100, note, names, NULL));
        ck_assert_str_eq(names, " ok");
        for (int i = 0; i < CASES(strange); i++) {
                expect(get(bucket, strange[i], 0, 1, &got), -ENOENT);
                expect(bucket_put_new(bucket, strange[i], &source, NULL), -EIO);
                expect_ok(bucket_remove(bucket, strange[i], NULL));
                ck_assert_int_eq(lstat(path("bucket/%s", strange[i]), &st), 0);
        }
        expect(get(bucket, "away/a", 0, 1, &got), -ENOENT);
        expect(bucket_put_new(bucket, "away/b", &source, NULL), -EIO);
        ck_assert_int_lt(lstat(path("away/b"), &st), 0);
        bucket_close(bucket);
}
END_TEST

/* What a killed writer leaves is never seen, and goes a day later. */
START_TEST(leftovers_go_with_time)
{
        const struct timespec old[2] = { { 1000000, 0 }, { 1000000, 0 } };
        const struct bucket_source source = text_source("x");
        char names[64] = "", url[600];
        struct bucket *bucket;
        struct stat st;

        ck_assert_int_eq(mkdir(path("bucket"), 0700), 0);
        save(path("bucket/~00000000000000000000000000000000"), "old");
        save(path("bucket/~00000000000000000000000000000001"), "new");
        save(path("bucket/~others"), "old");
        utimensat(AT_FDCWD, path("bucket/~00000000000000000000000000000000"), old, 0);
        utimensat(AT_FDCWD, path("bucket/~others"), old, 0);
        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        expect_ok(bucket_open(url, NULL, &bucket));
        expect_ok(bucket_list(bucket, "", NULL, 100, note, names, NULL));
        ck_assert_str_eq(names, "");
        expect_ok(bucket_put_new(bucket, "a", &source, NULL));
        ck_assert_int_lt(stat(path("bucket/~00000000000000000000000000000000"), &st), 0);
        ck_assert_int_eq(stat(path("bucket/~00000000000000000000000000000001"), &st), 0);
        ck_assert_int_eq(stat(path("bucket/~others"), &st), 0);
        bucket_close(bucket);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_said)
{
        const struct bucket_source source = text_source("x");
        char names[64] = "", url[600];
        struct got got;
        struct bucket *bucket;

        snprintf(url, sizeof(url), "file:%s", path("missing/bucket"));
        expect_ok(bucket_open(url, NULL, &bucket));
        expect(bucket_put_new(bucket, "a", &source, NULL), -ENOENT);
        expect(bucket_put(bucket, "a", &source, NULL), -ENOENT);
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        expect(bucket_list(bucket, "", NULL, 1, note, names, NULL), -ENOENT);
        expect(bucket_remove(bucket, "a", NULL), -ENOENT);
        ck_assert_int_eq(mkdir(path("missing"), 0700), 0);
        expect_ok(bucket_put_new(bucket, "a", &source,
                                 NULL)); /* makes the last part, as S3 makes a prefix */
        bucket_close(bucket);
}
END_TEST

static const struct {
        mode_t directory_mode; /* 0: made by the bucket */
        mode_t mask, want, want_below;
} rights[] = {
        { 0, 0, 0600, 0700 },    { 0, 022, 0600, 0700 },    { 0700, 0, 0600, 0700 },
        { 0750, 0, 0640, 0750 }, { 0755, 077, 0600, 0700 }, { 0777, 022, 0644, 0755 },
};

/* A store's files are private; its copy must not be less so by itself. */
START_TEST(objects_are_as_private_as_their_directory)
{
        const struct bucket_source source = text_source("x");
        struct bucket *bucket;
        struct stat st;
        char url[600];

        umask(0);
        if (rights[_i].directory_mode)
                ck_assert_int_eq(mkdir(path("bucket"), rights[_i].directory_mode), 0);
        umask(rights[_i].mask);
        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        expect_ok(bucket_open(url, NULL, &bucket));
        expect_ok(bucket_put_new(bucket, "c/1", &source, NULL));
        ck_assert_int_eq(stat(path("bucket/c/1"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, rights[_i].want);
        ck_assert_int_eq(stat(path("bucket/c"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, rights[_i].want_below);
        bucket_close(bucket);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_directory_of_strange_files, 0 },
                { leftovers_go_with_time, 0 },
                { a_directory_that_is_not_there_is_said, 0 },
                { objects_are_as_private_as_their_directory, CASES(rights) },
        };

        return RUN_TESTS("bucket_file", tests);
}
