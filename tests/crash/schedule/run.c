/*
 * run.c - stages, and their forks
 */
#include "run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "choice.h"

#define LIMIT_SECONDS 30 /* of real time: without any point in between it hangs for good */

static struct outcome *shared;
static const struct scenario *stage;
static bool running, recording;
static FILE *list_file, *trail_file;

_Noreturn void verdict(const char *format, ...)
{
        char text[RUN_VERDICT_BYTES];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (!running) {
                fprintf(stderr, "crash-schedule: %s before any schedule: %s\n",
                        stage ? stage->name : "?", text);
                _exit(2);
        }
        running = false; /* a verdict on the way out changes nothing */
        shared->failed = true;
        memcpy(shared->verdict, text, sizeof(text));
        shared->figures = scheduler_end();
        if (trail_file) {
                fprintf(trail_file, "%s\n", text);
                scheduler_tell(trail_file);
                history_print(trail_file);
                fflush(trail_file);
        }
        if (recording) {
                choice_write(list_file);
                fflush(list_file);
        }
        _exit(1);
}

void run_make_stage(const struct scenario *scenario, bool threads)
{
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                abort();
        stage = scenario;
        world_make(scenario, threads);
}

static _Noreturn void run(const struct plan *plan)
{
        running = true;
        alarm(LIMIT_SECONDS);
        scheduler_begin(plan);
        world_run(stage, plan->seed);
        shared->figures = scheduler_end();
        if (recording) {
                choice_write(list_file);
                fflush(list_file);
        }
        _exit(0);
}

static double seconds(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct outcome run_schedule(const struct plan *plan, FILE *list, FILE *trail)
{
        double begin = seconds();
        int status = 0;
        pid_t child;

        memset(shared, 0, sizeof(*shared));
        list_file = list;
        trail_file = trail;
        recording = list != NULL;
        fflush(NULL);
        child = fork();
        if (child < 0)
                abort();
        if (child == 0)
                run(plan);
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) {
                shared->failed = true;
                snprintf(shared->verdict, sizeof(shared->verdict), "killed by signal %d%s",
                         WTERMSIG(status),
                         WTERMSIG(status) == SIGALRM ? ": it goes on without end" : "");
        }
        shared->seconds = seconds() - begin;
        return *shared;
}

struct plan run_plan(const char *strategy, uint64_t seed, uint64_t points)
{
        static const unsigned one_in[] = { 5, 20, 60, 200 };
        struct plan plan = { .seed = seed, .points = points, .most_points = RUN_MOST_POINTS };

        plan.depth = 1 + (unsigned)(seed % 4);
        plan.one_in = one_in[seed % 4];
        plan.how = strcmp(strategy, "pct") == 0 ? STRATEGY_PCT : STRATEGY_WALK;
        if (strcmp(strategy, "weak") == 0) {
                plan.how = seed / 4 % 2 ? STRATEGY_PCT : STRATEGY_WALK;
                plan.weak = plan.races = true;
        }
        return plan;
}

uint64_t run_length(void)
{
        struct plan plan = run_plan("pct", 0, 1);

        return run_schedule(&plan, NULL, NULL).figures.points;
}
