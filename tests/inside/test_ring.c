/*
 * test_ring.c - operations through io_uring, where there is one, end with their tag and result
 */
#include <poll.h>

#include "os/ring.h"
#include "test_unit_support.h"

static struct ring *ring;
static int fd;

/* False where the machine has no io_uring: then the store does without, and so does the test. */
static bool make_ring(unsigned entries)
{
        begin();
        fd = os_open(directory, "file", OS_WRITE | OS_CREATE, 0600);
        expect_ok(fd);
        expect_ok(os_write(fd, "0123456789", 10, 0));
        if (ring_new(entries, &ring) == 0)
                return true;
        ring = NULL;
        return false;
}

START_TEST(reads_end_with_their_own_tag_and_bytes)
{
        char buffers[5][2];
        bool seen[5] = { false };
        uint64_t tag;
        int result;

        if (!make_ring(8))
                return;
        for (uint64_t i = 0; i < 5; i++)
                expect_ok(ring_read(ring, fd, buffers[i], 2, i * 2, i));
        ck_assert_int_eq(ring_reap(ring, 0, &tag, &result), RING_NONE); /* not started yet */
        ck_assert_int_eq(ring_submit(ring), 5);
        for (int i = 0; i < 5; i++) {
                ck_assert_int_eq(ring_reap(ring, 1, &tag, &result), RING_TAKEN);
                ck_assert_uint_lt(tag, 5);
                ck_assert(!seen[tag]);
                seen[tag] = true;
                ck_assert_int_eq(result, 2);
                ck_assert_int_eq(buffers[tag][0], (int)('0' + tag * 2));
        }
        ck_assert_int_eq(ring_reap(ring, 0, &tag, &result), RING_NONE);
        ring_free(ring);
}
END_TEST

START_TEST(a_full_ring_says_so_and_goes_on_after_a_submit)
{
        char byte;
        uint64_t tag;
        int result, queued = 0;

        if (!make_ring(4))
                return;
        while (ring_read(ring, fd, &byte, 1, 0, 1) == 0)
                queued++;
        ck_assert_int_eq(queued, 4);
        ck_assert_int_eq(ring_sync(ring, fd, 0, 10, 2), -EBUSY);
        ck_assert_int_eq(ring_submit(ring), 4);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(ring_reap(ring, 1, &tag, &result), RING_TAKEN);
        expect_ok(ring_sync(ring, fd, 0, 10, 2));
        ring_free(ring);
}
END_TEST

START_TEST(a_sync_tells_its_end_by_the_eventfd)
{
        struct pollfd poll_fd = { .events = POLLIN };
        uint64_t tag = 0;
        int result = -1;

        if (!make_ring(4))
                return;
        poll_fd.fd = os_eventfd();
        expect_ok(ring_notify(ring, poll_fd.fd));
        expect_ok(ring_sync(ring, fd, 0, 10, 77));
        ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
        ck_assert_int_eq(ring_submit(ring), 1);
        ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
        ck_assert_int_eq(ring_reap(ring, 0, &tag, &result), RING_TAKEN);
        ck_assert_uint_eq(tag, 77);
        ck_assert_int_eq(result, 0);
        ring_free(ring);
}
END_TEST

START_TEST(a_failure_is_the_result_of_the_one_that_failed)
{
        char byte;
        uint64_t tag;
        int result;

        if (!make_ring(4))
                return;
        expect_ok(ring_read(ring, 9999, &byte, 1, 0, 1));
        expect_ok(ring_sync(ring, 9999, 0, 0, 2));
        ck_assert_int_eq(ring_submit(ring), 2);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(ring_reap(ring, 1, &tag, &result), RING_TAKEN);
                ck_assert_int_eq(result, -EBADF);
        }
        ring_free(ring);
}
END_TEST

START_TEST(no_ring_frees_as_one)
{
        ring_free(NULL);
        if (!make_ring(4))
                return;
        ring_free(ring);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { reads_end_with_their_own_tag_and_bytes, 0 },
                { a_full_ring_says_so_and_goes_on_after_a_submit, 0 },
                { a_sync_tells_its_end_by_the_eventfd, 0 },
                { a_failure_is_the_result_of_the_one_that_failed, 0 },
                { no_ring_frees_as_one, 0 },
        };

        return RUN_TESTS("ring", tests);
}
