/*
 * choice.c - strategies, and the list of what was decided
 */
#include "choice.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rng.h"
#include "symbols.h"

#define NAME 40
#define COUNTERS 8192u
#define MOST_DEPTH 8u
#define UNFAIR_POINTS 30000u /* so many in a row and the priority falls: others shall run, too */

struct decision {
        uint64_t place;
        char where[2 * NAME + 32], verb[8], value[NAME + 12];
        bool used;
};

static struct plan plan;
static struct rng rng;
static int64_t priorities[THREADS], lowest;
static uint64_t changes[MOST_DEPTH], points, alone;
static int last;

static struct decision *made, *wanted;
static unsigned made_count, wanted_count;
static uint64_t place_now;
static char where_now[2 * NAME + 32];
static struct counter {
        uint64_t key;
        unsigned count;
} * counters;

static bool lottery(void)
{
        return plan.how != STRATEGY_REPLAY;
}

static bool one_in(unsigned n)
{
        return rng_one_in(&rng, n);
}

void choice_spawned(int thread)
{
        priorities[thread] = 1000 + (int64_t)(rng_next(&rng) >> 16);
}

static void *pages(size_t bytes)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                abort();
        return p;
}

static uint64_t hash_text(const char *text)
{
        uint64_t h = 0xcbf29ce484222325;

        for (; *text; text++)
                h = (h ^ (unsigned char)*text) * 0x100000001b3;
        return rng_mix(h | 1) | 1;
}

void choice_begin(const struct plan *what)
{
        plan = *what;
        rng.state = plan.seed;
        points = alone = made_count = 0;
        lowest = 0;
        snprintf(where_now, sizeof(where_now), "main begin thread 0"); /* who runs first */
        place_now = hash_text(where_now);
        for (int i = 0; i < THREADS; i++)
                choice_spawned(i);
        for (unsigned i = 0; i < MOST_DEPTH; i++)
                changes[i] = i + 1 < plan.depth
                                     ? 1 + rng_next(&rng) % (plan.points ? plan.points : 1)
                                     : 0;
        if (plan.record && !made)
                made = pages(CHOICES * sizeof(*made));
        if ((plan.record || plan.how == STRATEGY_REPLAY) && !counters)
                counters = pages(COUNTERS * sizeof(*counters));
}

/* ---- places ---- */

static unsigned count(uint64_t key)
{
        for (uint64_t i = key;; i++) {
                struct counter *c = &counters[i % COUNTERS];
                if (c->key == 0)
                        c->key = key;
                if (c->key == key)
                        return ++c->count;
        }
}

void choice_place(int thread, const char *name, enum point kind, const void *pc)
{
        static const char *const kinds[] = {
                [POINT_LOAD] = "load",     [POINT_STORE] = "store", [POINT_UPDATE] = "update",
                [POINT_FENCE] = "fence",   [POINT_LOCK] = "lock",   [POINT_UNLOCK] = "unlock",
                [POINT_WAIT] = "wait",     [POINT_TIME] = "time",   [POINT_CALL] = "call",
                [POINT_THREAD] = "thread",
        };
        int length;

        points++;
        alone = thread == last ? alone + 1 : 0;
        last = thread;
        for (unsigned i = 0; plan.how == STRATEGY_PCT && i + 1 < plan.depth; i++)
                if (changes[i] == points)
                        priorities[thread] = 1 + (int64_t)i;
        if (plan.how == STRATEGY_PCT && alone > UNFAIR_POINTS) {
                priorities[thread] = --lowest;
                alone = 0;
        }
        if (!plan.record && lottery())
                return;
        length = snprintf(where_now, sizeof(where_now), "%s %.*s %s", name, NAME,
                          symbols_function(pc), kinds[kind]);
        snprintf(where_now + length, sizeof(where_now) - (size_t)length, " %u",
                 count(hash_text(where_now)));
        place_now = hash_text(where_now);
}

static void note(const char *verb, const char *value)
{
        struct decision *d;

        if (!plan.record || made_count == CHOICES)
                return;
        d = &made[made_count++];
        memcpy(d->where, where_now, sizeof(where_now));
        snprintf(d->verb, sizeof(d->verb), "%s", verb);
        snprintf(d->value, sizeof(d->value), "%s", value);
}

/* What the list wants here; NULL: nothing. */
static const char *want(const char *verb)
{
        for (unsigned i = 0; i < wanted_count; i++) {
                struct decision *d = &wanted[i];
                if (d->place == place_now && !d->used && strcmp(d->verb, verb) == 0) {
                        d->used = true;
                        return d->value;
                }
        }
        return NULL;
}

static int named(const struct candidates *all, const char *name)
{
        for (unsigned i = 0; name && i < all->count; i++)
                if (all->runnable[i] && strcmp(all->names[i], name) == 0)
                        return (int)i;
        return -1;
}

/* ---- decisions ---- */

static int first(const struct candidates *all, int behind)
{
        for (unsigned k = 1; k <= all->count; k++) {
                unsigned i = ((unsigned)behind + k) % all->count;
                if (all->runnable[i])
                        return (int)i;
        }
        abort();
}

static int by_lot(const struct candidates *all)
{
        unsigned n = 0, pick;

        for (unsigned i = 0; i < all->count; i++)
                n += all->runnable[i];
        pick = rng_below(&rng, n);
        for (unsigned i = 0;; i++)
                if (all->runnable[i] && pick-- == 0)
                        return (int)i;
}

static int by_priority(const struct candidates *all)
{
        int best = -1;

        for (unsigned i = 0; i < all->count; i++)
                if (all->runnable[i] && (best < 0 || priorities[i] > priorities[best]))
                        best = (int)i;
        return best;
}

int choice_run(int current, bool stays, const struct candidates *all)
{
        const char *verb = stays ? "run" : "then";
        int usual = stays ? current : first(all, current), pick = usual;

        if (plan.how == STRATEGY_PCT)
                pick = by_priority(all);
        else if (plan.how == STRATEGY_REPLAY)
                pick = named(all, want(verb));
        else if (!stays || one_in(plan.one_in))
                pick = by_lot(all);
        if (pick < 0)
                pick = usual;
        if (pick != usual)
                note(verb, all->names[pick]);
        return pick;
}

int choice_wake(const struct candidates *waiting)
{
        int usual = first(waiting, (int)waiting->count - 1), pick = usual;

        pick = lottery() ? by_lot(waiting) : named(waiting, want("wake"));
        if (pick < 0)
                pick = usual;
        if (pick != usual)
                note("wake", waiting->names[pick]);
        return pick;
}

unsigned choice_drain(const char *name, int thread, unsigned waiting, bool early)
{
        char value[NAME + 12];
        unsigned pick = 0;

        (void)thread;
        if (lottery()) {
                if (!one_in(12))
                        return 0;
                pick = early && one_in(3) ? 1 + rng_below(&rng, waiting) : 1;
                snprintf(value, sizeof(value), "%.30s:%u", name, pick - 1);
                note("drain", value);
                return pick;
        }
        for (unsigned i = 0; i < wanted_count; i++) {
                struct decision *d = &wanted[i];
                size_t length = strlen(name);
                if (d->place != place_now || d->used || strcmp(d->verb, "drain") != 0 ||
                    strncmp(d->value, name, length) != 0 || d->value[length] != ':')
                        continue;
                d->used = true;
                pick = 1 + (unsigned)atoi(d->value + length + 1);
                return pick <= waiting ? pick : 1;
        }
        return 0;
}

unsigned choice_stale(unsigned most)
{
        char value[NAME + 12];
        const char *wish;
        unsigned pick = 0;

        if (!lottery()) {
                wish = want("stale");
                pick = wish ? (unsigned)atoi(wish) : 0;
                return pick <= most ? pick : most;
        }
        if (one_in(4))
                pick = 1 + rng_below(&rng, most);
        if (pick) {
                snprintf(value, sizeof(value), "%u", pick);
                note("stale", value);
        }
        return pick;
}

/* ---- lists ---- */

void choice_write(FILE *to)
{
        for (unsigned i = 0; i < made_count; i++)
                fprintf(to, "%s %s %s\n", made[i].where, made[i].verb, made[i].value);
}

static bool parse(const char *line, struct decision *ret)
{
        char thread[NAME], function[NAME + 1], kind[12];
        unsigned n;

        if (sscanf(line, "%39s %40s %11s %u %7s %39s", thread, function, kind, &n, ret->verb,
                   ret->value) != 6)
                return false;
        snprintf(ret->where, sizeof(ret->where), "%s %s %s %u", thread, function, kind, n);
        ret->place = hash_text(ret->where);
        ret->used = false;
        return true;
}

void choice_read(char *const *lines, unsigned line_count)
{
        if (!wanted)
                wanted = pages(CHOICES * sizeof(*wanted));
        wanted_count = 0;
        for (unsigned i = 0; i < line_count && wanted_count < CHOICES; i++)
                if (parse(lines[i], &wanted[wanted_count]))
                        wanted_count++;
}
