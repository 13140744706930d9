/*
 * odd.h - what a store's directory may hold besides plain files, and whether anything was changed
 */
#ifndef FUZZ_ODD_H
#define FUZZ_ODD_H

#include "../crash/damage/tree.h"

/* Values of tree_file.kind. "Outside" is the directory @path with "-outside" behind its name. */
enum odd_kind {
        ODD_NONE,
        ODD_HARD_LINK, /* a second name of a file outside, which has the bytes */
        ODD_SYMLINK,   /* to a file outside, which has the bytes */
        ODD_SYMLINK_DIRECTORY,
        ODD_FIFO,
        ODD_SOCKET,
        ODD_DIRECTORY,
        ODD_TWIN, /* a second name of the first segment of the store */
        ODD_KINDS,
};

/* Add odd files to the plain files of @tree at @path, and make those longer that end in a hole. */
void odd_put(const struct tree *tree, const char *path);

/* Remove everything outside. */
void odd_remove(const char *path);

/* A sum over the outside: names, modes, times, bytes. */
uint64_t odd_outside(const char *path);

/* The same over the store itself, but for the bytes of wake, which readers may write; and what its
 * files take on the disk, to *ret_bytes: to look at a hole in memory fills it. */
uint64_t odd_inside(const char *path, uint64_t *ret_bytes);

#endif
