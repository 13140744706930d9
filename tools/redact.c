/*
 * redact.c - cover what a regular expression matches, in place
 *
 * The edit happens in a private copy of the page, through a snapshot: the store, its file and every
 * other reader keep what they have.
 */
#include "redact.h"

#include <errno.h>
#include <string.h>

#include "report.h"

int pattern_compile(regex_t *pattern, const char *text, int flags, const char *option)
{
        char why[256];
        int r = regcomp(pattern, text, REG_EXTENDED | flags);

        if (r == 0)
                return STATUS_DONE;
        regerror(r, pattern, why, sizeof(why));
        return report_usage("%s %s: %s", option, text, why);
}

static bool find(const regex_t *pattern, const char *data, size_t from, size_t size,
                 regmatch_t *ret)
{
        ret->rm_so = (regoff_t)from;
        ret->rm_eo = (regoff_t)size;
        return regexec(pattern, data, 1, ret, REG_STARTEND | (from ? REG_NOTBOL : 0)) == 0;
}

bool pattern_matches(const regex_t *pattern, const void *data, size_t size)
{
        regmatch_t match;

        return find(pattern, data, 0, size, &match);
}

static void cover(const regex_t *pattern, char *data, size_t size)
{
        regmatch_t match;
        size_t from = 0;

        while (from < size && find(pattern, data, from, size, &match)) {
                size_t end = (size_t)match.rm_eo;

                memset(data + match.rm_so, 'x', end - (size_t)match.rm_so);
                from = match.rm_eo == match.rm_so ? end + 1 : end;
        }
}

int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record)
{
        void *data;
        size_t size;
        int r;

        if (!pattern_matches(pattern, record->data, record->size))
                return 0;
        r = logstore_snapshot_edit(snapshot, record->number, &data, &size);
        if (r < 0)
                return r;
        cover(pattern, data, size);
        record->data = data;
        record->size = size;
        return 1;
}
