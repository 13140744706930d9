/*
 * test_bucket_calls.c - in which order a directory's objects are synced and named, and what happens
 * if one of these calls fails
 */
#include <fcntl.h>
#include <linux/fs.h>

#include "support.h"

/* What was called, and which call fails, with which error. */
static char calls[512];
static const char *failing;
static int failure;

static bool fails(const char *call)
{
        size_t size = strlen(calls);

        snprintf(calls + size, sizeof(calls) - size, " %s", call);
        if (!failing || strcmp(failing, call) != 0)
                return false;
        errno = failure;
        return true;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
        struct stat st;

        ck_assert_int_eq(fstat(fd, &st), 0);
        return fails(S_ISDIR(st.st_mode) ? "sync-directory" : "sync") ? -1 : __real_fsync(fd);
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
        return fails("write") ? -1 : __real_write(fd, bytes, size);
}

int __real_linkat(int from, const char *name, int to, const char *other, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *other, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *other, int flags)
{
        int r;

        if (fails("link"))
                return -1;
        r = __real_linkat(from, name, to, other, flags);
        if (!failing || strcmp(failing, "link's reply") != 0)
                return r;
        errno = failure;
        return -1;
}

int __real_renameat2(int from, const char *name, int to, const char *other, unsigned flags);
int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags);
int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
        ck_assert_uint_eq(flags, RENAME_NOREPLACE);
        return fails("rename") ? -1 : __real_renameat2(from, name, to, other, flags);
}

static struct bucket *bucket;

static void begin(void)
{
        char url[600];

        snprintf(url, sizeof(url), "file:%s", path("bucket"));
        expect_ok(bucket_open(url, NULL, &bucket));
}

static int put_new(const char *name)
{
        const struct bucket_source source = text_source("x");

        calls[0] = 0;
        return bucket_put_new(bucket, name, &source, NULL);
}

static int count(void *context, const struct bucket_listed *listed)
{
        (void)listed;
        ++*(int *)context;
        return 0;
}

static int objects(void)
{
        int found = 0;

        expect_ok(bucket_list(bucket, "", NULL, SIZE_MAX, count, &found, NULL));
        return found;
}

/* The content before the name; then the directory, and once the two above it. */
START_TEST(content_is_synced_before_its_name_and_that_before_the_answer)
{
        begin();
        expect_ok(put_new("c/1"));
        ck_assert_str_eq(calls, " write sync link sync-directory sync-directory "
                                "sync-directory");
        expect_ok(put_new("c/2"));
        ck_assert_str_eq(calls, " write sync link sync-directory");
        bucket_close(bucket);
}
END_TEST

/* The loser says that the object is there. So it must last, even if the winner dies now. */
START_TEST(the_loser_of_a_race_syncs_too)
{
        begin();
        expect_ok(put_new("c/1"));
        expect(put_new("c/1"), -EEXIST);
        ck_assert_str_eq(calls, " write sync link sync-directory");
        bucket_close(bucket);
}
END_TEST

START_TEST(removing_is_synced)
{
        begin();
        expect_ok(put_new("c/1"));
        calls[0] = 0;
        expect_ok(bucket_remove(bucket, "c/1", NULL));
        ck_assert_str_eq(calls, " sync-directory");
        bucket_close(bucket);
}
END_TEST

static const struct {
        const char *call;
        int error, want, want_objects;
} failures[] = {
        { "write", ENOSPC, -ENOSPC, 0 },
        { "write", EDQUOT, -ENOSPC, 0 },
        { "write", EIO, -EIO, 0 },
        { "write", EFBIG, -EMSGSIZE, 0 },
        { "write", ESTALE, -EAGAIN, 0 },
        { "sync", EIO, -EIO, 0 },
        { "sync", ENOSPC, -ENOSPC, 0 },
        { "link", EACCES, -EACCES, 0 },
        { "link", EROFS, -EACCES, 0 },
        { "link", ETIMEDOUT, -EAGAIN, 0 },
        { "link", ENOENT, -EAGAIN, 0 },      /* the temporary file was removed meanwhile */
        { "link", EPERM, 0, 1 },             /* a file system without links: renamed */
        { "link's reply", ETIMEDOUT, 0, 1 }, /* over NFS: it happened, and the reply was lost */
        { "link's reply", EEXIST, 0, 1 },    /* and was sent once more */
        { "sync-directory", EIO, -EIO, 1 },
};

START_TEST(a_failure_leaves_nothing_half)
{
        char command[700];

        begin();
        ck_assert_int_eq(mkdir(path("bucket"), 0700), 0);
        failing = failures[_i].call;
        failure = failures[_i].error;
        ck_assert_msg(put_new("a") == failures[_i].want, "%s, error %d: %s", failures[_i].call,
                      failures[_i].error, remote_detail_line());
        failing = NULL;
        ck_assert_int_eq(objects(), failures[_i].want_objects);
        snprintf(command, sizeof(command), "! ls %s | grep -q '~'", path("bucket"));
        ck_assert_int_eq(system(command), 0);
        bucket_close(bucket);
}
END_TEST

/* Where links are refused, the other call must not replace either. */
START_TEST(without_links_nothing_is_replaced)
{
        begin();
        expect_ok(put_new("a"));
        failing = "link";
        failure = EPERM;
        expect(put_new("a"), -EEXIST);
        ck_assert_ptr_nonnull(strstr(calls, " rename"));
        expect_ok(put_new("b"));
        failing = NULL;
        ck_assert_int_eq(objects(), 2);
        bucket_close(bucket);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { content_is_synced_before_its_name_and_that_before_the_answer, 0 },
                { the_loser_of_a_race_syncs_too, 0 },
                { removing_is_synced, 0 },
                { a_failure_leaves_nothing_half, CASES(failures) },
                { without_links_nothing_is_replaced, 0 },
        };

        return RUN_TESTS("bucket_calls", tests);
}
