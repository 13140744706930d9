/*
 * main.c - crash-sim: the page-lottery crash simulator
 *
 *   crash-sim [--states N | --minutes N] [--seed S] [--jobs N] [--threads] [--json]
 *
 * runs random workloads on simulated disks, cuts the power (or kills the process) before, inside
 * and between system calls, opens what is left and compares it with what was promised. It ends
 * after N states or minutes, or at the first broken promise. It prints one line of figures; with
 * --json its last line is one JSON object. Exit status 0 only if nothing was lost, missing,
 * invented or stuck.
 *
 *   crash-sim --run R [--steps N] [--threads] [--state K] [--trace]
 *
 * is one workload again, examining crash K alone, as a failure prints it. With --threads the store
 * has its background thread and its own clock, so that a seed does not repeat exactly.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"

#define WATCHDOG_SECONDS 10
#define EXIT_HANG 3

struct request {
        uint64_t states, seed;
        double minutes;
        uint32_t jobs, steps;
        bool threads, json, once;
        uint64_t run, only;
        bool trace;
};

static double now_seconds(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- the watchdog, and faults of the store ---- */

void machine_tick(void)
{
        static uint32_t count;

        if (count++ % 64 == 0)
                alarm(WATCHDOG_SECONDS);
}

/* What it prints may be cut short by the fault itself; the first line gives the seed. */
static void on_signal(int number)
{
        char text[1024];
        int bytes = snprintf(text, sizeof(text), "crash-sim: %s in seed %llu\n",
                             number == SIGALRM ? "HANG" : strsignal(number),
                             (unsigned long long)plan.seed);

        if (write(STDERR_FILENO, text, (size_t)bytes) < 0)
                _exit(2);
        if (machine_now) {
                machine_path(machine_now, text, sizeof(text) - 64);
                bytes = (int)strlen(text);
                bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, ", %s\n",
                                  machine_now->step ? machine_now->step : "start");
                if (write(STDERR_FILENO, text, (size_t)bytes) < 0)
                        _exit(2);
        }
        _exit(number == SIGALRM ? EXIT_HANG : 128 + number);
}

static void install_handlers(void)
{
        static const int signals[] = { SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                signal(signals[i], on_signal);
}

/* ---- one process ---- */

static struct figures *shared; /* one per job */
static struct figures *mine;

static void hand_over(void)
{
        *mine = figures;
}

/* Runs of one job have the seeds SEED + job, + jobs more for each. */
static void work(const struct request *request, uint32_t job)
{
        double end = now_seconds() + request->minutes * 60;
        uint64_t seed = request->seed + job;

        mine = &shared[job];
        atexit(hand_over);
        install_handlers();
        do {
                machine_run(&(struct machine_plan){
                        .seed = seed, .steps = request->steps, .threads = request->threads });
                seed += request->jobs;
                hand_over();
        } while (request->minutes > 0 ? now_seconds() < end
                                      : figures.states < request->states / request->jobs);
        exit(0);
}

static int run_jobs(const struct request *request)
{
        int status, worst = 0;

        shared = mmap(NULL, request->jobs * sizeof(*shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) {
                perror("crash-sim: mmap");
                return 2;
        }
        for (uint32_t i = 0; i < request->jobs; i++) {
                pid_t child = fork();
                if (child < 0) {
                        perror("crash-sim: fork");
                        return 2;
                }
                if (child == 0)
                        work(request, i);
        }
        while (wait(&status) > 0) {
                int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                if (code == EXIT_HANG)
                        figures.hangs++;
                if (code != 0)
                        worst = 1;
        }
        return worst;
}

static int report(const struct request *request, int worst, double seconds)
{
        struct figures *f = &figures;

        for (uint32_t i = 0; i < request->jobs; i++) {
                f->states += shared[i].states;
                f->restarts += shared[i].restarts;
                f->nested += shared[i].nested;
                f->failed_syncs += shared[i].failed_syncs;
                f->runs += shared[i].runs;
                f->lost += shared[i].lost;
                f->holes += shared[i].holes;
                f->invented += shared[i].invented;
        }
        printf("sim%s: %llu states (%llu nested, %llu kills) of %llu runs in %.0f s, lost %llu, "
               "holes %llu, invented %llu, hangs %llu, seed %llu%s\n",
               request->threads ? " with threads" : "", (unsigned long long)f->states,
               (unsigned long long)f->nested, (unsigned long long)f->restarts,
               (unsigned long long)f->runs, seconds, (unsigned long long)f->lost,
               (unsigned long long)f->holes, (unsigned long long)f->invented,
               (unsigned long long)f->hangs, (unsigned long long)request->seed,
               worst ? ": FAILED" : "");
        if (request->json)
                printf("{\"method\": \"sim%s\", \"ok\": %s, \"states\": %llu, \"nested\": %llu, "
                       "\"kills\": %llu, \"runs\": %llu, \"lost\": %llu, \"holes\": %llu, "
                       "\"invented\": %llu, \"hangs\": %llu, \"seed\": %llu, \"seconds\": %.0f}\n",
                       request->threads ? "-threads" : "", worst ? "false" : "true",
                       (unsigned long long)f->states, (unsigned long long)f->nested,
                       (unsigned long long)f->restarts, (unsigned long long)f->runs,
                       (unsigned long long)f->lost, (unsigned long long)f->holes,
                       (unsigned long long)f->invented, (unsigned long long)f->hangs,
                       (unsigned long long)request->seed, seconds);
        return worst;
}

static int run_once(const struct request *request)
{
        install_handlers();
        machine_run(&(struct machine_plan){ .seed = request->run,
                                            .steps = request->steps,
                                            .threads = request->threads,
                                            .only = request->only,
                                            .trace = request->trace });
        printf("sim: %llu states, nothing found\n", (unsigned long long)figures.states);
        return 0;
}

static int usage(void)
{
        fprintf(stderr, "usage: crash-sim [--states N | --minutes N] [--seed S] [--jobs N] "
                        "[--steps N] [--threads] [--json]\n"
                        "       crash-sim --run R [--steps N] [--threads] [--state K] [--trace]\n");
        return 2;
}

static int parse(int argc, char **argv, struct request *request)
{
        static const struct option options[] = {
                { "states", required_argument, NULL, 'n' },
                { "minutes", required_argument, NULL, 'm' },
                { "seed", required_argument, NULL, 's' },
                { "jobs", required_argument, NULL, 'j' },
                { "steps", required_argument, NULL, 'p' },
                { "threads", no_argument, NULL, 't' },
                { "json", no_argument, NULL, 'J' },
                { "run", required_argument, NULL, 'r' },
                { "state", required_argument, NULL, 'k' },
                { "trace", no_argument, NULL, 'T' },
                { 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;
                switch (option) {
                case 'n':
                        request->states = number;
                        break;
                case 'm':
                        request->minutes = strtod(optarg, NULL);
                        break;
                case 's':
                        request->seed = number;
                        break;
                case 'j':
                        request->jobs = (uint32_t)number;
                        break;
                case 'p':
                        request->steps = (uint32_t)number;
                        break;
                case 't':
                        request->threads = true;
                        break;
                case 'J':
                        request->json = true;
                        break;
                case 'r':
                        request->run = number, request->once = true;
                        break;
                case 'k':
                        request->only = number;
                        break;
                case 'T':
                        request->trace = true;
                        break;
                default:
                        return -1;
                }
        }
        return optind == argc && request->jobs > 0 && request->jobs <= 64 ? 0 : -1;
}

int main(int argc, char **argv)
{
        struct request request = { .states = 100000, .jobs = 2, .steps = 400 };
        double begin = now_seconds();
        int worst;

        request.seed = (uint64_t)time(NULL) * 1000000;
        if (parse(argc, argv, &request) < 0)
                return usage();
        if (request.once)
                return run_once(&request);
        worst = run_jobs(&request);
        return report(&request, worst, now_seconds() - begin);
}
