/*
 * faulty_fs.c - a pass-through file system with faults that the test turns on and off
 *
 * Paths below the mount are the same paths below `backing`. Every write keeps what it overwrote
 * until the file is synced; at the end these are written back, newest first, if asked for. Names
 * (create, rename, unlink) pass through and stay.
 */
#define FUSE_USE_VERSION 31
#include "faulty_fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *backing;
static struct faults *faults;

/* ---- what was overwritten and not synced ------------------------------------------------- */

struct undo {
        struct undo *older;
        ino_t inode;
        int fd;           /* of the backing file, its own */
        off_t offset;     /* -1: only the size was changed */
        off_t file_bytes; /* before the write */
        size_t bytes;     /* saved, fewer than written at the end of the file */
        char data[];
};
static struct undo *undos;

static int undo_push(int fd, off_t offset, size_t bytes)
{
        struct undo *u = malloc(sizeof(*u) + bytes);
        struct stat st;
        ssize_t n = 0;

        if (u == NULL || fstat(fd, &st) < 0)
                goto fail;
        if (offset >= 0)
                n = pread(fd, u->data, bytes, offset);
        if (n < 0)
                goto fail;
        *u = (struct undo){ .older = undos,
                            .inode = st.st_ino,
                            .fd = dup(fd),
                            .offset = offset,
                            .file_bytes = st.st_size,
                            .bytes = (size_t)n };
        undos = u;
        return 0;
fail:
        free(u);
        return -EIO;
}

static void undo_free(struct undo *u)
{
        close(u->fd);
        free(u);
}

static void undo_forget_file(int fd)
{
        struct undo **at = &undos;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return;
        while (*at != NULL) {
                struct undo *u = *at;

                if (u->inode == st.st_ino) {
                        *at = u->older;
                        undo_free(u);
                } else {
                        at = &u->older;
                }
        }
}

static void undo_all(void)
{
        while (undos != NULL) {
                struct undo *u = undos;

                if (u->bytes > 0 && pwrite(u->fd, u->data, u->bytes, u->offset) < 0)
                        perror("faulty_fs: undo");
                if (ftruncate(u->fd, u->file_bytes) < 0)
                        perror("faulty_fs: undo");
                atomic_fetch_add(&faults->forgotten, 1);
                undos = u->older;
                undo_free(u);
        }
}

/* ---- operations ------------------------------------------------------------------------- */

static void below(char full[PATH_MAX], const char *path)
{
        snprintf(full, PATH_MAX, "%s%s", backing, path);
}

static int result(int r)
{
        return r < 0 ? -errno : 0;
}

static void *fs_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
        (void)connection;
        config->use_ino = 1;
        config->hard_remove = 1;
        config->nullpath_ok = 1;
        config->kernel_cache = 1;
        return NULL;
}

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *file)
{
        char full[PATH_MAX];

        if (file != NULL)
                return result(fstat((int)file->fh, st));
        below(full, path);
        return result(lstat(full, st));
}

static int fs_mkdir(const char *path, mode_t mode)
{
        char full[PATH_MAX];

        below(full, path);
        return result(mkdir(full, mode));
}

static int fs_unlink(const char *path)
{
        char full[PATH_MAX];

        below(full, path);
        return result(unlink(full));
}

static int fs_rmdir(const char *path)
{
        char full[PATH_MAX];

        below(full, path);
        return result(rmdir(full));
}

static int fs_rename(const char *from, const char *to, unsigned flags)
{
        char full_from[PATH_MAX], full_to[PATH_MAX];

        below(full_from, from);
        below(full_to, to);
        return result(renameat2(AT_FDCWD, full_from, AT_FDCWD, full_to, flags));
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *file)
{
        char full[PATH_MAX];

        if (file != NULL)
                return result(fchmod((int)file->fh, mode));
        below(full, path);
        return result(chmod(full, mode));
}

static int fs_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *file)
{
        char full[PATH_MAX];

        if (file != NULL)
                return result(futimens((int)file->fh, times));
        below(full, path);
        return result(utimensat(AT_FDCWD, full, times, AT_SYMLINK_NOFOLLOW));
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
        char full[PATH_MAX];
        int fd, r;

        below(full, path ? path : "");
        fd = file != NULL ? dup((int)file->fh) : open(full, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = undo_push(fd, -1, 0);
        if (r == 0)
                r = result(ftruncate(fd, size));
        close(fd);
        return r;
}

/* The kernel asks for reads of its own, to fill pages. O_DIRECT it has dealt with. */
static int open_backing(const char *path, int flags, mode_t mode, struct fuse_file_info *file)
{
        char full[PATH_MAX];
        int fd;

        below(full, path);
        flags &= ~(O_DIRECT | O_APPEND | O_ACCMODE);
        fd = open(full, flags | O_RDWR | O_CLOEXEC, mode);
        if (fd < 0)
                return -errno;
        file->fh = (uint64_t)fd;
        file->keep_cache = 1;
        return 0;
}

static int fs_open(const char *path, struct fuse_file_info *file)
{
        return open_backing(path, file->flags, 0, file);
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
        return open_backing(path, file->flags | O_CREAT, mode, file);
}

static int fs_release(const char *path, struct fuse_file_info *file)
{
        (void)path;
        return result(close((int)file->fh));
}

static int fs_read(const char *path, char *data, size_t bytes, off_t offset,
                   struct fuse_file_info *file)
{
        ssize_t n;

        (void)path;
        atomic_fetch_add(&faults->reads, 1);
        if (atomic_load(&faults->read_fails))
                return -EIO;
        n = pread((int)file->fh, data, bytes, offset);
        return n < 0 ? -errno : (int)n;
}

static int fs_write(const char *path, const char *data, size_t bytes, off_t offset,
                    struct fuse_file_info *file)
{
        ssize_t n;
        int r;

        (void)path;
        atomic_fetch_add(&faults->writes, 1);
        if (atomic_load(&faults->write_fails))
                return -EIO;
        r = undo_push((int)file->fh, offset, bytes);
        if (r < 0)
                return r;
        n = pwrite((int)file->fh, data, bytes, offset);
        return n < 0 ? -errno : (int)n;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
        (void)path;
        (void)data_only;
        atomic_fetch_add(&faults->fsyncs, 1);
        if (atomic_load(&faults->fsync_fails))
                return -EIO;
        undo_forget_file((int)file->fh);
        return 0;
}

static int fs_fsyncdir(const char *path, int data_only, struct fuse_file_info *file)
{
        (void)path;
        (void)data_only;
        (void)file;
        return atomic_load(&faults->fsync_fails) ? -EIO : 0;
}

static int fs_fallocate(const char *path, int mode, off_t offset, off_t bytes,
                        struct fuse_file_info *file)
{
        (void)path;
        if (undo_push((int)file->fh, -1, 0) < 0)
                return -EIO;
        return result(fallocate((int)file->fh, mode, offset, bytes));
}

static int fs_opendir(const char *path, struct fuse_file_info *file)
{
        char full[PATH_MAX];
        DIR *dir;

        below(full, path);
        dir = opendir(full);
        if (dir == NULL)
                return -errno;
        file->fh = (uint64_t)(uintptr_t)dir;
        return 0;
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t add, off_t offset,
                      struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
        DIR *dir = (DIR *)(uintptr_t)file->fh;
        struct dirent *entry;

        (void)path;
        (void)offset;
        (void)flags;
        rewinddir(dir);
        while ((entry = readdir(dir)) != NULL)
                if (add(buffer, entry->d_name, NULL, 0, 0) != 0)
                        return -ENOMEM;
        return 0;
}

static int fs_releasedir(const char *path, struct fuse_file_info *file)
{
        (void)path;
        return result(closedir((DIR *)(uintptr_t)file->fh));
}

static int fs_statfs(const char *path, struct statvfs *vfs)
{
        (void)path;
        return result(statvfs(backing, vfs));
}

static const struct fuse_operations operations = {
        .init = fs_init,
        .getattr = fs_getattr,
        .mkdir = fs_mkdir,
        .unlink = fs_unlink,
        .rmdir = fs_rmdir,
        .rename = fs_rename,
        .chmod = fs_chmod,
        .utimens = fs_utimens,
        .truncate = fs_truncate,
        .open = fs_open,
        .create = fs_create,
        .release = fs_release,
        .read = fs_read,
        .write = fs_write,
        .fsync = fs_fsync,
        .fsyncdir = fs_fsyncdir,
        .fallocate = fs_fallocate,
        .opendir = fs_opendir,
        .readdir = fs_readdir,
        .releasedir = fs_releasedir,
        .statfs = fs_statfs,
};

/* ---- life ------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) serve(const char *mountpoint)
{
        char name[] = "faulty_fs";
        char *argv[] = { name, NULL };
        struct fuse_args args = FUSE_ARGS_INIT(1, argv);
        struct fuse *fuse = fuse_new(&args, &operations, sizeof(operations), NULL);

        if (fuse == NULL || fuse_mount(fuse, mountpoint) < 0)
                _exit(1);
        fuse_loop(fuse); /* one thread: the undo list needs no lock */
        if (atomic_load(&faults->forget))
                undo_all();
        _exit(0);
}

static int is_mounted(const char *mountpoint)
{
        struct stat at, above;
        char parent[PATH_MAX];

        snprintf(parent, sizeof(parent), "%s/..", mountpoint);
        return stat(mountpoint, &at) == 0 && stat(parent, &above) == 0 && at.st_dev != above.st_dev;
}

pid_t faulty_fs_start(const char *backing_path, const char *mountpoint, struct faults *shared)
{
        pid_t pid;

        backing = backing_path;
        faults = shared;
        mkdir(backing, 0755);
        mkdir(mountpoint, 0755);
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                serve(mountpoint);
        for (unsigned tries = 0; tries < 2000; tries++) {
                if (is_mounted(mountpoint))
                        return pid;
                if (waitpid(pid, NULL, WNOHANG) == pid)
                        return -ENODEV;
                usleep(1000);
        }
        kill(pid, SIGKILL);
        return -ETIMEDOUT;
}

int faulty_fs_stop(const char *mountpoint, pid_t pid)
{
        int status;

        while (umount2(mountpoint, 0) < 0) {
                if (errno != EBUSY)
                        return -errno;
                usleep(2000);
        }
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return status == 0 ? 0 : -EIO;
}
