/*
 * no_ring.c - io_uring forbidden, as in many containers: asynchronous sync goes on by a thread
 *
 *   no_ring --workload CRASH_WORKLOAD --check CRASH_CHECK [--seconds N]
 *
 * Each case forbids io_uring by a seccomp filter in a child, opens a store, starts a sync, waits
 * for it on the eventfd and asks what serves it; then the whole workload runs under the filter
 * with asynchronous syncs. With LOGSTORE_NO_RING the filter kills: not one call may be tried.
 *
 * Exit: 0 all as it should be, 1 not, 77 no seccomp here. One line of figures on stdout.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logstore.h"
#include "rig.h"

static const struct {
        const char *name;
        uint32_t verdict; /* of the filter; 0: no filter */
        uint32_t flags;
} cases[] = {
        { "allowed", 0, 0 },
        { "EPERM", SECCOMP_RET_ERRNO | EPERM, 0 },
        { "ENOSYS", SECCOMP_RET_ERRNO | ENOSYS, 0 },
        { "not-asked-for", SECCOMP_RET_KILL_PROCESS, LOGSTORE_NO_RING },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static const char *directory, *workload, *check, *seconds = "1";

static int forbid_ring(uint32_t verdict)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 2, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 1, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, verdict),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        return 0;
}

/* Whether a ring can be had in this process now. */
static int32_t ring_works(void)
{
        struct io_uring_params params = { 0 };
        int fd = (int)syscall(__NR_io_uring_setup, 4, &params);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static void __attribute__((noreturn)) fail(const char *act, int r)
{
        fprintf(stderr, "no_ring: %s: %d %s (%s)\n", act, r, logstore_error_text(r),
                logstore_detail());
        _exit(1);
}

static void wait_durable(struct logstore *store, uint64_t number)
{
        struct pollfd poll_fd = { .fd = logstore_sync_fd(store), .events = POLLIN };
        uint64_t durable = 0, count;
        int r;

        while (durable < number) {
                if (poll_fd.fd < 0 || poll(&poll_fd, 1, 10000) != 1 ||
                    read(poll_fd.fd, &count, sizeof(count)) != sizeof(count))
                        fail("no word from the eventfd", -ETIMEDOUT);
                r = logstore_durable(store, &durable);
                if (r < 0)
                        fail("durable", r);
        }
}

static void sync_asynchronously(const char *path, uint32_t flags, int32_t want_ring)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore *store;
        int r;

        options.flags = LOGSTORE_CREATE | flags;
        r = logstore_open(path, &options, &store);
        if (r < 0)
                fail("open", r);
        for (uint64_t i = 0; i < 20; i++) {
                uint64_t number;

                r = logstore_append(store, "forbidden fruit", 15, &number);
                if (r == 0)
                        r = logstore_sync_start(store, number);
                if (r < 0)
                        fail("sync_start", r);
                wait_durable(store, number);
        }
        r = logstore_info(store, &info);
        if (r < 0 || info.sync_is_ring != want_ring) {
                fprintf(stderr, "no_ring: sync_is_ring is %d, not %d\n", info.sync_is_ring,
                        want_ring);
                _exit(1);
        }
        r = logstore_close(store);
        if (r < 0)
                fail("close", r);
}

/* In a child, under the filter of case @i. */
static void __attribute__((noreturn)) live(unsigned i)
{
        const char *store = rig_path(directory, cases[i].name);
        int32_t want = cases[i].verdict == 0 && ring_works();

        if (cases[i].verdict != 0 && forbid_ring(cases[i].verdict) < 0)
                _exit(77);
        sync_asynchronously(rig_path(store, "small"), cases[i].flags, want);
        if (freopen("/dev/null", "w", stdout) == NULL)
                _exit(99);
        execl(workload, workload, rig_path(store, "store"), "--oracle", rig_path(store, "oracle"),
              "--sync", "start", "--threads", "2", "--seconds", seconds,
              cases[i].flags & LOGSTORE_NO_RING ? "--no-ring" : NULL, (char *)NULL);
        _exit(99);
}

static int run(const char *const argv[])
{
        int status = rig_run(argv);

        if (status != 0)
                fprintf(stderr, "no_ring: %s: status %x\n", argv[0], (unsigned)status);
        return status;
}

/* 0 or 1: something was wrong. */
static int try_case(unsigned i)
{
        const char *store = rig_path(directory, cases[i].name);
        const char *make[] = { "mkdir", "-p", store, NULL };
        const char *argv[] = { check, rig_path(store, "store"), "--oracle",
                               rig_path(store, "oracle"), NULL };
        int status;
        pid_t pid;

        if (run(make) != 0)
                return 1;
        fflush(stdout);
        pid = fork();
        if (pid < 0)
                rig_broken("fork");
        if (pid == 0)
                live(i);
        if (waitpid(pid, &status, 0) < 0)
                rig_broken("waitpid");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                rig_skip("no seccomp filter to be had");
        if (status != 0) {
                fprintf(stderr, "no_ring: case %s: status %x\n", cases[i].name, (unsigned)status);
                return 1;
        }
        return run(argv) != 0;
}

int main(int argc, char **argv)
{
        char template[] = "/tmp/no-ring-XXXXXX";
        int wrong = 0;

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--workload") == 0)
                        workload = argv[i + 1];
                else if (strcmp(argv[i], "--check") == 0)
                        check = argv[i + 1];
                else if (strcmp(argv[i], "--seconds") == 0)
                        seconds = argv[i + 1];
        }
        directory = mkdtemp(template);
        if (workload == NULL || check == NULL || directory == NULL) {
                fprintf(stderr, "no_ring: see the head of no_ring.c\n");
                return 2;
        }
        for (unsigned i = 0; i < CASES; i++)
                wrong += try_case(i);
        printf("no_ring: states=%zu lost=%d holes=0 invented=0 hangs=0 ring=%s\n", CASES, wrong,
               ring_works() ? "allowed-here" : "forbidden-here");
        const char *clean[] = { "rm", "-rf", directory, NULL };

        run(clean);
        return wrong > 0;
}
