/*
 * odd.c - what a store's directory may hold besides plain files, and whether anything was changed
 */
#include "odd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FNV_PRIME UINT64_C(0x100000001b3)
#define BYTES_MAX (64u << 10) /* of a file that are summed: what an input gives it */

static void __attribute__((noreturn)) fail(const char *what)
{
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static int open_outside(const char *path, bool make)
{
        char name[600];
        int fd;

        snprintf(name, sizeof(name), "%s-outside", path);
        if (make && mkdir(name, 0700) < 0 && errno != EEXIST)
                fail(name);
        fd = open(name, O_RDONLY | O_DIRECTORY);
        if (fd < 0 && (make || errno != ENOENT))
                fail(name);
        return fd;
}

/* A file outside with the bytes of @file, under its name. */
static void put_victim(int outside, const struct tree_file *file)
{
        int fd = openat(outside, file->name, O_WRONLY | O_CREAT | O_EXCL, 0600);

        if (fd < 0 || write(fd, file->data, file->bytes) != (ssize_t)file->bytes)
                fail(file->name);
        close(fd);
}

static void put_symlink(int store, const char *path, const char *name)
{
        char target[600];

        snprintf(target, sizeof(target), "%s-outside/%s", path, name);
        if (symlinkat(target, store, name) < 0)
                fail(name);
}

static void put_socket(int store, const char *name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", store, name);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                fail(name);
        close(fd);
}

static void put_one(int store, int outside, const char *path, const struct tree_file *file)
{
        switch (file->kind) {
        case ODD_HARD_LINK:
                put_victim(outside, file);
                if (linkat(outside, file->name, store, file->name, 0) < 0)
                        fail(file->name);
                break;
        case ODD_SYMLINK:
                put_victim(outside, file);
                put_symlink(store, path, file->name);
                break;
        case ODD_SYMLINK_DIRECTORY:
                if (mkdirat(outside, file->name, 0700) < 0)
                        fail(file->name);
                put_symlink(store, path, file->name);
                break;
        case ODD_FIFO:
                if (mkfifoat(store, file->name, 0600) < 0)
                        fail(file->name);
                break;
        case ODD_SOCKET:
                put_socket(store, file->name);
                break;
        case ODD_DIRECTORY:
                if (mkdirat(store, file->name, 0700) < 0)
                        fail(file->name);
                break;
        case ODD_TWIN:
                if (linkat(store, "0000000001.log", store, file->name, 0) < 0 && errno != ENOENT &&
                    errno != EPERM)
                        fail(file->name);
        }
}

/* As long as the file system allows, if 2 to @extent is too much. */
static void lengthen(int store, const struct tree_file *file)
{
        int fd = openat(store, file->name, O_WRONLY | O_NOFOLLOW);
        off_t end = (off_t)(UINT64_C(1) << (file->extent < 62 ? file->extent : 62));

        while (fd >= 0 && end > (off_t)file->bytes && ftruncate(fd, end) < 0)
                end /= 2;
        if (fd >= 0)
                close(fd);
}

void odd_put(const struct tree *tree, const char *path)
{
        int store = open(path, O_RDONLY | O_DIRECTORY), outside;

        odd_remove(path);
        outside = open_outside(path, true);
        for (size_t i = 0; i < tree->count; i++)
                if (tree->files[i].kind != ODD_NONE)
                        put_one(store, outside, path, &tree->files[i]);
                else if (tree->files[i].extent)
                        lengthen(store, &tree->files[i]);
        close(store);
        close(outside);
}

void odd_remove(const char *path)
{
        char name[600];

        snprintf(name, sizeof(name), "%s-outside", path);
        tree_remove(name);
}

static uint64_t add(uint64_t sum, const void *data, size_t bytes)
{
        const unsigned char *at = data;

        for (; bytes >= 8; bytes -= 8, at += 8) {
                uint64_t word;

                memcpy(&word, at, sizeof(word));
                sum = (sum ^ word) * FNV_PRIME;
                sum ^= sum >> 29;
        }
        while (bytes-- > 0)
                sum = (sum ^ *at++) * FNV_PRIME;
        return sum;
}

static uint64_t look_at(int directory, const char *name, uint64_t *disk_bytes)
{
        static char data[BYTES_MAX];
        bool is_wake = disk_bytes && strcmp(name, "wake") == 0;
        uint64_t sum = add(1, name, strlen(name));
        struct stat st;
        ssize_t got;
        int fd;

        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                fail(name);
        sum = add(sum, &st.st_mode, sizeof(st.st_mode));
        sum = add(sum, &st.st_size, sizeof(st.st_size));
        if (!S_ISREG(st.st_mode) || is_wake)
                return sum;
        sum = add(sum, &st.st_mtim, sizeof(st.st_mtim));
        if (disk_bytes)
                *disk_bytes += (uint64_t)st.st_blocks * 512;
        fd = openat(directory, name, O_RDONLY | O_NOFOLLOW);
        got = fd < 0 ? -1 : read(fd, data, sizeof(data));
        if (got < 0)
                fail(name);
        close(fd);
        return add(sum, data, (size_t)got);
}

/* The same whatever the order of names. */
static uint64_t look_at_all(int directory, uint64_t *disk_bytes)
{
        DIR *stream = fdopendir(directory);
        struct dirent *entry;
        uint64_t sum = 0;

        while ((entry = readdir(stream)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        sum += look_at(directory, entry->d_name, disk_bytes);
        closedir(stream);
        return sum;
}

uint64_t odd_outside(const char *path)
{
        int fd = open_outside(path, false);

        return fd < 0 ? 0 : look_at_all(fd, NULL);
}

uint64_t odd_inside(const char *path, uint64_t *ret_bytes)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY);

        *ret_bytes = 0;
        if (fd < 0)
                fail(path);
        return look_at_all(fd, ret_bytes);
}
