/*
 * test_guard.c - a fault in a store mapping becomes an error, any other goes where it went before
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "os/guard.h"
#include "test_unit_support.h"

static struct map map;
static volatile char *page;
static sigjmp_buf escape;
static volatile sig_atomic_t host_faults;

static void on_host_fault(int signal)
{
        (void)signal;
        host_faults++;
        siglongjmp(escape, 1);
}

/* Two mapped pages whose file has ended. */
static void make_hole(void)
{
        int fd;

        begin();
        fd = os_open(directory, "data", OS_WRITE | OS_CREATE, 0600);
        expect_ok(fd);
        expect_ok(os_grow(fd, 2 * os_page_bytes()));
        expect_ok(map_file(&memory, fd, OS_SHARED_WRITE, 2 * os_page_bytes(), &map));
        page = map.base;
        page[0] = 'x';
        ck_assert_int_eq(ftruncate(fd, 0), 0);
}

START_TEST(inside_a_call_a_fault_reads_as_zeros_and_is_remembered)
{
        make_hole();
        expect_ok(logstore_guard_sigbus());
        ck_assert(!map_faulted(&map));
        guard_enter();
        ck_assert_int_eq(page[0], 0);
        page[os_page_bytes()] = 'y'; /* a store goes nowhere */
        guard_leave();
        ck_assert(map_faulted(&map));
        map_close(&map);
}
END_TEST

START_TEST(a_new_mapping_in_the_place_of_a_faulted_one_is_not_faulted)
{
        make_hole();
        expect_ok(logstore_guard_sigbus());
        guard_enter();
        ck_assert_int_eq(page[0], 0);
        guard_leave();
        map_close(&map);
        for (int i = 0; i < 10; i++) {
                expect_ok(map_file(&memory, os_open(directory, "data", OS_WRITE, 0), OS_SHARED_READ,
                                   4096, &map));
                ck_assert(!map_faulted(&map));
                map_close(&map);
        }
}
END_TEST

START_TEST(outside_a_call_the_handler_that_was_there_is_asked)
{
        struct sigaction action = { .sa_handler = on_host_fault };

        make_hole();
        ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
        expect_ok(logstore_guard_sigbus());
        expect_ok(logstore_guard_sigbus()); /* idempotent: not its own predecessor */
        if (sigsetjmp(escape, 1) == 0)
                (void)page[0];
        ck_assert_int_eq(host_faults, 1);
        ck_assert(!map_faulted(&map));
}
END_TEST

START_TEST(in_memory_that_is_not_the_stores_the_handler_that_was_there_is_asked)
{
        struct sigaction action = { .sa_handler = on_host_fault };

        make_hole();
        ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
        expect_ok(logstore_guard_sigbus());
        guard_remove(map.guard);
        map.guard = -1;
        guard_enter();
        if (sigsetjmp(escape, 1) == 0)
                (void)page[0];
        guard_leave();
        ck_assert_int_eq(host_faults, 1);
}
END_TEST

START_TEST(with_no_handler_before_a_fault_outside_ends_the_process)
{
        int status;
        pid_t child;

        make_hole();
        child = fork();
        if (child == 0) {
                /* The writable mapping stays with the parent, so the child makes its own. */
                int fd = os_open(directory, "data", OS_WRITE, 0);
                void *base = NULL;

                signal(SIGBUS, SIG_DFL);
                if (logstore_guard_sigbus() == 0 && os_map(fd, OS_SHARED_READ, 4096, &base) == 0)
                        (void)*(volatile char *)base;
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

START_TEST(more_mappings_than_slots_are_unguarded_and_slots_are_used_again)
{
        static int slots[5000];
        int unguarded = 0;

        for (int i = 0; i < 5000; i++) {
                slots[i] = guard_add((void *)(uintptr_t)((i + 1) * 4096), 4096);
                unguarded += slots[i] < 0;
        }
        ck_assert_int_gt(unguarded, 0);
        ck_assert_int_lt(unguarded, 5000);
        for (int i = 0; i < 5000; i++)
                if (slots[i] >= 0)
                        guard_remove(slots[i]);
        for (int i = 0; i < 4000; i++)
                ck_assert_int_ge(guard_add((void *)(uintptr_t)((i + 1) * 4096), 4096), 0);
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { inside_a_call_a_fault_reads_as_zeros_and_is_remembered, 0 },
                { a_new_mapping_in_the_place_of_a_faulted_one_is_not_faulted, 0 },
                { outside_a_call_the_handler_that_was_there_is_asked, 0 },
                { in_memory_that_is_not_the_stores_the_handler_that_was_there_is_asked, 0 },
                { with_no_handler_before_a_fault_outside_ends_the_process, 0 },
                { more_mappings_than_slots_are_unguarded_and_slots_are_used_again, 0 },
        };

        return RUN_TESTS("guard", tests);
}
