/*
 * differential.c - one verdict from every party, over random stores and what can happen to them
 *
 * differential [--stores N] [--harms N] [--seed S] [--only HARM] [--keep DIR] [--python PROGRAM]
 *
 * Each of N stores is harmed N times. Seeds identify a store and a harm: --seed S --stores 1 --only
 * H repeats one, and --keep leaves its files in DIR.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dice.h"
#include "harm.h"
#include "judge.h"
#include "party.h"

#define KINDS_MAX 100u
#define EXAMPLES 3u

static struct {
        uint64_t stores, harms, seed, only;
        const char *keep, *python;
} options = { .stores = 30, .harms = 15, .seed = 1, .only = UINT64_MAX };

static struct {
        char kind[64];
        uint64_t count;
} kinds[KINDS_MAX];
static uint64_t judged, differing;

struct example {
        uint64_t store, harm;
        const char *text;
};

static void tell(void *context, const char *kind, const char *text)
{
        const struct example *example = context;
        unsigned i = 0;

        while (i < KINDS_MAX - 1 && kinds[i].count && strcmp(kinds[i].kind, kind) != 0)
                i++;
        snprintf(kinds[i].kind, sizeof(kinds[i].kind), "%s", kind);
        if (++kinds[i].count <= EXAMPLES)
                fprintf(stderr, "differential: --seed %llu --only %llu: %s\n  %s\n  %s\n",
                        (unsigned long long)example->store, (unsigned long long)example->harm, kind,
                        example->text, text);
}

static void judge_store(uint64_t seed, const char *path)
{
        struct grown grown;
        struct tree tree;
        char text[400];

        grow(path, seed, &grown);
        for (uint64_t h = 0; h < options.harms; h++) {
                struct example example = { seed, h, text };

                if (options.only != UINT64_MAX && h != options.only)
                        continue;
                harm(&grown, seed * 1000003 + h, &tree, text, sizeof(text));
                if (options.keep)
                        tree_store(&tree, options.keep);
                judged++;
                differing += !judge(&tree, path, tell, &example);
                tree_free(&tree);
        }
        grown_free(&grown);
        tree_remove(path);
}

int main(int argc, char **argv)
{
        static const struct option names[] = { { "stores", required_argument, NULL, 's' },
                                               { "harms", required_argument, NULL, 'h' },
                                               { "seed", required_argument, NULL, 'S' },
                                               { "only", required_argument, NULL, 'o' },
                                               { "keep", required_argument, NULL, 'k' },
                                               { "python", required_argument, NULL, 'p' },
                                               { NULL, 0, NULL, 0 } };
        const char *scratch = tree_scratch("differential");
        char path[300];
        int option;

        while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
                switch (option) {
                case 's':
                        options.stores = strtoull(optarg, NULL, 10);
                        break;
                case 'h':
                        options.harms = strtoull(optarg, NULL, 10);
                        break;
                case 'S':
                        options.seed = strtoull(optarg, NULL, 10);
                        break;
                case 'o':
                        options.only = strtoull(optarg, NULL, 10);
                        options.harms = options.only + 1;
                        break;
                case 'k':
                        options.keep = optarg;
                        break;
                case 'p':
                        options.python = optarg;
                        break;
                default:
                        fprintf(stderr, "usage: differential [--stores N] [--harms N] [--seed S] "
                                        "[--only HARM] [--keep DIR] --python PROGRAM\n");
                        return 2;
                }
        }
        if (!options.python) {
                fprintf(stderr, "differential: --python is missing\n");
                return 2;
        }
        snprintf(path, sizeof(path), "%s/store", scratch);
        party_start(options.python);
        for (uint64_t s = 0; s < options.stores; s++)
                judge_store(options.seed + s, path);
        party_end();
        tree_remove(scratch);
        for (unsigned i = 0; i < KINDS_MAX && kinds[i].count; i++)
                fprintf(stderr, "differential: %llu times: %s\n",
                        (unsigned long long)kinds[i].count, kinds[i].kind);
        printf("{\"method\": \"differential\", \"stores\": %llu, \"harms\": %llu, \"differing\": "
               "%llu}\n",
               (unsigned long long)options.stores, (unsigned long long)judged,
               (unsigned long long)differing);
        return differing != 0;
}
