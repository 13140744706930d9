/*
 * powercut_replay.c - cut the power at many places of a recorded run, mount and check each
 *
 *   powercut_replay --log LOG --image BASE --fs ext4|xfs --check CRASH_CHECK --oracle-at BYTES
 *                   [--states N] [--seed S] [--lie] [--next IMAGE] [--keep DIR]
 *
 * A cut is a place in the log. Everything up to the last flush before it is on the disk. What was
 * written since (the window) may be there or not: the first state of a cut has all of it, the
 * others a random choice of 4 KiB blocks, and of 512-byte sectors where the block belongs to a
 * file of the store. (A file system may count on its own blocks not being torn.)
 *
 * The promises held against a state are those that the guest wrote to the disk's spare end before
 * the cut. A cut in a truncation leaves the log as it was or as the truncation was to leave it; a
 * cut behind its return leaves only the latter. --lie ignores all flushes, as a disk with a lying
 * cache would: the run then must find losses, or it proves nothing. --next keeps one crashed state,
 * for the next life to start from; --keep keeps the first bad ones.
 *
 * Exit: 0 nothing lost, 1 something lost, 77 cannot run here. One line of figures on stdout.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logwrites.h"
#include "oracle.h"
#include "payload.h"
#include "rig.h"

#define BLOCK_BYTES 4096u
#define SECTORS_PER_BLOCK (BLOCK_BYTES / LOG_SECTOR_BYTES)
#define STATES_PER_CUT 5u /* the first has everything */
#define KEEP_MAX 3u

static struct {
        const char *log_path, *image_path, *fs, *check, *next_path, *keep;
        uint64_t oracle_at;
        uint64_t states;
        uint64_t seed;
        int lie;

        struct log_writes log;
        const char *base, *state, *mountpoint, *oracle_path;
        int base_fd;
        size_t base_entries; /* of the log, that are in the base image */
        uint8_t *is_data;    /* per block of the image: belongs to a file of the store */
        uint64_t blocks;
        uint64_t rng;
        struct {
                uint64_t states, cuts, lost, holes, invented, hangs, unusable, unmountable;
                uint64_t truncations; /* cuts in one */
        } count;
} p = { .states = 300, .seed = 1 };

/* ---- the log ---------------------------------------------------------------------------- */

/* Count of entries up to and with the last flush before @cut. */
static size_t last_flush(size_t cut)
{
        if (p.lie)
                return 0;
        while (cut > 0 && !(p.log.entries[cut - 1].flags & LOG_FLUSH))
                cut--;
        return cut;
}

/* The newest oracle before @cut. The guest writes it as one sector. */
static int find_oracle(size_t cut, struct oracle *ret)
{
        uint64_t sector = p.oracle_at / LOG_SECTOR_BYTES;
        char text[ORACLE_BYTES];
        int fd;

        for (; cut > 0; cut--) {
                const struct log_entry *e = &p.log.entries[cut - 1];

                if (e->sectors > 0 && e->sector <= sector && sector < e->sector + e->sectors)
                        return oracle_parse((const char *)e->data +
                                                    (sector - e->sector) * LOG_SECTOR_BYTES,
                                            ret);
        }
        fd = open(p.image_path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || pread(fd, text, sizeof(text), (off_t)p.oracle_at) != sizeof(text))
                rig_broken("%s", p.image_path);
        close(fd);
        return oracle_parse(text, ret);
}

static void write_out(int fd, const void *data, size_t bytes, uint64_t at)
{
        if (pwrite(fd, data, bytes, (off_t)at) != (ssize_t)bytes)
                rig_broken("writing a state");
}

static void apply_whole(int fd, const struct log_entry *e)
{
        if (e->sectors > 0)
                write_out(fd, e->data, e->sectors * LOG_SECTOR_BYTES, e->sector * LOG_SECTOR_BYTES);
}

/* Entry @e, block by block, each with @percent; data blocks may be torn. */
static void apply_some(int fd, const struct log_entry *e, uint64_t percent)
{
        for (uint64_t i = 0; i < e->sectors;) {
                uint64_t sector = e->sector + i, block = sector / SECTORS_PER_BLOCK;
                uint64_t n = SECTORS_PER_BLOCK - sector % SECTORS_PER_BLOCK;
                bool tear = block < p.blocks && p.is_data[block] && random_below(&p.rng, 3) == 0;

                if (n > e->sectors - i)
                        n = e->sectors - i;
                for (uint64_t k = 0; tear && k < n; k++)
                        if (random_below(&p.rng, 2) == 0)
                                write_out(fd, e->data + (i + k) * LOG_SECTOR_BYTES,
                                          LOG_SECTOR_BYTES, (sector + k) * LOG_SECTOR_BYTES);
                if (!tear && random_below(&p.rng, 100) < percent)
                        write_out(fd, e->data + i * LOG_SECTOR_BYTES, n * LOG_SECTOR_BYTES,
                                  sector * LOG_SECTOR_BYTES);
                i += n;
        }
}

/* ---- states ----------------------------------------------------------------------------- */

static void advance_base(size_t entries)
{
        for (; p.base_entries < entries; p.base_entries++)
                apply_whole(p.base_fd, &p.log.entries[p.base_entries]);
}

/* @choice 0: all of the window; 1: nothing; else a random part. */
static void build_state(size_t cut, unsigned choice)
{
        static const uint64_t percents[] = { 10, 50, 80, 95, 100 };
        uint64_t percent = percents[random_below(&p.rng, 5)];
        int fd;

        rig_copy_sparse(p.base, p.state);
        fd = open(p.state, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                rig_broken("%s", p.state);
        for (size_t i = p.base_entries; i < cut && choice != 1; i++)
                if (choice == 0)
                        apply_whole(fd, &p.log.entries[i]);
                else
                        apply_some(fd, &p.log.entries[i], percent);
        close(fd);
}

static void note_extents(const char *path)
{
        union {
                struct fiemap map;
                char bytes[sizeof(struct fiemap) + 64 * sizeof(struct fiemap_extent)];
        } u = { .map = { .fm_length = UINT64_MAX, .fm_extent_count = 64 } };
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0)
                rig_broken("extents of %s", path);
        close(fd);
        for (uint32_t i = 0; i < u.map.fm_mapped_extents; i++) {
                uint64_t block = u.map.fm_extents[i].fe_physical / BLOCK_BYTES;
                uint64_t end = block + u.map.fm_extents[i].fe_length / BLOCK_BYTES;

                for (; block < end && block < p.blocks; block++)
                        p.is_data[block] = 1;
        }
}

/* Which blocks belong to files of the mounted store. */
static void note_data_blocks(void)
{
        const char *store = rig_path(p.mountpoint, "store");
        DIR *dir = opendir(store);
        struct dirent *entry;

        memset(p.is_data, 0, p.blocks);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
                char path[4096];

                if (entry->d_type != DT_REG)
                        continue;
                snprintf(path, sizeof(path), "%s/%s", store, entry->d_name);
                note_extents(path);
        }
        if (dir != NULL)
                closedir(dir);
        free((void *)store);
}

static int run_check(const struct oracle *oracle)
{
        char seed[32];
        pid_t pid;
        int fd = oracle_open(p.oracle_path), status;

        if (fd < 0 || oracle_store(fd, 0, oracle) < 0)
                rig_broken("%s", p.oracle_path);
        close(fd);
        snprintf(seed, sizeof(seed), "%" PRIu64, p.seed);
        fflush(stdout);
        pid = fork();
        if (pid < 0)
                rig_broken("fork");
        if (pid == 0) {
                const char *store = rig_path(p.mountpoint, "store");
                int quiet = open("/dev/null", O_WRONLY);

                if (dup2(quiet, 1) < 0 || (p.lie && dup2(quiet, 2) < 0))
                        _exit(99);
                execl(p.check, p.check, store, "--oracle", p.oracle_path, "--seed", seed,
                      (char *)NULL);
                _exit(99);
        }
        if (waitpid(pid, &status, 0) < 0)
                rig_broken("waitpid");
        return status;
}

static uint64_t *counter_for(int status)
{
        if (!WIFEXITED(status))
                return &p.count.unusable;
        switch (WEXITSTATUS(status)) {
        case 1:
                return &p.count.lost;
        case 3:
                return &p.count.holes;
        case 4:
                return &p.count.invented;
        case 5:
                return &p.count.hangs;
        default:
                return &p.count.unusable;
        }
}

static void keep_state(size_t cut, unsigned choice)
{
        static unsigned kept;
        char name[64];

        fprintf(stderr, "powercut: bad state: seed %" PRIu64 " cut %zu choice %u\n", p.seed, cut,
                choice);
        if (p.keep == NULL || kept++ >= KEEP_MAX)
                return;
        build_state(cut, 0); /* the whole window; the exact choice comes again with the seed */
        snprintf(name, sizeof(name), "bad-%zu-%u.img", cut, choice);
        rig_copy_sparse(p.state, rig_path(p.keep, name));
}

static void check_state(size_t cut, unsigned choice, const struct oracle *oracle)
{
        int r = rig_mount(p.state, p.fs, p.mountpoint, NULL), status = 0;

        p.count.states++;
        if (r < 0) {
                p.count.unmountable++;
                if (!p.lie)
                        fprintf(stderr, "powercut: mount: %s\n", strerror(-r));
        } else {
                if (choice == 0)
                        note_data_blocks();
                status = run_check(oracle);
                if (rig_unmount(p.mountpoint) < 0)
                        rig_broken("unmount");
        }
        if (status != 0)
                ++*counter_for(status);
        if ((r < 0 || status != 0) && !p.lie)
                keep_state(cut, choice);
}

static void check_cut(size_t cut, bool keep_next)
{
        struct oracle oracle;
        unsigned states = STATES_PER_CUT;

        advance_base(last_flush(cut));
        if (find_oracle(cut, &oracle) < 0)
                rig_broken("the oracle in the log is unreadable");
        if (p.base_entries == cut)
                states = 1; /* nothing in the window */
        p.count.cuts++;
        p.count.truncations += oracle.cut > 0;
        for (unsigned choice = 0; choice < states && p.count.states < p.states; choice++) {
                build_state(cut, choice);
                check_state(cut, choice, &oracle);
        }
        if (keep_next && p.next_path != NULL) {
                char text[ORACLE_BYTES];
                int fd;

                build_state(cut, 2);
                rig_copy_sparse(p.state, p.next_path);
                fd = open(p.next_path, O_WRONLY | O_CLOEXEC);
                oracle_print(&oracle, text);
                write_out(fd, text, sizeof(text), p.oracle_at);
                close(fd);
        }
}

/* ---- choosing cuts ---------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
        size_t x = *(const size_t *)a, y = *(const size_t *)b;

        return (x > y) - (x < y);
}

static bool in_truncation(size_t cut)
{
        struct oracle oracle;

        return find_oracle(cut, &oracle) == 0 && oracle.cut > 0;
}

/* A third anywhere, a third in a truncation, the rest just before a flush, where the window is
 * widest. */
static size_t random_cut(void)
{
        size_t cut = 1 + random_below(&p.rng, p.log.count);
        uint64_t dice = random_below(&p.rng, 3);

        for (unsigned tries = 0; dice == 1 && tries < 200 && !in_truncation(cut); tries++)
                cut = 1 + random_below(&p.rng, p.log.count);
        if (dice < 2)
                return cut;
        while (cut < p.log.count && !(p.log.entries[cut].flags & LOG_FLUSH))
                cut++;
        return cut;
}

static void check_all(void)
{
        size_t cuts = (size_t)p.states + 1, *cut = calloc(cuts, sizeof(*cut));
        size_t next;

        if (cut == NULL)
                rig_broken("memory");
        /* Cuts with an empty window give one state only: draw enough, spread the rest. */
        for (size_t i = 0; i < cuts; i++)
                cut[i] = random_cut();
        qsort(cut, cuts, sizeof(*cut), by_place);
        next = cuts / 2 + random_below(&p.rng, cuts / 2);
        for (size_t i = 0; i < cuts; i++) {
                bool due = p.count.states * cuts < i * p.states;

                if (due || i == next)
                        check_cut(cut[i], i == next);
        }
        free(cut);
}

/* ---- main ------------------------------------------------------------------------------- */

static int parse(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : "";

                if (strcmp(argv[i], "--lie") == 0) {
                        p.lie = 1;
                        continue;
                }
                if (strcmp(argv[i], "--log") == 0)
                        p.log_path = value;
                else if (strcmp(argv[i], "--image") == 0)
                        p.image_path = value;
                else if (strcmp(argv[i], "--fs") == 0)
                        p.fs = value;
                else if (strcmp(argv[i], "--check") == 0)
                        p.check = value;
                else if (strcmp(argv[i], "--next") == 0)
                        p.next_path = value;
                else if (strcmp(argv[i], "--keep") == 0)
                        p.keep = value;
                else if (strcmp(argv[i], "--oracle-at") == 0)
                        p.oracle_at = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--states") == 0)
                        p.states = strtoull(value, NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0)
                        p.seed = strtoull(value, NULL, 10);
                else
                        return -EINVAL;
                i++;
        }
        return p.log_path && p.image_path && p.fs && p.check && p.states > 0 ? 0 : -EINVAL;
}

static void prepare(void)
{
        const char *directory = rig_start(0);
        struct stat st;
        int r = log_writes_open(p.log_path, &p.log);

        if (r < 0) {
                errno = -r;
                rig_broken("%s", p.log_path);
        }
        p.base = rig_path(directory, "base.img");
        p.state = rig_path(directory, "state.img");
        p.oracle_path = rig_path(directory, "oracle");
        p.mountpoint = rig_path(directory, "mount");
        rig_copy_sparse(p.image_path, p.base);
        p.base_fd = open(p.base, O_RDWR | O_CLOEXEC);
        if (p.base_fd < 0 || fstat(p.base_fd, &st) < 0)
                rig_broken("%s", p.base);
        p.blocks = (uint64_t)st.st_size / BLOCK_BYTES;
        p.is_data = calloc(p.blocks, 1);
        p.rng = p.seed;
        if (p.is_data == NULL || p.log.count == 0)
                rig_broken("an empty log");
}

int main(int argc, char **argv)
{
        uint64_t bad;

        if (argc > 1 && strcmp(argv[1], "--probe") == 0) { /* can it be done here? */
                rig_start(0);
                rig_need_devices();
                return 0;
        }
        if (parse(argc, argv) < 0) {
                fprintf(stderr, "powercut_replay: see the head of powercut_replay.c\n");
                return 2;
        }
        prepare();
        check_all();
        bad = p.count.lost + p.count.holes + p.count.invented + p.count.hangs + p.count.unusable +
              p.count.unmountable;
        printf("powercut_replay: fs=%s%s states=%" PRIu64 " cuts=%" PRIu64
               " writes=%zu lost=%" PRIu64 " holes=%" PRIu64 " invented=%" PRIu64 " hangs=%" PRIu64
               " unusable=%" PRIu64 " unmountable=%" PRIu64 " truncations=%" PRIu64 " seed=%" PRIu64
               "\n",
               p.fs, p.lie ? " lie=1" : "", p.count.states, p.count.cuts, p.log.count, p.count.lost,
               p.count.holes, p.count.invented, p.count.hangs, p.count.unusable,
               p.count.unmountable, p.count.truncations, p.seed);
        return bad > 0;
}
