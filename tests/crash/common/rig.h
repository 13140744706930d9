/*
 * rig.h - file systems to break: tmpfs, and loop devices on image files
 *
 * All mounts live in a mount namespace of this process and every loop device clears itself with
 * its last user, so that nothing is left behind, however the process ends.
 *
 * A method that cannot run here says so loudly and exits 77, which meson counts as skipped.
 */
#ifndef CRASH_RIG_H
#define CRASH_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Print "SKIP: ..." and exit 77. */
void rig_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Print what went wrong with the rig itself, with errno, and exit 99 (meson: error). */
void rig_broken(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Enter a private mount namespace with a tmpfs of @bytes (0: half of memory) on a new directory,
 * whose name is returned. Skips without root. */
const char *rig_start(uint64_t bytes);

/* After rig_start(): skip where loop devices cannot be had and mounted. */
void rig_need_devices(void);

/* Mount or resize a tmpfs. Both return 0 or -errno. */
int rig_tmpfs(const char *directory, uint64_t bytes);
int rig_tmpfs_resize(const char *directory, uint64_t bytes);

/* Make a sparse image of @bytes with a small file system ("ext4", "xfs", "btrfs") that is written
 * out at once, not lazily. @extra: more options for mkfs, or NULL. Skips if there is no such mkfs
 * here. */
void rig_mkfs(const char *fs, const char *image, uint64_t bytes, const char *extra);

/* Attach @image to a free loop device and mount it, or only attach it. 0 or -errno. */
int rig_mount(const char *image, const char *fs, const char *directory, const char *options);
int rig_loop_attach(const char *image, char ret_device[32]);

/* Unmount, waiting a little for stragglers. 0 or -errno. */
int rig_unmount(const char *directory);

/* Run a program without output, found in PATH or the sbin directories; its wait status, or
 * -ENOENT. */
int rig_run(const char *const argv[]);

/* Copy the parts of @from that are not holes to @to, which is made anew. Breaks on failure. */
void rig_copy_sparse(const char *from, const char *to);

/* Bytes that the file takes in its file system. */
uint64_t rig_file_blocks_bytes(const char *path);

/* @directory/@name in memory that is never freed; methods are short-lived. */
const char *rig_path(const char *directory, const char *name);

#endif
