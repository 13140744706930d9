/*
 * latency.c - row 13: from append in one process to the record in the hands of another
 *
 * The writer pauses between records, so that a reader that sleeps is asleep. Limit: one byte
 * through a pipe between two processes in the same way, the reader sleeping in read(2); it is the
 * limit of the spinning reader too, who ought to be far below. Open loop: the writer waits for
 * nobody. The time of sending is in the record, or in memory that both share.
 */
#include "bench.h"
#include "hist.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLEEP, SPIN };
enum { PAUSE_NS = 300000, WARM = 100 };

static struct shared {
        struct hist hist;
        _Atomic int ready;        /* set by the reader before its first wait */
        _Atomic uint64_t sent_ns; /* of the pipe's byte */
} * shared;

static void arrived(uint64_t i, uint64_t sent_ns)
{
        if (i >= WARM)
                hist_add(&shared->hist, now_ns() - sent_ns);
}

static int store_reader(const struct work *work, int fd)
{
        struct logstore_cursor *cursor;
        struct logstore_record record;
        struct logstore *store;
        uint64_t sent;
        int r;

        (void)fd;
        r = ours_reader(work, 0, &store, &cursor);
        atomic_store(&shared->ready, 1);
        for (uint64_t i = 0; i < work->records && r == 0;) {
                r = logstore_cursor_next(cursor, &record);
                if (r == 0) {
                        memcpy(&sent, record.data, sizeof(sent));
                        arrived(i++, sent);
                } else if (r == -EAGAIN) {
                        r = work->flags == SPIN ? 0 : logstore_cursor_wait(cursor, 5000);
                }
        }
        return r;
}

static int pipe_reader(const struct work *work, int fd)
{
        char byte;

        atomic_store(&shared->ready, 1);
        for (uint64_t i = 0; i < work->records; i++) {
                if (read(fd, &byte, 1) != 1)
                        return -EIO;
                arrived(i, atomic_load(&shared->sent_ns));
        }
        return 0;
}

static int store_send(struct logstore *store, int fd)
{
        uint64_t sent = now_ns();

        (void)fd;
        return logstore_append(store, &sent, sizeof(sent), NULL);
}

static int pipe_send(struct logstore *store, int fd)
{
        (void)store;
        atomic_store(&shared->sent_ns, now_ns());
        return write(fd, "x", 1) == 1 ? 0 : -EIO;
}

static int write_all(const struct work *work, int (*send)(struct logstore *, int),
                     struct logstore *store, int fd)
{
        uint64_t due;
        int r = 0;

        while (!atomic_load(&shared->ready))
                usleep(1000);
        due = now_ns() + 10000000;
        for (uint64_t i = 0; i < work->records && r == 0; i++) {
                sleep_until(due);
                r = send(store, fd);
                due += PAUSE_NS;
        }
        return r;
}

static int two_processes(const struct work *work, struct sample *ret,
                         int (*reader)(const struct work *, int),
                         int (*send)(struct logstore *, int), struct logstore *store)
{
        int fds[2], status, r;
        pid_t pid;

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED || pipe(fds) < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(reader(work, fds[0]) < 0);
        r = write_all(work, send, store, fds[1]);
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                r = -EIO;
        hist_print(&shared->hist, store ? "record" : "byte through a pipe");
        ret->value[0] = hist_us(&shared->hist, 0.5);
        ret->value[1] = hist_us(&shared->hist, 0.99);
        ret->value[2] = hist_us(&shared->hist, 0.999);
        return r;
}

static int latency_ours(const struct work *work, struct sample *ret)
{
        struct logstore *store;
        int r = ours_open(work, LOGSTORE_CREATE, &store);

        if (r < 0)
                return r;
        return ours_close(store, two_processes(work, ret, store_reader, store_send, store));
}

static int latency_limit(const struct work *work, struct sample *ret)
{
        return two_processes(work, ret, pipe_reader, pipe_send, NULL);
}

void row_latency(const struct options *options)
{
        static const char *const required[] = { "limit<=1.3", "limit<=0.3" };

        for (uint32_t how = SLEEP; how <= SPIN; how++) {
                struct variant variant = {
                        .row = 13,
                        .work = { .options = options,
                                  .records = options->quick ? 1000 : 10000,
                                  .segment_bytes = options->segment_bytes,
                                  .flags = how },
                        .metrics = { { "p50", "us", required[how] },
                                     { "p99", "us", "" },
                                     { "p99.9", "us", "" } },
                        .ours = latency_ours,
                        .limit = latency_limit,
                };

                snprintf(variant.name, sizeof(variant.name), "append to reader, reader %s",
                         how == SLEEP ? "sleeping" : "spinning");
                variant_run(&variant);
        }
}
