/*
 * rig.c - file systems to break: tmpfs, and loop devices on image files
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIP = 77, EXIT_BROKEN = 99 };

void rig_skip(const char *format, ...)
{
        va_list list;

        printf("SKIP: ");
        va_start(list, format);
        vprintf(format, list);
        va_end(list);
        printf(" - THIS METHOD DID NOT RUN\n");
        exit(EXIT_SKIP);
}

void rig_broken(const char *format, ...)
{
        int error = errno;
        va_list list;

        fprintf(stderr, "rig: ");
        va_start(list, format);
        vfprintf(stderr, format, list);
        va_end(list);
        fprintf(stderr, ": %s\n", strerror(error));
        exit(EXIT_BROKEN);
}

const char *rig_path(const char *directory, const char *name)
{
        char *path;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                rig_broken("memory");
        return path;
}

/* ---- mounts ----------------------------------------------------------------------------- */

static char *start_directory;

static void remove_start_directory(void)
{
        umount2(start_directory, MNT_DETACH);
        rmdir(start_directory);
}

static void on_end(int number)
{
        remove_start_directory();
        signal(number, SIG_DFL);
        raise(number);
}

static void remove_when_ended(void)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };

        for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                signal(signals[i], on_end);
        atexit(remove_start_directory);
}

const char *rig_start(uint64_t bytes)
{
        const char *temporary = getenv("TMPDIR");

        if (geteuid() != 0)
                rig_skip("needs root for mounts and loop devices");
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                rig_skip("needs a mount namespace of its own: %s", strerror(errno));
        if (asprintf(&start_directory, "%s/crash-XXXXXX", temporary ? temporary : "/tmp") < 0 ||
            mkdtemp(start_directory) == NULL)
                rig_broken("temporary directory");
        if (rig_tmpfs(start_directory, bytes) < 0)
                rig_skip("cannot mount a tmpfs");
        remove_when_ended();
        return start_directory;
}

int rig_tmpfs(const char *directory, uint64_t bytes)
{
        char options[64] = "";

        if (bytes > 0)
                snprintf(options, sizeof(options), "size=%llu", (unsigned long long)bytes);
        mkdir(directory, 0755);
        return mount("tmpfs", directory, "tmpfs", 0, options) < 0 ? -errno : 0;
}

int rig_tmpfs_resize(const char *directory, uint64_t bytes)
{
        char options[64];

        snprintf(options, sizeof(options), "size=%llu", (unsigned long long)bytes);
        return mount("tmpfs", directory, "tmpfs", MS_REMOUNT, options) < 0 ? -errno : 0;
}

int rig_unmount(const char *directory)
{
        for (int tries = 0; tries < 100; tries++) {
                if (umount2(directory, 0) == 0)
                        return 0;
                if (errno != EBUSY)
                        return -errno;
                usleep(10000);
        }
        return -EBUSY;
}

/* ---- loop devices ----------------------------------------------------------------------- */

/*
 * One page a request: when a backing file runs out of space in the middle of a request, the loop
 * driver calls the short write a success, which no disk does.
 */
static void loop_limit_requests(int number)
{
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/sys/block/loop%d/queue/max_sectors_kb", number);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "4", 1) != 1)
                rig_skip("cannot set %s: %s", path, strerror(errno));
        close(fd);
}

void rig_need_devices(void)
{
        if (access("/dev/loop-control", R_OK | W_OK) < 0)
                rig_skip("no /dev/loop-control");
        /* Root of a user namespace may open the devices, but mount none of them. The kernel answers
         * -EPERM before it looks for the device. */
        if (mount("/dev/none", start_directory, "ext4", 0, NULL) < 0 && errno == EPERM)
                rig_skip("needs the right to mount devices");
}

static int loop_attach_once(const char *image, char ret_device[32])
{
        struct loop_config config = { .block_size = 512, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
        int control, number, loop, r = 0, file;

        rig_need_devices();
        control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
        if (control < 0)
                rig_skip("no /dev/loop-control");
        number = ioctl(control, LOOP_CTL_GET_FREE);
        close(control);
        if (number < 0)
                rig_skip("no free loop device");
        snprintf(ret_device, 32, "/dev/loop%d", number);
        if (access(ret_device, F_OK) < 0)
                mknod(ret_device, S_IFBLK | 0600, (dev_t)(7 << 8 | number));
        file = open(image, O_RDWR | O_CLOEXEC);
        if (file < 0)
                rig_broken("%s", image);
        loop = open(ret_device, O_RDWR | O_CLOEXEC);
        config.fd = (uint32_t)file;
        if (loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0)
                r = -errno;
        close(file);
        if (r == 0)
                loop_limit_requests(number);
        return r < 0 ? r : loop;
}

/* The descriptor keeps the device; others may race for the same free number, so try again. */
static int loop_attach(const char *image, char ret_device[32])
{
        int r = -EBUSY;

        for (int tries = 0; tries < 50 && r == -EBUSY; tries++)
                r = loop_attach_once(image, ret_device);
        return r;
}

int rig_loop_attach(const char *image, char ret_device[32])
{
        return loop_attach(image, ret_device); /* its owner: this process, to its end */
}

int rig_mount(const char *image, const char *fs, const char *directory, const char *options)
{
        char device[32];
        int loop = loop_attach(image, device);
        int r = 0;

        if (loop < 0)
                rig_skip("cannot attach a loop device: %s", strerror(-loop));
        mkdir(directory, 0755);
        if (mount(device, directory, fs, MS_NOATIME, options ? options : "") < 0)
                r = -errno;
        close(loop);
        if (r == -ENODEV)
                rig_skip("this kernel has no %s", fs);
        return r;
}

/* ---- programs and files ----------------------------------------------------------------- */

int rig_run(const char *const argv[])
{
        pid_t pid = fork();
        int status = -ECHILD;

        if (pid < 0)
                rig_broken("fork");
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);
                char path[4096];

                dup2(null, 0);
                dup2(null, 1);
                dup2(null, 2);
                snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin", getenv("PATH"));
                setenv("PATH", path, 1);
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        if (waitpid(pid, &status, 0) < 0)
                rig_broken("waitpid");
        return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : status;
}

void rig_mkfs(const char *fs, const char *image, uint64_t bytes, const char *extra)
{
        const char *argv[12] = { NULL };
        int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int n = 0, r;

        if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
                rig_broken("%s", image);
        close(fd);
        if (strcmp(fs, "ext4") == 0) {
                setenv("UNIX_IO_NOZEROOUT", "1", 1); /* write zeros, punch no holes */
                argv[n++] = "mkfs.ext4";
                argv[n++] = "-F";
                argv[n++] =
                        "-b4096"; /* else 1 KiB, and a page of the file is not one of the disk */
                argv[n++] = "-Jsize=4";
                argv[n++] = "-Elazy_itable_init=0,lazy_journal_init=0,nodiscard";
        } else if (strcmp(fs, "xfs") == 0) {
                argv[n++] = "mkfs.xfs";
                argv[n++] = "-f";
                argv[n++] = "-K";
                argv[n++] = "--unsupported"; /* smaller than 300 MiB */
        } else {
                argv[n++] = "mkfs.btrfs";
                argv[n++] = "-f";
        }
        if (extra != NULL)
                argv[n++] = extra;
        argv[n] = image;
        r = rig_run(argv);
        if (r == -ENOENT)
                rig_skip("no %s here", argv[0]);
        if (r != 0)
                rig_skip("%s failed on %s (status %x)", argv[0], image, (unsigned)r);
}

static void copy_range(int from, int to, off_t at, off_t end)
{
        static char buffer[1 << 20];

        while (at < end) {
                size_t want =
                        (size_t)(end - at) < sizeof(buffer) ? (size_t)(end - at) : sizeof(buffer);
                ssize_t n = pread(from, buffer, want, at);

                if (n <= 0 || pwrite(to, buffer, (size_t)n, at) != n)
                        rig_broken("copying an image");
                at += n;
        }
}

void rig_copy_sparse(const char *from_path, const char *to_path)
{
        int from = open(from_path, O_RDONLY | O_CLOEXEC);
        int to = open(to_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        off_t at = 0;
        struct stat st;

        if (from < 0 || to < 0 || fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
                rig_broken("copying %s to %s", from_path, to_path);
        while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
                off_t end = lseek(from, at, SEEK_HOLE);

                copy_range(from, to, at, end);
                at = end;
        }
        close(from);
        close(to);
}

uint64_t rig_file_blocks_bytes(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                rig_broken("%s", path);
        return (uint64_t)st.st_blocks * 512;
}
