/*
 * test_bucket_much.c - many writers, many objects, large objects, killed writers
 */
#include <pthread.h>

#include "bucket_support.h"

#define RACERS 8
#define ROUNDS 20
static int won[RACERS][ROUNDS];
static pthread_barrier_t barrier;

static void *race(void *argument)
{
        size_t me = (size_t)(uintptr_t)argument;
        char name[32], text[32];

        snprintf(text, sizeof(text), "of %zu", me);
        for (int round = 0; round < ROUNDS; round++) {
                snprintf(name, sizeof(name), "c/%04d", round);
                pthread_barrier_wait(&barrier);
                won[me][round] = put_new(name, text);
        }
        return NULL;
}

START_TEST(a_race_has_one_winner)
{
        pthread_t threads[RACERS];
        char name[32], text[32];

        begin(_i);
        pthread_barrier_init(&barrier, NULL, RACERS);
        for (size_t i = 0; i < RACERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, race, (void *)(uintptr_t)i), 0);
        for (size_t i = 0; i < RACERS; i++)
                pthread_join(threads[i], NULL);
        for (int round = 0; round < ROUNDS; round++) {
                int winners = 0;

                for (size_t i = 0; i < RACERS; i++) {
                        ck_assert_msg(won[i][round] == 0 || won[i][round] == -EEXIST, "gave %d",
                                      won[i][round]);
                        if (won[i][round])
                                continue;
                        winners++;
                        snprintf(name, sizeof(name), "c/%04d", round);
                        snprintf(text, sizeof(text), "of %zu", i);
                        expect_content(name, text);
                }
                ck_assert_int_eq(winners, 1);
        }
        bucket_close(bucket);
}
END_TEST

#define KILLED_BYTES 200000

static void put_for_ever(void)
{
        char *bytes = malloc(KILLED_BYTES), name[32];
        const struct bucket_source source = { .bytes = bytes, .size = KILLED_BYTES };

        memset(bytes, 'x', KILLED_BYTES);
        for (int i = 0;; i++) {
                snprintf(name, sizeof(name), "c/%d-%d", getpid(), i);
                if (bucket_put_new(bucket, name, &source, NULL) < 0)
                        _exit(1);
        }
}

static int whole(void *context, const struct bucket_listed *listed)
{
        ++*(int *)context;
        ck_assert_uint_eq(listed->size, KILLED_BYTES);
        return 0;
}

START_TEST(a_killed_writer_leaves_whole_objects)
{
        const useconds_t least_us = rados_pool() ? 200000 : 20000; /* each one connects anew */
        int count = 0;

        begin(_i);
        for (int i = 0; i < 20; i++) {
                pid_t child = fork();
                int status;

                if (child == 0)
                        put_for_ever();
                usleep(least_us + (useconds_t)i * 1777);
                ck_assert_int_eq(kill(child, SIGKILL), 0);
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                ck_assert(WIFSIGNALED(status));
        }
        expect_ok(bucket_list(bucket, "", NULL, SIZE_MAX, whole, &count, NULL));
        ck_assert_int_gt(count, 0);
        bucket_close(bucket);
}
END_TEST

#define MANY 2345
struct seen {
        int next, stop_at;
};

static int in_order(void *context, const struct bucket_listed *listed)
{
        struct seen *seen = context;
        char want[32];

        snprintf(want, sizeof(want), "c/%06d", seen->next++);
        ck_assert_str_eq(listed->name, want);
        return seen->next == seen->stop_at ? 77 : 0;
}

static void *fill(void *argument)
{
        char name[32];

        for (int i = (int)(uintptr_t)argument; i < MANY; i += RACERS) {
                snprintf(name, sizeof(name), "c/%06d", i);
                expect_ok(put_new(name, "x"));
        }
        return NULL;
}

START_TEST(long_lists_are_whole)
{
        pthread_t threads[RACERS];
        struct seen seen = { 0 };

        begin(_i);
        for (size_t i = 0; i < RACERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, fill, (void *)(uintptr_t)i), 0);
        for (size_t i = 0; i < RACERS; i++)
                pthread_join(threads[i], NULL);
        expect_ok(bucket_list(bucket, "", NULL, SIZE_MAX, in_order, &seen, NULL));
        ck_assert_int_eq(seen.next, MANY);
        seen = (struct seen){ .next = 101 };
        expect_ok(bucket_list(bucket, "c/", "c/000100", 1500, in_order, &seen, NULL));
        ck_assert_int_eq(seen.next, 1601);
        seen = (struct seen){ .next = 1, .stop_at = 1200 };
        expect(bucket_list(bucket, "c/", "c/000000", SIZE_MAX, in_order, &seen, NULL), 77);
        bucket_close(bucket);
}
END_TEST

static uint32_t dice = 1;

static void fill_file(int fd, uint64_t bytes)
{
        static uint32_t block[16384];

        for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
                size_t size = bytes - at < sizeof(block) ? bytes - at : sizeof(block);

                for (size_t i = 0; i < 16384; i++)
                        block[i] = dice = dice * 1664525 + 1013904223;
                ck_assert_int_eq(write(fd, block, size), (ssize_t)size);
        }
}

struct compared {
        int fd;
        uint64_t offset;
};

static int compare(void *context, const void *bytes, size_t size)
{
        static char want[1 << 20];
        struct compared *compared = context;

        ck_assert_uint_le(size, sizeof(want));
        ck_assert_int_eq(pread(compared->fd, want, size, (off_t)compared->offset), (ssize_t)size);
        ck_assert_int_eq(memcmp(bytes, want, size), 0);
        compared->offset += size;
        return 0;
}

/* Of S3: 5 parts of 5 MiB and a piece. */
START_TEST(a_large_object_is_whole)
{
        const uint64_t size = 25 * MIB + 12345;
        struct bucket_source source = { .offset = 99, .size = size };
        struct compared compared = { .offset = 99 };
        const struct bucket_sink sink = { compare, &compared };

        begin(_i);
        source.fd = compared.fd = open(path("large"), O_RDWR | O_CREAT, 0600);
        ck_assert_int_ge(source.fd, 0);
        fill_file(source.fd, 99 + size);
        expect_ok(bucket_put(bucket, "seg/large.log", &source, NULL));
        expect_ok(bucket_get(bucket, "seg/large.log", 0, UINT64_MAX, &sink, NULL));
        ck_assert_uint_eq(compared.offset, 99 + size);
        compared.offset = 99 + 5 * MIB - 7;
        expect_ok(bucket_get(bucket, "seg/large.log", 5 * MIB - 7, 20, &sink, NULL));
        expect_ok(bucket_put(bucket, "seg/large.log", &source, NULL)); /* a try after a failure */
        expect(bucket_put_new(bucket, "large", &source, NULL), -EMSGSIZE);
        bucket_close(bucket);
}
END_TEST

START_TEST(a_source_that_is_too_short_puts_nothing)
{
        struct bucket_source source = { .size = 6 * MIB };
        struct got got;

        begin(_i);
        source.fd = open(path("short"), O_RDWR | O_CREAT, 0600);
        fill_file(source.fd, 5 * MIB + 1000);
        expect(bucket_put(bucket, "a", &source, NULL), -EIO);
        expect(bucket_put_new(bucket, "a", &source, NULL), -EIO);
        expect(get(bucket, "a", 0, 1, &got), -ENOENT);
        bucket_close(bucket);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_race_has_one_winner, places() },
                { a_killed_writer_leaves_whole_objects, places() },
                { long_lists_are_whole, places() },
                { a_large_object_is_whole, places() },
                { a_source_that_is_too_short_puts_nothing, places() },
        };

        return RUN_TESTS("bucket_much", tests);
}
