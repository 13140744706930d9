/*
 * os_disk.c - store/os.h on simulated disks: names, descriptors, reading, writing and syncing
 *
 * It takes the place of os.c, os_memory.c and os_wait.c whole. If one function were missing, the
 * linker would pull in theirs and complain of all the others. Paths are /disk/ID for the parent
 * directory and /disk/ID/store for the store's. Descriptors start above those of the kernel.
 */
#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "os_disk.h"
#include "turns.h"

#define FIRST_DESCRIPTOR (1 << 20)
#define DESCRIPTORS 65536

struct open_file {
        struct disk *disk; /* NULL: free */
        struct node *node; /* NULL: a directory */
        bool parent, aside, writable, direct;
};

static struct open_file files[DESCRIPTORS];
static int next_file;

static void watch(struct disk *disk, const char *call, bool after)
{
        disk->changes++;
        if (disk->watch)
                disk->watch(disk, call, after);
}

/* One of the next calls that fail? */
static bool is_next(_Atomic uint32_t *to_refuse, _Atomic uint32_t *refused)
{
        if (*to_refuse == 0)
                return false;
        --*to_refuse;
        ++*refused;
        return true;
}

static bool is_full(struct disk *disk)
{
        return is_next(&disk->growth_to_refuse, &disk->growth_refused);
}

static bool is_refused(struct disk *disk)
{
        return is_next(&disk->unlinks_to_refuse, &disk->unlinks_refused);
}

static struct open_file *file_of(int fd)
{
        struct open_file *file = NULL;

        if (fd >= FIRST_DESCRIPTOR && fd < FIRST_DESCRIPTOR + DESCRIPTORS)
                file = &files[fd - FIRST_DESCRIPTOR];
        return file && file->disk ? file : NULL;
}

static int take_descriptor(struct disk *disk, struct node *node, struct open_file how)
{
        int tries = 0;

        while (files[next_file = (next_file + 1) % DESCRIPTORS].disk)
                if (++tries == DESCRIPTORS)
                        return -EMFILE;
        files[next_file] = how;
        files[next_file].disk = disk;
        files[next_file].node = node;
        if (node)
                node_get(node);
        disk->descriptors++;
        return FIRST_DESCRIPTOR + next_file;
}

/* Another thread may come before and behind every call. */
static void enter(void)
{
        turns_point();
        disk_lock();
}

static void leave(void)
{
        disk_unlock();
        turns_point();
}

/* ---- directories ---- */

enum place { PLACE_NONE, PLACE_PARENT, PLACE_STORE, PLACE_ASIDE };

static enum place parse_path(const char *path, struct disk **ret)
{
        unsigned long long id;
        int end = 0;

        if (sscanf(path, "/disk/%llu%n", &id, &end) != 1)
                return PLACE_NONE;
        *ret = disk_find(id);
        if (!*ret)
                return PLACE_NONE;
        path += end;
        if (strcmp(path, "") == 0 || strcmp(path, "/") == 0 || strcmp(path, "/store/..") == 0)
                return PLACE_PARENT;
        if (strcmp(path, "/store/quarantine") == 0)
                return PLACE_ASIDE;
        return strcmp(path, "/store") == 0 ? PLACE_STORE : PLACE_NONE;
}

int os_open_directory(const char *path)
{
        struct disk *disk;
        enum place place;
        int r = -ENOENT;

        enter();
        place = parse_path(path, &disk);
        if (place == PLACE_PARENT || (place != PLACE_NONE && disk->exists))
                r = take_descriptor(disk, NULL,
                                    (struct open_file){ .parent = place == PLACE_PARENT,
                                                        .aside = place == PLACE_ASIDE });
        leave();
        return r;
}

/* The store's quarantine directory is there as soon as its store is. */
int os_make_directory(int directory, const char *name, uint32_t mode)
{
        (void)mode;
        struct open_file *at;
        struct disk *disk = NULL;
        enum place place = PLACE_NONE;
        int r = -ENOENT;

        enter();
        if (directory == OS_HERE) {
                place = parse_path(name, &disk);
        } else if ((at = file_of(directory)) && strcmp(name, "quarantine") == 0) {
                place = PLACE_ASIDE;
                disk = at->disk;
        }
        if (place == PLACE_STORE || place == PLACE_ASIDE)
                r = disk->exists ? -EEXIST : place == PLACE_ASIDE ? -ENOENT : 0;
        if (r == 0) {
                watch(disk, "make_directory", false);
                disk->exists = true;
                watch(disk, "make_directory", true);
        }
        leave();
        return r;
}

/*
 * A listing is no snapshot: it may show or miss a name that goes or comes meanwhile. So of two new
 * names it may show the second alone.
 */
struct listing {
        char names[DISK_NAMES][DISK_NAME_BYTES];
        uint32_t count;
};

static void list_locked(struct disk *disk, struct listing *listing)
{
        for (uint32_t i = 0; i < disk->now.count; i++)
                memcpy(listing->names[i], disk->now.list[i].text, DISK_NAME_BYTES);
        listing->count = disk->now.count;
}

static bool is_listed(const struct listing *listing, const char *name)
{
        for (uint32_t i = 0; i < listing->count; i++)
                if (strcmp(listing->names[i], name) == 0)
                        return true;
        return false;
}

/* What went since, if that is drawn. */
static bool passes_over(struct disk *disk, const char *name)
{
        return !turns_is_alone() && !disk_look_up(disk, name) && rng_one_in(&disk->rng, 2);
}

/* What came since, and is drawn, at the listing's end. */
static void list_new(struct disk *disk, struct listing *listing)
{
        uint32_t count = disk->now.count;

        for (uint32_t i = 0; i < count && listing->count < DISK_NAMES; i++)
                if (!is_listed(listing, disk->now.list[i].text) && rng_one_in(&disk->rng, 2))
                        memcpy(listing->names[listing->count++], disk->now.list[i].text,
                               DISK_NAME_BYTES);
}

int os_list(int directory, int (*each)(void *context, const char *name), void *context)
{
        struct listing listing;
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(directory);
        if (file) {
                list_locked(file->disk, &listing);
                r = 0;
        }
        leave();
        if (r == 0)
                r = each(context, ".");
        if (r == 0)
                r = each(context, "..");
        for (uint32_t i = 0; r == 0 && i < listing.count; i++) {
                turns_point();
                if (!passes_over(file->disk, listing.names[i]))
                        r = each(context, listing.names[i]);
                if (r == 0 && i + 1 == listing.count && !turns_is_alone())
                        list_new(file->disk, &listing);
        }
        return r;
}

int os_sync_directory(int fd)
{
        struct open_file *file;
        struct disk *disk;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && !file->node) {
                disk = file->disk;
                watch(disk, "sync_directory", false);
                r = 0;
                if (disk->syncs_to_fail > 0) {
                        disk->syncs_to_fail--;
                        disk->syncs_failed++;
                        r = -EIO;
                } else if (file->parent) {
                        disk->media_exists = disk->exists;
                } else {
                        disk_sync_names(disk);
                }
                watch(disk, "sync_directory", true);
        }
        leave();
        return r;
}

/* ---- names ---- */

static int open_locked(struct open_file *at, const char *name, int flags, uint32_t mode)
{
        struct open_file how = { .writable = flags & (OS_WRITE | OS_CREATE),
                                 .direct = flags & OS_DIRECT };
        char aside[DISK_NAME_BYTES];
        struct disk *disk = at->disk;
        struct node *node;
        int fd;

        if (at->aside) {
                snprintf(aside, sizeof(aside), DISK_ASIDE "%s", name);
                name = aside;
        }
        if (strcmp(name, ".") == 0)
                return take_descriptor(disk, NULL, (struct open_file){ .parent = at->parent });
        if (strcmp(name, "..") == 0)
                return take_descriptor(disk, NULL, (struct open_file){ .parent = true });
        if (at->parent)
                return -ENOENT;
        if (strcmp(name, "quarantine") == 0)
                return take_descriptor(disk, NULL, (struct open_file){ .aside = true });
        node = disk_look_up(disk, name);
        if (flags & OS_CREATE) {
                if (node)
                        return -EEXIST;
                if (is_full(disk))
                        return -ENOSPC;
                watch(disk, "create", false);
                node = disk_create(disk, name, mode);
        }
        if (!node)
                return -ENOENT;
        fd = take_descriptor(disk, node, how);
        if (flags & OS_CREATE)
                watch(disk, "create", true);
        return fd;
}

int os_open(int directory, const char *name, int flags, uint32_t mode)
{
        struct open_file *at;
        int r = -EBADF;

        enter();
        at = file_of(directory);
        if (at)
                r = at->node ? -ENOTDIR : open_locked(at, name, flags, mode);
        leave();
        return r;
}

static int rename_locked(struct disk *disk, const char *from, const char *to, bool replace)
{
        if (!disk_look_up(disk, from))
                return -ENOENT;
        if (!replace && disk_look_up(disk, to))
                return -EEXIST;
        watch(disk, "rename", false);
        disk_rename(disk, from, to);
        watch(disk, "rename", true);
        return 0;
}

static int rename_at(int directory, const char *from, const char *to, bool replace)
{
        struct open_file *at;
        int r = -EBADF;

        enter();
        at = file_of(directory);
        if (at && !at->node && !at->parent)
                r = rename_locked(at->disk, from, to, replace);
        leave();
        return r;
}

int os_rename(int directory, const char *from, const char *to)
{
        return rename_at(directory, from, to, true);
}

int os_rename_fresh(int directory, const char *from, const char *to)
{
        return rename_at(directory, from, to, false);
}

int os_move(int directory, const char *from, int other, const char *to)
{
        char aside[DISK_NAME_BYTES];
        struct open_file *into;

        enter();
        into = file_of(other);
        snprintf(aside, sizeof(aside), "%s%s", into && into->aside ? DISK_ASIDE : "", to);
        leave();
        return rename_at(directory, from, aside, false);
}

int os_link(int directory, const char *from, int other, const char *to)
{
        char aside[DISK_NAME_BYTES];
        struct open_file *at, *into;
        int r = -EBADF;

        enter();
        at = file_of(directory);
        into = file_of(other);
        if (at && into && !at->node && !at->parent) {
                snprintf(aside, sizeof(aside), "%s%s", into->aside ? DISK_ASIDE : "", to);
                r = !disk_look_up(at->disk, from)   ? -ENOENT
                    : disk_look_up(at->disk, aside) ? -EEXIST
                    : is_full(at->disk)             ? -ENOSPC
                                                    : 0;
                if (r == 0) {
                        watch(at->disk, "link", false);
                        disk_link(at->disk, from, aside);
                        watch(at->disk, "link", true);
                }
        }
        leave();
        return r;
}

int os_unlink(int directory, const char *name)
{
        struct open_file *at;
        int r = -EBADF;

        enter();
        at = file_of(directory);
        if (at && !at->node && !at->parent) {
                r = !disk_look_up(at->disk, name) ? -ENOENT : is_refused(at->disk) ? -EACCES : 0;
                if (r == 0) {
                        watch(at->disk, "unlink", false);
                        disk_unlink(at->disk, name);
                        watch(at->disk, "unlink", true);
                }
        }
        leave();
        return r;
}

int os_close(int fd)
{
        struct open_file *file;

        if (fd < FIRST_DESCRIPTOR)
                return close(fd) < 0 ? -errno : 0;
        disk_lock();
        file = file_of(fd);
        if (file) {
                file->disk->descriptors--;
                if (file->node && file->node->lock == fd)
                        file->node->lock = 0;
                if (file->node)
                        node_put(file->node);
                file->disk = NULL;
        }
        disk_unlock();
        return file ? 0 : -EBADF;
}

static uint32_t names_of(const struct node *node)
{
        uint32_t names = 0;

        for (uint32_t i = 0; node && i < node->disk->now.count; i++)
                names += node->disk->now.list[i].node == node;
        return names;
}

static void describe(const struct node *node, struct os_stat *ret)
{
        *ret = (struct os_stat){
                .bytes = node ? node->size : DISK_PAGE_BYTES,
                .disk_bytes = node ? node->size : DISK_PAGE_BYTES,
                .mode = node ? node->mode : 0700,
                .block_bytes = DISK_PAGE_BYTES,
                .inode = (uintptr_t)node,
                .links = names_of(node),
                .regular = node,
                .directory = !node,
        };
}

int os_stat(int fd, struct os_stat *ret)
{
        struct open_file *file;

        disk_lock();
        file = file_of(fd);
        if (file)
                describe(file->node, ret);
        disk_unlock();
        return file ? 0 : -EBADF;
}

int os_stat_name(int directory, const char *name, struct os_stat *ret)
{
        struct open_file *at;
        int r = -EBADF;

        disk_lock();
        at = file_of(directory);
        if (at) {
                struct node *node = at->parent ? NULL : disk_look_up(at->disk, name);
                bool is_directory = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                                    (at->parent && strcmp(name, "store") == 0 && at->disk->exists);
                r = node || is_directory ? 0 : -ENOENT;
                if (r == 0)
                        describe(node, ret);
        }
        disk_unlock();
        return r;
}

/* ---- contents ---- */

static int read_locked(struct open_file *file, void *buffer, size_t bytes, uint64_t offset,
                       size_t *ret_bytes)
{
        struct node *node = file->node;
        uint64_t left = offset < node->size ? node->size - offset : 0;

        if (file->direct && (((uintptr_t)buffer | bytes | offset) & 511))
                return -EINVAL;
        if (left > bytes)
                left = bytes;
        if (file->direct)
                node_read_direct(node, buffer, offset, left);
        else
                memcpy(buffer, node->cache->bytes + offset, left);
        *ret_bytes = left;
        return 0;
}

int os_read(int fd, void *buffer, size_t bytes, uint64_t offset, size_t *ret_bytes)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file)
                r = file->node ? read_locked(file, buffer, bytes, offset, ret_bytes) : -EISDIR;
        leave();
        return r;
}

int os_next_data(int fd, uint64_t from, uint64_t *ret_from, uint64_t *ret_to)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node) {
                r = from < file->node->size ? 0 : -ENXIO;
                *ret_from = from;
                *ret_to = file->node->size;
        }
        leave();
        return r;
}

static void write_locked(struct node *node, const void *buffer, size_t bytes, uint64_t offset)
{
        watch(node->disk, "write", false);
        if (offset + bytes > DISK_FILE_BYTES)
                disk_refuse("a write beyond the largest file");
        if (offset + bytes > node->size)
                node->size = offset + bytes;
        node_own_cache(node);
        memcpy(node->cache->bytes + offset, buffer, bytes);
        watch(node->disk, "write", true);
}

int os_write(int fd, const void *buffer, size_t bytes, uint64_t offset)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node && file->writable) {
                /* A write around the cache promises nothing before a sync: a page may be old or
                 * new. */
                r = bytes > 0 && is_full(file->node->disk) ? -ENOSPC : 0;
                if (file->direct && (((uintptr_t)buffer | bytes | offset) & 511))
                        r = -EINVAL;
                if (r == 0 && bytes > 0)
                        write_locked(file->node, buffer, bytes, offset);
        }
        leave();
        return r;
}

int os_grow(int fd, uint64_t bytes)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node && file->writable) {
                if (bytes > DISK_FILE_BYTES)
                        disk_refuse("a file grown beyond the largest");
                r = 0;
                if (file->node->size < bytes && is_full(file->node->disk))
                        r = -ENOSPC;
                if (r == 0 && file->node->size < bytes) {
                        watch(file->node->disk, "grow", false);
                        node_resize(file->node, bytes);
                        watch(file->node->disk, "grow", true);
                }
        }
        leave();
        return r;
}

/* Let other threads in, as the kernel does while the disk works. */
static void dawdle(struct disk *disk)
{
        uint32_t us = rng_below(&disk->rng, 3) * rng_below(&disk->rng, 60);
        bool slow = disk->slow;

        if (!slow && turns_is_alone())
                return;
        disk_unlock();
        if (slow)
                usleep(us);
        turns_point();
        disk_lock();
}

/*
 * The pages are written first, then the result is asked for; an error is told to one caller only.
 * Between the two another thread may come, as in the kernel.
 */
static int sync_locked(struct node *node, uint64_t from, uint64_t to, const char *call)
{
        struct disk *disk = node->disk;
        int r = 0;

        watch(disk, call, false);
        dawdle(disk);
        if (disk->syncs_to_fail > 0) {
                disk->syncs_to_fail--;
                disk->syncs_failed++;
                node_fail_sync(node, from, to, &disk->rng);
        } else {
                node_sync(node, from, to);
        }
        dawdle(disk);
        if (node->error)
                r = -EIO;
        node->error = false;
        watch(disk, call, true);
        return r;
}

int os_touch(int fd)
{
        return file_of(fd) ? 0 : -EBADF;
}

int os_sync_file(int fd)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node) {
                struct node *node = file->node;
                node_get(node);
                r = sync_locked(node, 0, UINT64_MAX, "sync_file");
                node_put(node);
        }
        leave();
        return file && !file->node ? os_sync_directory(fd) : r;
}

int os_sync_map(void *base, size_t bytes)
{
        struct node *node;
        uint64_t offset;
        int r = 0;

        if ((uintptr_t)base % DISK_PAGE_BYTES)
                return -EINVAL;
        enter();
        node = node_of_mapping(base, &offset);
        if (node) {
                uint64_t end = offset + bytes;
                end = (end + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES * DISK_PAGE_BYTES;
                node_get(node);
                r = sync_locked(node, offset, end, "sync_map");
                node_put(node);
        }
        leave();
        return r;
}

/* Pages may reach the media when nobody asks; workloads draw that. So here nothing happens. */
int os_start_writeback(int fd, uint64_t offset, uint64_t bytes)
{
        (void)offset, (void)bytes;
        return fd < 0 ? -EBADF : 0;
}

int os_lock(int fd)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node) {
                r = file->node->lock && file->node->lock != fd ? -EAGAIN : 0;
                if (r == 0)
                        file->node->lock = fd;
        }
        leave();
        return r;
}

int os_write_back(int fd, uint64_t offset, uint64_t bytes)
{
        return os_start_writeback(fd, offset, bytes);
}

int os_read_ahead(int fd, uint64_t offset, uint64_t bytes)
{
        return os_start_writeback(fd, offset, bytes);
}

int os_locked(int fd)
{
        struct open_file *file;
        int r = -EBADF;

        disk_lock();
        file = file_of(fd);
        if (file && file->node)
                r = file->node->lock && file->node->lock != fd;
        disk_unlock();
        return r;
}

int os_is_network(int fd)
{
        return fd < 0 ? -EBADF : 0;
}

int os_is_memory(int fd)
{
        return fd < 0 ? -EBADF : 0;
}

int os_drop_cache(int fd, uint64_t offset, uint64_t bytes)
{
        return os_start_writeback(fd, offset, bytes);
}

int os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret)
{
        (void)fd, (void)offset, (void)bytes, (void)ret;
        return -ENOSYS;
}

/* ---- mappings of files ---- */

int os_disk_map(int fd, bool writable, size_t bytes, void **ret)
{
        struct open_file *file;
        int r = -EBADF;

        enter();
        file = file_of(fd);
        if (file && file->node) {
                struct node *node = file->node;
                r = writable && !file->writable ? -EACCES : 0;
                if (bytes > DISK_FILE_BYTES)
                        disk_refuse("a mapping larger than the largest file");
                if (r == 0) {
                        if (node->mappings++ == 0)
                                node_own_cache(node);
                        node_get(node);
                        node->disk->mappings++;
                        *ret = node->cache->bytes;
                }
        }
        leave();
        return r;
}

bool os_disk_unmap(void *base)
{
        struct node *node;
        uint64_t offset;

        disk_lock();
        node = node_of_mapping(base, &offset);
        if (node) {
                if (offset != 0 || node->mappings == 0)
                        disk_refuse("part of a mapping, or none, is unmapped");
                node->mappings--;
                node->disk->mappings--;
                node_put(node);
        }
        disk_unlock();
        return node;
}

int os_disk_copy(int fd, void *to, size_t bytes)
{
        struct open_file *file;

        disk_lock();
        file = file_of(fd);
        if (file && file->node)
                memcpy(to, file->node->cache->bytes,
                       bytes < DISK_FILE_BYTES ? bytes : DISK_FILE_BYTES);
        disk_unlock();
        return file && file->node ? 0 : -EBADF;
}

int os_disk_populate(void *base, size_t bytes)
{
        struct node *node;
        uint64_t offset, whole;
        int r = 0;

        enter();
        node = node_of_mapping(base, &offset);
        if (node) {
                whole = (node->size + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES * DISK_PAGE_BYTES;
                if (offset + bytes > whole)
                        disk_refuse("pages beyond the end of a file are populated");
                if (is_full(node->disk))
                        r = -ENOSPC;
        }
        leave();
        return r;
}
