/*
 * main.c - logstore VERB DIR ...: the table of verbs, and what reads it
 *
 * A verb is one row. Dispatch, argument counts, `help`, `--help` and the shells' completion
 * (completion.c) read the row and the verb's option table; nothing else lists verbs or options.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "completion.h"
#include "lib/descriptors.h"
#include "lib/optional.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/streams.h"
#include "logstore.h"
#include "records/remote_words.h"
#include "records/session.h"
#include "records/source.h"
#include "verbs/verbs.h"

#ifdef LOGSTORE_IS_REMOTE
#define REMOTE_VERB 0
#else
#define REMOTE_VERB VERB_ELSEWHERE
#endif

#ifdef LOGSTORE_HAS_REMOTE
#define DIR_OR_URL "DIR|URL"
#define URLS VERB_URLS
#else
#define DIR_OR_URL "DIR"
#define URLS 0
#endif

static const struct verb verbs[] = {
        { "append", "DIR [FILE...]", "append records from standard input or files", verb_append,
          append_options, VERB_SESSIONS },
        { "read", DIR_OR_URL, "print records", verb_read, read_options, VERB_SESSIONS | URLS },
        { "get", DIR_OR_URL " NUMBER...", "print the bytes of some records", verb_get, get_options,
          VERB_SESSIONS | URLS },
        { "info", DIR_OR_URL, "say what the store is and holds", verb_info, info_options,
          VERB_SESSIONS | URLS },
        { "segments", DIR_OR_URL, "list the segment files", verb_segments, segments_options,
          VERB_SESSIONS | URLS },
        { "verify", DIR_OR_URL, "read everything and check it", verb_verify, verify_options, URLS },
        { "repair", "DIR", "cut a damaged store back to what is sound", verb_repair, repair_options,
          0 },
        { "trim", DIR_OR_URL, "delete the oldest segments", verb_trim, trim_options,
          VERB_SESSIONS | URLS },
        { "copy", "DIR DESTINATION", "write the log into a new store", verb_copy, copy_options,
          VERB_SESSIONS },
        { "mem", "DIR", "show which pages of the store are in memory", verb_mem, mem_options,
          VERB_SESSIONS },
        { "warm", "DIR [RANGE]", "bring records into the page cache", verb_warm, warm_options,
          VERB_SESSIONS },
        { "evict", "DIR [RANGE]", "let go of records in the page cache", verb_evict, warm_options,
          VERB_SESSIONS },
#ifdef LOGSTORE_HAS_REMOTE
        { "ship", "DIR URL", "send the log to an object store", verb_ship, ship_options,
          REMOTE_VERB },
        { "fetch", "URL DIR", "make a store of the log in an object store", verb_fetch,
          fetch_options, REMOTE_VERB },
#endif
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static int help_wanted;
static struct poptOption common_options[] = {
        { "help", 'h', POPT_ARG_NONE, &help_wanted, 0, "Show this help", NULL },
        POPT_TABLEEND,
};

static const struct verb *verb_find(const char *name)
{
        for (size_t i = 0; i < VERB_COUNT; i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

/* Words outside of brackets must be there; dots at the end allow any number. */
static void argument_counts(const char *arguments, int *ret_least, int *ret_most)
{
        int words = 0, optional = 0;

        for (const char *c = arguments; *c; c++) {
                if (c == arguments || c[-1] == ' ')
                        words++;
                if (*c == '[')
                        optional++;
        }
        *ret_least = words - optional;
        *ret_most = strstr(arguments, "...") ? -1 : words;
}

static struct poptOption included(struct poptOption *options, const char *heading)
{
        return (struct poptOption){ NULL, 0, POPT_ARG_INCLUDE_TABLE, options, 0, heading, NULL };
}

static poptContext verb_context(const struct verb *verb, int argc, const char **argv,
                                struct poptOption table[5])
{
        static char usage[128];
        poptContext context;
        size_t count = 0;

        table[count++] = included(verb->options, "Options:");
        if (verb->flags & VERB_SESSIONS)
                table[count++] = included(session_options, "Store:");
        if (verb->flags & VERB_URLS)
                table[count++] = included(url_options, "With a URL:");
        table[count++] = included(common_options, "Help:");
        table[count] = (struct poptOption)POPT_TABLEEND;
        context = poptGetContext(NULL, argc, argv, table, 0);
        snprintf(usage, sizeof(usage), "[OPTION...] %s", verb->arguments);
        if (context)
                poptSetOtherOptionHelp(context, usage);
        return context;
}

static int verb_help(const struct verb *verb, poptContext context)
{
        printf("logstore %s - %s\n\n", verb->name, verb->help);
        poptPrintHelp(context, stdout, 0);
        return report_stdout();
}

/* A DIR is no URL where there can be none, and the options of either go with nothing else. */
static int check_url(const struct verb *verb, const char **arguments)
{
        bool wanted = strncmp(verb->arguments, "URL", 3) == 0;
        const char *option;

        if (!source_is_url(arguments[0])) {
                option = verb->flags & VERB_URLS ? url_option_given() : NULL;
                return option ? report_usage("%s goes with a URL", option) : STATUS_DONE;
        }
        if (!wanted && !(verb->flags & VERB_URLS))
                return report_usage("%s: %s works on a directory: wanted %s", arguments[0],
                                    verb->name, verb->arguments);
        option = session_option_given();
        if (option)
                return report_usage("%s goes with a DIR", option);
#ifndef LOGSTORE_IS_REMOTE
        if (!wanted)
                return elsewhere_failed();
#endif
        return STATUS_DONE;
}

static int verb_arguments(const struct verb *verb, poptContext context)
{
        const char **arguments = poptGetArgs(context);
        int count = 0, least, most, status;

        while (arguments && arguments[count])
                count++;
        argument_counts(verb->arguments, &least, &most);
        if (count < least || (most >= 0 && count > most))
                return report_usage("%s arguments: wanted %s",
                                    count < least ? "too few" : "too many", verb->arguments);
        for (int i = 0; i < count; i++)
                if (arguments[i][0] == 0)
                        return report_usage("argument %d is empty: wanted %s", i + 1,
                                            verb->arguments);
        status = check_url(verb, arguments);
        return status == STATUS_DONE ? verb->run(count, (char **)arguments) : status;
}

static int verb_dispatch(const struct verb *verb, int argc, char **argv)
{
        struct poptOption table[5];
        static char name[64];
        poptContext context;
        int r;

        snprintf(name, sizeof(name), "logstore %s", verb->name);
        report_verb(name);
        argv[0] = name;
        if (optional_mark(verb->options, argc, argv) < 0)
                return report_file(-ENOMEM, "options");
        context = verb_context(verb, argc, (const char **)argv, table);
        if (!context)
                return report_file(-ENOMEM, "options");
        r = poptGetNextOpt(context);
        if (r < -1)
                r = report_usage("%s: %s", poptBadOption(context, POPT_BADOPTION_NOALIAS),
                                 poptStrerror(r));
        else if (help_wanted)
                r = verb_help(verb, context);
        else
                r = verb_arguments(verb, context);
        poptFreeContext(context);
        return r;
}

static int help_all(FILE *to)
{
        fprintf(to, "Usage: logstore VERB [OPTION...] DIR ...\n"
                    "A persistent, append-only log of records.\n\nVerbs:\n");
        for (size_t i = 0; i < VERB_COUNT; i++)
                fprintf(to, "  %-8s %-18s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
        fprintf(to, "\n'logstore help VERB' or 'logstore VERB --help' says more; "
                    "'logstore --version'.\n"
                    "'logstore completion SHELL' is for bash, zsh and fish.\n"
                    "Exit status: 0 done, 1 no (damage, no such record), 2 usage,\n"
                    "3 the store cannot be used, 4 input or output failed, 5 overtaken.\n");
        return report_stdout();
}

/* `help VERB` is `VERB --help`. */
static int help_verb(const char *name)
{
        char help[] = "--help", *argv[] = { NULL, help, NULL };
        const struct verb *verb = verb_find(name);

        if (!verb)
                return report_usage("%s: no such verb", name);
        return verb_dispatch(verb, 2, argv);
}

static bool is_help(const char *word)
{
        return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* What is said instead of a verb: words[0], and one more behind some. */
static int word(int count, char **words)
{
        bool version = strcmp(words[0], "--version") == 0;
        bool complete = strcmp(words[0], "completion") == 0;

        if (!version && !complete && !is_help(words[0]))
                return report_usage("%s: no such verb", words[0]);
        if (count > (version ? 1 : 2))
                return report_usage("%s: too many arguments", words[0]);
        if (complete)
                return completion_print(verbs, VERB_COUNT, words[1]);
        if (!version)
                return words[1] ? help_verb(words[1]) : help_all(stdout);
        printf("logstore %s\n", logstore_version());
        return report_stdout();
}

int main(int argc, char **argv)
{
        const struct verb *verb = argc < 2 ? NULL : verb_find(argv[1]);

#ifndef LOGSTORE_IS_REMOTE
        if (verb)
                elsewhere_run(verb, argv);
#endif
        descriptors_occupy();
        streams_prepare();
        signals_prepare();
        if (argc < 2) {
                help_all(stderr);
                return STATUS_USAGE;
        }
        return verb ? verb_dispatch(verb, argc - 1, argv + 1) : word(argc - 1, argv + 1);
}
