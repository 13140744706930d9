/*
 * elsewhere.c - what another program does: logstore-remote, beside this one
 *
 * The libraries behind URLs take 5 ms to load, six times what the tool takes without them. So they
 * are in a program of their own, and who only appends needs none of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "lib/report.h"
#include "records/source.h"
#include "verbs/verbs.h"

#define PROGRAM "logstore-remote"

static char path[4096];
static int error;

/* The directory of this program, as the kernel knows it, with /proc or without. */
static void find(void)
{
        ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
        char *slash;

        if (length > 0)
                path[length] = '\0';
        else
                snprintf(path, sizeof(path) - 64, "%s", (const char *)getauxval(AT_EXECFN));
        slash = strrchr(path, '/');
        strcpy(slash ? slash + 1 : path, PROGRAM);
}

/* A word that is the value of an option may look like a URL, too. The other program can do all that
 * this one can. */
static bool has_url(char **argv)
{
        for (; *argv; argv++)
                if (source_is_url(*argv))
                        return true;
        return false;
}

void elsewhere_run(const struct verb *verb, char **argv)
{
        if (!(verb->flags & VERB_ELSEWHERE) && !(verb->flags & VERB_URLS && has_url(argv)))
                return;
        find();
        execv(path, argv);
        error = errno;
}

int elsewhere_failed(void)
{
        report_note("%s: cannot run it: %s: it has the verbs for object stores, install it", path,
                    strerror(error));
        return STATUS_STORE;
}

int verb_ship(int count, char **arguments)
{
        (void)count, (void)arguments;
        return elsewhere_failed();
}

int verb_fetch(int count, char **arguments)
{
        (void)count, (void)arguments;
        return elsewhere_failed();
}
