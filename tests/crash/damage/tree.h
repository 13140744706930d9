/*
 * tree.h - a store's directory as bytes in memory: taken, changed, put back
 */
#ifndef CRASH_TREE_H
#define CRASH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TREE_FILES_MAX 24
#define TREE_NAME_BYTES 32

struct tree_file {
        char name[TREE_NAME_BYTES];
        unsigned char *data;
        size_t bytes;
        unsigned char kind; /* 0: a plain file; for others see tests/fuzz/odd.h, which makes them */
        unsigned char extent; /* plain: not 0: the file ends at 2 to this, behind a hole */
};

struct tree {
        struct tree_file files[TREE_FILES_MAX];
        size_t count;
};

/* Make a new private directory, in memory (tmpfs) if possible. It goes when this process and those
 * that it forked have ended; the path is never freed. */
const char *tree_scratch(const char *purpose);

/* Read the plain files of @path. Exits on failure, like everything here: the test is broken. */
void tree_load(const char *path, struct tree *ret);

/* Make the files of @path exactly these. Long runs of zeros become holes. */
void tree_store(const struct tree *tree, const char *path);

/* The same where the files of @path are exactly @then: what is alike is not touched. */
void tree_change(struct tree *then, struct tree *now, const char *path);

void tree_remove(const char *path); /* with the directory */
void tree_free(struct tree *tree);
void tree_copy(const struct tree *from, struct tree *ret);

/* A number in a file's bytes, little-endian as the machine. */
static inline uint64_t tree_get(const unsigned char *at)
{
        uint64_t value;

        memcpy(&value, at, sizeof(value));
        return value;
}

static inline void tree_put(unsigned char *at, uint64_t value)
{
        memcpy(at, &value, sizeof(value));
}

/* NULL: there is no such file. */
struct tree_file *tree_find(struct tree *tree, const char *name);
struct tree_file *tree_add(struct tree *tree, const char *name, const void *data, size_t bytes);
void tree_delete(struct tree *tree, const char *name);

#endif
