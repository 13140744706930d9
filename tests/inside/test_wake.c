/*
 * test_wake.c - nobody sleeps through what was published, and nothing depends on the wake file
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "chain/wake.h"
#include "test_unit_support.h"

#define ROUNDS 100000u

static struct wake writer, reader;
static _Atomic uint32_t published;

static int open_wake(bool as_writer, struct wake *ret)
{
        return wake_open(&memory, directory, as_writer, 0644, ret);
}

START_TEST(only_a_writer_makes_the_file)
{
        begin();
        expect_ok(open_wake(false, &reader));
        ck_assert_ptr_null(reader.page);
        ck_assert(!file_exists(scratch("wake")));
        wake_publish(&reader, &published, 0); /* without a page: nothing but the store */
        wake_tick(&reader);
        expect_ok(open_wake(true, &writer));
        ck_assert_ptr_nonnull(writer.page);
        ck_assert(file_exists(scratch("wake")));
        expect_ok(open_wake(false, &reader));
        ck_assert_ptr_nonnull(reader.page);
        wake_close(&reader);
        wake_close(&writer);
        wake_publish(&writer, &published, 7); /* nor of one that was closed */
        ck_assert_uint_eq(published, 7);
        ck_assert_uint_eq(memory.mappings, 0);
}
END_TEST

static const char *const kinds[] = { "fifo", "directory", "symlink" };

START_TEST(what_is_no_regular_file_is_refused_or_ignored)
{
        int r;

        begin();
        if (_i == 0)
                ck_assert_int_eq(mkfifo(scratch("wake"), 0600), 0);
        else if (_i == 1)
                ck_assert_int_eq(mkdir(scratch("wake"), 0700), 0);
        else
                ck_assert_int_eq(symlink("/dev/null", scratch("wake")), 0);
        r = open_wake(true, &writer);
        ck_assert_msg(r == -EPERM && !writer.page, "%s: %d", kinds[_i], r);
}
END_TEST

START_TEST(a_short_file_is_made_long_by_the_writer_and_not_used_by_a_reader)
{
        struct os_stat st;

        begin();
        save_file(scratch("wake"), "x", 1);
        expect_ok(open_wake(false, &reader));
        ck_assert_ptr_null(reader.page);
        expect_ok(open_wake(true, &writer));
        expect_ok(os_stat_name(directory, "wake", &st));
        ck_assert_uint_eq(st.bytes, 4096);
        ck_assert_ptr_nonnull(writer.page);
}
END_TEST

START_TEST(a_ticket_taken_before_a_wake_up_does_not_fall_asleep)
{
        uint32_t ticket;
        int64_t before;

        begin();
        expect_ok(open_wake(true, &writer));
        expect_ok(open_wake(false, &reader));
        ck_assert(wake_prepare(&reader, &ticket));
        ck_assert_uint_eq(writer.page->waiters, 1);
        wake_publish(&writer, &published, 1);
        ck_assert_uint_eq(writer.page->waiters, 0);
        before = os_monotonic();
        ck_assert_int_eq(wake_sleep(&reader, ticket, INT64_C(5000000000)), 0);
        ck_assert_int_lt(os_monotonic() - before, INT64_C(2000000000));
        wake_prepare(&reader, &ticket);
        ck_assert_int_eq(wake_sleep(&reader, ticket, 1000000), -ETIMEDOUT);
}
END_TEST

#define SLEEPERS 5

static _Atomic int asleep, woken;

static void *sleep_once(void *unused)
{
        uint32_t ticket;

        (void)unused;
        wake_prepare(&reader, &ticket);
        atomic_fetch_add(&asleep, 1);
        if (wake_sleep(&reader, ticket, INT64_C(20000000000)) == -ETIMEDOUT)
                return (void *)(uintptr_t) "was not woken";
        atomic_fetch_add(&woken, 1);
        wake_prepare(&reader, &ticket); /* asleep again: the chain ends here */
        if (wake_sleep(&reader, ticket, 50000000) != -ETIMEDOUT &&
            wake_sleep(&reader, ticket, 50000000) != -ETIMEDOUT &&
            wake_sleep(&reader, ticket, 50000000) != -ETIMEDOUT)
                return (void *)(uintptr_t) "was woken over and over";
        return NULL;
}

START_TEST(each_who_is_woken_wakes_the_next)
{
        pthread_t threads[SLEEPERS];
        void *wrong;

        begin();
        expect_ok(open_wake(true, &writer));
        expect_ok(open_wake(false, &reader));
        writer.ticked = true; /* the writer wakes one */
        for (int i = 0; i < SLEEPERS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, sleep_once, NULL), 0);
        while (atomic_load(&asleep) < SLEEPERS)
                os_sleep(1000000);
        os_sleep(50000000);
        wake_publish(&writer, &published, 1);
        for (int i = 0; i < SLEEPERS; i++) {
                ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
                ck_assert_msg(wrong == NULL, "%s", (char *)wrong);
        }
        ck_assert_int_eq(atomic_load(&woken), SLEEPERS);
}
END_TEST

static _Atomic uint32_t taken;

static void *read_all(void *unused)
{
        (void)unused;
        for (uint32_t next = 1; next <= ROUNDS; next++) {
                while (atomic_load(&published) < next) {
                        uint32_t ticket;

                        wake_prepare(&reader, &ticket);
                        if (atomic_load(&published) >= next)
                                break;
                        if (wake_sleep(&reader, ticket, INT64_C(5000000000)) == -ETIMEDOUT)
                                return (void *)(uintptr_t) "slept through a wake-up";
                }
                atomic_store(&taken, next);
        }
        return NULL;
}

START_TEST(no_wake_up_is_lost)
{
        pthread_t thread;
        void *result;

        begin();
        expect_ok(open_wake(true, &writer));
        expect_ok(open_wake(false, &reader));
        ck_assert_int_eq(pthread_create(&thread, NULL, read_all, NULL), 0);
        for (uint32_t i = 1; i <= ROUNDS; i++) {
                wake_publish(&writer, &published, i);
                if (_i) /* as if a writer opened: the next to wait is the first */
                        atomic_store(&writer.page->watched, 0);
                while (i % 2 && atomic_load(&taken) < i && os_monotonic() > 0)
                        if (pthread_tryjoin_np(thread, &result) == 0)
                                ck_abort_msg("%s at %u", (char *)result, i);
        }
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_msg(result == NULL, "%s", (char *)result);
}
END_TEST

/* From here on in this process. */
static void forbid_membarrier(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

        ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
        ck_assert_int_eq(os_fence_all(), -EPERM);
}

START_TEST(a_reader_that_cannot_fence_the_writer_looks_by_itself)
{
        uint32_t ticket;

        begin();
        expect_ok(open_wake(true, &writer));
        expect_ok(open_wake(false, &reader));
        forbid_membarrier();
        ck_assert(!wake_prepare(&reader, &ticket));
        ck_assert_uint_ne(writer.page->watched, 0); /* all the same it is woken as a rule */
        wake_publish(&writer, &published, 1);
        ck_assert_int_eq(wake_sleep(&reader, ticket, INT64_C(5000000000)), 0);
}
END_TEST

START_TEST(a_writer_that_nobody_can_fence_fences_always)
{
        uint32_t ticket;

        begin();
        forbid_membarrier();
        expect_ok(open_wake(true, &writer));
        expect_ok(open_wake(false, &reader));
        ck_assert_uint_ne(writer.page->watched, 0);
        ck_assert(wake_prepare(&reader, &ticket));
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { only_a_writer_makes_the_file, 0 },
                { what_is_no_regular_file_is_refused_or_ignored, 3 },
                { a_short_file_is_made_long_by_the_writer_and_not_used_by_a_reader, 0 },
                { a_ticket_taken_before_a_wake_up_does_not_fall_asleep, 0 },
                { each_who_is_woken_wakes_the_next, 0 },
                { no_wake_up_is_lost, 2 },
                { a_reader_that_cannot_fence_the_writer_looks_by_itself, 0 },
                { a_writer_that_nobody_can_fence_fences_always, 0 },
        };

        return RUN_TESTS("wake", tests);
}
