/*
 * ways.c - the ways that end with the memory: private, anonymous, malloc, POSIX and SysV shared
 * memory, tmpfs; the store itself is in way_store.c
 *
 * All but `private` and `malloc` are a span of memory to which decoded chunks are copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "ways.h"

/* ---- a span of memory: state is its address ---- */

static uint64_t *span_at(const struct task *task, uint64_t offset)
{
        return (uint64_t *)task->state + offset / 8;
}

static int span_take(struct task *task, uint64_t chunk)
{
        int r = task_read(task, chunk, task->chunk);
        if (r < 0)
                return r;
        memcpy(span_at(task, chunk * CHUNK_BYTES), task->chunk, CHUNK_BYTES);
        return 0;
}

static const uint64_t *span_get(struct task *task, uint64_t record)
{
        return span_at(task, record * RECORD_BYTES);
}

static void span_close(struct task *task)
{
        munmap(task->state, task->bytes);
}

static int span_map(struct task *task, int flags, int fd)
{
        void *at = mmap(NULL, task->bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
        if (at == MAP_FAILED)
                return -errno;
        task->state = at;
        return 0;
}

/* ---- the input mapped privately, and decoded where it is ---- */

static int private_open(struct task *task)
{
        return span_map(task, MAP_PRIVATE, task->input_fd);
}

static int private_take(struct task *task, uint64_t chunk)
{
        task_decode(span_at(task, chunk * CHUNK_BYTES), CHUNK_BYTES / 8);
        return 0;
}

/* ---- anonymous memory ---- */

static int anonymous_open(struct task *task)
{
        return span_map(task, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* ---- read() into buffers from malloc: state is the array of them ---- */

static int malloc_open(struct task *task)
{
        task->state = calloc(task->bytes / CHUNK_BYTES, sizeof(uint64_t *));
        return task->state ? 0 : -ENOMEM;
}

static int malloc_take(struct task *task, uint64_t chunk)
{
        uint64_t **buffers = task->state;

        buffers[chunk] = malloc(CHUNK_BYTES);
        if (!buffers[chunk])
                return -ENOMEM;
        return task_read(task, chunk, buffers[chunk]);
}

static const uint64_t *malloc_get(struct task *task, uint64_t record)
{
        uint64_t **buffers = task->state;

        return buffers[record / CHUNK_RECORDS] + record % CHUNK_RECORDS * RECORD_WORDS;
}

static void malloc_close(struct task *task)
{
        uint64_t **buffers = task->state;

        for (uint64_t i = 0; i < task->bytes / CHUNK_BYTES; i++)
                free(buffers[i]);
        free(buffers);
}

/* ---- POSIX shared memory ---- */

#define SHM_NAME "/logstore-contrast"

static int posix_open(struct task *task)
{
        int fd = shm_open(SHM_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd < 0)
                return -errno;
        int r = ftruncate(fd, (off_t)task->bytes) < 0 ? -errno : span_map(task, MAP_SHARED, fd);
        close(fd);
        return r;
}

/* ---- SysV shared memory, under a key so that it can be found again ---- */

#define SHM_KEY 0x106c0de

static int sysv_open(struct task *task)
{
        int id = shmget(SHM_KEY, task->bytes, IPC_CREAT | 0600);
        if (id < 0)
                return -errno;
        void *at = shmat(id, NULL, 0);
        if (at == (void *)-1)
                return -errno;
        task->state = at;
        return 0;
}

static void sysv_close(struct task *task)
{
        shmdt(task->state);
}

/* ---- a file on tmpfs, by write() and read(): state points to its descriptor and a buffer ---- */

#define TMPFS_PATH "/dev/shm/logstore-contrast-file"

struct tmpfs {
        int fd;
        uint64_t record[RECORD_WORDS];
};

static int tmpfs_open(struct task *task)
{
        struct tmpfs *t = malloc(sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->fd = open(TMPFS_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (t->fd < 0) {
                free(t);
                return -errno;
        }
        task->state = t;
        return 0;
}

static int tmpfs_take(struct task *task, uint64_t chunk)
{
        struct tmpfs *t = task->state;
        int r = task_read(task, chunk, task->chunk);
        if (r < 0)
                return r;
        ssize_t n = pwrite(t->fd, task->chunk, CHUNK_BYTES, (off_t)(chunk * CHUNK_BYTES));
        return n == CHUNK_BYTES ? 0 : n < 0 ? -errno : -ENOSPC;
}

static const uint64_t *tmpfs_get(struct task *task, uint64_t record)
{
        struct tmpfs *t = task->state;
        ssize_t n = pread(t->fd, t->record, RECORD_BYTES, (off_t)(record * RECORD_BYTES));

        return n == RECORD_BYTES ? t->record : NULL;
}

static void tmpfs_close(struct task *task)
{
        struct tmpfs *t = task->state;

        close(t->fd);
        free(t);
}

void ways_tidy(void)
{
        shm_unlink(SHM_NAME);
        shmctl(shmget(SHM_KEY, 0, 0), IPC_RMID, NULL);
        unlink(TMPFS_PATH);
}

static const struct way private_map = {
        "private", private_open, private_take, span_get, NULL, span_close,
};
static const struct way anonymous = {
        "anonymous", anonymous_open, span_take, span_get, NULL, span_close,
};
static const struct way malloced = {
        "malloc", malloc_open, malloc_take, malloc_get, NULL, malloc_close,
};
static const struct way posix_shm = {
        "posix-shm", posix_open, span_take, span_get, NULL, span_close,
};
static const struct way sysv_shm = {
        "sysv-shm", sysv_open, span_take, span_get, NULL, sysv_close,
};
static const struct way tmpfs = {
        "tmpfs", tmpfs_open, tmpfs_take, tmpfs_get, NULL, tmpfs_close,
};

const struct way *const ways[] = {
        &way_store, &private_map, &anonymous, &malloced, &posix_shm, &sysv_shm, &tmpfs, NULL,
};
