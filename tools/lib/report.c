/*
 * report.c - what the tool says on standard error, and the exit status that goes with it
 *
 * Every negative errno of the library has one exit status, whatever the verb; the table below is
 * that contract. One failure is one line.
 */
#include "lib/report.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/signals.h"
#include "lib/text.h"
#include "logstore.h"

static const char *verb_name = "logstore";

static const struct {
        int error;
        int status;
} statuses[] = {
        { -EBADMSG, STATUS_NO }, /* damage */
        { -EAGAIN, STATUS_NO },  /* not yet there */
        { -ESTALE, STATUS_NO },  /* trimmed or truncated away */
        { -ENODATA, STATUS_NO }, /* void */
        { -EMSGSIZE, STATUS_NO },
        { -EINVAL, STATUS_NO },  /* record number 0 */
        { -ENOBUFS, STATUS_NO }, /* over the budget of private pages */
        { -EEXIST, STATUS_NO },
        { -ENOENT, STATUS_STORE },
        { -ENOTDIR, STATUS_STORE },
        { -EMEDIUMTYPE, STATUS_STORE },
        { -EPROTONOSUPPORT, STATUS_STORE },
        { -EBUSY, STATUS_STORE },
        { -EPERM, STATUS_STORE },
        { -EACCES, STATUS_STORE },
        { -EREMOTE, STATUS_STORE },
        { -EROFS, STATUS_STORE },
        { -ELOOP, STATUS_STORE },
        { -EOVERFLOW, STATUS_STORE }, /* its numbers are used up */
        { -ENAMETOOLONG, STATUS_STORE },
};

int status_of(int error)
{
        if (error >= 0)
                return STATUS_DONE;
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
                if (statuses[i].error == error)
                        return statuses[i].status;
        return STATUS_IO;
}

int status_first(int first, int next)
{
        return first != STATUS_DONE ? first : next;
}

void report_verb(const char *name)
{
        verb_name = name;
}

static void report_line(const char *format, va_list arguments)
        __attribute__((format(printf, 1, 0)));
static void report_line(const char *format, va_list arguments)
{
        char line[8192]; /* a path, and what is said about it */
        char shown[TEXT_VISIBLE_BYTES(sizeof(line))];

        vsnprintf(line, sizeof(line), format, arguments);
        fprintf(stderr, "%s: %s\n", verb_name, text_visible_line(shown, line));
}

void report_note(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        report_line(format, arguments);
        va_end(arguments);
}

int report_no(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        report_line(format, arguments);
        va_end(arguments);
        return STATUS_NO;
}

int report_usage(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        report_line(format, arguments);
        va_end(arguments);
        fprintf(stderr, "Try '%s --help'.\n", verb_name);
        return STATUS_USAGE;
}

/* What the library advises, as an option of the tool. */
static const struct {
        const char *advice, *option;
} advices[] = {
        { ", or allow it by LOGSTORE_SHARED_DIR_OK", ", or allow it by --shared-dir-ok" },
        { ", or allow it by LOGSTORE_NETWORK_OK", ", or allow it by --network-ok" },
        { "drop edits or raise the budget", "raise --budget" },
};

/* @text with the advice of the library put as an option, or left out. */
static const char *advise(const char *text, bool options)
{
        static char line[4096];

        for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
                const char *at = strstr(text, advices[i].advice);

                if (!at)
                        continue;
                snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - text), text,
                         options ? advices[i].option : "", at + strlen(advices[i].advice));
                return line;
        }
        return text;
}

static int report_library(int error, const char *dir, bool options)
{
        const char *text = logstore_detail();

        if (!text[0])
                text = logstore_error_text(error);
        text = advise(text, options);
        if (strncmp(text, dir, strlen(dir)) == 0) /* the detail names it already */
                report_note("%s", text);
        else
                report_note("%s: %s", dir, text);
        return status_of(error);
}

int report_store(int error, const char *dir)
{
        return report_library(error, dir, false);
}

int report_open(int error, const char *dir)
{
        return report_library(error, dir, true);
}

int report_file(int error, const char *name)
{
        if (error != -EPIPE || !signals_pipe_kills())
                report_note("%s: %s", name, strerror(-error));
        return STATUS_IO;
}

int report_stdout(void)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return STATUS_DONE;
        if (errno == EPIPE && signals_pipe_kills())
                signals_die(SIGPIPE);
        return report_file(-errno, "standard output");
}
