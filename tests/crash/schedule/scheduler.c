/*
 * scheduler.c - who runs, who waits and what time it is
 */
#include "scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "clock.h"
#include "fiber.h"
#include "symbols.h"
#include "weak.h"

#define POINT_NS 20 /* what a step costs */
#define BEGIN_NS INT64_C(1700000000000000000)

enum state { RUNNABLE, BLOCKED, ENDED };

struct thread {
        struct fiber fiber;
        enum state state;
        const volatile void *key;
        int64_t deadline_ns; /* -1: none */
        int woken;
        void *(*run)(void *);
        void *context, *result, *specific;
        char name[32];
        unsigned quiet;
        enum point kind; /* what it does */
        const void *pc;
};

const struct plan *scheduler_plan;
int scheduler_current;

static struct thread threads[THREADS] = { { .state = RUNNABLE, .name = "main" } };
static unsigned thread_count = 1;
static struct plan plan;
static bool begun;
static struct scheduler_figures figures;
static int64_t now_ns = BEGIN_NS, next_deadline_ns = INT64_MAX;
static void (*destroy_specific)(void *);

static struct thread *current(void)
{
        return &threads[scheduler_current];
}

static void switch_to(int next)
{
        struct thread *from = current();

        if (next == scheduler_current)
                return;
        figures.switches++;
        scheduler_current = next;
        scheduler_plan = begun && !current()->quiet ? &plan : NULL;
        fiber_switch(&from->fiber, &threads[next].fiber);
}

/* ---- time ---- */

static void find_next_deadline(void)
{
        next_deadline_ns = INT64_MAX;
        for (unsigned i = 0; i < thread_count; i++)
                if (threads[i].state == BLOCKED && threads[i].deadline_ns >= 0 &&
                    threads[i].deadline_ns < next_deadline_ns)
                        next_deadline_ns = threads[i].deadline_ns;
}

static void expire(void)
{
        if (now_ns < next_deadline_ns)
                return;
        for (unsigned i = 0; i < thread_count; i++) {
                struct thread *t = &threads[i];
                if (t->state == BLOCKED && t->deadline_ns >= 0 && t->deadline_ns <= now_ns) {
                        t->state = RUNNABLE;
                        t->woken = -ETIMEDOUT;
                }
        }
        find_next_deadline();
}

void scheduler_pass(int64_t ns)
{
        now_ns += ns;
        expire();
}

int64_t scheduler_now_ns(void)
{
        return now_ns;
}

static _Noreturn void deadlock(void)
{
        char text[400] = "";
        size_t at = 0;

        for (unsigned i = 0; i < thread_count && at < sizeof(text); i++)
                if (threads[i].state == BLOCKED)
                        at += (size_t)snprintf(text + at, sizeof(text) - at, " %s in %s,",
                                               threads[i].name, symbols_function(threads[i].pc));
        verdict("deadlock:%s nobody can run", text);
}

/* ---- who is next ---- */

static unsigned list(struct candidates *ret, const volatile void *key)
{
        unsigned n = 0;

        ret->count = thread_count;
        for (unsigned i = 0; i < thread_count; i++) {
                const struct thread *t = &threads[i];
                ret->names[i] = t->name;
                ret->runnable[i] =
                        key ? t->state == BLOCKED && t->key == key : t->state == RUNNABLE;
                n += ret->runnable[i];
        }
        return n;
}

static int in_turn(void)
{
        for (unsigned k = 1; k <= thread_count; k++) {
                unsigned i = ((unsigned)scheduler_current + k) % thread_count;
                if (threads[i].state == RUNNABLE)
                        return (int)i;
        }
        return -1;
}

static int choose(bool stays)
{
        struct candidates all;

        while (in_turn() < 0) {
                find_next_deadline();
                if (next_deadline_ns == INT64_MAX)
                        deadlock();
                scheduler_pass(next_deadline_ns > now_ns ? next_deadline_ns - now_ns : 0);
        }
        if (!scheduler_plan)
                return stays ? scheduler_current : in_turn();
        if (list(&all, NULL) == 1)
                return in_turn();
        return choice_run(scheduler_current, stays, &all);
}

static void drain(void)
{
        for (unsigned i = 0; i < thread_count; i++) {
                unsigned waiting = weak_waiting((int)i);
                unsigned which = waiting ? choice_drain(threads[i].name, (int)i, waiting, true) : 0;
                if (which)
                        weak_drain((int)i, which - 1);
        }
}

void scheduler_point(enum point kind, const void *pc)
{
        if (!scheduler_plan)
                return;
        current()->kind = kind;
        current()->pc = pc;
        if (++figures.points > plan.most_points)
                verdict("livelock: more than %llu points, %s in %s",
                        (unsigned long long)plan.most_points, current()->name,
                        symbols_function(pc));
        choice_place(scheduler_current, current()->name, kind, pc);
        scheduler_pass(POINT_NS);
        if (plan.weak)
                drain();
        switch_to(choose(true));
}

void scheduler_pause(void)
{
        scheduler_point(POINT_CALL, __builtin_return_address(0));
}

int scheduler_block(const volatile void *key, int64_t deadline_ns)
{
        struct thread *t = current();

        weak_drain_all_of(scheduler_current);
        t->state = BLOCKED;
        t->key = key;
        t->deadline_ns = deadline_ns;
        t->woken = 0;
        find_next_deadline();
        expire();
        switch_to(choose(false));
        return t->woken;
}

int scheduler_wake(const volatile void *key, int most)
{
        struct candidates waiting;
        int n = 0;

        for (unsigned left; n < most && (left = list(&waiting, key)) > 0; n++) {
                int i = 0;
                if (scheduler_plan && left > 1 && most < (int)thread_count) {
                        i = choice_wake(&waiting);
                } else {
                        while (!waiting.runnable[i])
                                i++;
                }
                threads[i].state = RUNNABLE;
                threads[i].woken = 0;
        }
        return n;
}

void scheduler_sleep(int64_t ns)
{
        scheduler_point(POINT_WAIT, __builtin_return_address(0));
        scheduler_block(NULL, now_ns + (ns > 0 ? ns : 0));
}

/* ---- threads ---- */

static void thread_main(void)
{
        struct thread *t = current();

        t->result = t->run(t->context);
        if (t->specific && destroy_specific) {
                void *value = t->specific;
                t->specific = NULL;
                destroy_specific(value);
        }
        weak_drain_all_of(scheduler_current);
        t->state = ENDED;
        scheduler_wake(t, THREADS);
        switch_to(choose(false));
        abort();
}

static void name_thread(struct thread *t, const char *name)
{
        unsigned same = 0;

        for (unsigned i = 0; i < thread_count; i++)
                same += strncmp(threads[i].name, name, strlen(name)) == 0 &&
                        (threads[i].name[strlen(name)] == '\0' ||
                         threads[i].name[strlen(name)] == '#');
        if (same)
                snprintf(t->name, sizeof(t->name), "%.26s#%u", name, same + 1);
        else
                snprintf(t->name, sizeof(t->name), "%.26s", name);
}

int scheduler_spawn(void *(*run)(void *), void *context, const char *name)
{
        struct thread *t = &threads[thread_count];

        if (thread_count == THREADS)
                verdict("more than %d threads", THREADS);
        name_thread(t, name);
        fiber_make(&t->fiber, thread_main);
        t->specific = NULL;
        t->run = run;
        t->context = context;
        t->state = RUNNABLE;
        if (scheduler_plan)
                choice_spawned((int)thread_count);
        clock_spawn(scheduler_current, (int)thread_count);
        return (int)thread_count++;
}

void *scheduler_join(int thread)
{
        while (threads[thread].state != ENDED)
                scheduler_block(&threads[thread], -1);
        clock_join(scheduler_current, thread);
        return threads[thread].result;
}

void scheduler_specific(void *value)
{
        current()->specific = value;
}

void scheduler_at_exit(void (*destroy)(void *))
{
        destroy_specific = destroy;
}

bool scheduler_owns(const void *address)
{
        return fiber_owns(&current()->fiber, address);
}

/* ---- a schedule ---- */

void scheduler_begin(const struct plan *what)
{
        plan = *what;
        memset(&figures, 0, sizeof(figures));
        choice_begin(&plan);
        clock_begin(plan.weak || plan.races);
        begun = true;
        for (unsigned i = 0; i < THREADS; i++)
                threads[i].quiet = 0;
        scheduler_plan = &plan;
}

struct scheduler_figures scheduler_end(void)
{
        scheduler_plan = NULL;
        begun = false;
        weak_drain_all();
        return figures;
}

void scheduler_quiet(void)
{
        weak_drain_all_of(scheduler_current);
        current()->quiet++;
        scheduler_plan = NULL;
}

void scheduler_loud(void)
{
        if (--current()->quiet == 0 && begun)
                scheduler_plan = &plan;
}

void scheduler_tell(void *file)
{
        static const char *const states[] = { "can run", "waits", "has ended" };
        const void *stack[24];

        for (unsigned i = 0; i < thread_count; i++) {
                const struct thread *t = &threads[i];
                bool runs = (int)i == scheduler_current;
                unsigned n = 0;
                fprintf(file, "%s %s %s\n", runs ? "*" : " ", t->name, states[t->state]);
                if (t->state != ENDED)
                        n = fiber_stack(&t->fiber, runs ? __builtin_frame_address(0) : NULL, stack,
                                        24);
                symbols_print(file, stack, n, "        ");
        }
        fflush(file);
}
