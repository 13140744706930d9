/*
 * destination.c - a new store, which has its name only once it is whole
 *
 * It is written as NAME.partial and renamed, so that neither a failure nor a kill leaves a store at
 * NAME that ends early and looks like the log.
 */
#include "records/destination.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/report.h"

static bool is_dot(const char *name)
{
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* 1: there is something that is not an empty directory, if only a link to nothing. 0, or -errno. */
static int is_taken(const char *path)
{
        DIR *directory = opendir(path);
        struct dirent *entry;
        struct stat st;

        if (!directory && errno == ENOENT)
                return lstat(path, &st) == 0;
        if (!directory)
                return errno == ENOTDIR ? 1 : -errno;
        errno = 0;
        do {
                entry = readdir(directory);
        } while (entry && is_dot(entry->d_name));
        closedir(directory);
        return entry ? 1 : -errno;
}

/* A path that a suffix can be put behind: links followed, no slash at the end. */
static char *plain_path(const char *name)
{
        char *path = realpath(name, NULL);
        size_t size;

        if (path || errno != ENOENT)
                return path;
        path = strdup(name);
        for (size = path ? strlen(path) : 0; size > 1 && path[size - 1] == '/'; size--)
                path[size - 1] = 0;
        return path;
}

/* As the library's errors of a directory. */
static int refuse(int error, const char *name)
{
        (void)report_file(error, name);
        return status_of(error);
}

static int check(const char *path)
{
        int r = is_taken(path);

        if (r > 0)
                return report_no("%s: there is something already", path);
        return r < 0 ? refuse(r, path) : STATUS_DONE;
}

int destination_open(struct destination *destination, const char *name)
{
        int status;

        *destination = (struct destination){ .name = name, .path = plain_path(name) };
        if (!destination->path)
                return refuse(-errno, name);
        if (asprintf(&destination->partial, "%s.partial", destination->path) < 0) {
                destination->partial = NULL;
                return report_file(-ENOMEM, name);
        }
        status = check(destination->path);
        return status == STATUS_DONE ? check(destination->partial) : status;
}

void destination_close(struct destination *destination)
{
        free(destination->path);
        free(destination->partial);
        *destination = (struct destination){ 0 };
}

static int sync_parent(const char *path)
{
        char *copy = strdup(path);
        int fd, r = -ENOMEM;

        if (copy) {
                fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
                if (fd >= 0)
                        close(fd);
        }
        free(copy);
        return r;
}

int destination_keep(struct destination *destination)
{
        int r = rename(destination->partial, destination->path) < 0 ? -errno : 0;

        if (r < 0) {
                report_note("%s: cannot be renamed: %s", destination->partial, strerror(-r));
                return STATUS_IO;
        }
        r = sync_parent(destination->path);
        return r < 0 ? report_file(r, destination->name) : STATUS_DONE;
}

void destination_discard(struct destination *destination)
{
        int fd = open(destination->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        while (directory && (entry = readdir(directory)))
                if (!is_dot(entry->d_name))
                        (void)unlinkat(dirfd(directory), entry->d_name, 0);
        if (directory)
                closedir(directory);
        else if (fd >= 0)
                close(fd);
        if (rmdir(destination->partial) < 0 && errno != ENOENT)
                report_note("%s: cannot be removed: %s", destination->partial, strerror(errno));
}
