/*
 * os.h - system calls, one small function each; only guard.c and ring.c make others
 *
 * Unless its type says otherwise, a function returns 0, a count or a negative errno. It retries
 * EINTR where nothing is lost by that. It leaves no detail: the caller knows what it was doing.
 * These are plain functions in files of their own, so tests can put faults and crashes in between
 * (ld --wrap).
 */
#ifndef LOGSTORE_OS_H
#define LOGSTORE_OS_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void os_restore_cancel(int *state)
{
        pthread_setcancelstate(*state, NULL);
}

/* For a function that makes a call at which threads may be cancelled. Until the end of the block
 * the thread cannot be, because one that ends inside the library would take locks with it. */
#define OS_UNCANCELLED                                                   \
        __attribute__((cleanup(os_restore_cancel))) int os_cancel_state; \
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &os_cancel_state)

struct os_stat {
        uint64_t bytes;
        uint64_t disk_bytes;  /* blocks really taken */
        uint32_t mode;        /* permission bits */
        uint32_t block_bytes; /* preferred I/O size */
        uint32_t links;       /* names that the file has */
        uint64_t inode, device;
        bool regular, directory;
};

enum os_open_flags {
        OS_READ = 0,
        OS_WRITE = 1 << 0, /* and read */
        /* Exclusively, with the mode given, whatever the umask. The file gets the directory's owner
         * and group as far as this process may set them. */
        OS_CREATE = 1 << 1,
        OS_DIRECT = 1 << 2, /* around the page cache; -EINVAL where the file system cannot */
};

/* ---- files; never descriptors 0-2, always close-on-exec, never through a symlink ---- */
int os_open_directory(const char *path);
#define OS_HERE (-100) /* in place of a directory: the name is a path */
int os_make_directory(int directory, const char *name,
                      uint32_t mode); /* as OS_CREATE; keeps setgid */
int os_open(int directory, const char *name, int flags, uint32_t mode);
int os_close(int fd);
int os_stat(int fd, struct os_stat *ret);
int os_stat_name(int directory, const char *name, struct os_stat *ret);
/* Do both descriptions mean one file, under whatever names? */
static inline bool os_is_same(const struct os_stat *a, const struct os_stat *b)
{
        return a->inode == b->inode && a->device == b->device;
}

int os_list(int directory, int (*each)(void *context, const char *name), void *context);
int os_read(int fd, void *buffer, size_t bytes, uint64_t offset,
            size_t *ret_bytes); /* fewer: end of file */
int os_write(int fd, const void *buffer, size_t bytes, uint64_t offset);
/* The next piece at or behind @from that is no hole. -ENXIO: there is none. */
int os_next_data(int fd, uint64_t from, uint64_t *ret_from, uint64_t *ret_to);
/* Is no space left: in the file system, in a quota, or in what this process may write? */
static inline bool os_is_full(int r)
{
        return r == -ENOSPC || r == -EDQUOT || r == -EFBIG;
}

int os_grow(int fd, uint64_t bytes); /* never shrinks; -EFBIG beyond RLIMIT_FSIZE, no signal */
int os_rename(int directory, const char *from, const char *to);          /* replaces */
int os_rename_fresh(int directory, const char *from, const char *to);    /* -EEXIST */
int os_move(int directory, const char *from, int other, const char *to); /* -EEXIST */
/* Give a file a second name. -EEXIST: it is taken. Else the file system may not allow it. */
int os_link(int directory, const char *from, int other, const char *to);
int os_unlink(int directory, const char *name);
int os_touch(int fd); /* set its times to now: stores through a mapping do not */
int os_sync_file(int fd);
int os_sync_directory(int fd);
int os_start_writeback(int fd, uint64_t offset, uint64_t bytes); /* no durability */
int os_locked(int fd);     /* 1: it is locked through another descriptor; 0; or an error */
int os_lock(int fd);       /* -EAGAIN: somebody has it */
int os_hold(int fd);       /* a lock of another kind, for directories, too; -EAGAIN: as before */
int os_release(int fd);    /* let go of that */
int os_sync_data(int fd);  /* without times, which nothing reads */
int os_is_network(int fd); /* 1, 0 or an error */
int os_is_memory(int fd);  /* 1 on tmpfs and ramfs, which have no disk beneath; 0; or an error */
int os_drop_cache(int fd, uint64_t offset, uint64_t bytes);
int os_read_ahead(int fd, uint64_t offset, uint64_t bytes); /* waits until all is read */
int os_write_back(int fd, uint64_t offset, uint64_t bytes); /* waits; takes no error from a sync */

/* ---- mappings ---- */
enum os_map_kind { OS_SHARED_READ, OS_SHARED_WRITE, OS_PRIVATE, OS_ANONYMOUS };
int os_map(int fd, enum os_map_kind kind, size_t bytes, void **ret);
int os_unmap(void *base, size_t bytes);
int os_sync_map(void *base, size_t bytes); /* msync(MS_SYNC); base page-aligned */
int os_populate(void *base, size_t bytes); /* ready for stores; -ENOSPC, -EIO, no signal */
int os_zap(void *base, size_t bytes);      /* drop page table entries, keep the page cache */
int os_no_fork(void *base, size_t bytes);
int os_wipe_on_fork(void *base, size_t bytes);

/* ---- residency ---- */
struct os_cachestat {
        uint64_t cached, dirty, writeback, evicted, recently_evicted; /* pages */
};
int os_cachestat(int fd, uint64_t offset, uint64_t bytes, struct os_cachestat *ret);
int os_mincore(void *base, size_t bytes, unsigned char *ret_pages);

/* What the kernel says of one mapping of this process, in bytes. */
struct os_mapping {
        uintptr_t base, end;
        bool shared;
        const char *path; /* "" if anonymous; valid during the call */
        uint64_t resident, dirty, anonymous, locked;
};
int os_mappings(int (*each)(void *context, const struct os_mapping *), void *context);
int os_path_of(int fd, char *buffer, size_t bytes);      /* of an open file or directory */
int os_faults(uint64_t *ret_minor, uint64_t *ret_major); /* of the process */

/* ---- time, waiting, identity ---- */
int64_t os_now(void);        /* CLOCK_REALTIME in ns */
int64_t os_now_coarse(void); /* as of the last timer tick */
int64_t os_monotonic(void);
void os_sleep(int64_t ns);
int os_random(void *buffer, size_t bytes);
int os_futex_wait(const _Atomic uint32_t *word, uint32_t value, int64_t timeout_ns, bool shared);
int os_futex_wake(_Atomic uint32_t *word, int count, bool shared);
int os_fence_register(void); /* this process takes part in os_fence_all() */
int os_fence_all(void);      /* a full fence in all threads of processes that take part */
int os_eventfd(void);
int os_signal_eventfd(int fd);
int os_thread_id(void);
int os_process_id(void);
bool os_process_lives(int id);
size_t os_page_bytes(void);

#endif
