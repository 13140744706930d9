/*
 * failed_sync.c - a disk that refuses writes while the store runs, and then is repaired
 *
 *   failed_sync [--fs ext4|xfs] [--form msync|ring|thread] [--seed S]      default: all six
 *
 * The disk is a loop device on a sparse image in a tmpfs. Shrinking the tmpfs to what is used makes
 * writes to new blocks fail, as on a thin device that ran out; enlarging it repairs the disk, but
 * not what the failed writes lost: the page cache goes on showing data that the disk never got.
 *
 * Space that the store has reserved ahead by writing zeros is taken from it, too.
 *
 * Promises held: after the first failure every append and sync is refused with a detail, also once
 * the disk is well again; readers go on; closing says so; reopening, without unmounting, believes
 * the disk; all that was acknowledged is there, then and after a remount.
 *
 * Forms: msync, the blocking sync; ring, the asynchronous one; thread, a second thread that syncs
 *        while the first appends and syncs: neither may be told success once one was refused.
 * Exit:  0 all held, 1 not, 77 cannot run here. One line of figures on stdout.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "logstore.h"
#include "payload.h"
#include "rig.h"
#include "writer.h"

#define IMAGE_BYTES (UINT64_C(64) << 20)
#define THIN_BYTES (UINT64_C(256) << 20)
#define SEGMENT_BYTES (UINT64_C(2) << 20)
#define BLOCK_BYTES 4096
#define SLACK_BYTES 8192 /* for the file system itself */
#define APPENDS_MAX 3000u
#define HANG_SECONDS 120 /* then SIGALRM ends it */

enum form { FORM_MSYNC, FORM_RING, FORM_THREAD, FORMS };
static const char *const form_names[] = { "msync", "ring", "thread" };
static const char *const file_systems[] = { "ext4", "xfs" };

static struct {
        const char *thin, *image, *mountpoint, *path, *fs;
        enum form form;
        uint64_t seed, rng;
        struct logstore *store;
        struct oracle oracle;
        pthread_mutex_t lock; /* of the oracle */
        _Atomic int refused;  /* a sync or append was told -EIO */
        _Atomic int stop;
        uint64_t states, lost, ring, late_errors;
} f = { .seed = 1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the disk --------------------------------------------------------------------------- */

static void mount_disk(void)
{
        int r = rig_mount(f.image, f.fs, f.mountpoint, NULL);

        if (r < 0) {
                errno = -r;
                rig_broken("mounting %s", f.fs);
        }
}

static void make_disk(const char *directory)
{
        f.thin = rig_path(directory, "thin");
        f.image = rig_path(f.thin, "image");
        f.mountpoint = rig_path(directory, "mount");
        f.path = rig_path(f.mountpoint, "store");
        if (rig_tmpfs(f.thin, THIN_BYTES) < 0)
                rig_broken("%s", f.thin);
        rig_mkfs(f.fs, f.image, IMAGE_BYTES, NULL);
        mount_disk();
}

/* Give blocks of zeros that lie ahead in the store's files back to the tmpfs: the disk is thin, and
 * what the store wrote there to reserve it does not help. */
static void thin_out(const char *path, int image)
{
        union {
                struct fiemap map;
                char bytes[sizeof(struct fiemap) + 64 * sizeof(struct fiemap_extent)];
        } u = { .map = { .fm_length = UINT64_MAX, .fm_extent_count = 64 } };
        static const char zeros[BLOCK_BYTES];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        char block[BLOCK_BYTES];

        if (fd < 0 || ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0)
                rig_broken("extents of %s", path);
        close(fd);
        for (uint32_t i = 0; i < u.map.fm_mapped_extents; i++) {
                const struct fiemap_extent *e = &u.map.fm_extents[i];

                if (e->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC))
                        continue; /* no place on the disk yet */
                for (uint64_t at = e->fe_physical; at < e->fe_physical + e->fe_length;
                     at += BLOCK_BYTES)
                        if (pread(image, block, BLOCK_BYTES, (off_t)at) == BLOCK_BYTES &&
                            memcmp(block, zeros, BLOCK_BYTES) == 0 &&
                            fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                                      BLOCK_BYTES) < 0)
                                rig_broken("thinning out %s", path);
        }
}

static void break_disk(void)
{
        int image = open(f.image, O_RDWR | O_CLOEXEC);
        DIR *dir = opendir(f.path);
        struct dirent *entry;
        struct statvfs vfs;

        if (image < 0 || dir == NULL)
                rig_broken("%s", f.image);
        /* Frozen, lest a block that was zeros a moment ago is written while it is taken away. */
        if (ioctl(dirfd(dir), FIFREEZE, 0) < 0)
                rig_broken("freezing %s", f.mountpoint);
        while ((entry = readdir(dir)) != NULL)
                if (strstr(entry->d_name, ".log") != NULL)
                        thin_out(rig_path(f.path, entry->d_name), image);
        if (statvfs(f.thin, &vfs) < 0)
                rig_broken("%s", f.thin);
        if (rig_tmpfs_resize(f.thin, (vfs.f_blocks - vfs.f_bfree) * vfs.f_frsize + SLACK_BYTES) < 0)
                rig_broken("shrinking %s", f.thin);
        if (ioctl(dirfd(dir), FITHAW, 0) < 0)
                rig_broken("thawing %s", f.mountpoint);
        closedir(dir);
        close(image);
}

static void repair_disk(void)
{
        if (rig_tmpfs_resize(f.thin, THIN_BYTES) < 0)
                rig_broken("enlarging %s", f.thin);
}

/* ---- writing until it fails ------------------------------------------------------------- */

static int wait_durable(uint64_t number)
{
        struct pollfd poll_fd = { .fd = logstore_sync_fd(f.store), .events = POLLIN };
        uint64_t durable, count;

        for (unsigned tries = 0; tries < 1000; tries++) {
                int r = logstore_durable(f.store, &durable);

                if (r < 0)
                        return r;
                if (durable >= number)
                        return 0;
                if (poll(&poll_fd, 1, 10) > 0 && read(poll_fd.fd, &count, sizeof(count)) < 0 &&
                    errno != EAGAIN)
                        return -errno;
        }
        return -ETIMEDOUT;
}

/* Sync in the given form and note the promise. No success may begin after a refusal returned. */
static int sync_to(uint64_t number, enum form form)
{
        int refused_before = atomic_load(&f.refused);
        int r;

        if (form == FORM_RING) {
                r = logstore_sync_start(f.store, number);
                if (r == 0)
                        r = wait_durable(number);
        } else {
                r = logstore_sync(f.store, number);
        }
        if (r < 0) {
                atomic_store(&f.refused, 1);
                return r;
        }
        expect(!refused_before, "a sync succeeded after one had been refused");
        pthread_mutex_lock(&f.lock);
        if (number > f.oracle.acked)
                f.oracle.acked = number;
        pthread_mutex_unlock(&f.lock);
        return 0;
}

static void *sync_beside(void *arg)
{
        struct logstore_bounds bounds;

        (void)arg;
        while (!atomic_load(&f.stop)) {
                if (logstore_bounds(f.store, &bounds) == 0 && bounds.tail > 0)
                        sync_to(bounds.tail, FORM_MSYNC);
        }
        return NULL;
}

static int append_and_sync(void)
{
        uint64_t number;
        int r = writer_append(f.store, f.seed, 200 + random_below(&f.rng, 6000), &number);

        if (r == -EIO)
                atomic_store(&f.refused, 1);
        if (r < 0)
                return r;
        return random_below(&f.rng, 3) > 0 ? 0 : sync_to(number, f.form);
}

/*
 * An append that finds no space loses nothing by it, and the sync of what is there may still find
 * its blocks. Then the disk gets well, the store goes on to other blocks, and it breaks again.
 */
static int write_until_refused(void)
{
        struct logstore_bounds bounds;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < APPENDS_MAX; i++) {
                r = append_and_sync();
                if (r != -ENOSPC || logstore_bounds(f.store, &bounds) < 0)
                        continue;
                r = sync_to(bounds.tail, f.form);
                if (r < 0)
                        break;
                repair_disk();
                r = append_and_sync();
                break_disk();
        }
        return r;
}

/* ---- after the failure ------------------------------------------------------------------ */

static void expect_all_refused(const char *when)
{
        uint64_t number = 7, durable = 7;

        for (unsigned i = 0; i < 3; i++) {
                int r = logstore_append(f.store, "x", 1, &number);

                expect(r == -EIO && number == 7, "%s: append gives %d", when, r);
                expect(strlen(logstore_detail()) > 10, "%s: append leaves no detail", when);
                r = logstore_sync(f.store, 0);
                expect(r == -EIO, "%s: sync gives %d", when, r);
                r = logstore_sync_start(f.store, 0);
                expect(r == -EIO, "%s: sync_start gives %d", when, r);
                r = logstore_durable(f.store, &durable);
                expect(r == -EIO && durable == 7, "%s: durable gives %d", when, r);
        }
}

/* Readers beside the failed writer: everything acknowledged, and the word that a sync failed. */
static void expect_readers_go_on(void)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        struct logstore *reader;
        int r;

        writer_judge(f.store, &f.oracle, "reading in the failed writer");
        options.flags = LOGSTORE_READ_ONLY;
        r = logstore_open(f.path, &options, &reader);
        if (!expect(r == 0, "a reader beside the failed writer: %d", r))
                return;
        writer_judge(reader, &f.oracle, "reading beside the failed writer");
        r = logstore_info(reader, &info);
        expect(r == 0 && info.failed == 1, "info.failed is %u (%d)", info.failed, r);
        logstore_close(reader);
}

/*
 * Without unmounting, so that the cache still shows what the disk lost. The first attempt may be
 * told of an error that nobody has heard of yet, and must refuse; the next one is on its own.
 */
static void reopen(void)
{
        struct logstore_bounds bounds = { 0 };
        int r = writer_open(f.path, SEGMENT_BYTES, 0, &f.store);

        if (r == -EIO || r == -ENOSPC) { /* whichever the device said */
                f.late_errors++;
                r = writer_open(f.path, SEGMENT_BYTES, 0, &f.store);
        }
        if (!expect(r == 0, "reopening: %d, acknowledged was %" PRIu64, r, f.oracle.acked))
                return;
        f.lost += writer_judge(f.store, &f.oracle, "reopened");
        logstore_bounds(f.store, &bounds);
        f.oracle.acked = bounds.tail; /* what is shown after recovery is durable */
        oracle_begin_life(&f.oracle, bounds.tail + 1, ++f.seed);
        atomic_store(&f.refused, 0);
        for (unsigned i = 0; r == 0 && i < 200; i++)
                r = append_and_sync();
        expect(r == 0, "writing after the repair: %d", r);
        logstore_bounds(f.store, &bounds);
        r = logstore_close(f.store);
        if (expect(r == 0, "closing after the repair: %d", r))
                f.oracle.acked = bounds.tail;
}

static void remount_and_judge(void)
{
        int r;

        if (rig_unmount(f.mountpoint) < 0)
                rig_broken("unmount");
        mount_disk();
        r = writer_open(f.path, SEGMENT_BYTES, 0, &f.store);
        if (!expect(r == 0, "opening after the remount: %d", r))
                return;
        f.lost += writer_judge(f.store, &f.oracle, "after the remount");
        r = logstore_close(f.store);
        expect(r == 0, "the last close: %d", r);
}

static void fail_and_come_back(void)
{
        struct logstore_info info = { .struct_bytes = sizeof(info) };
        pthread_t thread;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < 100; i++)
                r = append_and_sync();
        expect(r == 0, "writing to a healthy disk: %d", r);
        logstore_info(f.store, &info);
        f.ring += info.sync_is_ring == 1;
        atomic_store(&f.stop, 0);
        if (f.form == FORM_THREAD && pthread_create(&thread, NULL, sync_beside, NULL) != 0)
                rig_broken("thread");
        break_disk();
        r = write_until_refused();
        expect(r == -EIO, "the broken disk gives %d", r);
        atomic_store(&f.stop, 1);
        if (f.form == FORM_THREAD)
                pthread_join(thread, NULL);
        expect_all_refused("on the broken disk");
        expect_readers_go_on();
        repair_disk();
        expect_all_refused("on the repaired disk");
        r = logstore_close(f.store);
        expect(r == -EIO, "closing a failed store: %d", r);
        reopen();
        remount_and_judge();
}

static void try_one(const char *directory, const char *fs, enum form form)
{
        uint64_t before = expectations_failed;
        int r;

        f.fs = fs;
        f.form = form;
        f.oracle = writer_oracle(++f.seed);
        atomic_store(&f.refused, 0);
        make_disk(directory);
        r = writer_open(f.path, SEGMENT_BYTES, form == FORM_MSYNC ? LOGSTORE_NO_THREAD : 0,
                        &f.store);
        if (expect(r == 0, "creating: %d", r))
                fail_and_come_back();
        f.states++;
        rig_unmount(f.mountpoint);
        rig_unmount(f.thin);
        if (expectations_failed > before)
                fprintf(stderr, "failed_sync: %s through %s: %" PRIu64 " expectations failed\n", fs,
                        form_names[form], expectations_failed - before);
}

int main(int argc, char **argv)
{
        const char *fs = "", *form = "", *directory;

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--fs") == 0)
                        fs = argv[i + 1];
                else if (strcmp(argv[i], "--form") == 0)
                        form = argv[i + 1];
                else if (strcmp(argv[i], "--seed") == 0)
                        f.seed = strtoull(argv[i + 1], NULL, 10);
        }
        f.rng = f.seed;
        f.seed *= 1000;
        uint64_t seed = f.rng;

        alarm(HANG_SECONDS);
        directory = rig_start(0);
        for (unsigned i = 0; i < 2; i++)
                for (unsigned k = 0; k < FORMS; k++)
                        if ((*fs == 0 || strcmp(fs, file_systems[i]) == 0) &&
                            (*form == 0 || strcmp(form, form_names[k]) == 0))
                                try_one(directory, file_systems[i], (enum form)k);
        printf("failed_sync: states=%" PRIu64 " lost=%" PRIu64 " holes=0 invented=0 hangs=0"
               " broken-promises=%" PRIu64 " by-ring=%" PRIu64 " late-errors=%" PRIu64
               " seed=%" PRIu64 "\n",
               f.states, f.lost, expectations_failed, f.ring, f.late_errors, seed);
        return expectations_failed > 0 || f.states == 0;
}
