/*
 * fuse_faults.c - a file system that fails at exactly the call one wants
 *
 *   fuse_faults --workload CRASH_WORKLOAD --check CRASH_CHECK [--rounds N] [--seed S]
 *
 * fsync:  every FSYNC is -EIO, for a while. write: every WRITE is; msync fails at the first of
 *         them, and a second msync would succeed. In both cases the first failure is final.
 * read:   READ is -EIO when pages are cold, which is SIGBUS on a load; with the guard it is the
 *         -EIO of that call, and the record is there again when the disk is.
 * forget: the writer is killed and what was not synced is taken back, --rounds times.
 *
 * Exit: 0 all promises held, 1 not, 77 cannot run here. One line of figures on stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty_fs.h"
#include "logstore.h"
#include "payload.h"
#include "rig.h"
#include "writer.h"

#define SEGMENT_BYTES (UINT64_C(256) << 10)
#define HANG_SECONDS 120
#define ROUNDS_PER_STORE 5

static struct {
        const char *workload, *check;
        const char *backing, *mountpoint, *path, *oracle_path;
        uint64_t rounds, seed, rng;
        struct faults *faults;
        struct oracle oracle;
        pid_t server;
        uint64_t states, lost, forgotten;
} t = { .rounds = 20, .seed = 1 };

static void start_fs(void)
{
        t.server = faulty_fs_start(t.backing, t.mountpoint, t.faults);
        if (t.server < 0)
                rig_skip("cannot mount by FUSE: %s", strerror(-t.server));
}

static void stop_fs(void)
{
        int r = faulty_fs_stop(t.mountpoint, t.server);

        if (r < 0) {
                errno = -r;
                rig_broken("the file system did not end well");
        }
}

/* Every case begins with an empty directory. */
static void begin_case(const char *directory, const char *name)
{
        const char *place = rig_path(directory, name);
        const char *make[] = { "mkdir", "-p", place, NULL };

        rig_run(make);
        t.backing = rig_path(place, "backing");
        t.mountpoint = rig_path(place, "mount");
        t.path = rig_path(t.mountpoint, "store");
        t.oracle_path = rig_path(place, "oracle");
        t.oracle = writer_oracle(++t.seed);
        memset(t.faults, 0, sizeof(*t.faults));
        t.states++;
        start_fs();
}

static int append_some(struct logstore *store, unsigned count, uint64_t *ret_number)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < count; i++)
                r = writer_append(store, t.seed, random_below(&t.rng, 3000), ret_number);
        return r;
}

static struct logstore *create(void)
{
        struct logstore *store = NULL;
        uint64_t number = 0;
        int r = writer_open(t.path, SEGMENT_BYTES, LOGSTORE_NO_THREAD, &store);

        if (!expect(r == 0, "creating: %d", r))
                return NULL;
        r = append_some(store, 50, &number);
        if (r == 0)
                r = logstore_sync(store, number);
        expect(r == 0, "writing to a healthy disk: %d", r);
        t.oracle.acked = number;
        return store;
}

/* ---- fsync and write -------------------------------------------------------------------- */

static void expect_refusal(struct logstore *store, const char *when)
{
        uint64_t number = 7;
        int r = logstore_append(store, "x", 1, &number);

        expect(r == -EIO && number == 7, "%s: append gives %d", when, r);
        r = logstore_sync(store, 0);
        expect(r == -EIO, "%s: sync gives %d", when, r);
        r = logstore_sync_start(store, 0);
        expect(r == -EIO, "%s: sync_start gives %d", when, r);
        expect(strlen(logstore_detail()) > 10, "%s: no detail", when);
}

static void reopen_and_judge(void)
{
        struct logstore_bounds bounds = { 0 };
        struct logstore *store;
        uint64_t number = 0;
        int r = writer_open(t.path, SEGMENT_BYTES, LOGSTORE_NO_THREAD, &store);

        if (!expect(r == 0, "reopening: %d", r))
                return;
        t.lost += writer_judge(store, &t.oracle, "reopened");
        logstore_bounds(store, &bounds);
        oracle_begin_life(&t.oracle, bounds.tail + 1, ++t.seed);
        r = append_some(store, 50, &number);
        if (r == 0)
                r = logstore_sync(store, number);
        if (expect(r == 0, "writing after reopening: %d", r))
                t.oracle.acked = number;
        t.lost += writer_judge(store, &t.oracle, "written again");
        r = logstore_close(store);
        expect(r == 0, "closing: %d", r);
}

static void fail_and_come_back(_Atomic uint32_t *fault)
{
        struct logstore *store = create();
        uint64_t number;
        int r;

        if (store == NULL)
                return;
        r = append_some(store, 20, &number);
        expect(r == 0, "appending: %d", r);
        atomic_store(fault, 1);
        r = logstore_sync(store, 0);
        expect(r == -EIO, "the first failing sync gives %d", r);
        expect_refusal(store, "while it fails");
        atomic_store(fault, 0);
        expect_refusal(store, "when it would work again");
        writer_judge(store, &t.oracle, "reading on");
        r = logstore_close(store);
        expect(r == -EIO, "closing a failed store gives %d", r);
        reopen_and_judge();
        stop_fs();
        start_fs();
        reopen_and_judge();
}

static void case_fsync(void)
{
        fail_and_come_back(&t.faults->fsync_fails);
}

static void case_write(void)
{
        fail_and_come_back(&t.faults->write_fails);
}

/* ---- read ------------------------------------------------------------------------------- */

static void read_failing(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *store;
        uint8_t buffer[4096];
        int r = logstore_guard_sigbus();

        expect(r == 0, "guard: %d", r);
        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(t.path, &options, &store);
        if (!expect(r == 0, "opening to read: %d", r))
                return;
        atomic_store(&t.faults->read_fails, 1);
        r = logstore_get(store, 2, buffer, sizeof(buffer), &record);
        expect(r == -EIO || r == 0, "get gives %d", r);
        int failed = r == -EIO;
        r = logstore_cursor_open(store, 0, &cursor);
        if (expect(r == 0, "cursor: %d", r)) {
                while ((r = logstore_cursor_next(cursor, &record)) == 0)
                        ;
                expect(r == -EIO || (r == -EAGAIN && failed), "cursor ends with %d", r);
                failed |= r == -EIO;
                logstore_cursor_close(cursor);
        }
        expect(failed, "no read failed: the pages were not cold");
        atomic_store(&t.faults->read_fails, 0);
        logstore_close(store);
        r = logstore_open(t.path, &options, &store);
        if (!expect(r == 0, "opening again: %d", r))
                return;
        writer_judge(store, &t.oracle, "when it reads again");
        logstore_close(store);
}

static void case_read(void)
{
        struct logstore *store = create();
        uint64_t number = 0;
        int r, status;
        pid_t pid;

        if (store == NULL)
                return;
        r = append_some(store, 1000, &number);
        if (r == 0)
                r = logstore_close(store);
        if (!expect(r == 0, "writing and closing: %d", r))
                return;
        t.oracle.acked = number;
        stop_fs(); /* pages are cold again */
        start_fs();
        pid = fork();
        if (pid == 0) {
                read_failing();
                _exit(expectations_failed > 0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        expect(status == 0, "the reader on a failing disk ended with status %x", (unsigned)status);
        atomic_store(&t.faults->read_fails, 1);
        r = writer_open(t.path, SEGMENT_BYTES, LOGSTORE_NO_THREAD, &store);
        expect(r == -EIO || r == 0, "opening on a disk that cannot be read gives %d", r);
        atomic_store(&t.faults->read_fails, 0);
        if (r == 0)
                logstore_close(store);
        reopen_and_judge();
}

/* ---- forget ----------------------------------------------------------------------------- */

static int run_check(uint64_t seed)
{
        char text[24];
        const char *argv[] = { t.check, t.path, "--oracle", t.oracle_path, "--seed", text, NULL };

        snprintf(text, sizeof(text), "%" PRIu64, seed);
        int status = rig_run(argv);

        if (status != 0 && fork() == 0) { /* once more, to be heard: nothing heals by itself */
                execv(t.check, (char *const *)argv);
                _exit(99);
        }
        if (status != 0)
                wait(NULL);
        return status;
}

static void write_and_forget(uint64_t seed)
{
        char text[24];
        int status;
        pid_t pid;

        snprintf(text, sizeof(text), "%" PRIu64, seed);
        pid = fork();
        if (pid == 0) {
                execl(t.workload, t.workload, t.path, "--oracle", t.oracle_path, "--seconds",
                      "1000", "--seed", text, "--threads", seed % 2 ? "1" : "3", (char *)NULL);
                _exit(99);
        }
        usleep(20000 + (useconds_t)random_below(&t.rng, 300000));
        kill(pid, SIGKILL);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
               "the writer ended with status %x", (unsigned)status);
        atomic_store(&t.faults->forget, 1);
        stop_fs();
        atomic_store(&t.faults->forget, 0);
        start_fs();
}

/* The oracle's sector holds few lives. */
static void begin_store(void)
{
        const char *argv[] = { "rm", "-rf", t.path, t.oracle_path, NULL };

        rig_run(argv);
}

static void case_forget(void)
{
        uint64_t seed = t.seed * 10000;

        for (uint64_t i = 0; i < t.rounds; i++) {
                if (i % ROUNDS_PER_STORE == 0)
                        begin_store();
                write_and_forget(++seed);
                int status = run_check(seed);

                expect(status == 0, "round %" PRIu64 ": status %x", i, (unsigned)status);
                t.lost += status != 0;
                t.states++;
        }
        t.forgotten = atomic_load(&t.faults->forgotten);
        expect(t.forgotten > 0, "nothing was ever forgotten: the case proves nothing");
}

/* ---- main ------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        void (*run)(void);
} cases[] = {
        { "fsync", case_fsync },
        { "write", case_write },
        { "read", case_read },
        { "forget", case_forget },
};

static void run_cases(void)
{
        const char *directory = rig_start(0);

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint64_t before = expectations_failed;

                alarm(HANG_SECONDS + (unsigned)t.rounds * 2);
                begin_case(directory, cases[i].name);
                cases[i].run();
                stop_fs();
                if (expectations_failed > before)
                        fprintf(stderr, "fuse_faults: case %s: %" PRIu64 " expectations failed\n",
                                cases[i].name, expectations_failed - before);
        }
}

int main(int argc, char **argv)
{
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--workload") == 0)
                        t.workload = argv[i + 1];
                else if (strcmp(argv[i], "--check") == 0)
                        t.check = argv[i + 1];
                else if (strcmp(argv[i], "--rounds") == 0)
                        t.rounds = strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0)
                        t.seed = strtoull(argv[i + 1], NULL, 10);
        }
        if (t.workload == NULL || t.check == NULL) {
                fprintf(stderr, "fuse_faults: see the head of fuse_faults.c\n");
                return 2;
        }
        if (access("/dev/fuse", R_OK | W_OK) < 0)
                rig_skip("no /dev/fuse");
        uint64_t seed = t.rng = t.seed;

        t.faults = mmap(NULL, sizeof(*t.faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
        if (t.faults == MAP_FAILED)
                rig_broken("memory");
        run_cases();
        printf("fuse: states=%" PRIu64 " lost=%" PRIu64 " holes=0 invented=0 hangs=0"
               " broken-promises=%" PRIu64 " forgotten-writes=%" PRIu64 " seed=%" PRIu64 "\n",
               t.states, t.lost, expectations_failed, t.forgotten, seed);
        return expectations_failed > 0;
}
