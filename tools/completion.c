/*
 * completion.c - scripts by which a shell completes verbs, options and their values
 *
 * Everything comes from the table of verbs and their option tables. The values of an option are the
 * words of its description, "text|raw|N" without what stands for something else.
 */
#include "completion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/report.h"
#include "records/remote_words.h"
#include "records/session.h"

/* ---- what there is to complete ---- */

typedef void (*option_printer)(const struct verb *verb, const struct poptOption *option);

static bool is_table(const struct poptOption *option)
{
        return (option->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE;
}

static void each_of(const struct verb *verb, const struct poptOption *options, option_printer print)
{
        for (; options->longName || options->shortName || is_table(options); options++)
                if (is_table(options))
                        each_of(verb, options->arg, print);
                else
                        print(verb, options);
}

static void each_option(const struct verb *verb, option_printer print)
{
        static const struct poptOption help[] = {
                { "help", 'h', POPT_ARG_NONE, NULL, 0, "Show this help", NULL },
                POPT_TABLEEND,
        };

        each_of(verb, verb->options, print);
        if (verb->flags & VERB_SESSIONS)
                each_of(verb, session_options, print);
        if (verb->flags & VERB_URLS)
                each_of(verb, url_options, print);
        each_of(verb, help, print);
}

static bool takes_value(const struct poptOption *option)
{
        return (option->argInfo & POPT_ARG_MASK) != POPT_ARG_NONE &&
               !(option->argInfo & POPT_ARGFLAG_OPTIONAL); /* that is behind "=" only */
}

static bool takes_file(const struct poptOption *option)
{
        return option->argDescrip && (strcmp(option->argDescrip, "FILE") == 0 ||
                                      strcmp(option->argDescrip, "DESTINATION") == 0);
}

/* The words that @option's value may be, a blank between two. "interval[=10ms]" is "interval". */
static void print_values(const struct poptOption *option)
{
        const char *word = option->argDescrip, *behind = "";

        while (word && *word) {
                size_t size = strcspn(word, "|"), plain = strcspn(word, "|[");

                if (islower((unsigned char)*word) || isdigit((unsigned char)*word)) {
                        printf("%s%.*s", behind, (int)plain, word);
                        behind = " ";
                }
                word += size + (word[size] == '|');
        }
}

static void print_verbs(const struct verb *verbs, size_t count)
{
        for (size_t i = 0; i < count; i++)
                printf("%s%s", i ? " " : "", verbs[i].name);
}

/* Print @text for the inside of single quotes: @quote for each quote in it, and a backslash before
 * each of @marks. */
static void print_quoted(const char *text, const char *quote, const char *marks)
{
        for (; *text; text++) {
                if (strchr(marks, *text))
                        putchar('\\');
                if (*text == '\'')
                        fputs(quote, stdout);
                else
                        putchar(*text);
        }
}

/* ---- bash ---- */

static void bash_name(const struct verb *verb, const struct poptOption *option)
{
        (void)verb;
        if (option->longName)
                printf(" --%s", option->longName);
}

/* Patterns are compared with "VERB OPTION". */
static void bash_values(const struct verb *verb, const struct poptOption *option)
{
        if (!takes_value(option))
                return;
        fputs("        ", stdout);
        if (option->shortName)
                printf("'%s -%c'%s", verb->name, option->shortName, option->longName ? "|" : "");
        if (option->longName)
                printf("'%s --%s'", verb->name, option->longName);
        fputs(") words='", stdout);
        print_values(option);
        fputs("' ;;\n", stdout);
}

/* "=" is a word of its own to bash, so an option may stand two words before. */
static void print_bash(const struct verb *verbs, size_t count)
{
        fputs("_logstore() {\n"
              "        local word=$2 option=${3-} words=\n"
              "        [[ $word != = ]] || word=\n"
              "        [[ $option != = ]] || option=${COMP_WORDS[COMP_CWORD-2]}\n"
              "        case \"${COMP_WORDS[1]} $option\" in\n",
              stdout);
        for (size_t i = 0; i < count; i++)
                each_option(&verbs[i], bash_values);
        fputs("        'help help') words='", stdout);
        print_verbs(verbs, count);
        fputs("' ;;\n"
              "        'completion completion') words='bash zsh fish' ;;\n"
              "        *)\n"
              "                case $COMP_CWORD,$word,${COMP_WORDS[1]} in\n"
              "                1,*) words='",
              stdout);
        print_verbs(verbs, count);
        fputs(" help completion --help --version' ;;\n", stdout);
        for (size_t i = 0; i < count; i++) {
                printf("                *,-*,%s) words='", verbs[i].name);
                each_option(&verbs[i], bash_name);
                fputs("' ;;\n", stdout);
        }
        fputs("                esac ;;\n"
              "        esac\n"
              "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
              "}\n"
              "complete -o default -F _logstore logstore\n",
              stdout);
}

/* ---- zsh ---- */

static void zsh_option(const struct verb *verb, const struct poptOption *option)
{
        const char *value = takes_value(option) ? "=" : "";

        (void)verb;
        fputs("                        ", stdout);
        if (option->shortName && option->longName)
                printf("'(-%c --%s)'{-%c%s,--%s%s}'[", option->shortName, option->longName,
                       option->shortName, *value ? "+" : "", option->longName, value);
        else
                printf("'--%s%s[", option->longName, value);
        print_quoted(option->descrip, "'\\''", "[]\\");
        putchar(']');
        if (takes_file(option)) {
                fputs(":file:_files", stdout);
        } else if (takes_value(option)) {
                fputs(":value:(", stdout);
                print_values(option);
                putchar(')');
        }
        fputs("' \\\n", stdout);
}

static void zsh_verb(const struct verb *verb)
{
        printf("        %s)\n"
               "                _arguments -s \\\n",
               verb->name);
        each_option(verb, zsh_option);
        fputs("                        '1:directory:_files -/' '*:file:_files' ;;\n", stdout);
}

static void print_zsh(const struct verb *verbs, size_t count)
{
        fputs("#compdef logstore\n"
              "_logstore() {\n"
              "        local -a verbs\n"
              "        verbs=(",
              stdout);
        for (size_t i = 0; i < count; i++) {
                printf("\n                '%s:", verbs[i].name);
                print_quoted(verbs[i].help, "'\\''", "");
                putchar('\'');
        }
        fputs(")\n"
              "        if ((CURRENT == 2)); then\n"
              "                _describe verb verbs\n"
              "                compadd help completion\n"
              "                return\n"
              "        fi\n"
              "        shift words\n"
              "        ((CURRENT--))\n"
              "        case $words[1] in\n"
              "        help) ((CURRENT != 2)) || _describe verb verbs ;;\n"
              "        completion) ((CURRENT != 2)) || compadd bash zsh fish ;;\n",
              stdout);
        for (size_t i = 0; i < count; i++)
                zsh_verb(&verbs[i]);
        fputs("        esac\n"
              "}\n"
              "compdef _logstore logstore\n",
              stdout);
}

/* ---- fish ---- */

static void fish_option(const struct verb *verb, const struct poptOption *option)
{
        printf("complete -c logstore -n '__fish_seen_subcommand_from %s'", verb->name);
        if (option->shortName)
                printf(" -s %c", option->shortName);
        if (option->longName)
                printf(" -l %s", option->longName);
        if (takes_file(option)) {
                fputs(" -r", stdout);
        } else if (takes_value(option)) {
                fputs(" -x -a '", stdout);
                print_values(option);
                putchar('\'');
        }
        fputs(" -d '", stdout);
        print_quoted(option->descrip, "\\'", "\\");
        fputs("'\n", stdout);
}

static void print_fish(const struct verb *verbs, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                printf("complete -c logstore -f -n __fish_use_subcommand -a %s -d '",
                       verbs[i].name);
                print_quoted(verbs[i].help, "\\'", "\\");
                fputs("'\n", stdout);
                each_option(&verbs[i], fish_option);
        }
        fputs("complete -c logstore -f -n __fish_use_subcommand -a 'help completion'\n"
              "complete -c logstore -f -n '__fish_seen_subcommand_from help' -a '",
              stdout);
        print_verbs(verbs, count);
        fputs("'\n"
              "complete -c logstore -f -n '__fish_seen_subcommand_from completion' "
              "-a 'bash zsh fish'\n",
              stdout);
}

int completion_print(const struct verb *verbs, size_t count, const char *shell)
{
        if (!shell || strcmp(shell, "bash") == 0)
                print_bash(verbs, count);
        else if (strcmp(shell, "zsh") == 0)
                print_zsh(verbs, count);
        else if (strcmp(shell, "fish") == 0)
                print_fish(verbs, count);
        else
                return report_usage("completion %s: wanted bash, zsh or fish", shell);
        return report_stdout();
}
