/*
 * damage.c - the damage matrix: every bit, every truncation, every block and every name of a store
 * (of the second and third store a part, unless --all is given: see harm_all)
 *
 * Three small stores are damaged in every way that harm.c lists, one way at a time, and each
 * result is opened and read in every way by judge.c. Prints one line of figures.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harm.h"
#include "judge.h"

static struct base bases[BASE_KINDS];
static uint64_t counts[BASE_KINDS];
static const char *scratch;
static struct tree on_disk; /* what this worker's directory holds; empty: unknown */

/* Reading changes no file, so most cases are a few bytes away from the one before. */
static void put(struct tree *harmed, const char *path)
{
        if (on_disk.count > 0)
                tree_change(&on_disk, harmed, path);
        else
                tree_store(harmed, path);
        tree_free(&on_disk);
}

static void run_case(struct watch *watch, unsigned worker, uint64_t index)
{
        struct tree harmed;
        char path[512], text[128], name[192];
        unsigned kind = 0;
        uint64_t inner = index;
        bool write;

        while (inner >= counts[kind])
                inner -= counts[kind++];
        tree_copy(&bases[kind].tree, &harmed);
        write = harm_do(&bases[kind], inner, &harmed, text, sizeof(text));
        snprintf(name, sizeof(name), "%s--case %" PRIu64 ": %s", harm_all ? "--all " : "", index,
                 text);
        snprintf(path, sizeof(path), "%s/%u", scratch, worker);
        put(&harmed, path);
        judge(watch, &bases[kind], &harmed, path, name, write);
        if (write)
                tree_free(&harmed);
        else
                on_disk = harmed;
}

/* --all: see harm_all; comes first. --case N: that case alone, in this process. --from N and
 * --count N: a part of the cases. */
int main(int argc, char **argv)
{
        struct watch *watch = watch_new();
        uint64_t total = 0, from = 0, count = UINT64_MAX;
        bool single;
        char path[512];

        harm_all = argc > 1 && strcmp(argv[1], "--all") == 0;
        argc -= harm_all;
        argv += harm_all;
        single = argc > 2 && strcmp(argv[1], "--case") == 0;

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--count") == 0)
                        count = strtoull(argv[i + 1], NULL, 10);
                else
                        from = strtoull(argv[i + 1], NULL, 10);
        }
        scratch = tree_scratch("damage");
        for (int kind = 0; kind < BASE_KINDS; kind++) {
                snprintf(path, sizeof(path), "%s/base", scratch);
                base_make(kind, path, &bases[kind]);
                counts[kind] = harm_count(&bases[kind]);
                total += counts[kind];
        }
        fprintf(stderr, "damage: %" PRIu64 " cases in all\n", total);
        if (from >= total)
                from = total;
        if (count > total - from)
                count = total - from;
        if (single) {
                run_case(watch, 0, from);
                watch->done = 1;
        } else {
                watch_run(watch, from, count, 0, run_case);
        }
        tree_remove(scratch);
        return watch_figures(watch, "damage", 0);
}
