/*
 * harness.c - run the contenders of a variant and compare them
 *
 * Each run is a process of its own, so that none inherits another's memory, threads or limits,
 * and one that dies is a line and not the end. Rounds go through all contenders before the next
 * begins, so that a slow minute of the machine hits all of them. One round to warm up is not
 * counted. What one contender left unwritten is on the disk before the next one starts.
 */
#include "bench.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTENDERS_MAX = 8, ROUNDS_MAX = 64, RUN_SECONDS_MAX = 900, YIELD_US = 2000 };

struct contender {
        const char *name;
        const struct peer *peer;
        measure prepare, run;
        char dir[512];
        bool failed;
        unsigned rounds; /* done, and their samples */
        struct sample samples[ROUNDS_MAX];
};

/* The child tells its result through this page. */
static struct outcome {
        int error;
        struct sample sample;
} * outcome;

static void outcome_init(void)
{
        if (outcome)
                return;
        outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0);
        if (outcome == MAP_FAILED)
                abort();
}

static void child_main(const struct work *work, measure run)
{
        int r = 0;

        alarm(RUN_SECONDS_MAX);
        if (work->memory_bytes)
                r = cgroup_enter();
        if (r == 0)
                r = run(work, &outcome->sample);
        outcome->error = r < 0 ? r : 0;
        _exit(0);
}

/* Run @run in a process of its own. */
static int run_apart(const struct work *work, measure run, struct sample *ret)
{
        pid_t pid, done;
        int status;

        for (int i = 0; i < METRICS_MAX; i++)
                outcome->sample.value[i] = NAN;
        outcome->error = -ECHILD; /* stays if the child dies */
        memory_hold(work->takes_bytes);
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child_main(work, run);
        do {
                bool more = memory_yield();

                done = waitpid(pid, &status, more ? WNOHANG : 0);
                if (done == 0)
                        usleep(YIELD_US);
        } while (done == 0 || (done < 0 && errno == EINTR));
        if (WIFSIGNALED(status))
                fprintf(stderr, "    killed by signal %d\n", WTERMSIG(status));
        if (outcome->error == 0)
                *ret = outcome->sample;
        return outcome->error;
}

static void settle(const char *dir)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return;
        syncfs(fd);
        close(fd);
}

static int contender_run(const struct variant *variant, struct contender *c, measure run,
                         struct sample *ret)
{
        struct work work = variant->work;
        int r;

        if (mkdir(c->dir, 0700) < 0 && errno != EEXIST)
                return -errno;
        work.dir = c->dir;
        work.peer = c->peer;
        if (run == c->prepare)
                work.memory_bytes = work.takes_bytes = 0;
        if (work.memory_bytes) {
                r = cgroup_make(work.memory_bytes);
                if (r < 0)
                        return r;
        }
        r = run_apart(&work, run, ret);
        if (work.memory_bytes)
                cgroup_drop();
        if (!c->prepare)
                directory_remove(c->dir);
        settle(variant->work.options->dir);
        return r;
}

static void contender_round(const struct variant *variant, struct contender *c, bool counted)
{
        struct sample sample;
        int r;

        if (c->failed || c->rounds == ROUNDS_MAX)
                return;
        r = contender_run(variant, c, c->run, &sample);
        if (r < 0) {
                fprintf(stderr, "  %s, %s: %s\n", variant->name, c->name, logstore_error_text(r));
                c->failed = true;
        } else if (counted) {
                c->samples[c->rounds++] = sample;
        }
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* Returns the median over the rounds: of values or, with @by, of their ratios. Contenders that ran
 * side by side met the same machine, which may behave differently a minute later. *ret_spread (may
 * be NULL) is the whole range as a part of the median. */
static double median(const struct contender *c, const struct contender *by, int metric,
                     double *ret_spread)
{
        double values[ROUNDS_MAX], middle;
        unsigned n = 0;

        for (unsigned i = 0; i < c->rounds && (!by || i < by->rounds); i++) {
                double value = c->samples[i].value[metric];

                if (by)
                        value /= by->samples[i].value[metric];
                if (!isnan(value))
                        values[n++] = value;
        }
        if (n == 0)
                return NAN;
        qsort(values, n, sizeof(*values), compare);
        middle = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
        if (ret_spread)
                *ret_spread = (values[n - 1] - values[0]) / middle;
        return middle;
}

static void conclude(struct variant *variant, const struct contender *list, unsigned count)
{
        for (int m = 0; m < METRICS_MAX && variant->metrics[m].unit; m++) {
                const struct metric *metric = &variant->metrics[m];
                bool less = metric_less_is_better(metric->unit);
                char name[160];
                struct result result = { .row = variant->row,
                                         .name = name,
                                         .unit = metric->unit,
                                         .required = metric->required,
                                         .best_peer = NAN,
                                         .ratio_peer = NAN };

                snprintf(name, sizeof(name), "%s%s%s", variant->name, *metric->name ? ", " : "",
                         metric->name);
                result.ours = median(&list[0], NULL, m, &result.spread);
                result.limit = median(&list[1], NULL, m, NULL);
                result.ratio_limit = median(&list[0], &list[1], m, NULL);
                variant->ret_ours.value[m] = result.ours;
                variant->ret_limit.value[m] = result.limit;
                for (unsigned i = 2; i < count; i++) {
                        double value = median(&list[i], NULL, m, NULL);

                        if (isnan(value))
                                continue;
                        fprintf(stderr, "    %s: %s %.6g %s\n", name, list[i].name, value,
                                metric->unit);
                        if (!isnan(result.best_peer) && (value < result.best_peer) != less)
                                continue;
                        result.best_peer = value;
                        result.ratio_peer = median(&list[0], &list[i], m, NULL);
                        result.peer = list[i].name;
                }
                result_print(variant->work.options, &result);
        }
}

static unsigned contenders_make(const struct variant *v, struct contender *list)
{
        unsigned count = 0;

        list[count++] =
                (struct contender){ .name = "ours", .prepare = v->ours_prepare, .run = v->ours };
        list[count++] = (struct contender){ .name = "limit", .run = v->limit };
        for (int i = 0; v->peer && !v->work.options->no_peers && peers[i] && count < CONTENDERS_MAX;
             i++)
                list[count++] = (struct contender){ .name = peers[i]->name,
                                                    .peer = peers[i],
                                                    .prepare = v->peer_prepare,
                                                    .run = v->peer };
        for (unsigned i = 0; i < count; i++) {
                list[i].failed = !list[i].run;
                snprintf(list[i].dir, sizeof(list[i].dir), "%s/%s", v->work.options->dir,
                         list[i].name);
        }
        return count;
}

uint64_t bytes_in_memory(const struct options *options)
{
        return options->bytes ? options->bytes : (options->quick ? 64 : 512) * MIB;
}

void variant_run(struct variant *variant)
{
        bool quick = variant->work.options->quick;
        unsigned rounds = variant->work.options->rounds - (variant->heavy && quick);
        unsigned peer_rounds = variant->heavy || quick ? 1 : 3;
        struct contender *list = calloc(CONTENDERS_MAX, sizeof(*list));
        struct sample unused;
        unsigned count;
        int r;

        if (!list)
                return;
        outcome_init();
        count = contenders_make(variant, list);
        variant->work.ours_dir = list[0].dir;
        for (unsigned i = 0; i < count; i++) {
                if (!list[i].prepare || list[i].failed)
                        continue;
                r = contender_run(variant, &list[i], list[i].prepare, &unused);
                list[i].failed = r < 0;
                if (r < 0)
                        fprintf(stderr, "  %s, %s: preparing: %s\n", variant->name, list[i].name,
                                logstore_error_text(r));
        }
        for (unsigned round = variant->heavy || variant->work.takes_bytes; round <= rounds; round++)
                for (unsigned i = 0; i < count; i++) {
                        if (list[i].peer && (round == 0 || round > peer_rounds))
                                continue;
                        contender_round(variant, &list[i], round > 0);
                }
        for (unsigned i = 0; i < count; i++)
                if (list[i].prepare)
                        directory_remove(list[i].dir);
        memory_drop();
        conclude(variant, list, count);
        free(list);
}
