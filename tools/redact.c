/*
 * redact.c - cover what a regular expression matches, in place
 *
 * The edit happens in a private copy of the page, through a snapshot: the store, its file and every
 * other reader keep what they have.
 */
#include "redact.h"

#include <errno.h>
#include <string.h>

#include "pattern.h"

static int cover(const regex_t *pattern, char *data, size_t size, regmatch_t match)
{
        size_t from;
        int r;

        do {
                size_t end = (size_t)match.rm_eo;

                memset(data + match.rm_so, 'x', end - (size_t)match.rm_so);
                from = match.rm_eo == match.rm_so ? end + 1 : end;
                r = from < size ? pattern_find(pattern, data, from, size, &match) : 0;
        } while (r > 0);
        return r;
}

int redact_record(struct logstore_snapshot *snapshot, const regex_t *pattern,
                  struct logstore_record *record)
{
        regmatch_t match;
        void *data;
        size_t size;
        int r = pattern_find(pattern, record->data, 0, record->size, &match);

        if (r <= 0)
                return r;
        r = logstore_snapshot_edit(snapshot, record->number, &data, &size);
        if (r < 0)
                return r;
        r = cover(pattern, data, size, match);
        if (r < 0)
                return r;
        record->data = data;
        record->size = size;
        return 1;
}
