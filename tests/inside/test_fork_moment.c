/*
 * test_fork_moment.c - another thread forks in the very moment in which the lock is taken or let go
 *
 * The lock belongs to every copy of its descriptor. If a child got a copy that the fork handler
 * does not know, it would keep the store locked for as long as it lives.
 */
#include "test_threads_support.h"

#include <semaphore.h>
#include <signal.h>

enum moment { NEVER, LOCKED, CLOSING };

static enum moment moment;
static sem_t now, forked;
static pid_t child;
static int child_ran[2]; /* a pipe: it is told there once the handlers have run in the child */
static int locked_fd = -1;

/* Let the other thread fork. If it must wait for us, it forks when we are done. */
static void let_fork(void)
{
        struct timespec until;

        moment = NEVER;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        sem_post(&now);
        sem_timedwait(&forked, &until);
}

int __real_os_lock(int fd);
int __wrap_os_lock(int fd);
int __wrap_os_lock(int fd)
{
        int r = __real_os_lock(fd);

        locked_fd = fd;
        if (moment == LOCKED)
                let_fork();
        return r;
}

int __real_os_close(int fd);
int __wrap_os_close(int fd);
int __wrap_os_close(int fd)
{
        if (moment == CLOSING && fd == locked_fd)
                let_fork();
        return __real_os_close(fd);
}

static void *fork_then(void *argument)
{
        sem_wait(&now);
        child = fork();
        if (child == 0) {
                if (write(child_ran[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        sem_post(&forked);
        return argument;
}

START_TEST(a_child_made_just_then_does_not_keep_the_lock)
{
        pthread_t thread;
        char byte;
        int r;

        ck_assert_int_eq(pipe(child_ran), 0);
        sem_init(&now, 0, 0);
        sem_init(&forked, 0, 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, fork_then, NULL), 0);
        moment = _i == 0 ? LOCKED : NEVER;
        open_store(LOGSTORE_CREATE);
        append_text("1");
        moment = _i == 1 ? CLOSING : NEVER;
        close_store();
        pthread_join(thread, NULL);
        ck_assert_int_eq(read(child_ran[0], &byte, 1), 1);
        r = try_open(0, &store);
        ck_assert_int_gt(child, 0);
        ck_assert_int_eq(kill(child, SIGKILL), 0); /* it lived until now */
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        ck_assert_msg(r == 0, "%s", logstore_detail());
        expect_text(store, 1, "1");
}
END_TEST

int main(void)
{
        const struct test_entry tests[] = {
                { a_child_made_just_then_does_not_keep_the_lock, 2 },
        };

        return RUN_TESTS("fork_moment", tests);
}
