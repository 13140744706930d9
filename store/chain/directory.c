/*
 * directory.c - a store's directory: is it one, may it be used, which process holds it
 */
#include "chain/directory.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/detail.h"
#include "segment/segment.h"

#define ORPHAN_TRIES 1000
#define ORPHAN_PAUSE_NS 1000000
#define LOCK_TRIES 10

/* A user that may read the files may search the directory. One that may write them may make new
 * ones. */
static uint32_t directory_mode(uint32_t file_mode)
{
        return file_mode | (file_mode & 0444) >> 2;
}

int directory_open(const char *path, uint32_t flags, uint32_t file_mode, int *ret)
{
        int fd = os_open_directory(path), r;
        struct os_stat st;

        if (fd == -ENOENT && flags & LOGSTORE_CREATE) {
                r = os_make_directory(OS_HERE, path, directory_mode(file_mode));
                if (r < 0 && r != -EEXIST)
                        return detail(r, "cannot create the directory: %s", logstore_error_text(r));
                fd = os_open_directory(path);
        }
        if (fd < 0)
                return detail(fd, "%s",
                              fd == -ENOENT    ? "there is no such directory"
                              : fd == -ENOTDIR ? "is not a directory"
                                               : logstore_error_text(fd));
        r = os_stat(fd, &st);
        if (r == 0 && st.mode & 0002 && !(flags & LOGSTORE_SHARED_DIR_OK))
                r = detail(-EPERM, "everyone may write this directory: take the right away "
                                   "(chmod o-w), or allow it by LOGSTORE_SHARED_DIR_OK");
        if (r == 0 && !(flags & LOGSTORE_NETWORK_OK)) {
                r = os_is_network(fd);
                if (r == 1)
                        r = detail(-EREMOTE, "is on a network file system, where mappings and "
                                             "locks promise less: use a local one, or allow it by "
                                             "LOGSTORE_NETWORK_OK");
        }
        if (r < 0) {
                os_close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

struct contents {
        bool control, segments, others;
};

static int look(void *context, const char *name)
{
        struct contents *contents = context;
        bool is_index;

        if (strcmp(name, CONTROL_NAME) == 0)
                contents->control = true;
        else if (segment_name_id(name, &is_index) != 0)
                contents->segments |= !is_index;
        else if (name[0] != '.' && strcmp(name, WAKE_NAME) != 0 &&
                 strcmp(name, "lost+found") != 0 && strcmp(name, "quarantine") != 0 &&
                 strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0)
                contents->others = true;
        return 0;
}

int directory_is_store(int directory)
{
        struct contents contents = { 0 };
        int fd = os_open(directory, CONTROL_NAME, OS_READ, 0), r;

        if (fd >= 0) {
                os_close(fd); /* a look; it needs no listing of ten thousand names */
                return 1;
        }
        r = os_list(directory, look, &contents);
        if (r < 0)
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        if (contents.control)
                return 1;
        if (contents.segments)
                return damaged(-EBADMSG, CONTROL_NAME, 0, 0,
                               "the file is missing, but there are segments");
        if (contents.others)
                return detail(-EMEDIUMTYPE, "the directory holds other files and no store");
        return 0;
}

bool directory_has_segments(int directory)
{
        struct contents contents = { 0 };

        return os_list(directory, look, &contents) == 0 && contents.segments;
}

int directory_writer(int directory)
{
        uint64_t pid = 0;
        size_t got = 0;
        int fd = os_open(directory, CONTROL_NAME, OS_READ, 0);

        if (fd < 0)
                return 0;
        if (os_read(fd, &pid, sizeof(pid), offsetof(struct control_page, writer_pid), &got) < 0 ||
            got != sizeof(pid) || pid > INT_MAX || !os_process_lives((int)pid))
                pid = 0;
        os_close(fd); /* only read */
        return (int)pid;
}

int directory_busy(int directory)
{
        int pid = directory_writer(directory);

        return pid ? detail(-EBUSY, CONTROL_NAME ": process %d is writing to the store", pid)
                   : detail(-EBUSY, CONTROL_NAME ": another process has locked it, for writing to "
                                                 "the store or for repair");
}

/* A child that the last holder forked just before its end has the lock until its fork handler has
 * run. So if the holder is gone, we wait for that. We never wait for a living holder. */
static int lock_file(int directory, int fd)
{
        int r = os_lock(fd);

        for (int i = 0; i < ORPHAN_TRIES && (r == -EAGAIN || r == -EACCES); i++) {
                if (directory_writer(directory) != 0)
                        break;
                os_sleep(ORPHAN_PAUSE_NS);
                r = os_lock(fd);
        }
        return r;
}

struct twin {
        int directory;
        const struct os_stat *control;
};

static int remove_twin(void *context, const char *name)
{
        static const char prefix[] = TEMPORARY_PREFIX CONTROL_NAME;
        const struct twin *twin = context;
        struct os_stat st;
        int r;

        if (strncmp(name, prefix, strlen(prefix)) != 0 ||
            os_stat_name(twin->directory, name, &st) < 0 || !os_is_same(&st, twin->control))
                return 0;
        r = os_unlink(twin->directory, name);
        return r == -ENOENT ? 0 : r;
}

/* Where a rename cannot refuse an existing name, a link creates the file. Its maker may have ended
 * before it removed the first name. */
static int finish_creation(int directory, const struct os_stat *control)
{
        struct twin twin = { directory, control };
        int r = control->links > 1 ? os_list(directory, remove_twin, &twin) : 0;

        return r < 0 ? detail(r, CONTROL_NAME ": cannot take away its first name: %s",
                              logstore_error_text(r))
                     : 0;
}

/* What lock_once() returns if the file that it locked has lost its name to another. */
enum { LOCK_AGAIN = 1 };

static int lock_once(int directory, int *ret)
{
        struct os_stat locked, named;
        int fd = os_open(directory, CONTROL_NAME, OS_WRITE, 0), r;

        if (fd < 0)
                return detail(fd, CONTROL_NAME ": cannot open: %s", logstore_error_text(fd));
        r = os_stat(fd, &locked);
        if (r == 0 && !locked.regular)
                r = -EPERM;
        if (r == 0)
                r = lock_file(directory, fd);
        if (r == -EAGAIN || r == -EACCES)
                r = directory_busy(directory);
        else if (r < 0)
                detail(r, CONTROL_NAME ": cannot lock: %s",
                       r == -EPERM ? "not a regular file" : logstore_error_text(r));
        if (r == 0) {
                r = os_stat_name(directory, CONTROL_NAME, &named);
                if (r < 0 && r != -ENOENT)
                        detail(r, CONTROL_NAME ": cannot look at it: %s", logstore_error_text(r));
                else if (r < 0 || !os_is_same(&locked, &named))
                        r = LOCK_AGAIN;
                else
                        r = finish_creation(directory, &named);
        }
        if (r != 0)
                os_close(fd); /* nothing was written */
        else
                *ret = fd;
        return r;
}

int directory_lock(int directory, int *ret)
{
        int r = LOCK_AGAIN;

        for (int i = 0; r == LOCK_AGAIN && i < LOCK_TRIES; i++)
                r = lock_once(directory, ret);
        return r == LOCK_AGAIN
                       ? detail(-EBUSY, CONTROL_NAME ": the file is being replaced again and again")
                       : r;
}

int directory_locked(int directory)
{
        int fd = os_open(directory, CONTROL_NAME, OS_READ, 0), r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = os_locked(fd);
        os_close(fd); /* only read */
        return r;
}

struct cleaning {
        int directory;
        int error;
};

static int remove_temporary(void *context, const char *name)
{
        struct cleaning *cleaning = context;
        const char *rest = name + strlen(TEMPORARY_PREFIX);
        bool is_index;
        int r;

        if (strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0 ||
            (strncmp(rest, CONTROL_NAME, strlen(CONTROL_NAME)) != 0 &&
             segment_name_id(rest, &is_index) == 0))
                return 0;
        r = os_unlink(cleaning->directory, name);
        if (r < 0 && r != -ENOENT && r != -EISDIR) /* no writer leaves a directory */
                cleaning->error = detail(r, "%s: cannot unlink: %s", name, logstore_error_text(r));
        return 0;
}

int directory_clean(int directory)
{
        struct cleaning cleaning = { .directory = directory };
        int r = os_list(directory, remove_temporary, &cleaning);

        if (r < 0)
                return detail(r, "cannot list the directory: %s", logstore_error_text(r));
        return cleaning.error;
}

int directory_sync_parent(const char *path)
{
        char *parent = malloc(strlen(path) + 4);
        int fd, r;

        if (!parent)
                return detail(-ENOMEM, "no memory for a path");
        sprintf(parent, "%s/..", path);
        fd = os_open_directory(parent);
        r = fd < 0 ? fd : os_sync_directory(fd);
        if (fd >= 0)
                os_close(fd); /* only synced */
        detail_sync_directory(r, parent);
        free(parent);
        return r;
}
