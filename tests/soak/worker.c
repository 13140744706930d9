/*
 * worker.c - the soak's processes
 *
 *      soak_worker write DIR SHARED BYTES ROUNDS KEEP
 *              append BYTES in ROUNDS openings of the store, all other threads beside, then read
 *              everything once more; KEEP is the retention in bytes, 0 for none
 *      soak_worker read DIR SHARED
 *              another process that follows and gets until it is told to stop
 *
 * SHARED is the file of struct shared. The driver starts, watches and stops them; an interrupt
 * from the keyboard is for the driver. Exit: 0 nothing wrong, 1 something, 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"
#include "soak.h"

#define THREADS_MAX 8
#define TOLD_MAX 20u

typedef void *(*thread_fn)(void *);

uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int must_stop(struct round *round)
{
        return atomic_load_explicit(&round->shared->stop, memory_order_relaxed) ||
               atomic_load_explicit(&round->shared->failed, memory_order_relaxed);
}

int must_leave(struct round *round)
{
        return atomic_load_explicit(&round->shared->stop, memory_order_relaxed) == STOP_NOW ||
               atomic_load_explicit(&round->shared->failed, memory_order_relaxed);
}

void wrong(struct round *round, const char *what, uint64_t number, int error)
{
        if (atomic_fetch_add(&round->shared->wrong, 1) < TOLD_MAX)
                fprintf(stderr, "soak: wrong: %s: number %llu: %s: %s\n", what,
                        (unsigned long long)number, logstore_error_text(error), logstore_detail());
}

void failed(struct round *round, const char *what, int error)
{
        if (atomic_fetch_add(&round->shared->failed, 1) < TOLD_MAX)
                fprintf(stderr, "soak: failed: %s: %s: %s\n", what, logstore_error_text(error),
                        logstore_detail());
}

static void start_threads(struct round *round, const thread_fn *work, pthread_t *threads)
{
        for (size_t i = 0; work[i]; i++)
                if (pthread_create(&threads[i], NULL, work[i], round) != 0) {
                        perror("soak: pthread_create");
                        exit(2);
                }
}

static void end_threads(struct round *round, const thread_fn *work, pthread_t *threads)
{
        atomic_store(&round->over, 1);
        for (size_t i = 0; work[i]; i++)
                pthread_join(threads[i], NULL);
}

/* ---- the writing process ---- */

static const thread_fn beside_writer[] = {
        sync_often, get_anywhere, scan_again, follow_tail, snapshot_and_edit, watch_memory, NULL,
};

static int open_round(struct round *round, const char *dir, uint64_t keep_bytes)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        struct logstore_bounds bounds;
        uint64_t start_ns = now_ns();
        int r;

        options.flags = LOGSTORE_CREATE;
        options.keep_bytes = keep_bytes;
        r = logstore_open(dir, &options, &round->store);
        hist_add(&round->shared->reopen, now_ns() - start_ns);
        if (r == 0)
                r = logstore_bounds(round->store, &bounds);
        if (r < 0) {
                failed(round, "open", r);
                return r;
        }
        if (round->next && bounds.tail + 1 != round->next)
                wrong(round, "tail after reopening", bounds.tail, 0);
        round->next = bounds.tail + 1;
        atomic_store(&round->over, 0);
        return 0;
}

static void close_round(struct round *round)
{
        int r = logstore_close(round->store);

        if (r < 0)
                failed(round, "close", r);
        round->shared->reopens++;
}

static uint64_t records_between(uint64_t from, uint64_t to)
{
        uint64_t count = 0;

        for (; from <= to; from++)
                count += !oracle_is_void(from);
        return count;
}

/* With the store reopened and nobody else at work: everything, in order, once. */
static void read_all(struct round *round)
{
        struct shared *shared = round->shared;
        struct logstore_bounds bounds;
        uint64_t before = shared->scanned;

        if (logstore_apply_retention(round->store, 0, NULL) < 0 ||
            logstore_bounds(round->store, &bounds) < 0) {
                failed(round, "bounds", 0);
                return;
        }
        shared->kept_records = records_between(bounds.first, bounds.tail);
        scan_once(round, 0);
        shared->final_records = shared->scanned - before;
        if (shared->final_records != shared->kept_records && !must_leave(round))
                wrong(round, "records in the end", shared->final_records, 0);
}

static void write_rounds(struct round *round, char **argv)
{
        uint64_t bytes = strtoull(argv[4], NULL, 10), rounds = strtoull(argv[5], NULL, 10);
        uint64_t keep_bytes = strtoull(argv[6], NULL, 10);
        pthread_t threads[THREADS_MAX];

        for (uint64_t i = 1; i <= rounds && !must_stop(round); i++) {
                if (open_round(round, argv[2], keep_bytes) < 0)
                        return;
                round->until_bytes = bytes / rounds * i;
                start_threads(round, beside_writer, threads);
                append_until(round);
                end_threads(round, beside_writer, threads);
                close_round(round);
        }
        if (open_round(round, argv[2], keep_bytes) < 0)
                return;
        read_all(round);
        close_round(round);
}

/* ---- the reading process ---- */

static const thread_fn reading[] = { get_anywhere, follow_tail, watch_memory, NULL };

static void read_until_told(struct round *round, const char *dir)
{
        struct logstore_options options = LOGSTORE_OPTIONS_INIT;
        pthread_t threads[THREADS_MAX];
        int r;

        options.flags = LOGSTORE_READ_ONLY;
        do { /* until the writer has created it */
                r = logstore_open(dir, &options, &round->store);
                nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        } while ((r == -ENOENT || r == -EMEDIUMTYPE) && !must_stop(round));
        if (r < 0) {
                if (!must_stop(round))
                        failed(round, "open to read", r);
                return;
        }
        start_threads(round, reading, threads);
        while (!must_stop(round))
                nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        end_threads(round, reading, threads);
        close_round(round);
}

static struct shared *map_shared(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *at = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                                 fd, 0);

        if (at == MAP_FAILED) {
                perror(path);
                exit(2);
        }
        return at;
}

int main(int argc, char **argv)
{
        struct round round = { 0 };
        int writes = argc == 7 && strcmp(argv[1], "write") == 0;

        if (!writes && !(argc == 4 && strcmp(argv[1], "read") == 0)) {
                fputs("usage: soak_worker write DIR SHARED BYTES ROUNDS KEEP | read DIR SHARED\n",
                      stderr);
                return 2;
        }
        signal(SIGINT, SIG_IGN);
        round.shared = map_shared(argv[3]);
        if (writes)
                write_rounds(&round, argv);
        else
                read_until_told(&round, argv[2]);
        return round.shared->wrong || round.shared->failed ? 1 : 0;
}
