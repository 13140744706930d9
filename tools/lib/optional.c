/*
 * optional.c - options whose value may be left out
 */
#include "lib/optional.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct poptOption *find_long(const struct poptOption *options, const char *name)
{
        for (; options->longName || options->shortName; options++)
                if (options->longName && strcmp(options->longName, name) == 0)
                        return options;
        return NULL;
}

static const struct poptOption *find_short(const struct poptOption *options, char name)
{
        for (; options->longName || options->shortName; options++)
                if (options->shortName == name)
                        return options;
        return NULL;
}

static bool takes_value(const struct poptOption *option)
{
        return option && (option->argInfo & POPT_ARG_MASK) != POPT_ARG_NONE &&
               !(option->argInfo & POPT_ARGFLAG_OPTIONAL);
}

/* Is the word behind this one its value? */
static bool wants_next(const struct poptOption *options, const char *word)
{
        if (word[0] != '-' || word[1] == 0)
                return false;
        if (word[1] == '-')
                return takes_value(find_long(options, word + 2));
        for (const char *c = word + 1; *c; c++)
                if (takes_value(find_short(options, *c)))
                        return c[1] == 0;
        return false;
}

/* "--NAME=" with nothing behind it, of an option whose value may be left out. */
static bool is_empty(const struct poptOption *options, const char *word)
{
        size_t size = strlen(word);

        for (; options->longName || options->shortName; options++)
                if (options->longName && options->argInfo & POPT_ARGFLAG_OPTIONAL &&
                    size == strlen(options->longName) + 3 && word[size - 1] == '=' &&
                    strncmp(word, "--", 2) == 0 &&
                    strncmp(word + 2, options->longName, size - 3) == 0)
                        return true;
        return false;
}

int optional_mark(const struct poptOption *options, int argc, char **argv)
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
                const struct poptOption *option =
                        strncmp(argv[i], "--", 2) == 0 ? find_long(options, argv[i] + 2) : NULL;

                if (option && option->argInfo & POPT_ARGFLAG_OPTIONAL) {
                        if (asprintf(&argv[i], "--%s=", option->longName) < 0)
                                return -ENOMEM;
                } else if (is_empty(options, argv[i])) {
                        if (asprintf(&argv[i], "%s ", argv[i]) < 0) /* which no value is */
                                return -ENOMEM;
                } else if (wants_next(options, argv[i])) {
                        i++;
                }
        }
        return 0;
}
