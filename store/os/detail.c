/*
 * detail.c - the one-line explanation of this thread's last failure
 *
 * Each thread has a buffer, so that an error path takes no lock and allocates nothing.
 */
#include "os/detail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "logstore.h"

static __thread char line[512];
static __thread struct {
        const char *before, *behind; /* NULL: the line is complete */
        uint64_t number;
} later;

static __thread struct fault last; /* .error 0: the line tells of no damage */

int(detail)(int error, const char *format, ...)
{
        va_list arguments;

        last.error = 0;
        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        later.before = NULL;
        return error;
}

static int tell(void)
{
        char record[40] = "";
        struct fault fault = last;

        if (last.number)
                snprintf(record, sizeof(record), ", record %" PRIu64, last.number);
        detail(last.error, "%s: offset %" PRIu64 "%s: %s%s", last.file, last.offset, record,
               last.what, last.error == -EBADMSG ? ": run verify, then repair" : "");
        last = fault;
        return last.error;
}

int(damaged)(int error, const char *file, uint64_t offset, uint64_t number, const char *format, ...)
{
        va_list arguments;

        last = (struct fault){ .error = error, .offset = offset, .number = number };
        snprintf(last.file, sizeof(last.file), "%s", file);
        va_start(arguments, format);
        vsnprintf(last.what, sizeof(last.what), format, arguments);
        va_end(arguments);
        return tell();
}

void fault_last(int error, struct fault *ret)
{
        *ret = last.error ? last : (struct fault){ 0 };
        if (last.error == 0)
                snprintf(ret->what, sizeof(ret->what), "%.255s", logstore_detail());
        ret->error = error;
}

int fault_tell(const struct fault *fault)
{
        last = *fault;
        if (last.file[0] != '\0')
                return tell();
        return detail(fault->error, "%s", fault->what);
}

int detail_number(int error, const char *before, uint64_t number, const char *behind)
{
        last.error = 0;
        later.before = before;
        later.behind = behind;
        later.number = number;
        return error;
}

int detail_sync(int error, const char *what)
{
        return error < 0 ? detail(error, "%s: a sync failed: %s", what, logstore_error_text(error))
                         : 0;
}

int detail_sync_directory(int error, const char *what)
{
        return error < 0 ? detail(error, "%s: cannot sync the directory: %s", what,
                                  logstore_error_text(error))
                         : 0;
}

static void complete(void)
{
        if (later.before)
                snprintf(line, sizeof(line), "%s%" PRIu64 "%s", later.before, later.number,
                         later.behind);
        later.before = NULL;
}

int detail_prefix(int error, const char *format, ...)
{
        char below[sizeof(line)];
        va_list arguments;
        int length;

        complete();
        memcpy(below, line, sizeof(line));
        va_start(arguments, format);
        length = vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        if (length >= 0 && (size_t)length < sizeof(line))
                snprintf(line + length, sizeof(line) - (size_t)length, ": %s", below);
        return error;
}

void detail_clear(void)
{
        line[0] = '\0';
        later.before = NULL;
}

const char *logstore_detail(void)
{
        complete();
        return line;
}

const char *logstore_error_text(int error)
{
        static const struct {
                int error;
                const char *text;
        } ours[] = {
                { 0, "done" },
                { -EBADMSG, "damaged" },
                { -EIO, "a sync or a read failed; nothing more is acknowledged until reopened" },
                { -ESTALE, "trimmed or truncated away" },
                { -EAGAIN, "not there yet" },
                { -ENODATA, "void: the claim was aborted" },
                { -ECHILD, "the handle belongs to the parent process" },
                { -EBUSY, "in use" },
                { -EMEDIUMTYPE, "not a store" },
                { -EPROTONOSUPPORT, "a version or flag that this library does not know" },
                { -EREMOTE, "on a network file system" },
                { -ECANCELED, "the claim was already resolved" },
                { -EDEADLK, "would wait for a claim of the calling thread" },
                { -ENOBUFS, "the buffer or budget is too small" },
        };

        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                if (ours[i].error == error)
                        return ours[i].text;
        return strerrordesc_np(-error) ? strerrordesc_np(-error) : "unknown error";
}
