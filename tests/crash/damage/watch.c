/*
 * watch.c - run many small cases in child processes and notice those that crash or hang
 */
#include "watch.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define COMPLAINTS_MAX 12

int64_t watch_now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

struct watch *watch_new(void)
{
        void *memory = mmap(NULL, sizeof(struct watch), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED) {
                perror("mmap");
                exit(EXIT_FAILURE);
        }
        return memory;
}

void watch_complain(_Atomic uint64_t *counter, const char *format, ...)
{
        va_list arguments;

        if ((*counter)++ >= COMPLAINTS_MAX)
                return;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
}

struct crew {
        struct watch *watch;
        uint64_t end;
        int64_t deadline_ns;
        void (*run)(struct watch *watch, unsigned worker, uint64_t index);
        pid_t pids[WATCH_WORKERS];
        uint64_t again[WATCH_WORKERS]; /* case on its second chance, plus 1 */
};

static void work(struct crew *crew, unsigned worker)
{
        struct watch *watch = crew->watch;
        uint64_t index = crew->again[worker] ? crew->again[worker] - 1 : watch->next++;

        for (; index < crew->end; index = watch->next++) {
                if (crew->deadline_ns && watch_now_ns() > crew->deadline_ns)
                        break;
                watch->slots[worker].since_ns = watch_now_ns();
                watch->slots[worker].index = index + 1;
                crew->run(watch, worker, index);
                watch->slots[worker].index = 0;
                watch->done++;
        }
        fflush(NULL);
        _exit(0);
}

static void start_worker(struct crew *crew, unsigned worker)
{
        crew->watch->slots[worker].index = 0;
        fflush(NULL);
        crew->pids[worker] = fork();
        if (crew->pids[worker] < 0) {
                perror("fork");
                exit(EXIT_FAILURE);
        }
        if (crew->pids[worker] == 0)
                work(crew, worker);
}

/* Is the worker stuck? Then it is killed, and reaped as one that was killed by us. */
static bool kill_if_stuck(struct crew *crew, unsigned worker)
{
        int64_t since_ns = crew->watch->slots[worker].since_ns;

        if (crew->watch->slots[worker].index == 0 ||
            watch_now_ns() - since_ns < WATCH_SECONDS * NS_PER_SECOND)
                return false;
        kill(crew->pids[worker], SIGKILL);
        return true;
}

static void replace_worker(struct crew *crew, unsigned worker, int status, bool stuck)
{
        uint64_t index = crew->watch->slots[worker].index;

        crew->pids[worker] = 0;
        if (!stuck && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return;
        if (stuck && crew->again[worker] != index) {
                crew->again[worker] = index;
        } else {
                fprintf(stderr, "case %" PRIu64 " %s (status 0x%x)\n", index - 1,
                        stuck ? "hangs" : "crashed", (unsigned)status);
                crew->watch->hangs += stuck;
                crew->watch->crashes += !stuck;
                crew->again[worker] = 0;
        }
        start_worker(crew, worker);
}

static bool look_after(struct crew *crew, unsigned worker)
{
        bool stuck = kill_if_stuck(crew, worker);
        int status;

        if (waitpid(crew->pids[worker], &status, stuck ? 0 : WNOHANG) == crew->pids[worker])
                replace_worker(crew, worker, status, stuck);
        return crew->pids[worker] != 0;
}

void watch_run(struct watch *watch, uint64_t first, uint64_t count, int64_t deadline_ns,
               void (*run)(struct watch *watch, unsigned worker, uint64_t index))
{
        struct crew crew = { watch, first + count, deadline_ns, run, { 0 }, { 0 } };
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
        unsigned busy = WATCH_WORKERS;

        watch->next = first;
        for (unsigned i = 0; i < WATCH_WORKERS; i++)
                start_worker(&crew, i);
        while (busy > 0) {
                nanosleep(&pause, NULL);
                busy = 0;
                for (unsigned i = 0; i < WATCH_WORKERS; i++)
                        busy += crew.pids[i] != 0 && look_after(&crew, i);
        }
}

int watch_figures(const struct watch *watch, const char *method, uint64_t seed)
{
        printf("{\"method\":\"%s\",\"states\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"holes\":%" PRIu64
               ",\"invented\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"crashes\":%" PRIu64
               ",\"hangs\":%" PRIu64 ",\"seed\":%" PRIu64 "}\n",
               method, watch->done, watch->lost, watch->holes, watch->invented, watch->wrong,
               watch->crashes, watch->hangs, seed);
        return watch->done > 0 && watch->lost + watch->holes + watch->invented + watch->wrong +
                                                  watch->crashes + watch->hangs ==
                                          0
                       ? EXIT_SUCCESS
                       : EXIT_FAILURE;
}
