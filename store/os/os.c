/*
 * os.c - system calls on files, one small function each
 */
#include "os/os.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CIFS_MAGIC 0xff534d42u /* not in linux/magic.h everywhere */
#define SMB2_MAGIC 0xfe534d42u
#define CEPH_MAGIC 0x00c36400u

/* A host program may have closed 0, 1 or 2. A store file must not take such a number: the program's
 * messages would go into it. */
static int above_standard(int fd)
{
        int higher;

        if (fd > STDERR_FILENO)
                return fd;
        higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (higher < 0)
                higher = -errno;
        close(fd); /* nothing was written through it */
        return higher;
}

int os_open_directory(const char *path)
{
        OS_UNCANCELLED;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : above_standard(fd);
}

static_assert(OS_HERE == AT_FDCWD, "a path is relative to the working directory");

/*
 * What root makes in another user's directory goes to that user, who could not use it otherwise. If
 * this process may not give it away, try the group alone; if it may not do that either, leave it.
 * Only a failure that is not about rights (a quota) is an error.
 */
static int give_to_owner(int directory, int fd)
{
        struct stat to, mine;

        if (directory < 0) /* OS_HERE */
                return 0;
        if (fstat(directory, &to) < 0 || fstat(fd, &mine) < 0)
                return -errno;
        if ((to.st_uid == mine.st_uid && to.st_gid == mine.st_gid) ||
            fchown(fd, to.st_uid, to.st_gid) == 0 || fchown(fd, (uid_t)-1, to.st_gid) == 0)
                return 0;
        return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

/* Set the rights, whatever the umask was. @kept: bits that stay. A directory has its setgid bit
 * from its parent. */
static int set_rights(int directory, int fd, mode_t mode, mode_t kept)
{
        struct stat st;
        int r = give_to_owner(directory, fd);

        if (r == 0 && (fstat(fd, &st) < 0 || fchmod(fd, mode | (st.st_mode & kept)) < 0))
                r = -errno;
        return r;
}

int os_make_directory(int directory, const char *name, uint32_t mode)
{
        OS_UNCANCELLED;
        struct stat st;
        int fd, r;

        /* Meanwhile nobody else may use it. The umask may have taken our own rights, and we need
         * them to open it: give them back. If that fails, the open says so. */
        if (mkdirat(directory, name, 0700 & (mode_t)mode) < 0)
                return -errno;
        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (st.st_mode & 0700 & mode) != (0700 & mode)) /* a chmod may drop a setgid bit */
                (void)fchmodat(directory, name, (st.st_mode & 07777) | (0700 & (mode_t)mode),
                               AT_SYMLINK_NOFOLLOW);
        fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = set_rights(directory, fd, (mode_t)mode, S_ISGID);
        close(fd); /* nothing was written */
        return r;
}

int os_open(int directory, const char *name, int flags, uint32_t mode)
{
        OS_UNCANCELLED;
        /* Do not block: a FIFO under a segment's name is refused, not waited for. */
        int how = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
        int fd;

        how |= flags & OS_WRITE ? O_RDWR : O_RDONLY;
        how |= flags & OS_CREATE ? O_CREAT | O_EXCL : 0;
        how |= flags & OS_DIRECT ? O_DIRECT : 0;
        fd = openat(directory, name, how, (mode_t)mode);
        if (fd < 0)
                return errno == ELOOP || errno == ENXIO ? -EPERM : -errno;
        fd = above_standard(fd);
        if (fd >= 0 && flags & OS_CREATE) {
                int r = set_rights(directory, fd, (mode_t)mode, 0);
                if (r < 0) {
                        close(fd); /* nothing was written */
                        return r;
                }
        }
        return fd;
}

int os_close(int fd)
{
        OS_UNCANCELLED;
        return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static void convert_stat(const struct stat *st, struct os_stat *ret)
{
        *ret = (struct os_stat){
                .bytes = (uint64_t)st->st_size,
                .disk_bytes = (uint64_t)st->st_blocks * 512,
                .mode = st->st_mode & 07777,
                .block_bytes = (uint32_t)st->st_blksize,
                .links = (uint32_t)st->st_nlink,
                .inode = st->st_ino,
                .device = st->st_dev,
                .regular = S_ISREG(st->st_mode),
                .directory = S_ISDIR(st->st_mode),
        };
}

int os_stat(int fd, struct os_stat *ret)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        convert_stat(&st, ret);
        return 0;
}

int os_stat_name(int directory, const char *name, struct os_stat *ret)
{
        struct stat st;

        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        convert_stat(&st, ret);
        return 0;
}

int os_list(int directory, int (*each)(void *context, const char *name), void *context)
{
        OS_UNCANCELLED;
        int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        DIR *stream;
        int r = 0;

        if (fd < 0)
                return -errno;
        stream = fdopendir(fd);
        if (!stream) {
                r = -errno;
                close(fd);
                return r;
        }
        while (r == 0) {
                errno = 0;
                entry = readdir(stream);
                if (!entry) {
                        r = -errno;
                        break;
                }
                r = each(context, entry->d_name);
        }
        closedir(stream);
        return r;
}

int os_read(int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret_bytes)
{
        OS_UNCANCELLED;
        size_t done = 0;

        while (done < bytes) {
                ssize_t n = pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        *ret_bytes = done;
        return 0;
}

/* Beyond RLIMIT_FSIZE the kernel sends SIGXFSZ, so look first. */
static int check_size_limit(uint64_t bytes)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
                return -errno;
        return limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur ? -EFBIG : 0;
}

int os_write(int fd, const void *buffer, size_t bytes, uint64_t offset)
{
        OS_UNCANCELLED;
        int r = check_size_limit(offset + bytes);
        size_t done = 0;

        while (r == 0 && done < bytes) {
                ssize_t n = pwrite(fd, (const char *)buffer + done, bytes - done,
                                   (off_t)(offset + done));
                if (n < 0 && errno != EINTR)
                        r = -errno;
                else if (n == 0)
                        r = -EIO;
                else if (n > 0)
                        done += (size_t)n;
        }
        return r;
}

int os_next_data(int fd, uint64_t from, uint64_t *ret_from, uint64_t *ret_to)
{
        off_t data = lseek(fd, (off_t)from, SEEK_DATA);
        off_t hole = data < 0 ? data : lseek(fd, data, SEEK_HOLE);

        if (hole < 0)
                return -errno;
        *ret_from = (uint64_t)data;
        *ret_to = (uint64_t)hole;
        return 0;
}

int os_grow(int fd, uint64_t bytes)
{
        struct stat st;
        int r = check_size_limit(bytes);

        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size >= bytes)
                return 0;
        do
                r = ftruncate(fd, (off_t)bytes);
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : 0;
}

int os_rename(int directory, const char *from, const char *to)
{
        return renameat(directory, from, directory, to) < 0 ? -errno : 0;
}

int os_link(int directory, const char *from, int other, const char *to)
{
        return linkat(directory, from, other, to, 0) < 0 ? -errno : 0;
}

int os_move(int directory, const char *from, int other, const char *to)
{
        int r;

        if (renameat2(directory, from, other, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        /* The file system lacks the flag. link(2) refuses an existing name as well. */
        r = os_link(directory, from, other, to);
        return r < 0 ? r : os_unlink(directory, from);
}

int os_rename_fresh(int directory, const char *from, const char *to)
{
        return os_move(directory, from, directory, to);
}

int os_unlink(int directory, const char *name)
{
        return unlinkat(directory, name, 0) < 0 ? -errno : 0;
}

int os_touch(int fd)
{
        return futimens(fd, NULL) < 0 ? -errno : 0;
}

int os_sync_file(int fd)
{
        OS_UNCANCELLED;
        return fsync(fd) < 0 ? -errno : 0;
}

int os_sync_directory(int fd)
{
        OS_UNCANCELLED;
        return fsync(fd) < 0 ? -errno : 0;
}

int os_lock(int fd)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

int os_locked(int fd)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

        if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
                return -errno;
        return lock.l_type != F_UNLCK;
}

int os_is_network(int fd)
{
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return -errno;
        switch ((uint32_t)fs.f_type) {
        case NFS_SUPER_MAGIC:
        case SMB_SUPER_MAGIC:
        case CIFS_MAGIC:
        case SMB2_MAGIC:
        case V9FS_MAGIC:
        case AFS_SUPER_MAGIC:
        case CODA_SUPER_MAGIC:
        case CEPH_MAGIC:
                return 1;
        default:
                return 0;
        }
}

int os_is_memory(int fd)
{
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return -errno;
        return (uint32_t)fs.f_type == TMPFS_MAGIC || (uint32_t)fs.f_type == RAMFS_MAGIC;
}
