/*
 * main.c - crash-schedule: search the interleavings of the store's threads
 *
 * Usage: crash-schedule [--scenario NAME]... [--strategy pct|walk|weak]... [--schedules N]
 *                       [--minutes N] [--seed S] [--jobs N] [--keep DIR] [--first] [--json]
 *        crash-schedule --replay FILE | --minimise FILE | --list
 *
 * Every scenario runs N schedules with every strategy. With --minutes all of them run for the same
 * time, again and again, with other seeds. NAME may end in '*'. A failure is reported with its
 * seed; --keep writes its list of decisions and its trail (where each thread stood, what was asked)
 * to DIR. --first ends at the first failure.
 *
 * pct: priorities change at 0 to 3 points. walk: another thread runs from one point in 5 to 200.
 * weak: one of the two, with late stores, stale loads, and races of plain accesses.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "list.h"

#define TASKS 1000u
#define ROUND UINT64_C(100000) /* more than a task has time for, so that seeds do not repeat */
#define MOST_SECONDS 2.0
#define ITSELF 300u /* schedules in which a small program's fault must be found */

static struct options {
        const char *scenarios[100], *strategies[3], *keep;
        unsigned scenario_count, strategy_count, jobs;
        uint64_t seed, schedules;
        double minutes;
        bool first, json;
} options = { .jobs = 2, .seed = 1, .schedules = 100 };

static struct task tasks[TASKS];
static unsigned task_count;

/* Of all processes. */
static struct sums {
        _Atomic uint64_t next, schedules, points, failures, hangs;
        _Atomic bool stop;
        _Atomic bool caught[TASKS]; /* a fault that was expected */
} * sums;

static double now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- what to run ---- */

static bool is_wanted(const char *name)
{
        for (unsigned i = 0; i < options.scenario_count; i++) {
                const char *want = options.scenarios[i];
                size_t length = strlen(want);
                if (length && want[length - 1] == '*' ? strncmp(name, want, length - 1) == 0
                                                      : strcmp(name, want) == 0)
                        return true;
        }
        return options.scenario_count == 0;
}

static void add_task(const struct scenario *scenario, bool threads)
{
        struct task task = { scenario, threads, NULL, "" };

        snprintf(task.name, sizeof(task.name), "%s%s", scenario->name, threads ? "+threads" : "");
        if (!is_wanted(task.name))
                return;
        for (unsigned i = 0; i < options.strategy_count && task_count < TASKS; i++) {
                task.strategy = options.strategies[i];
                tasks[task_count++] = task;
        }
}

static void add_tasks(void)
{
        for (unsigned g = 0; scenario_groups[g]; g++)
                for (const struct scenario *s = scenario_groups[g]; s->name; s++) {
                        add_task(s, false);
                        if (!s->alone)
                                add_task(s, true);
                }
}

/* ---- failures ---- */

static void keep(const struct task *task, const struct plan *plan)
{
        char path[500];
        FILE *trail;

        mkdir(options.keep, 0777);
        snprintf(path, sizeof(path), "%s/%s-%s-%llu.list", options.keep, task->name, task->strategy,
                 (unsigned long long)plan->seed);
        if (list_record(task, plan, path) < 0)
                fprintf(stderr, "crash-schedule: %s: %s\n", path, strerror(errno));
        snprintf(path, sizeof(path), "%s/%s-%s-%llu.trail", options.keep, task->name,
                 task->strategy, (unsigned long long)plan->seed);
        trail = fopen(path, "w");
        if (!trail)
                return;
        run_schedule(plan, NULL, trail);
        fclose(trail);
}

static void fail(const struct task *task, const struct plan *plan, const struct outcome *outcome)
{
        fprintf(stderr, "crash-schedule: %s %s seed %llu: %s\n", task->name, task->strategy,
                (unsigned long long)plan->seed, outcome->verdict);
        atomic_fetch_add(&sums->failures, 1);
        if (strstr(outcome->verdict, "lock: ") || strstr(outcome->verdict, "without end"))
                atomic_fetch_add(&sums->hangs, 1);
        if (options.first)
                atomic_store(&sums->stop, true);
        if (options.keep)
                keep(task, plan);
}

/* ---- running ---- */

static bool is_expected(const struct task *task, const struct outcome *outcome)
{
        const char *expects = task->scenario->expects;

        return expects && outcome->failed &&
               strncmp(outcome->verdict, expects, strlen(expects)) == 0;
}

/* Where a fault is expected: what was decided must lead to it again. */
static void check_list(const struct task *task, const struct plan *plan,
                       const struct outcome *outcome)
{
        if (list_replays(task, plan, outcome->verdict))
                return;
        fprintf(stderr, "crash-schedule: %s %s seed %llu: its list does not lead there again\n",
                task->name, task->strategy, (unsigned long long)plan->seed);
        atomic_fetch_add(&sums->failures, 1);
}

/* In a process of its own. */
static void run_task(const struct task *task, uint64_t round, double until)
{
        uint64_t points, failures = 0, count = until > 0 ? ROUND : options.schedules;

        run_make_stage(task->scenario, task->threads);
        points = run_length();
        if (task->scenario->expects && count < ITSELF)
                count = ITSELF;
        for (uint64_t i = 0; i < count; i++) {
                struct plan plan =
                        run_plan(task->strategy, options.seed + round * ROUND + i, points);
                struct outcome outcome;
                if (atomic_load(&sums->stop) || (until > 0 && now() > until))
                        break;
                outcome = run_schedule(&plan, NULL, NULL);
                atomic_fetch_add(&sums->schedules, 1);
                atomic_fetch_add(&sums->points, outcome.figures.points);
                if (is_expected(task, &outcome)) {
                        atomic_store(&sums->caught[task - tasks], true);
                        check_list(task, &plan, &outcome);
                        break;
                }
                if (!outcome.failed || task->scenario->expects)
                        continue;
                fail(task, &plan, &outcome);
                if (++failures == 3)
                        break;
        }
}

/* Every task gets the same time, in a run of any length. */
static double slice_end(double until)
{
        double slice = options.minutes * 60 * options.jobs / task_count;
        double end = now() + (slice < MOST_SECONDS ? slice : MOST_SECONDS);

        return end < until ? end : until;
}

static void work(double until)
{
        for (;;) {
                uint64_t i = atomic_fetch_add(&sums->next, 1);
                int status = 0;
                pid_t child;
                if (atomic_load(&sums->stop) || (until > 0 ? now() > until : i >= task_count))
                        return;
                child = fork();
                if (child == 0) {
                        run_task(&tasks[i % task_count], i / task_count,
                                 until > 0 ? slice_end(until) : 0);
                        exit(0);
                }
                waitpid(child, &status, 0);
                if (status != 0) {
                        fprintf(stderr, "crash-schedule: %s: no schedule could be run\n",
                                tasks[i % task_count].name);
                        atomic_fetch_add(&sums->failures, 1);
                }
        }
}

/* Each program with a fault must have been caught by one strategy at least. */
static void judge_itself(void)
{
        for (unsigned i = 0; i < task_count && options.minutes == 0; i++) {
                bool caught = false;
                if (!tasks[i].scenario->expects ||
                    (i && tasks[i - 1].scenario == tasks[i].scenario))
                        continue;
                for (unsigned k = i; k < task_count; k++)
                        caught |= tasks[k].scenario == tasks[i].scenario && sums->caught[k];
                if (caught)
                        continue;
                fprintf(stderr, "crash-schedule: %s: its fault was not found\n", tasks[i].name);
                atomic_fetch_add(&sums->failures, 1);
        }
}

/* A schedule and the process that waits for it take turns, so one processor is theirs. On two of
 * them a schedule takes 1.7 times as long. */
static void stay_on_one(unsigned job)
{
        cpu_set_t allowed, one;
        int count = 0;

        if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 ||
            (count = CPU_COUNT(&allowed)) == 0)
                return; /* it is only slower */
        job %= (unsigned)count;
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
                if (!CPU_ISSET(cpu, &allowed) || job-- > 0)
                        continue;
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                (void)sched_setaffinity(0, sizeof(one), &one); /* likewise */
                return;
        }
}

static int run_all(void)
{
        double begin = now(), until = options.minutes > 0 ? begin + options.minutes * 60 : 0;

        sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (sums == MAP_FAILED)
                return 2;
        for (unsigned i = 0; i < options.jobs; i++)
                if (fork() == 0) {
                        stay_on_one(i);
                        work(until);
                        _exit(0);
                }
        while (wait(NULL) > 0)
                ;
        judge_itself();
        if (options.json)
                printf("{\"method\": \"schedule\", \"states\": %llu, \"lost\": %llu, \"holes\": 0, "
                       "\"invented\": 0, \"hangs\": %llu, \"seed\": %llu, \"tasks\": %u, "
                       "\"points\": %llu, \"seconds\": %.0f}\n",
                       (unsigned long long)sums->schedules,
                       (unsigned long long)(sums->failures - sums->hangs),
                       (unsigned long long)sums->hangs, (unsigned long long)options.seed,
                       task_count, (unsigned long long)sums->points, now() - begin);
        else
                printf("%llu schedules of %u tasks, %llu points, %llu failures, %.1f s\n",
                       (unsigned long long)sums->schedules, task_count,
                       (unsigned long long)sums->points, (unsigned long long)sums->failures,
                       now() - begin);
        return sums->failures != 0;
}

static int usage(void)
{
        fprintf(stderr,
                "usage: crash-schedule [--scenario NAME]... [--strategy pct|walk|weak]...\n"
                "                      [--schedules N] [--minutes N] [--seed S] [--jobs N]\n"
                "                      [--keep DIR] [--first] [--json]\n"
                "       crash-schedule --replay FILE | --minimise FILE | --list\n");
        return 2;
}

static void print_names(void)
{
        for (unsigned i = 0; i < task_count; i++)
                if (i == 0 || strcmp(tasks[i].name, tasks[i - 1].name) != 0)
                        puts(tasks[i].name);
}

int main(int argc, char **argv)
{
        static const struct option longs[] = {
                { "scenario", required_argument, NULL, 's' },
                { "strategy", required_argument, NULL, 't' },
                { "schedules", required_argument, NULL, 'n' },
                { "minutes", required_argument, NULL, 'm' },
                { "seed", required_argument, NULL, 'r' },
                { "jobs", required_argument, NULL, 'j' },
                { "keep", required_argument, NULL, 'k' },
                { "first", no_argument, NULL, 'f' },
                { "json", no_argument, NULL, 'J' },
                { "replay", required_argument, NULL, 'p' },
                { "minimise", required_argument, NULL, 'M' },
                { "list", no_argument, NULL, 'l' },
                { NULL, 0, NULL, 0 },
        };
        bool list = false;
        int option;

        while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                switch (option) {
                case 's':
                        if (options.scenario_count == 100)
                                return usage();
                        options.scenarios[options.scenario_count++] = optarg;
                        break;
                case 't':
                        if (options.strategy_count == 3)
                                return usage();
                        options.strategies[options.strategy_count++] = optarg;
                        break;
                case 'n':
                        options.schedules = strtoull(optarg, NULL, 10);
                        break;
                case 'm':
                        options.minutes = atof(optarg);
                        break;
                case 'r':
                        options.seed = strtoull(optarg, NULL, 10);
                        break;
                case 'j':
                        options.jobs = (unsigned)atoi(optarg);
                        break;
                case 'k':
                        options.keep = optarg;
                        break;
                case 'f':
                        options.first = true;
                        break;
                case 'J':
                        options.json = true;
                        break;
                case 'p':
                        return list_replay(optarg);
                case 'M':
                        return list_minimise(optarg);
                case 'l':
                        list = true;
                        break;
                default:
                        return usage();
                }
        }
        if (options.strategy_count == 0) {
                options.strategy_count = 3;
                options.strategies[0] = "pct";
                options.strategies[1] = "walk";
                options.strategies[2] = "weak";
        }
        add_tasks();
        if (list) {
                print_names();
                return 0;
        }
        return task_count ? run_all() : usage();
}
