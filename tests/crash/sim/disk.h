/*
 * disk.h - a machine's disk and page cache in memory, whose power can be cut
 *
 * A disk holds one directory of small files below a parent directory. Each file is there twice: as
 * processes see it (cache) and as it would be after a power cut (media). A sync carries pages from
 * the one to the other. Names likewise; what happened to them since the last sync of the directory
 * is kept in order.
 *
 * Power cut: every page that differs is old, new or a mix of 512-byte pieces; a size is old or new;
 * every pending create, rename and unlink happened or not, but those of one name in their order.
 * Failed sync: pages of the range may have reached the media or not, and count as clean from then
 * on: no later sync carries them, until they are changed again. The error is told once.
 * Kill: the cache stays, the process and its descriptors go.
 *
 * Memory: a disk is a value. Copies share what neither changes. Freed disks must not be in use.
 * Threads: every function needs disk_lock(), but the two that take it.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"

#define DISK_PAGE_BYTES 4096u
#define DISK_FILE_BYTES (4u << 20) /* largest file or mapping of one */
#define DISK_NAME_BYTES 40u
#define DISK_NAMES 192u
#define DISK_PENDING 512u
#define DISK_ASIDE "aside." /* before the names of files in the store's quarantine directory */

struct buffer {
        uint8_t *bytes;
        uint32_t refs;
        uint32_t used;      /* bytes that may not be zero */
        struct node *owner; /* of a mapped cache */
};

struct node {
        struct disk *disk;
        uint32_t refs; /* names, pending changes, descriptors and mappings */
        uint32_t mode;
        uint64_t size, media_size;
        struct buffer *cache, *media; /* one and the same until somebody writes */
        struct buffer *lost;          /* what pages were when their sync failed */
        uint32_t lost_pages;          /* so many are clean though cache and media differ: */
        uint64_t lost_map[DISK_FILE_BYTES / DISK_PAGE_BYTES / 64]; /* a bit each */
        uint32_t mappings;
        bool error;        /* a sync failed and nobody was told yet */
        int lock;          /* descriptor that has it; 0: none */
        struct node *copy; /* while a disk is copied */
};

struct names {
        struct {
                char text[DISK_NAME_BYTES];
                struct node *node;
        } list[DISK_NAMES];
        uint32_t count;
};

enum change_kind { CHANGE_CREATE, CHANGE_RENAME, CHANGE_UNLINK };

struct change {
        enum change_kind kind;
        char from[DISK_NAME_BYTES], to[DISK_NAME_BYTES];
        struct node *node; /* created */
};

struct disk {
        uint64_t id;
        bool exists, media_exists; /* the directory itself */
        struct names now, media;
        struct change pending[DISK_PENDING];
        uint32_t pending_count;
        uint32_t descriptors, mappings; /* in use */
        uint64_t changes;               /* system calls that changed anything */
        bool slow; /* syncs take their time, so that those of several threads overlap */
        /* Set by the one thread while others are under way. */
        _Atomic uint32_t syncs_to_fail; /* of the next, this many fail */
        _Atomic uint32_t syncs_failed;
        _Atomic uint32_t
                growth_to_refuse; /* of the next calls that take space, this many find none */
        _Atomic uint32_t growth_refused;
        _Atomic uint32_t unlinks_to_refuse; /* the same of calls that unlink, with -EACCES */
        _Atomic uint32_t unlinks_refused;
        struct rng rng; /* of what the disk does by itself */
        /* Called before and after each system call that changes anything, locked. */
        void (*watch)(struct disk *disk, const char *call, bool after);
        void *watcher;
};

void disk_lock(void);
void disk_unlock(void);

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk *disk);
struct disk *disk_find(uint64_t id); /* NULL: none */

struct disk *disk_after_power_cut(const struct disk *disk, struct rng *rng);
struct disk *disk_after_kill(const struct disk *disk, struct rng *rng);
/* The cache shows pages whose sync failed and which the media may not have. */
bool disk_has_lost_pages(const struct disk *disk);
/* Some dirty pages reach the media, as any time without asking. */
void disk_write_back(struct disk *disk, struct rng *rng);

struct node *disk_look_up(const struct disk *disk, const char *name); /* NULL: none */
struct node *disk_create(struct disk *disk, const char *name, uint32_t mode);
void disk_link(struct disk *disk, const char *from, const char *to);
void disk_rename(struct disk *disk, const char *from, const char *to);
void disk_unlink(struct disk *disk, const char *name);
void disk_sync_names(struct disk *disk);

void node_get(struct node *node);
void node_put(struct node *node);
void node_own_cache(struct node *node); /* its cache is shared with nobody, also not its media */
void node_resize(struct node *node, uint64_t size);
void node_sync(struct node *node, uint64_t from, uint64_t to);
void node_fail_sync(struct node *node, uint64_t from, uint64_t to, struct rng *rng);
/* What a read around the cache gives: the media, but for pages still waiting to be written. */
void node_read_direct(struct node *node, void *to, uint64_t offset, uint64_t bytes);

/* A file mapping starts at a buffer of its own; the file that @base is inside of, or NULL. */
struct node *node_of_mapping(const void *base, uint64_t *ret_offset);

/* A bug of the simulator or something it cannot do: say so and abort. */
_Noreturn void disk_refuse(const char *what);

#endif
