/*
 * workload.c - run the workload of ways.h in one way, and tell how far it got
 *
 *      workload input FILE BYTES                  write the encoded file
 *      workload WAY FILE DIR PROGRESS             take it all, then scan it all
 *      workload tidy                              remove what outlives the process
 *
 * PROGRESS is a file mapped here and by the driver, so that it also tells of a process that was
 * killed. Exit: 0 done, 1 wrong bytes, 2 usage, 3 refused (progress has the errno).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ways.h"

#define KEY UINT64_C(0xa5c3f00d5eed1e55)
#define REREAD_EVERY 256 /* records taken for each earlier one read again */

struct progress {
        uint64_t taken_bytes, scanned_bytes, reread, wrong;
        uint64_t take_ns, scan_ns;
        uint64_t error;   /* errno of a refusal */
        uint64_t settled; /* 1: everything taken and settled, scan begun */
};

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

static uint64_t expected_word(uint64_t index)
{
        return mix(index + UINT64_C(0x9e3779b97f4a7c15));
}

void task_decode(uint64_t *words, uint64_t count)
{
        for (uint64_t i = 0; i < count; i++)
                words[i] ^= KEY;
}

int task_read(struct task *task, uint64_t chunk, uint64_t *buffer)
{
        char *to = (char *)buffer;
        size_t done = 0;

        while (done < CHUNK_BYTES) {
                ssize_t n = pread(task->input_fd, to + done, CHUNK_BYTES - done,
                                  (off_t)(chunk * CHUNK_BYTES + done));
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += (size_t)n;
        }
        task_decode(buffer, CHUNK_BYTES / 8);
        return 0;
}

static int record_is_right(const uint64_t *words, uint64_t record)
{
        uint64_t difference = 0;

        if (!words)
                return 0;
        for (uint64_t i = 0; i < RECORD_WORDS; i++)
                difference |= words[i] ^ expected_word(record * RECORD_WORDS + i);
        return difference == 0;
}

/* Read some records of those taken so far, anywhere, and check them. */
static void reread(const struct way *way, struct task *task, uint64_t chunk, struct progress *p)
{
        for (uint64_t i = 0; i < CHUNK_RECORDS / REREAD_EVERY; i++) {
                uint64_t record = mix(chunk * CHUNK_RECORDS + i) % ((chunk + 1) * CHUNK_RECORDS);

                p->wrong += !record_is_right(way->get(task, record), record);
                p->reread++;
        }
}

static int take_all(const struct way *way, struct task *task, struct progress *p)
{
        uint64_t start_ns = now_ns();

        for (uint64_t chunk = 0; chunk < task->bytes / CHUNK_BYTES; chunk++) {
                int r = way->take(task, chunk);
                if (r < 0)
                        return r;
                p->taken_bytes += CHUNK_BYTES;
                reread(way, task, chunk, p);
                p->take_ns = now_ns() - start_ns;
        }
        int r = way->settle ? way->settle(task) : 0;
        p->take_ns = now_ns() - start_ns;
        p->settled = 1;
        return r;
}

static void scan_all(const struct way *way, struct task *task, struct progress *p)
{
        uint64_t start_ns = now_ns();

        for (uint64_t record = 0; record < task->bytes / RECORD_BYTES; record++) {
                p->wrong += !record_is_right(way->get(task, record), record);
                p->scanned_bytes += RECORD_BYTES;
        }
        p->scan_ns = now_ns() - start_ns;
}

static int refused(struct progress *p, const char *name, int error)
{
        p->error = (uint64_t)-error;
        fprintf(stderr, "workload: %s: %s\n", name, strerror(-error));
        return 3;
}

static int run(const struct way *way, struct task *task, struct progress *p)
{
        int r = way->open(task);
        if (r < 0)
                return refused(p, way->name, r);
        r = take_all(way, task, p);
        if (r == 0)
                scan_all(way, task, p);
        way->close(task);
        if (r < 0)
                return refused(p, way->name, r);
        return p->wrong ? 1 : 0;
}

static int make_input(const char *path, uint64_t bytes)
{
        uint64_t *words = malloc(CHUNK_BYTES);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (!words || fd < 0)
                goto fail;
        for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES) {
                for (uint64_t i = 0; i < CHUNK_BYTES / 8; i++)
                        words[i] = expected_word(at / 8 + i) ^ KEY;
                if (write(fd, words, CHUNK_BYTES) != CHUNK_BYTES)
                        goto fail;
        }
        if (fsync(fd) < 0)
                goto fail;
        errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* every way starts cold */
        if (errno || close(fd) < 0)
                goto fail;
        free(words);
        return 0;
fail:
        perror(path);
        return 3;
}

static struct progress *map_progress(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *at = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof(struct progress), PROT_READ | PROT_WRITE, MAP_SHARED,
                                 fd, 0);

        return at == MAP_FAILED ? NULL : at;
}

static int start(const struct way *way, char **argv)
{
        struct task task = { .input_fd = open(argv[2], O_RDONLY | O_CLOEXEC), .dir = argv[3] };
        struct progress *p = map_progress(argv[4]);
        struct stat st;

        task.chunk = malloc(CHUNK_BYTES);
        if (task.input_fd < 0 || !p || !task.chunk || fstat(task.input_fd, &st) < 0) {
                perror("workload");
                return 2;
        }
        task.bytes = (uint64_t)st.st_size / CHUNK_BYTES * CHUNK_BYTES;
        return run(way, &task, p);
}

int main(int argc, char **argv)
{
        if (argc == 4 && strcmp(argv[1], "input") == 0)
                return make_input(argv[2], strtoull(argv[3], NULL, 10));
        for (const struct way *const *way = ways; argc == 5 && *way; way++)
                if (strcmp((*way)->name, argv[1]) == 0)
                        return start(*way, argv);
        if (argc == 2 && strcmp(argv[1], "tidy") == 0) {
                ways_tidy();
                return 0;
        }
        fputs("usage: workload input FILE BYTES | WAY FILE DIR PROGRESS | tidy\n", stderr);
        return 2;
}
