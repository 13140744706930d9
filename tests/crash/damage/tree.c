/*
 * tree.c - a store's directory as bytes in memory: taken, changed, put back
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../scratch.h"

#define PAGE_BYTES 4096u

static void __attribute__((noreturn)) fail(const char *what)
{
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

const char *tree_scratch(const char *purpose)
{
        const char *parent = getenv("TMPDIR");
        const char *path;

        if (!parent)
                parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        path = scratch_make(parent, purpose);
        if (!path)
                fail(parent);
        return path;
}

struct tree_file *tree_add(struct tree *tree, const char *name, const void *data, size_t bytes)
{
        struct tree_file *file = &tree->files[tree->count];

        if (tree->count == TREE_FILES_MAX || strlen(name) >= TREE_NAME_BYTES) {
                errno = ENOSPC;
                fail(name);
        }
        strcpy(file->name, name);
        file->kind = file->extent = 0;
        file->bytes = bytes;
        file->data = malloc(bytes + 1);
        if (!file->data)
                fail(name);
        if (data)
                memcpy(file->data, data, bytes);
        else
                memset(file->data, 0, bytes);
        tree->count++;
        return file;
}

struct tree_file *tree_find(struct tree *tree, const char *name)
{
        for (size_t i = 0; i < tree->count; i++)
                if (strcmp(tree->files[i].name, name) == 0)
                        return &tree->files[i];
        return NULL;
}

void tree_delete(struct tree *tree, const char *name)
{
        struct tree_file *file = tree_find(tree, name);

        if (!file)
                return;
        free(file->data);
        *file = tree->files[--tree->count];
}

void tree_copy(const struct tree *from, struct tree *ret)
{
        ret->count = 0;
        for (size_t i = 0; i < from->count; i++) {
                const struct tree_file *file = &from->files[i];
                struct tree_file *copy = tree_add(ret, file->name, file->data, file->bytes);

                copy->kind = file->kind;
                copy->extent = file->extent;
        }
}

void tree_free(struct tree *tree)
{
        while (tree->count > 0)
                free(tree->files[--tree->count].data);
}

static void load_one(struct tree *tree, int directory, const char *name)
{
        int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW);
        struct tree_file *file;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                fail(name);
        if (S_ISREG(st.st_mode)) {
                file = tree_add(tree, name, NULL, (size_t)st.st_size);
                if (pread(fd, file->data, file->bytes, 0) != st.st_size)
                        fail(name);
        }
        close(fd);
}

void tree_load(const char *path, struct tree *ret)
{
        DIR *directory = opendir(path);
        struct dirent *entry;

        if (!directory)
                fail(path);
        ret->count = 0;
        while ((entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        load_one(ret, dirfd(directory), entry->d_name);
        closedir(directory);
}

static bool is_zero(const unsigned char *data, size_t bytes)
{
        return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

static void store_one(int directory, const struct tree_file *file)
{
        int fd = openat(directory, file->name, O_RDWR | O_CREAT | O_EXCL, 0600);

        if (fd < 0 || ftruncate(fd, (off_t)file->bytes) < 0)
                fail(file->name);
        for (size_t offset = 0; offset < file->bytes; offset += PAGE_BYTES) {
                size_t piece =
                        file->bytes - offset < PAGE_BYTES ? file->bytes - offset : PAGE_BYTES;

                if (!is_zero(file->data + offset, piece) &&
                    pwrite(fd, file->data + offset, piece, (off_t)offset) != (ssize_t)piece)
                        fail(file->name);
        }
        close(fd);
}

/* The file is there with other bytes: write the pages that differ. */
static void change_one(int directory, const struct tree_file *now, const struct tree_file *then)
{
        int fd = openat(directory, now->name, O_RDWR | O_NOFOLLOW);

        if (fd < 0)
                fail(now->name);
        for (size_t offset = 0; offset < now->bytes; offset += PAGE_BYTES) {
                size_t piece = now->bytes - offset < PAGE_BYTES ? now->bytes - offset : PAGE_BYTES;

                if (memcmp(now->data + offset, then->data + offset, piece) != 0 &&
                    pwrite(fd, now->data + offset, piece, (off_t)offset) != (ssize_t)piece)
                        fail(now->name);
        }
        close(fd);
}

static void empty_directory(const char *path)
{
        DIR *directory = opendir(path);
        struct dirent *entry;

        if (!directory)
                return;
        while ((entry = readdir(directory))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (unlinkat(dirfd(directory), entry->d_name, 0) < 0) {
                        char inner[512];

                        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
                        tree_remove(inner);
                }
        }
        closedir(directory);
}

void tree_remove(const char *path)
{
        empty_directory(path);
        rmdir(path);
}

void tree_store(const struct tree *tree, const char *path)
{
        int directory;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                fail(path);
        empty_directory(path);
        directory = open(path, O_RDONLY | O_DIRECTORY);
        if (directory < 0)
                fail(path);
        for (size_t i = 0; i < tree->count; i++)
                if (tree->files[i].kind == 0)
                        store_one(directory, &tree->files[i]);
        close(directory);
}

void tree_change(struct tree *then, struct tree *now, const char *path)
{
        int directory = open(path, O_RDONLY | O_DIRECTORY);

        if (directory < 0)
                fail(path);
        for (size_t i = 0; i < then->count; i++) {
                const struct tree_file *file = tree_find(now, then->files[i].name);

                if ((!file || file->bytes != then->files[i].bytes) &&
                    unlinkat(directory, then->files[i].name, 0) < 0)
                        fail(then->files[i].name);
        }
        for (size_t i = 0; i < now->count; i++) {
                const struct tree_file *file = tree_find(then, now->files[i].name);

                if (!file || file->bytes != now->files[i].bytes)
                        store_one(directory, &now->files[i]);
                else if (memcmp(file->data, now->files[i].data, file->bytes) != 0)
                        change_one(directory, &now->files[i], file);
        }
        close(directory);
}
