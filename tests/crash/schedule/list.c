/*
 * list.c - reading, writing and shortening lists of decisions
 */
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"

struct list {
        char task[80];
        struct plan plan;
        char **lines;
        unsigned count;
};

bool list_find(const char *name, struct task *ret)
{
        const char *plus = strstr(name, "+threads");
        size_t length = plus ? (size_t)(plus - name) : strlen(name);

        for (unsigned g = 0; scenario_groups[g]; g++)
                for (const struct scenario *s = scenario_groups[g]; s->name; s++)
                        if (strlen(s->name) == length && strncmp(s->name, name, length) == 0) {
                                ret->scenario = s;
                                ret->threads = plus;
                                snprintf(ret->name, sizeof(ret->name), "%s", name);
                                return true;
                        }
        return false;
}

static void write_head(FILE *file, const char *task, const struct plan *plan)
{
        fprintf(file, "scenario %s\nseed %llu\nweak %d\nraces %d\n", task,
                (unsigned long long)plan->seed, plan->weak, plan->races);
}

static void record(const struct task *task, const struct plan *plan, FILE *file)
{
        struct plan recorded = *plan;

        recorded.record = true;
        write_head(file, task->name, plan);
        run_schedule(&recorded, file, NULL);
}

int list_record(const struct task *task, const struct plan *plan, const char *path)
{
        FILE *file = fopen(path, "w");

        if (!file)
                return -errno;
        record(task, plan, file);
        return fclose(file) == 0 ? 0 : -errno;
}

static bool parse(FILE *file, struct list *ret)
{
        char line[256];
        unsigned long long seed;
        int weak, races;

        *ret = (struct list){ .lines = calloc(CHOICES, sizeof(char *)) };
        if (!ret->lines || fscanf(file, "scenario %79s seed %llu weak %d races %d ", ret->task,
                                  &seed, &weak, &races) != 4)
                return false;
        ret->plan = (struct plan){ .how = STRATEGY_REPLAY,
                                   .seed = seed,
                                   .weak = weak,
                                   .races = races,
                                   .most_points = RUN_MOST_POINTS };
        while (ret->count < CHOICES && fgets(line, sizeof(line), file))
                ret->lines[ret->count++] = strdup(line);
        return true;
}

static bool load(const char *path, struct list *ret)
{
        FILE *file = fopen(path, "r");
        bool well;

        if (!file) {
                fprintf(stderr, "crash-schedule: %s: %s\n", path, strerror(errno));
                return false;
        }
        well = parse(file, ret);
        fclose(file);
        if (!well)
                fprintf(stderr, "crash-schedule: %s: no list of decisions\n", path);
        return well;
}

static bool set(const char *path, struct list *list)
{
        struct task task;

        if (!load(path, list))
                return false;
        if (!list_find(list->task, &task)) {
                fprintf(stderr, "crash-schedule: %s: no scenario %s\n", path, list->task);
                return false;
        }
        run_make_stage(task.scenario, task.threads);
        return true;
}

int list_replay(const char *path)
{
        struct outcome outcome;
        struct list list;

        if (!set(path, &list))
                return 2;
        choice_read(list.lines, list.count);
        outcome = run_schedule(&list.plan, NULL, stdout);
        printf("%s: %s; %u decisions, %llu points, %llu switches\n", list.task,
               outcome.failed ? outcome.verdict : "ok", list.count,
               (unsigned long long)outcome.figures.points,
               (unsigned long long)outcome.figures.switches);
        return outcome.failed;
}

/* ---- shortening ---- */

/* Verdicts are the same if their words are: numbers differ when decisions are left out. */
static void words(const char *verdict, char *ret, size_t room)
{
        size_t n = 0;

        for (; *verdict && n + 1 < room && n < 40; verdict++)
                if (*verdict < '0' || *verdict > '9')
                        ret[n++] = *verdict;
        ret[n] = '\0';
}

static bool fails_alike(const struct list *list, char *const *lines, unsigned count,
                        const char *wanted)
{
        struct outcome outcome;
        char now[64];

        choice_read(lines, count);
        outcome = run_schedule(&list->plan, NULL, NULL);
        words(outcome.verdict, now, sizeof(now));
        return outcome.failed && strcmp(now, wanted) == 0;
}

bool list_replays(const struct task *task, const struct plan *plan, const char *verdict)
{
        FILE *file = tmpfile();
        struct list list;
        char wanted[64];
        bool well;

        if (!file)
                return false;
        record(task, plan, file);
        rewind(file);
        words(verdict, wanted, sizeof(wanted));
        well = parse(file, &list) && fails_alike(&list, list.lines, list.count, wanted);
        fclose(file);
        return well;
}

/* Leave out ever smaller pieces, until no single line can go. */
static unsigned shorten(const struct list *list, const char *wanted)
{
        char **lines = list->lines, **trial = calloc(CHOICES, sizeof(*trial));
        unsigned count = list->count;

        for (unsigned piece = (count + 1) / 2; trial && piece > 0;) {
                bool any = false;
                for (unsigned at = 0; at < count;) {
                        unsigned gone = piece < count - at ? piece : count - at;
                        memcpy(trial, lines, at * sizeof(*lines));
                        memcpy(trial + at, lines + at + gone, (count - at - gone) * sizeof(*lines));
                        if (fails_alike(list, trial, count - gone, wanted)) {
                                count -= gone;
                                memcpy(lines, trial, count * sizeof(*lines));
                                any = true;
                        } else {
                                at += gone;
                        }
                }
                if (piece > 1)
                        piece = (piece + 1) / 2;
                else if (!any)
                        break;
        }
        return count;
}

int list_minimise(const char *path)
{
        struct outcome outcome;
        struct list list;
        char wanted[64];
        unsigned before;
        FILE *file;

        if (!set(path, &list))
                return 2;
        before = list.count;
        choice_read(list.lines, list.count);
        outcome = run_schedule(&list.plan, NULL, NULL);
        if (!outcome.failed) {
                printf("%s: ok; nothing to minimise\n", list.task);
                return 0;
        }
        words(outcome.verdict, wanted, sizeof(wanted));
        list.count = shorten(&list, wanted);
        file = fopen(path, "w");
        if (!file)
                return 2;
        write_head(file, list.task, &list.plan);
        for (unsigned i = 0; i < list.count; i++)
                fputs(list.lines[i], file);
        if (fclose(file) != 0)
                return 2;
        printf("%s: %s; %u of %u decisions left\n", list.task, outcome.verdict, list.count, before);
        return 1;
}
