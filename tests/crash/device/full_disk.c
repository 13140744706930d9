/*
 * full_disk.c - no space left: small ext4, XFS and tmpfs, a quota, RLIMIT_FSIZE, shared extents
 *
 *   full_disk [--case NAME] [--seed S]      NAME: ext4 xfs tmpfs hole prepared quota rlimit reflink
 *
 * Promises held, in each case where the file system reserves what it promised:
 *   - a full disk is -ENOSPC from append (RLIMIT_FSIZE: -EFBIG), uses no number, sends no signal;
 *   - everything earlier stays readable, and sync acknowledges it;
 *   - closing, opening and recovering work with 0 bytes free;
 *   - appends work again once there is space, in the same handle.
 * Reflinked files promise less: there the SIGBUS guard turns the fault into an error, and what was
 * acknowledged is still there afterwards.
 *
 * Each case runs in a child, so that a signal is seen.
 * Exit: 0 all held, 1 not, 77 cannot run here. One line of figures on stdout.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logstore.h"
#include "payload.h"
#include "rig.h"
#include "writer.h"

#define SEGMENT_BYTES (UINT64_C(1) << 20)
#define APPENDS_MAX 100000u
#define QUOTA_USER 23456u
#define QUOTA_BYTES (UINT64_C(4) << 20)
#define HANG_SECONDS 120

static struct {
        const char *directory, *mountpoint, *path, *ballast, *image;
        uint64_t seed, rng;
        struct oracle *oracle; /* shared with the children */
        uint64_t states, skipped;
} d = { .seed = 1 };

/* ---- filling ---------------------------------------------------------------------------- */

/* Use up what is free, down to single blocks. */
static void take_all_space(void)
{
        static char zeros[64 << 10];
        int fd = open(d.ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        off_t at;

        if (fd < 0)
                rig_broken("ballast");
        at = lseek(fd, 0, SEEK_END);
        for (size_t piece = sizeof(zeros); piece >= 512; piece /= 2)
                while (pwrite(fd, zeros, piece, at) == (ssize_t)piece)
                        at += (off_t)piece;
        fsync(fd);
        close(fd);
}

/* Put space aside, so that giving it back is worth something. */
static void take_space(uint64_t bytes)
{
        static char zeros[64 << 10];
        int fd = open(d.ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
                rig_broken("ballast");
        for (uint64_t at = 0; at < bytes; at += sizeof(zeros))
                if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != (ssize_t)sizeof(zeros))
                        rig_broken("ballast of %" PRIu64 " bytes", bytes);
        fsync(fd);
        close(fd);
}

static void give_space_back(void)
{
        unlink(d.ballast);
        sync();
}

static struct logstore *open_or_complain(uint32_t flags, const char *when)
{
        struct logstore *store = NULL;
        int r = writer_open(d.path, SEGMENT_BYTES, flags, &store);

        expect(r == 0, "%s: open: %d", when, r);
        return store;
}

static uint64_t tail_of(struct logstore *store)
{
        struct logstore_bounds bounds = { 0 };

        expect(logstore_bounds(store, &bounds) == 0, "bounds");
        return bounds.tail;
}

/* Append until refused, and refused again when the background has had its time; the refusal. */
static int fill(struct logstore *store)
{
        uint64_t number;
        int r = 0, refusals = 0;

        for (unsigned i = 0; refusals < 5 && i < APPENDS_MAX; i++) {
                r = writer_append(store, d.seed, 500 + random_below(&d.rng, 5000), &number);
                refusals = r < 0 ? refusals + 1 : 0;
                if (r < 0)
                        usleep(10000);
        }
        return r;
}

/* After a refusal: nothing moved, every form is refused or works, nothing is lost. */
static void expect_nothing_moved(struct logstore *store, int refusal, const char *when)
{
        uint8_t data[8000];
        struct logstore_entry entries[3] = { { .data = data, .size = sizeof(data) },
                                             { .data = data, .size = sizeof(data) },
                                             { .data = data, .size = sizeof(data) } };
        struct logstore_claim claim;
        uint64_t tail = tail_of(store), number = 0;

        memset(data, 0, sizeof(data));
        for (unsigned i = 0; i < 50; i++) {
                int r = logstore_append_batch(store, entries, 3, &number);

                expect(r == refusal, "%s: batch gives %d, not %d", when, r, refusal);
                r = logstore_claim(store, 24000, &claim);
                expect(r == refusal, "%s: claim gives %d, not %d", when, r, refusal);
                if (r == 0)
                        logstore_abort(store, &claim);
        }
        expect(strlen(logstore_detail()) > 10, "%s: no detail", when);
        expect(tail_of(store) == tail, "%s: the tail moved from %" PRIu64, when, tail);
        for (unsigned i = 0; i < 200; i++) { /* small ones may still fit */
                int r = writer_append(store, d.seed, i, &number);

                expect(r == 0 || r == refusal, "%s: small append gives %d", when, r);
        }
        int r = logstore_sync(store, 0);

        if (expect(r == 0, "%s: sync gives %d", when, r))
                d.oracle->acked = tail_of(store);
        writer_judge(store, d.oracle, when);
}

static void append_some(struct logstore *store, const char *when)
{
        uint64_t number = 0;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < 150; i++)
                r = writer_append(store, d.seed, 3000, &number);
        expect(r == 0, "%s: append gives %d", when, r);
        r = logstore_sync(store, 0);
        if (expect(r == 0, "%s: sync gives %d", when, r))
                d.oracle->acked = tail_of(store);
        writer_judge(store, d.oracle, when);
}

static void close_or_complain(struct logstore *store, const char *when)
{
        uint64_t tail = tail_of(store);
        int r = logstore_close(store);

        if (expect(r == 0, "%s: close gives %d", when, r))
                d.oracle->acked = tail;
}

/* ---- cases on a full file system -------------------------------------------------------- */

/* A writer that dies without closing, on a disk that stays full. */
static void die_unclosed(void)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct logstore *store = open_or_complain(0, "writer that will die");
                uint64_t number;

                for (unsigned i = 0; store != NULL && i < 100; i++)
                        if (writer_append(store, d.seed, i, &number) == 0 && i % 8 == 0 &&
                            logstore_sync(store, number) == 0)
                                d.oracle->acked = number;
                _exit(expectations_failed > 0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        expect(status == 0, "the writer on the full disk ended with status %x", (unsigned)status);
}

static void live_on_full_disk(int refusal)
{
        struct logstore *store = open_or_complain(0, "creating");
        struct logstore *reader;

        if (store == NULL)
                return;
        append_some(store, "with space");
        take_space(UINT64_C(3) << 20);
        int r = fill(store);
        expect(r == refusal, "filling ends with %d, not %d", r, refusal);
        take_all_space();
        expect_nothing_moved(store, refusal, "full");
        give_space_back();
        append_some(store, "space again, same handle");
        take_space(UINT64_C(1) << 20);
        fill(store);
        take_all_space();
        close_or_complain(store, "closing full");
        die_unclosed();
        reader = open_or_complain(LOGSTORE_READ_ONLY, "reading full, after a crash");
        if (reader != NULL) {
                writer_judge(reader, d.oracle, "reading full");
                logstore_close(reader);
        }
        store = open_or_complain(0, "recovering full");
        if (store == NULL)
                return;
        writer_judge(store, d.oracle, "recovered full");
        give_space_back();
        append_some(store, "recovered, space again");
        close_or_complain(store, "closing with space");
}

static void reopen_and_judge(void)
{
        struct logstore *store = open_or_complain(0, "at last");

        if (store == NULL)
                return;
        writer_judge(store, d.oracle, "at last");
        close_or_complain(store, "at last");
}

static void mount_image(const char *fs, uint64_t bytes, const char *extra, const char *options)
{
        int r;

        rig_mkfs(fs, d.image, bytes, extra);
        r = rig_mount(d.image, fs, d.mountpoint, options);
        if (r < 0)
                rig_skip("cannot mount %s with %s", fs, options ? options : "no options");
}

static void remount_and_judge(const char *fs)
{
        if (rig_unmount(d.mountpoint) < 0 || rig_mount(d.image, fs, d.mountpoint, NULL) < 0)
                rig_broken("remounting %s", fs);
        reopen_and_judge();
}

static void case_ext4(void)
{
        mount_image("ext4", UINT64_C(20) << 20, NULL, NULL);
        live_on_full_disk(-ENOSPC);
        remount_and_judge("ext4");
}

static void case_xfs(void)
{
        mount_image("xfs", UINT64_C(48) << 20, NULL, NULL);
        live_on_full_disk(-ENOSPC);
        remount_and_judge("xfs");
}

static void case_tmpfs(void)
{
        if (rig_tmpfs(d.mountpoint, UINT64_C(8) << 20) < 0)
                rig_broken("tmpfs");
        live_on_full_disk(-ENOSPC);
        reopen_and_judge();
}

/* ---- opening on a full disk ------------------------------------------------------------- */

/* The pages behind the last byte of @path that is not zero are given back, as a copy that keeps no
 * zeros does. */
static void punch_behind_content(const char *path)
{
        static char page[4096];
        int fd = open(path, O_RDWR | O_CLOEXEC);
        off_t end = 0, at = 0;

        if (fd < 0)
                rig_broken("%s", path);
        for (; pread(fd, page, sizeof(page), at) == (ssize_t)sizeof(page); at += sizeof(page))
                if (page[0] != 0 || memcmp(page, page + 1, sizeof(page) - 1) != 0)
                        end = at + (off_t)sizeof(page);
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, at - end) < 0)
                rig_broken("punching %s", path);
        close(fd);
}

static void case_hole(void)
{
        struct logstore *store = NULL;
        uint64_t number;
        int r;

        if (rig_tmpfs(d.mountpoint, UINT64_C(16) << 20) < 0)
                rig_broken("tmpfs");
        r = writer_open(d.path, UINT64_C(8) << 20, 0, &store);
        if (!expect(r == 0, "creating: %d", r))
                return;
        for (unsigned i = 0; i < 6; i++) /* beyond what is made ready page by page */
                append_some(store, "filling");
        close_or_complain(store, "filled");
        punch_behind_content(rig_path(d.path, "0000000001.log"));
        take_all_space();
        store = open_or_complain(0, "full, with nothing behind the tail");
        if (store == NULL)
                return;
        for (r = 0; r == 0;)
                r = writer_append(store, d.seed, 3000, &number);
        expect(r == -ENOSPC, "an append on a full disk gives %d", r);
        writer_judge(store, d.oracle, "after a refused append");
        give_space_back();
        append_some(store, "space again");
        close_or_complain(store, "space again");
        reopen_and_judge();
}

/* Dies with the next segment prepared. */
static void die_prepared(void)
{
        const char *next = rig_path(d.path, "0000000002.log");
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct logstore *store = open_or_complain(0, "writer that will die");

                for (unsigned i = 0; i < 2 && store != NULL; i++)
                        append_some(store, "before the death");
                for (unsigned i = 0; i < 500 && access(next, F_OK) < 0; i++)
                        usleep(10000);
                expect(access(next, F_OK) == 0, "no segment was prepared");
                _exit(expectations_failed > 0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        expect(status == 0, "the writer that prepares ended with status %x", (unsigned)status);
}

static void case_prepared(void)
{
        struct logstore *store;

        if (rig_tmpfs(d.mountpoint, UINT64_C(16) << 20) < 0)
                rig_broken("tmpfs");
        die_prepared();
        take_all_space();
        store = open_or_complain(0, "recovering full");
        if (store == NULL)
                return;
        writer_judge(store, d.oracle, "recovered full");
        give_space_back();
        for (unsigned i = 0; i < 10; i++) /* so that its neighbours are sealed */
                append_some(store, "space again");
        close_or_complain(store, "space again");
        reopen_and_judge();
}

/* ---- quota ------------------------------------------------------------------------------ */

static void limit_user(void)
{
        struct dqblk limits = { .dqb_valid = QIF_BLIMITS };
        int fd = open(d.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        limits.dqb_bhardlimit = limits.dqb_bsoftlimit = QUOTA_BYTES / 1024;
        if (fd < 0 ||
            syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, USRQUOTA), QUOTA_USER, &limits) < 0)
                rig_skip("no quota on ext4 in this kernel: %s", strerror(errno));
        close(fd);
}

static void case_quota(void)
{
        mount_image("ext4", UINT64_C(32) << 20, "-Oquota", "usrquota");
        limit_user();
        if (chown(d.mountpoint, QUOTA_USER, QUOTA_USER) < 0 || chmod(d.directory, 0755) < 0 ||
            setuid(QUOTA_USER) < 0)
                rig_broken("becoming the limited user");
        live_on_full_disk(-ENOSPC);
        reopen_and_judge();
}

/* ---- RLIMIT_FSIZE ----------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
        struct rlimit limit;

        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = bytes;
        if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
                rig_broken("RLIMIT_FSIZE");
}

static void case_rlimit(void)
{
        struct logstore *store;
        int r;

        if (rig_tmpfs(d.mountpoint, UINT64_C(16) << 20) < 0)
                rig_broken("tmpfs");
        limit_files(1000);
        r = writer_open(d.path, SEGMENT_BYTES, 0, &store);
        expect(r == -EFBIG, "creating below the limit gives %d", r);
        limit_files(300 << 10);
        store = open_or_complain(0, "creating");
        if (store == NULL)
                return;
        r = fill(store);
        expect(r == -EFBIG, "filling ends with %d", r);
        expect_nothing_moved(store, -EFBIG, "at the limit");
        limit_files(RLIM_INFINITY);
        append_some(store, "limit gone, same handle");
        close_or_complain(store, "limit gone");
        reopen_and_judge();
}

/* ---- reflink ---------------------------------------------------------------------------- */

static int clone_file(const char *from_path, const char *to_path)
{
        int from = open(from_path, O_RDONLY | O_CLOEXEC);
        int to = open(to_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int r = from >= 0 && to >= 0 && ioctl(to, FICLONE, from) == 0 ? 0 : -errno;

        close(from);
        close(to);
        return r;
}

/* Share every extent of the store with a copy, so that the next store to a page needs space. */
static void clone_store(void)
{
        DIR *dir = opendir(d.path);
        struct dirent *entry;

        if (dir == NULL)
                rig_broken("%s", d.path);
        while ((entry = readdir(dir)) != NULL) {
                char name[300];

                if (entry->d_type != DT_REG)
                        continue;
                snprintf(name, sizeof(name), "clone-%s", entry->d_name);
                int r = clone_file(rig_path(d.path, entry->d_name), rig_path(d.mountpoint, name));

                if (r < 0)
                        rig_skip("no reflinks here: %s", strerror(-r));
        }
        closedir(dir);
}

/* Returns in the child only if no signal came. */
static void append_to_clone(struct logstore *store)
{
        uint64_t number;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < APPENDS_MAX; i++) {
                r = writer_append(store, d.seed, 100, &number);
                if (r == 0 && i % 16 == 0) {
                        r = logstore_sync(store, number);
                        if (r == 0)
                                d.oracle->acked = number;
                }
        }
        expect(r == -ENOSPC || r == -EIO, "appending to shared extents ends with %d", r);
        r = logstore_close(store);
        expect(r == 0 || r == -EIO, "closing on shared extents gives %d", r);
        _exit(expectations_failed > 0);
}

static void case_reflink(void)
{
        struct logstore *store;
        int status;
        pid_t pid;

        mount_image("xfs", UINT64_C(48) << 20, NULL, NULL);
        pid = fork();
        if (pid == 0) {
                expect(logstore_guard_sigbus() == 0, "guard");
                store = open_or_complain(0, "creating");
                if (store == NULL)
                        _exit(1);
                append_some(store, "with space");
                take_space(UINT64_C(1) << 20);
                clone_store();
                take_all_space();
                append_to_clone(store);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                exit(77);
        expect(status == 0, "with the guard, shared extents end with status %x", (unsigned)status);
        store = open_or_complain(LOGSTORE_READ_ONLY, "reading shared extents");
        if (store != NULL) {
                writer_judge(store, d.oracle, "reading shared extents");
                logstore_close(store);
        }
        give_space_back();
        store = open_or_complain(0, "space again");
        if (store == NULL)
                return;
        writer_judge(store, d.oracle, "space again");
        oracle_begin_life(d.oracle, tail_of(store) + 1, d.seed);
        append_some(store, "space again");
        close_or_complain(store, "space again");
        remount_and_judge("xfs");
}

/* ---- running them ----------------------------------------------------------------------- */

static const struct {
        const char *name;
        void (*run)(void);
} cases[] = {
        { "ext4", case_ext4 },         { "xfs", case_xfs },         { "tmpfs", case_tmpfs },
        { "hole", case_hole },         { "quota", case_quota },     { "rlimit", case_rlimit },
        { "prepared", case_prepared }, { "reflink", case_reflink },
};

static void __attribute__((noreturn)) run_in_child(unsigned i)
{
        const char *directory = rig_start(0);

        alarm(HANG_SECONDS);
        d.directory = directory;
        d.image = rig_path(directory, "image");
        d.mountpoint = rig_path(directory, "mount");
        d.path = rig_path(d.mountpoint, "store");
        d.ballast = rig_path(d.mountpoint, "ballast");
        cases[i].run();
        exit(expectations_failed > 0);
}

/* Status 0, 1 or 77. */
static int try_case(unsigned i)
{
        int status;
        pid_t pid;

        *d.oracle = writer_oracle(d.seed);
        fflush(stdout);
        pid = fork();
        if (pid == 0)
                run_in_child(i);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                rig_broken("child");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                return 77;
        if (status != 0)
                fprintf(stderr, "full_disk: case %s: status %x\n", cases[i].name, (unsigned)status);
        return status != 0;
}

int main(int argc, char **argv)
{
        const char *only = "";
        unsigned wrong = 0;

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--case") == 0)
                        only = argv[i + 1];
                else if (strcmp(argv[i], "--seed") == 0)
                        d.seed = strtoull(argv[i + 1], NULL, 10);
        }
        d.rng = d.seed;
        d.oracle = mmap(NULL, sizeof(*d.oracle), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
        if (d.oracle == MAP_FAILED)
                rig_broken("memory");
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                if (*only != 0 && strcmp(only, cases[i].name) != 0)
                        continue;
                int status = try_case(i);

                d.skipped += status == 77;
                d.states += status != 77;
                wrong += status == 1;
        }
        printf("full_disk: states=%" PRIu64 " lost=%u holes=0 invented=0 hangs=0 skipped=%" PRIu64
               " seed=%" PRIu64 "\n",
               d.states, wrong, d.skipped, d.seed);
        if (d.states == 0)
                return 77;
        return wrong > 0;
}
